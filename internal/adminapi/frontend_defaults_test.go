package adminapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"b3scale"
)

func (a *answer) defaults() (d FrontendDefaults) {
	a.h.Helper()
	a.into(&d)
	return d
}

// defaults as the store has them.
func (h *harness) defaults() b3scale.FrontendSettings {
	h.Helper()
	s, err := h.store.Store.FrontendDefaults(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	return s
}

func TestFrontendDefaults(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		none := frontendDefaultsOf(b3scale.FrontendSettings{})
		if diff := cmp.Diff(none, h.ask(reader, "GET /frontend-defaults", "").defaults()); diff != "" {
			t.Errorf("none were set: want - and shown +:\n%s", diff)
		}
		f := h.frontend("k", "")
		// One after the other, each on what the ones before have left.
		for _, tt := range []struct {
			name, body string
			edit       func(*b3scale.FrontendSettings)
		}{
			{"nothing", `{}`, func(*b3scale.FrontendSettings) {}},
			{"an empty body", ``, func(*b3scale.FrontendSettings) {}},
			{"much", `{"required_tags":["a"],"default_presentation":{"url":"https://example.org/a.pdf"},"attendees_limit":{"limit":9},
				"create_default_params":{"record":"true","welcome":"Hi"},"create_override_params":{"logo":"https://example.org/a.png"},
				"join_default_params":{"guest":"true"},"join_override_params":{"redirect":"true"},"recordings":{"visibility_override":"public"},
				"allowed_tags":["*"],"create_blocked_params":["webVoice"],"join_blocked_params":[],"create_max_params":{"duration":60},
				"meetings_limit":{"limit":4},"rate_limit":{"requests_per_second":5,"burst":7},"hosts":null,"unknown":1}`, func(s *b3scale.FrontendSettings) {
				*s = b3scale.FrontendSettings{
					RequiredTags: b3scale.Tags{"a"}, DefaultPresentation: &b3scale.DefaultPresentation{URL: "https://example.org/a.pdf"},
					AttendeesLimit: &b3scale.AttendeesLimit{Limit: 9}, CreateDefaultParams: b3scale.Params{"record": "true", "welcome": "Hi"},
					CreateOverrideParams: b3scale.Params{"logo": "https://example.org/a.png"}, JoinDefaultParams: b3scale.Params{"guest": "true"},
					JoinOverrideParams: b3scale.Params{"redirect": "true"}, Recordings: &b3scale.RecordingSettings{VisibilityOverride: new(b3scale.RecordingPublic)},
					AllowedTags: b3scale.Tags{"*"}, CreateBlockedParams: []string{"webVoice"}, JoinBlockedParams: []string{},
					CreateMaxParams: b3scale.Caps{"duration": 60}, MeetingsLimit: &b3scale.MeetingsLimit{Limit: 4},
					RateLimit: &b3scale.RateLimit{RequestsPerSecond: 5, Burst: 7},
				}
			}},
			{"objects merge", `{"attendees_limit":{"mode":"warn"},"rate_limit":{"burst":8},"default_presentation":{"force":true}}`, func(s *b3scale.FrontendSettings) {
				s.AttendeesLimit.Mode, s.RateLimit.Burst, s.DefaultPresentation.Force = b3scale.LimitWarns, 8, true
			}},
			{"maps merge", `{"create_default_params":{"welcome":"","copyright":"c"},"create_max_params":{"duration":null,"maxParticipants":9}}`, func(s *b3scale.FrontendSettings) {
				s.CreateDefaultParams, s.CreateMaxParams = b3scale.Params{"record": "true", "copyright": "c"}, b3scale.Caps{"maxParticipants": 9}
			}},
			{"lists replace, null clears", `{"required_tags":["b"],"allowed_tags":null,"meetings_limit":null,"join_default_params":null,"recordings":null}`, func(s *b3scale.FrontendSettings) {
				s.RequiredTags, s.AllowedTags, s.MeetingsLimit, s.JoinDefaultParams, s.Recordings = b3scale.Tags{"b"}, nil, nil, nil, nil
			}},
		} {
			want := h.defaults()
			tt.edit(&want)
			shown := h.ask(admin, "PATCH /frontend-defaults", tt.body).defaults()
			got := h.defaults()
			if diff := cmp.Diff(mended(want), mended(got)); diff != "" {
				t.Errorf("%s: want - and stored +:\n%s", tt.name, diff)
			}
			if diff := cmp.Diff(frontendDefaultsOf(got), shown); diff != "" {
				t.Errorf("%s: stored - and shown +:\n%s", tt.name, diff)
			}
			if diff := cmp.Diff(shown, h.ask(reader, "GET /frontend-defaults", "").defaults()); diff != "" {
				t.Errorf("%s: shown - and shown again +:\n%s", tt.name, diff)
			}
			if diff := cmp.Diff(f.Settings.Over(got), h.cluster.Frontend("k").Policy); diff != "" {
				t.Errorf("%s: want - and what the cluster goes by +:\n%s", tt.name, diff)
			}
		}
		for _, tt := range []struct{ name, body, want string }{
			{"hosts", `{"hosts":["a.example.org"]}`, "hosts: should be set for one frontend alone"},
			{"no hosts", `{"Hosts":[]}`, "hosts: should be set for one frontend alone"},
			{"two mistakes", `{"create_override_params":{"record":"no"},"meetings_limit":{"limit":-1}}`,
				"create_override_params.record: must be true or false; meetings_limit.limit: should not be negative"},
		} {
			before := h.defaults()
			if got := h.ask(admin, "PATCH /frontend-defaults", tt.body).is(http.StatusBadRequest).fields(); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
			}
			if diff := cmp.Diff(before, h.defaults()); diff != "" {
				t.Errorf("%s: something was written:\n%s", tt.name, diff)
			}
		}
		if got := h.ask(admin, "PATCH /frontend-defaults", `{"create_default_params":{"foo":"1"}}`).defaults().Warnings; len(got) != 1 ||
			got[0] != "create_default_params.foo: BigBlueButton knows no such parameter" {
			t.Errorf("the warnings are %s", got)
		}
	})
}

// Who changed the defaults is in the audit, and no password is.
func TestFrontendDefaultsAudit(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		h.ask(admin, "PATCH /frontend-defaults", `{"create_override_params":{"moderatorPW":"mod-hunter2"},"meetings_limit":{"limit":4},
			"default_presentation":{"url":"https://user:pres-hunter2@example.org/a.pdf"}}`).is(http.StatusOK)
		h.ask(admin, "PATCH /frontend-defaults", `{"meetings_limit":{"limit":4}}`).is(http.StatusOK) // no change, no entry
		h.ask(admin, "PATCH /frontend-defaults", `{"hosts":[]}`).is(http.StatusBadRequest)
		var entries []AuditEntry
		a := h.ask(reader, "GET /audit?kind=frontend_defaults", "")
		a.into(&entries)
		if len(entries) != 1 || entries[0].Action != "frontend_defaults.update" || entries[0].Subject != "operator@example.org" ||
			!strings.Contains(string(entries[0].After), `"meetings_limit":{"limit":4}`) {
			t.Errorf("got %s", a.Body)
		}
		for _, call := range []string{"GET /audit", "GET /frontend-defaults"} {
			if body := h.ask(reader, call, "").is(http.StatusOK).Body.String(); strings.Contains(body, "hunter2") {
				t.Errorf("%s shows passwords to b3scale:read: %s", call, body)
			}
		}
		if body := h.ask(admin, "GET /frontend-defaults", "").Body.String(); strings.Count(body, "hunter2") != 2 {
			t.Errorf("an operator sees no passwords: %s", body)
		}
	})
}
