package adminapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// operatorFrontend is a frontend as the Kubernetes operator's client has it.
type operatorFrontend struct {
	ID     string `json:"id"`
	Active bool   `json:"active"`
	BBB    *struct {
		Key    string `json:"key"`
		Secret string `json:"secret"`
	} `json:"bbb"`
	Settings struct {
		RequiredTags        []string `json:"required_tags"`
		DefaultPresentation *struct {
			URL   string `json:"url"`
			Force bool   `json:"force"`
		} `json:"default_presentation"`
		AttendeesLimit *struct {
			Limit int `json:"limit"`
		} `json:"attendees_limit"`
		CreateDefaultParams  map[string]string `json:"create_default_params"`
		CreateOverrideParams map[string]string `json:"create_override_params"`
		Recordings           *struct {
			VisibilityOverride *string `json:"visibility_override"`
		} `json:"recordings"`
	} `json:"settings"`
	AccountRef *string    `json:"account_ref"`
	CreatedAt  *time.Time `json:"created_at"`
	UpdatedAt  *time.Time `json:"updated_at"`
}

// §15: the calls of the Kubernetes operator, with exactly its bodies.
func TestOperator(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		var list []operatorFrontend
		h.ask(admin, "GET /frontends?key=greenlight", "").into(&list)
		if len(list) != 0 {
			t.Fatalf("§15 list: got %v", list)
		}
		var f operatorFrontend
		h.ask(admin, "POST /frontends", `{"id":"","active":true,"bbb":{"key":"greenlight","secret":"`+frontendSecret+`"},"settings":{`+
			`"required_tags":null,"default_presentation":null,"attendees_limit":null,"create_default_params":{"a":"1"},"create_override_params":{},"recordings":null},`+
			`"account_ref":null,"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z"}`).is(http.StatusOK).into(&f)
		if f.ID == "" || !f.Active || f.BBB == nil || f.BBB.Key != "greenlight" || f.BBB.Secret != frontendSecret || f.CreatedAt.Year() < 2020 || f.UpdatedAt.Year() < 2020 {
			t.Fatalf("§15 create: got %+v", f)
		}
		h.ask(admin, "GET /frontends?key=greenlight", "").into(&list)
		if len(list) != 1 || list[0].ID != f.ID {
			t.Fatalf("§15 list: got %+v", list)
		}
		// What others have set: the operator takes some of it back.
		h.ask(admin, "PATCH /frontends/"+f.ID, `{"settings":{"attendees_limit":{"limit":3},"recordings":{"visibility_override":"public"},"join_default_params":{"j":"1"}}}`).is(http.StatusOK)
		h.ask(admin, "PATCH /frontends/"+f.ID, `{"settings":{"required_tags":["x"],"default_presentation":{"url":"https://x.example.org/a.pdf","force":true},`+
			`"attendees_limit":null,"create_default_params":{"b":"2"},"create_override_params":{},"recordings":null}}`).is(http.StatusOK).into(&f)
		stored := h.storedFrontend(f.ID).Settings
		if stored.AttendeesLimit != nil || stored.Recordings != nil || stored.JoinDefaultParams["j"] != "1" || len(stored.CreateDefaultParams) != 2 ||
			len(stored.RequiredTags) != 1 || !stored.DefaultPresentation.Force {
			t.Errorf("§15 patch: got %+v", stored)
		}
		h.ask(admin, "PATCH /frontends/"+f.ID, `{"settings":{"required_tags":[],"default_presentation":null,`+
			`"attendees_limit":null,"create_default_params":{},"create_override_params":{},"recordings":null}}`).is(http.StatusOK).into(&f)
		h.ask(admin, "GET /frontends/"+f.ID, "").is(http.StatusOK).into(&f)
		if f.Settings.DefaultPresentation != nil || len(f.Settings.CreateDefaultParams) != 2 {
			t.Errorf("§15 read: got %+v", f)
		}
		h.ask(admin, "DELETE /frontends/"+f.ID, "").is(http.StatusOK).into(&f)
		if f.Active {
			t.Error("§7 delete: it is active")
		}
		if p := h.ask(admin, "GET /frontends/"+f.ID, "").is(http.StatusNotFound).problem(); p.Message == "" {
			t.Error("§16: no message")
		}
	})
}

// §11: how an agent of old begins.
func TestShippedAgentRegisters(t *testing.T) {
	t.Parallel()
	agent := token("node1", auth.Node)
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		h.ask(agent, "GET ", "").is(http.StatusOK)
		b := h.ask(agent, "POST /backends", `{"id":"","node_state":"","admin_state":"init","agent_heartbeat":"0001-01-01T00:00:00Z","agent_ref":null,"last_error":null,`+
			`"latency":0,"meetings_count":0,"attendees_count":0,"load_factor":1,"bbb":{"host":"https://n.example.org/bigbluebutton/api/","secret":"s"},`+
			`"settings":{"tags":null},"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z","synced_at":"0001-01-01T00:00:00Z"}`).is(http.StatusOK).backend()
		h.ask(admin, "PATCH /backends/"+b.ID, `{"admin_state":"ready","load_factor":2,"settings":{"tags":["a"]}}`).is(http.StatusOK)
		// It starts again, and must take nothing of that back.
		got := h.ask(agent, "PATCH /backends/"+b.ID, `{"backend":{"host":"https://n.example.org/bigbluebutton/api/","secret":"new"},"load_factor":1}`).backend()
		if got.AdminState != AdminStateReady || got.LoadFactor != 2 || len(got.Settings.Tags) != 1 || text(got.BBB.Secret) != "new" || text(got.AgentRef) != "node1" {
			t.Errorf("got %+v", got)
		}
	})
}

// C2: while a backend is probed and listed, heart-beats and is looked at, 100
// operators change different members of it. Nothing is lost.
func TestManyOperators(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		t.Helper()
		h.run()
		id, frontend := h.backends[0].ID, h.frontend("k", "").ID
		done, stop := context.WithCancel(t.Context())
		var noise, operators sync.WaitGroup
		noise.Go(func() {
			for done.Err() == nil {
				if err := h.store.SaveHeartbeats(t.Context(), []string{id}); err != nil {
					t.Error(err)
				}
				if err := h.store.MarkListed(t.Context(), id, b3scale.MicrosOf(time.Now())); err != nil {
					t.Error(err)
				}
				h.cluster.Backends()[0].Probed(true, time.Now())
				time.Sleep(time.Millisecond)
			}
		})
		noise.Go(func() {
			for done.Err() == nil {
				h.ask(reader, "GET /backends", "")
			}
		})
		changes := []string{
			`{"admin_state":"stopped"}`,
			`{"load_factor":3.5}`,
			`{"bbb":{"secondary_secret":"` + backendSecret2 + `"}}`,
			`{"settings":{"tags":["a","b"]}}`,
			`{"settings":{"max_meetings":7}}`,
			`{"settings":{"max_attendees":70}}`,
			`{"settings":null,"load_factor":null}`,
			``,
		}
		for i := range 100 {
			path, body := "/backends/"+id, changes[i/2%len(changes)]
			if i%2 == 1 {
				path, body = "/frontends/"+frontend, fmt.Sprintf(`{"settings":{"create_default_params":{"p%d":"v"}}}`, i)
			}
			operators.Go(func() {
				if a := h.ask(admin, "PATCH "+path, body); a.Code != http.StatusOK {
					t.Errorf("%s: got %d %s", body, a.Code, a.Body)
				}
			})
		}
		operators.Wait()
		stop()
		noise.Wait()
		want := h.backends[0]
		want.AdminState, want.LoadFactor, want.SecondarySecret = b3scale.AdminStopped, 3.5, backendSecret2
		want.Settings = b3scale.BackendSettings{Tags: b3scale.Tags{"a", "b"}, MaxMeetings: 7, MaxAttendees: 70}
		got := h.storedBackend(id)
		want.ListedAt, want.Lost, want.LostAt = got.ListedAt, got.Lost, got.LostAt
		h.same(got, want)
		if n := len(h.storedFrontend(frontend).Settings.CreateDefaultParams); n != 50 {
			t.Errorf("%d of 50 params are stored", n)
		}
		changed := h.ask(admin, "GET /audit?limit=1000", "").Body.String()
		if n := strings.Count(changed, `"frontend.update"`); n != 50 {
			t.Errorf("%d of 50 changes of the frontend are in the audit", n)
		}
		if n := strings.Count(changed, `"backend.update"`); n != 6 { // who finds it so already changes nothing
			t.Errorf("%d of 6 changes of the backend are in the audit", n)
		}
	})
}

// Whatever a body says, a tenant and an agent change nothing that is not theirs.
func FuzzPatch(f *testing.F) {
	for _, body := range []string{`{}`, `null`, `{"bbb":null}`, `{"BBB":{"Key":"a"}}`, `{"settings":{"create_default_params":{"a":""},"required_tags":["a",null]}}`,
		`{"settings":{"recordings":{"visibility_override":null},"default_presentation":{"url":"http://x"}}}`,
		`{"settings":{"hosts":["A.example.org"],"create_max_params":{"duration":null},"attendees_limit":{"mode":"block_join"},"allowed_tags":[]}}`, `{"backend":{"host":"http://x"},"load_factor":0}`} {
		f.Add([]byte(body))
	}
	forced := b3scale.FrontendSettings{DefaultPresentation: &b3scale.DefaultPresentation{URL: "https://x", Force: true}}
	f.Fuzz(func(t *testing.T, body []byte) {
		was := b3scale.Frontend{Key: "k", Secret: "s", AccountRef: "me", Settings: b3scale.FrontendSettings{
			RequiredTags: b3scale.Tags{"x"}, CreateOverrideParams: b3scale.Params{"o": "1"}, AttendeesLimit: &b3scale.AttendeesLimit{Limit: 1},
			Hosts: []string{"a.example.org"}, CreateBlockedParams: []string{"logo"}, CreateMaxParams: b3scale.Caps{"duration": 60},
			RateLimit: &b3scale.RateLimit{RequestsPerSecond: 5},
		}}
		now := was
		edited := frontendBodyOf(&now)
		if decode(body, &edited) != nil {
			now = was
		} else if _, err := edited.edit(&now, false, forced); err != nil {
			now = was
		}
		if now.Key != "k" || now.Secret != "s" || now.AccountRef != "me" || now.Active || len(now.Settings.RequiredTags) != 1 ||
			now.Settings.AttendeesLimit.Limit != 1 || now.Settings.CreateOverrideParams["o"] != "1" {
			t.Errorf("a tenant has changed %+v with %s", now, body)
		}
		if s := now.Settings; s.AllowedTags != nil || s.JoinBlockedParams != nil || s.MeetingsLimit != nil || s.Recordings != nil || s.DefaultPresentation != nil ||
			len(s.Hosts) != 1 || len(s.CreateBlockedParams) != 1 || s.CreateMaxParams["duration"] != 60 || s.RateLimit.RequestsPerSecond != 5 {
			t.Errorf("a tenant has changed %+v with %s", s, body)
		}
		if was.Settings.RequiredTags[0] != "x" || len(was.Settings.CreateOverrideParams) != 1 || was.Settings.Hosts[0] != "a.example.org" || len(was.Settings.CreateMaxParams) != 1 {
			t.Errorf("what was stored has changed by %s", body)
		}
		if _, err := json.Marshal(frontendOf(&now, nil, auth.Identity{})); err != nil {
			t.Error(err)
		}
		b := b3scale.Backend{Host: "https://a.example.org/", Secret: "s", AdminState: b3scale.AdminReady, LoadFactor: 2, Settings: b3scale.BackendSettings{Tags: b3scale.Tags{"x"}}}
		agent := auth.Identity{Subject: "a", Scopes: auth.Scopes{auth.Node}}
		other := backendBodyOf(&b)
		if other.merge(body, agent) == nil && other.edit(&b, agent) == nil &&
			(b.AdminState != b3scale.AdminReady && (b.AdminState != b3scale.AdminInit || b.Host == "https://a.example.org/") || len(b.Settings.Tags) != 1 || b.Settings.Tags[0] != "x" || !(b.LoadFactor > 0)) {
			t.Errorf("an agent has changed %+v with %s", b, body)
		}
	})
}
