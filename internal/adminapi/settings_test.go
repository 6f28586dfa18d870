package adminapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"b3scale"
	"b3scale/internal/auth"
)

// limitedFrontend is one with everything that limits it.
func (h *harness) limitedFrontend(account string) b3scale.Frontend {
	h.Helper()
	f := h.fullFrontend(account)
	f, err := h.cluster.EditFrontend(h.Context(), f.ID, b3scale.Actor{}, func(f *b3scale.Frontend) error {
		s := &f.Settings
		s.AttendeesLimit = &b3scale.AttendeesLimit{Limit: 5, Mode: b3scale.LimitWarns, ModeratorsExempt: true}
		s.Hosts = []string{"a.example.org", "b.example.org"}
		s.AllowedTags = b3scale.Tags{"gpu", "eu"}
		s.CreateBlockedParams = []string{"logo", "copyright"}
		s.JoinBlockedParams = []string{"avatarURL"}
		s.CreateMaxParams = b3scale.Caps{"duration": 60, "maxParticipants": 30}
		s.MeetingsLimit = &b3scale.MeetingsLimit{Limit: 3}
		s.RateLimit = &b3scale.RateLimit{RequestsPerSecond: 2.5, Burst: 10}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	return f
}

// The merge rules again, for what limits a frontend.
func TestPatchLimits(t *testing.T) {
	t.Parallel()
	type settings = b3scale.FrontendSettings
	rows := []struct {
		name, body string
		edit       func(*settings)
	}{
		{"nothing", `{}`, func(*settings) {}},
		{"a list replaces", `{"hosts":["c.example.org"],"allowed_tags":["*"],"create_blocked_params":["record"],"join_blocked_params":["userdata-bbb_x"]}`, func(s *settings) {
			s.Hosts, s.AllowedTags = []string{"c.example.org"}, b3scale.Tags{"*"}
			s.CreateBlockedParams, s.JoinBlockedParams = []string{"record"}, []string{"userdata-bbb_x"}
		}},
		{"an empty list is one", `{"hosts":[],"allowed_tags":[],"create_blocked_params":[],"join_blocked_params":[]}`, func(s *settings) {
			s.Hosts, s.AllowedTags, s.CreateBlockedParams, s.JoinBlockedParams = []string{}, b3scale.Tags{}, []string{}, []string{}
		}},
		{"null for lists", `{"hosts":null,"allowed_tags":null,"create_blocked_params":null,"join_blocked_params":null}`, func(s *settings) {
			s.Hosts, s.AllowedTags, s.CreateBlockedParams, s.JoinBlockedParams = nil, nil, nil, nil
		}},
		{"caps by name", `{"create_max_params":{"duration":90,"userCameraCap":2}}`, func(s *settings) {
			s.CreateMaxParams = b3scale.Caps{"duration": 90, "maxParticipants": 30, "userCameraCap": 2}
		}},
		{"0 and null take caps out", `{"create_max_params":{"duration":0,"maxParticipants":null}}`, func(s *settings) { s.CreateMaxParams = nil }},
		{"null for caps", `{"create_max_params":null}`, func(s *settings) { s.CreateMaxParams = nil }},
		{"an object for an object", `{"attendees_limit":{"limit":6},"rate_limit":{"burst":0}}`, func(s *settings) {
			s.AttendeesLimit.Limit, s.RateLimit.Burst = 6, 0
		}},
		{"a mode", `{"attendees_limit":{"mode":"block_create","moderators_exempt":false}}`, func(s *settings) {
			s.AttendeesLimit.Mode, s.AttendeesLimit.ModeratorsExempt = b3scale.LimitBlocksCreate, false
		}},
		{"null for scalars", `{"attendees_limit":{"limit":null,"mode":null,"moderators_exempt":null},"meetings_limit":{"limit":null},"rate_limit":{"burst":null}}`, func(*settings) {}},
		{"null for objects", `{"attendees_limit":null,"meetings_limit":null,"rate_limit":null}`, func(s *settings) {
			s.AttendeesLimit, s.MeetingsLimit, s.RateLimit = nil, nil, nil
		}},
		{"no limits at all", `{"attendees_limit":{"limit":0},"meetings_limit":{"limit":0},"rate_limit":{"requests_per_second":0}}`, func(s *settings) {
			s.AttendeesLimit.Limit, s.MeetingsLimit.Limit, s.RateLimit.RequestsPerSecond = 0, 0, 0
		}},
		{"no presentation", `{"default_presentation":{"url":""}}`, func(s *settings) { s.DefaultPresentation.URL = "" }},
		{"hosts as people write them", `{"hosts":[" BBB.Example.ORG.\n","xn--mnchen-3ya.example.org"]}`, func(s *settings) {
			s.Hosts = []string{"bbb.example.org", "xn--mnchen-3ya.example.org"}
		}},
		{"names in any case", `{"HOSTS":["c.example.org"],"Meetings_Limit":{"LIMIT":9}}`, func(s *settings) {
			s.Hosts, s.MeetingsLimit.Limit = []string{"c.example.org"}, 9
		}},
	}
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		for _, tt := range rows {
			t.Run(tt.name, func(t *testing.T) {
				h := h.in(t)
				before := h.limitedFrontend("")
				shown := h.ask(admin, "PATCH /frontends/"+before.ID, `{"settings":`+tt.body+`}`).frontend()
				got := h.storedFrontend(before.ID)
				want := cloneSettings(before.Settings)
				tt.edit(&want)
				if diff := cmp.Diff(mended(want), got.Settings); diff != "" {
					t.Errorf("want - and stored +:\n%s", diff)
				}
				if diff := cmp.Diff(frontendSettingsOf(got.Settings), shown.Settings); diff != "" {
					t.Errorf("want - and shown +:\n%s", diff)
				}
				if known := h.cluster.Frontend("k"); known == nil || cmp.Diff(known.Policy, got.Settings.Over(b3scale.FrontendSettings{})) != "" {
					t.Errorf("the cluster goes by %+v", known)
				}
			})
		}
	})
}

// Clients that know nothing of the newer members lose none of them: their
// objects merge, and they do not send the rest.
func TestOldClientsLoseNoLimits(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	before := h.limitedFrontend("")
	for _, tt := range []struct{ name, body string }{
		{"b3scalectl", `{"settings":{"attendees_limit":{"limit":5}}}`},
		{"operator", `{"settings":{"required_tags":["x","y"],"default_presentation":{"url":"https://x.example.org/a.pdf","force":false},` +
			`"attendees_limit":{"limit":5},"create_default_params":{"a":"1","b":"2"},"create_override_params":{"o":"1"},"recordings":null}}`},
	} {
		h.ask(admin, "PATCH /frontends/"+before.ID, tt.body).is(http.StatusOK)
		if diff := cmp.Diff(before.Settings, h.storedFrontend(before.ID).Settings); diff != "" {
			t.Errorf("%s: before - and after +:\n%s", tt.name, diff)
		}
	}
	h.ask(admin, "PATCH /frontends/"+before.ID, `{"settings":{"required_tags":null,"default_presentation":null,`+
		`"attendees_limit":null,"create_default_params":{},"create_override_params":{},"recordings":null}}`).is(http.StatusOK)
	want := cloneSettings(before.Settings)
	want.RequiredTags, want.DefaultPresentation, want.AttendeesLimit = nil, nil, nil
	if diff := cmp.Diff(want, h.storedFrontend(before.ID).Settings); diff != "" {
		t.Errorf("§15: what the operator takes back: want - and stored +:\n%s", diff)
	}
}

// A limit that was stored without a mode has the usual one, for everybody.
func TestUsualModeIsShown(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.fullFrontend("me")
	path := "/frontends/" + f.ID
	for _, call := range []string{"GET " + path, "GET " + path + "/policy", "GET /frontends"} {
		if body := h.ask(admin, call, "").is(http.StatusOK).Body.String(); !strings.Contains(body, `"attendees_limit":{"limit":5,"mode":"block_join","moderators_exempt":false}`) {
			t.Errorf("%s: got %s", call, body)
		}
	}
	// To say it is no change, so a tenant may.
	h.ask(token("me", auth.Owner), "PATCH "+path, `{"settings":{"attendees_limit":{"mode":"block_join"}}}`).is(http.StatusOK)
	if got := h.storedFrontend(f.ID); got.Version != f.Version {
		t.Errorf("it has changed to %+v", got.Settings.AttendeesLimit)
	}
}

// Whoever reads answers by eye, or by position, finds the old members first.
func TestOldMembersComeFirst(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.limitedFrontend("")
	for _, call := range []string{"GET /frontends/" + f.ID, "GET /frontends/" + f.ID + "/policy", "GET /frontend-defaults"} {
		body := h.ask(admin, call, "").is(http.StatusOK).Body.String()
		_, rest, found := strings.Cut(body, `"required_tags":`) // the last one of old
		if !found || strings.Contains(rest, `"recordings":`) || !strings.Contains(rest, `"allowed_tags":`) {
			t.Errorf("%s: got %s", call, body)
		}
	}
}

// §2: what limits a tenant is not the tenant's to change.
func TestTenantsKeepTheirLimits(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		owner := token("me", auth.Owner)
		f := h.limitedFrontend("me")
		bare := h.ask(admin, "POST /frontends", `{"bbb":{"key":"bare","secret":"s"},"account_ref":"me"}`).frontend()
		h.ask(owner, "PATCH /frontends/"+f.ID, h.ask(owner, "GET /frontends/"+f.ID, "").is(http.StatusOK).Body.String()).is(http.StatusOK)
		h.ask(owner, "PATCH /frontends/"+f.ID, `{"settings":{"hosts":["A.example.org","b.example.org"],"create_max_params":{"userCameraCap":0}}}`).is(http.StatusOK)
		if h.storedFrontend(f.ID).Version != f.Version {
			t.Error("the object as it was shown changes something")
		}
		for _, tt := range []struct{ id, body, want string }{
			{f.ID, `"hosts":["a.example.org"]`, "hosts"},
			{f.ID, `"hosts":null`, "hosts"},
			{f.ID, `"allowed_tags":["*"]`, "allowed_tags"},
			{f.ID, `"create_blocked_params":[]`, "create_blocked_params"},
			{f.ID, `"join_blocked_params":null`, "join_blocked_params"},
			{f.ID, `"create_max_params":{"duration":0}`, "create_max_params"},
			{f.ID, `"create_max_params":{"duration":61}`, "create_max_params"},
			{f.ID, `"create_max_params":null`, "create_max_params"},
			{f.ID, `"meetings_limit":{"limit":0}`, "meetings_limit"},
			{f.ID, `"rate_limit":{"burst":11}`, "rate_limit"},
			{f.ID, `"rate_limit":null`, "rate_limit"},
			{f.ID, `"attendees_limit":{"mode":"block_join"}`, "attendees_limit"},
			{f.ID, `"attendees_limit":{"moderators_exempt":false}`, "attendees_limit"},
			// An empty one stands in the way of the default of the installation.
			{bare.ID, `"required_tags":[]`, "required_tags"},
			{bare.ID, `"allowed_tags":[]`, "allowed_tags"},
			{bare.ID, `"create_blocked_params":[]`, "create_blocked_params"},
			{bare.ID, `"join_blocked_params":[]`, "join_blocked_params"},
			{bare.ID, `"attendees_limit":{}`, "attendees_limit"},
			{bare.ID, `"meetings_limit":{"limit":0}`, "meetings_limit"},
			{bare.ID, `"rate_limit":{}`, "rate_limit"},
			{bare.ID, `"recordings":{}`, "recordings"},
			{bare.ID, `"create_max_params":{"duration":1}`, "create_max_params"},
			{bare.ID, `"hosts":["c.example.org"]`, "hosts"},
		} {
			before := h.storedFrontend(tt.id)
			a := h.ask(owner, "PATCH /frontends/"+tt.id, `{"settings":{`+tt.body+`}}`).is(http.StatusForbidden)
			if got := a.fields(); got != "settings."+tt.want+": this action is not allowed" {
				t.Errorf("%s: got %s", tt.body, got)
			}
			if h.storedFrontend(tt.id).Version != before.Version {
				t.Errorf("%s: something was written", tt.body)
			}
		}
		// What was theirs still is.
		h.ask(owner, "PATCH /frontends/"+f.ID, `{"settings":{"default_presentation":{"url":""},"create_default_params":{"record":"true"}}}`).is(http.StatusOK)
	})
}

// A presentation that an operator forces on a tenant stays, wherever it is set.
func TestTenantsKeepForcedPresentations(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	owner := token("me", auth.Owner)
	own := h.ask(admin, "POST /frontends", `{"bbb":{"key":"own","secret":"s"},"account_ref":"me","settings":{"default_presentation":{"url":"https://example.org/own.pdf","force":true}}}`).frontend()
	bare := h.ask(admin, "POST /frontends", `{"bbb":{"key":"bare","secret":"s"},"account_ref":"me"}`).frontend()
	changes := []string{`null`, `{"url":""}`, `{"url":"https://example.org/b.pdf"}`, `{"force":false}`, `{"url":"https://example.org/b.pdf","force":true}`}
	refused := func(name, id string, bodies ...string) {
		t.Helper()
		for _, body := range bodies {
			before := h.storedFrontend(id).Version
			a := h.ask(owner, "PATCH /frontends/"+id, `{"settings":{"default_presentation":`+body+`}}`).is(http.StatusForbidden)
			if got := a.fields(); got != "settings.default_presentation: this action is not allowed" || h.storedFrontend(id).Version != before {
				t.Errorf("%s, %s: got %s", name, body, got)
			}
		}
	}
	allowed := func(id, body string) {
		t.Helper()
		h.ask(owner, "PATCH /frontends/"+id, `{"settings":{"default_presentation":`+body+`}}`).is(http.StatusOK)
	}
	refused("its own", own.ID, changes...)
	allowed(own.ID, `{"url":"https://example.org/own.pdf","force":true}`) // as it is
	refused("force is for operators", bare.ID, changes[4])
	allowed(bare.ID, `{"url":"https://example.org/a.pdf"}`)
	allowed(bare.ID, `null`)
	h.ask(admin, "PATCH /frontend-defaults", `{"default_presentation":{"url":"https://example.org/all.pdf","force":true}}`).is(http.StatusOK)
	refused("the default", bare.ID, changes[1:]...)
	allowed(bare.ID, `null`)
	h.ask(admin, "PATCH /frontend-defaults", `{"default_presentation":{"force":false}}`).is(http.StatusOK)
	allowed(bare.ID, `{"url":""}`)
}

// A host name is one frontend's.
func TestHostsAreUnique(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		one, two := h.limitedFrontend(""), h.frontend("two", "")
		for _, call := range []struct{ call, body string }{
			{"PATCH /frontends/" + two.ID, `{"settings":{"hosts":["c.example.org","B.example.org"]}}`},
			{"POST /frontends", `{"bbb":{"key":"three","secret":"s"},"settings":{"hosts":["a.example.org"]}}`},
		} {
			a := h.ask(admin, call.call, call.body).is(http.StatusConflict)
			if got := a.fields(); got != "settings.hosts: has the host name of another frontend" {
				t.Errorf("%s: got %s", call.call, got)
			}
		}
		if n := len(h.storedFrontends()); n != 2 || len(h.storedFrontend(two.ID).Settings.Hosts) != 0 {
			t.Errorf("something of %d frontends was written", n)
		}
		h.ask(admin, "PATCH /frontends/"+one.ID, `{"settings":{"hosts":["a.example.org"]}}`).is(http.StatusOK)
		h.ask(admin, "PATCH /frontends/"+two.ID, `{"settings":{"hosts":["b.example.org"]}}`).is(http.StatusOK)
		h.ask(admin, "DELETE /frontends/"+one.ID, "").is(http.StatusOK)
		h.ask(admin, "POST /frontends", `{"bbb":{"key":"three","secret":"s"},"settings":{"hosts":["a.example.org"]}}`).is(http.StatusOK)
	})
}
