package adminapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
)

func (a *answer) policy() (p FrontendPolicy) {
	a.h.Helper()
	a.into(&p)
	return p
}

// What counts for a frontend is its own settings over the defaults, and each
// says where it comes from.
func TestFrontendPolicy(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		f := h.ask(admin, "POST /frontends", settings(`"hosts":["a.example.org"],"required_tags":[],"attendees_limit":{"limit":0},
			"create_default_params":{"record":"true"},"create_max_params":{"duration":90},"default_presentation":{"url":""}`)).frontend()
		path := "/frontends/" + f.ID + "/policy"
		alone := h.ask(reader, "GET "+path, "").policy()
		want := FrontendPolicy{Settings: f.Settings, Sources: map[string]SettingSource{
			"hosts": "frontend", "required_tags": "frontend", "attendees_limit": "frontend", "create_default_params.record": "frontend",
			"create_max_params.duration": "frontend", "default_presentation": "frontend",
		}}
		if diff := cmp.Diff(want, alone); diff != "" {
			t.Errorf("alone: want - and got +:\n%s", diff)
		}
		h.ask(admin, "PATCH /frontend-defaults", `{"required_tags":["x"],"attendees_limit":{"limit":9},"create_default_params":{"record":"false","welcome":"Hi"},
			"create_max_params":{"duration":60,"maxParticipants":30},"default_presentation":{"url":"https://example.org/a.pdf","force":true},
			"rate_limit":{"requests_per_second":5},"join_blocked_params":["avatarURL"]}`).is(http.StatusOK)
		want.Settings.CreateDefaultParams = map[string]string{"record": "true", "welcome": "Hi"}
		want.Settings.CreateMaxParams = map[string]int{"duration": 90, "maxParticipants": 30}
		want.Settings.RateLimit = &RateLimit{RequestsPerSecond: 5}
		want.Settings.JoinBlockedParams = []string{"avatarURL"}
		for _, name := range []string{"create_default_params.welcome", "create_max_params.maxParticipants", "rate_limit", "join_blocked_params"} {
			want.Sources[name] = "defaults"
		}
		if diff := cmp.Diff(want, h.ask(admin, "GET "+path, "").policy()); diff != "" {
			t.Errorf("with defaults: want - and got +:\n%s", diff)
		}
		// Another instance tells the same at once, and null gives way to the default.
		_, _, other := h.instance(cluster.Options{})
		h.ask(admin, "PATCH /frontends/"+f.ID, `{"settings":{"required_tags":null,"attendees_limit":null}}`).is(http.StatusOK)
		want.Settings.RequiredTags, want.Sources["required_tags"] = []string{"x"}, "defaults"
		want.Settings.AttendeesLimit, want.Sources["attendees_limit"] = &AttendeesLimit{Limit: 9, Mode: AttendeesLimitModeBlockJoin}, "defaults"
		if diff := cmp.Diff(want, h.askAt(other, admin, "GET "+path, "").policy()); diff != "" {
			t.Errorf("at another instance: want - and got +:\n%s", diff)
		}
		h.ask(admin, "DELETE /frontends/"+f.ID, "").is(http.StatusOK)
		for _, id := range []string{f.ID, "not-a-uuid", "%00", "a%2Fb"} {
			h.ask(admin, "GET /frontends/"+id+"/policy", "").is(http.StatusNotFound)
		}
	})
}

// Limits count meetings without their breakout rooms, and everybody once.
func TestFrontendUsage(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 1})
	f, other := h.frontend("one", ""), h.frontend("two", "")
	h.meeting(f, "room")
	h.meeting(f, "empty")
	h.meeting(other, "room")
	room := h.room(f, "room").InternalID
	opened := h.nodes[0].OpenBreakouts(room, 2)
	for _, name := range []string{"Ada", "Bob", "Cyd"} {
		role := "VIEWER"
		if name == "Ada" {
			role = "MODERATOR"
		}
		h.nodes[0].Join(room, bbbtest.Attendee{UserID: name, FullName: name, Role: role})
	}
	h.nodes[0].Join(opened[0].InternalID, bbbtest.Attendee{UserID: "Ada-1", FullName: "Ada", Role: "MODERATOR"})
	h.nodes[0].Join(h.room(other, "room").InternalID, bbbtest.Attendee{UserID: "Eve", FullName: "Eve", Role: "MODERATOR"})
	h.run()
	h.eventually("all rooms are known, and who is in them", func() bool {
		people := 0
		for _, r := range h.cluster.AllRooms() {
			people += r.People
		}
		return len(h.cluster.AllRooms()) == 5 && people == 5
	})
	want := FrontendUsage{Participants: 3, Moderators: 1, Meetings: 2}
	if got := h.ask(reader, "GET /frontends/"+f.ID+"/policy", "").policy().Usage; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A tenant sees what counts for it, and neither the policy of others nor the
// passwords of the operators.
func TestTenantsSeeTheirPolicy(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	own := h.ask(admin, "POST /frontends", `{"bbb":{"key":"own","secret":"s"},"account_ref":"me","settings":{"create_override_params":{"moderatorPW":"own-hunter2"}}}`).frontend()
	foreign := h.ask(admin, "POST /frontends", `{"bbb":{"key":"foreign","secret":"s"},"account_ref":"you"}`).frontend()
	h.ask(admin, "PATCH /frontend-defaults", `{"create_override_params":{"attendeePW":"our-hunter2"},"default_presentation":{"url":"https://user:our-hunter2@example.org/a.pdf"},
		"meetings_limit":{"limit":4}}`).is(http.StatusOK)
	for _, tt := range []struct {
		name, token string
		own, ours   int // passwords that are shown
	}{
		{"admin", admin, 1, 2},
		{"reader", reader, 0, 0},
		{"owner", token("me", auth.Owner), 1, 0},
		{"reader and owner", token("me", auth.Owner, auth.Read), 1, 0},
		{"reader of the owner's name", token("me", auth.Read), 0, 0},
	} {
		body := h.ask(tt.token, "GET /frontends/"+own.ID+"/policy", "").is(http.StatusOK).Body.String()
		if n := strings.Count(body, "own-hunter2"); n != tt.own {
			t.Errorf("%s sees %d passwords of the frontend: %s", tt.name, n, body)
		}
		if n := strings.Count(body, "our-hunter2"); n != tt.ours {
			t.Errorf("%s sees %d passwords of the operators: %s", tt.name, n, body)
		}
		if !strings.Contains(body, `"meetings_limit":{"limit":4}`) {
			t.Errorf("%s does not see what counts: %s", tt.name, body)
		}
	}
	owner := token("me", auth.Owner)
	a := h.ask(owner, "GET /frontends/"+foreign.ID+"/policy", "").is(http.StatusNotFound)
	b := h.ask(owner, "GET /frontends/missing/policy", "").is(http.StatusNotFound)
	if strings.ReplaceAll(a.Body.String(), foreign.ID, "missing") != b.Body.String() {
		t.Errorf("foreign %s is not as missing %s", a.Body, b.Body)
	}
	h.ask(token("", auth.Owner), "GET /frontends/"+h.frontend("nobody's", "").ID+"/policy", "").is(http.StatusNotFound)
	for _, call := range []string{"GET", "PATCH"} {
		h.ask(owner, call+" /frontend-defaults", `{}`).is(http.StatusForbidden)
	}
	h.ask(reader, "PATCH /frontend-defaults", `{}`).is(http.StatusForbidden)
}
