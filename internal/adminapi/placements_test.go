package adminapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/callbacks"
	"b3scale/internal/cluster"
)

func (a *answer) explanation() (x PlacementExplanation) {
	a.h.Helper()
	a.into(&x)
	return x
}

// said are the parameters of an explained call, as they stand there.
func (x PlacementExplanation) said() string {
	var all []string
	for _, p := range x.Call.Params {
		all = append(all, p.Name+"="+p.Value)
	}
	return strings.Join(all, " ")
}

// What an operator asks before a create, and what the create then does.
func TestExplainAndCreate(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 3}, func(t *testing.T, h *harness) {
		t.Helper()
		f := h.frontend("moodle", "")
		h.ask(admin, "PATCH /frontends/"+f.ID, `{"settings":{"required_tags":["eu"],"allowed_tags":["gpu"],"create_blocked_params":["welcome"],
			"create_override_params":{"moderatorPW":"of-the-operator"},"create_max_params":{"duration":60},
			"default_presentation":{"url":"https://user:word@example.org/a.pdf"}}}`).is(http.StatusOK)
		for i, settings := range []string{`{"tags":["eu","gpu"]}`, `{"tags":["eu"]}`, `{}`} {
			h.ask(admin, "PATCH /backends/"+h.backends[i].ID, `{"settings":`+settings+`}`).is(http.StatusOK)
		}
		const question = `{"frontend_key":"moodle","params":{"welcome":"hi","meetingID":"physics","name":"Physics","meta_server-tag":"gpu!",
			"duration":"0","attendeePW":"of-a-client","meta_bbb-meeting-size-hint":"30"}}`
		for _, who := range []string{admin, reader} {
			x := h.ask(who, "POST /placements/explain", question).is(http.StatusOK).explanation()
			want := h.backends[0].ID
			if x.Outcome != PlacementOutcomePlaced || text(x.BackendID) != want || !slices.Equal(x.DrawnFrom, []string{want}) || x.ExpectedSize != 30 ||
				x.FrontendID != f.ID || x.FrontendKey != "moodle" || x.MeetingID != "physics" || x.Home != nil || x.Refusal != nil || len(x.Warnings) != 0 {
				t.Errorf("got %+v", x)
			}
			said := "meetingID=" + b3scale.EncodeMeetingID("moodle", "physics") + " name=Physics meta_server-tag=gpu! duration=60 attendeePW=••• " +
				"meta_bbb-meeting-size-hint=30 moderatorPW=••• meta_b3s-frontend=moodle meetingEndedURL=" + apiURL + callbacks.Path + "•••"
			if got := x.said(); got != said {
				t.Errorf("the node would get\n%s\nwant\n%s", got, said)
			}
			if body := text(x.Call.Body); !strings.Contains(body, `url="https://•••@example.org/a.pdf"`) || x.Call.Form {
				t.Errorf("the body is %s, form is %t", body, x.Call.Form)
			}
			var verdicts []string
			for i, b := range x.Backends {
				line := fmt.Sprint(slices.IndexFunc(h.backends, func(other b3scale.Backend) bool { return other.ID == b.BackendID }), b.Eligible, b.Drawn, b.Near)
				for _, why := range b.RuledOutBy {
					line += " " + string(why.Filter)
				}
				if verdicts = append(verdicts, line); b.Host != h.nodes[0].BaseURL() && i == 0 {
					t.Errorf("the first one is %s", b.Host)
				}
			}
			slices.Sort(verdicts)
			if got, want := strings.Join(verdicts, ", "), "0 true true true, 1 false false false wanted_tags, 2 false false false required_tags wanted_tags"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}

		id := h.meeting(*h.cluster.Frontend("moodle"), "physics")
		p := h.ask(admin, "GET /meetings/"+id, "").is(http.StatusOK).meeting().Placement
		if p == nil || p.Backends != 3 || p.Eligible != 2 || p.RuledOut["required_tags"] != 1 || len(p.Best) != 2 || time.Since(p.DecidedAt) > time.Hour {
			t.Fatalf("it was placed because of %+v", p)
		}
		x := h.ask(admin, "POST /placements/explain", strings.Replace(question, `"frontend_key":"moodle"`, `"frontend_id":"`+f.ID+`"`, 1)).explanation()
		home := h.room(f, "physics")
		if x.Outcome != PlacementOutcomeExists || text(x.BackendID) != home.BackendID || len(x.DrawnFrom) != 0 || *x.Home != (PlacementHome{home.BackendID, home.Generation, "active"}) {
			t.Errorf("got %+v of %+v", x, home.Meeting)
		}
		if m := h.ask(h.agent(home.BackendID), "GET /meetings/"+id, "").is(http.StatusOK).meeting(); m.Placement != nil {
			t.Errorf("an agent sees %+v", m.Placement)
		}
		_, _, other := h.instance(cluster.Options{})
		if m := h.askAt(other, admin, "GET /meetings/"+id, "").is(http.StatusOK).meeting(); m.Placement != nil {
			t.Errorf("an instance that did not decide it says %+v", m.Placement)
		}
	})
}

// Several are equal, none is left, or it is not a matter of place at all.
func TestExplainOutcomes(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 2})
	f := h.frontend("moodle", "")
	ask := func(params string) PlacementExplanation {
		t.Helper()
		return h.ask(reader, "POST /placements/explain", `{"frontend_key":"moodle","params":`+params+`}`).is(http.StatusOK).explanation()
	}
	if x := ask(`{}`); x.Outcome != PlacementOutcomePlaced || x.BackendID != nil || len(x.DrawnFrom) != 2 || x.MeetingID == "" || x.Call.Body != nil {
		t.Errorf("got %+v", x)
	}
	if x := ask(`null`); x.Outcome != PlacementOutcomePlaced {
		t.Errorf("got %+v", x)
	}
	x := ask(`{"meta_server-tag":"gpu!"}`)
	if x.Outcome != PlacementOutcomeRefused || x.Refusal.Code != "no_backend" || *x.Refusal.Filter != PlacementFilterWantedTags || x.BackendID != nil ||
		!strings.Contains(x.Refusal.Message, `2 have none of the wanted tags (not allowed: "gpu")`) || x.RuledOut["wanted_tags"] != 2 || len(x.Warnings) != 2 {
		t.Errorf("got %+v, %+v", x, x.Refusal)
	}
	x = ask(`{"isBreakout":"true"}`)
	if x.Outcome != PlacementOutcomeRefused || x.Refusal.Code != "parentMeetingIDMissing" || x.Refusal.Filter != nil {
		t.Errorf("got %+v, %+v", x, x.Refusal)
	}
	h.meeting(f, "class")
	x = ask(`{"isBreakout":"true","parentMeetingID":"class","meetingID":"group"}`)
	if x.Outcome != PlacementOutcomeFollows || text(x.BackendID) != h.room(f, "class").BackendID || x.Home == nil {
		t.Errorf("got %+v", x)
	}
	h.ask(admin, "PATCH /frontends/"+f.ID, `{"settings":{"meetings_limit":{"limit":1}}}`).is(http.StatusOK)
	x = ask(`{"meetingID":"other"}`)
	if x.Outcome != PlacementOutcomeRefused || x.Refusal.Code != "meetingsLimitReached" || x.Refusal.Filter != nil || len(x.DrawnFrom) != 0 {
		t.Errorf("got %+v, %+v", x, x.Refusal)
	}
}

// Addresses at which nodes call us carry tokens. They are for nodes.
func TestExplainHidesTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 1})
	h.frontend("moodle", "")
	x := h.ask(admin, "POST /placements/explain", `{"frontend_key":"moodle","params":{"meta_endCallbackUrl":"https://user:word@moodle.example.org/over"}}`).explanation()
	if got := x.said(); strings.Count(got, "="+apiURL+callbacks.Path+"•••") != 2 || strings.Contains(got, "eyJ") {
		t.Errorf("the node would get %s", got)
	}
}

func TestExplainBadInput(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 1})
	f := h.frontend("moodle", "")
	other := h.frontend("other", "")
	for _, c := range []struct {
		body   string
		status int
		says   string // of fields, or in the message
	}{
		{``, http.StatusBadRequest, "frontend_key: this field is required"},
		{`{"params":{"meetingID":"a-room"}}`, http.StatusBadRequest, "frontend_key: this field is required"},
		{`{"frontend_key":"nobody"}`, http.StatusNotFound, `no frontend with the key "nobody"`},
		{`{"frontend_id":"nobody"}`, http.StatusNotFound, `no frontend with the id "nobody"`},
		{`{"frontend_id":"` + other.ID + `","frontend_key":"moodle"}`, http.StatusNotFound, "no frontend with the id"},
		{`{"frontend_id":"` + f.ID + `","frontend_key":"moodle"}`, http.StatusOK, ""},
		{`{"frontend_key":"moodle","params":{"meetingID":"x"}}`, http.StatusBadRequest, "params.meetingID: Meeting ID must be between 2 and 256 characters"},
		{`{"frontend_key":"moodle","params":{"meetingID":"a,b"}}`, http.StatusBadRequest, "params.meetingID: Meeting ID cannot contain ','"},
		{`{"frontend_key":"moodle","params":{"meetingID":""}}`, http.StatusBadRequest, "params.meetingID: You must provide a meeting ID"},
		{`{"frontend_key":"moodle","params":{"meetingID":"` + strings.Repeat("x", 200) + `"}}`, http.StatusBadRequest, "params.meetingID: Meeting ID must be"},
		{`{"frontend_key":"moodle","params":{"duration":60}}`, http.StatusBadRequest, "Unmarshal type error"},
		{`{"frontend_key":"moodle","params":["a"]}`, http.StatusBadRequest, "Unmarshal type error"},
		{`{"frontend_key":"moodle","params":{"a":"1","a":"2","b":null}}`, http.StatusOK, ""},
		{`{"frontend_key":"moodle","params":{"a":{"b":"c"}}}`, http.StatusBadRequest, "Unmarshal type error"},
		{`{"frontend_key":"moodle","body":"<modules>"}`, http.StatusBadRequest, "body: should be XML"},
		{`{"frontend_key":"moodle","body":"modules"}`, http.StatusBadRequest, "body: should be XML"},
		{`{"frontend_key":"moodle","body":" "}`, http.StatusOK, ""},
		{`{"frontend_key":"moodle","body":null}`, http.StatusOK, ""},
		{`{"frontend_key":`, http.StatusBadRequest, "Syntax error"},
		{`{"frontend_key":"moodle","body":"` + strings.Repeat(" ", 70<<10) + `"}`, http.StatusRequestEntityTooLarge, "a body may have"},
	} {
		a := h.ask(admin, "POST /placements/explain", c.body)
		said := a.Body.String()
		if a.Code == http.StatusBadRequest && a.problem().Fields != nil {
			said = a.fields()
		}
		if a.Code != http.StatusOK {
			said += a.problem().Message
		}
		if a.Code != c.status || !strings.Contains(said, c.says) {
			t.Errorf("%.90s: got %d %s, want %d %s", c.body, a.Code, said, c.status, c.says)
		}
	}
}
