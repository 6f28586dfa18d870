package adminapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"b3scale"
	"b3scale/internal/auth"
)

const someHost = "https://bbb1.example.org/bigbluebutton/api/"

func TestBackendCreate(t *testing.T) {
	t.Parallel()
	agent := token("node1", auth.Node)
	bbb := func(members string) string { return `{"bbb":{"host":"` + someHost + `","secret":"s"}` + members + `}` }
	rows := []struct {
		name, token, body string
		want              func(*b3scale.Backend)
	}{
		{"§6 create: defaults", admin, bbb(``), func(*b3scale.Backend) {}},
		{"§6 create: zero values are defaults", admin, bbb(`,"admin_state":"","load_factor":0,"settings":null`), func(*b3scale.Backend) {}},
		{"§6 create: nulls are defaults", admin, bbb(`,"admin_state":null,"load_factor":null`), func(*b3scale.Backend) {}},
		{"§6 create: host without a slash", admin, `{"bbb":{"host":" https://bbb1.example.org/bigbluebutton/api ","secret":" s\n"}}`, func(*b3scale.Backend) {}},
		{"§6 create: host with two slashes", admin, `{"bbb":{"host":"https://bbb1.example.org/bigbluebutton/api//","secret":"s"}}`, func(*b3scale.Backend) {}},
		{"§6 create: the full object of the Go client", admin, bbb(`,"id":"","node_state":"","admin_state":"init","agent_heartbeat":"0001-01-01T00:00:00Z","agent_ref":"other",
			"last_error":null,"latency":0,"meetings_count":0,"attendees_count":0,"load_factor":0.5,"settings":{"tags":["a","b"]},
			"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z","synced_at":"0001-01-01T00:00:00Z"`), func(b *b3scale.Backend) {
			b.AdminState, b.LoadFactor, b.Settings.Tags = b3scale.AdminInit, 0.5, b3scale.Tags{"a", "b"}
		}},
		{"create: two secrets and ceilings", admin, `{"bbb":{"host":"` + someHost + `","secret":"s","secondary_secret":"t"},"settings":{"max_meetings":3,"max_attendees":4}}`, func(b *b3scale.Backend) {
			b.SecondarySecret, b.Settings.MaxMeetings, b.Settings.MaxAttendees = "t", 3, 4
		}},
		{"§11 create: by an agent", agent, bbb(`,"admin_state":"init","load_factor":2,"settings":{"tags":null}`), func(b *b3scale.Backend) {
			b.AdminState, b.AgentRef, b.LoadFactor = b3scale.AdminInit, "node1", 2
		}},
		{"§11 create: by an agent that says little", agent, bbb(``), func(b *b3scale.Backend) {
			b.AdminState, b.AgentRef = b3scale.AdminInit, "node1"
		}},
		{"C32 create: by an agent that is an admin", token("node1", auth.Node, auth.Admin), bbb(`,"admin_state":"stopped","settings":{"tags":["a"]}`), func(b *b3scale.Backend) {
			b.AdminState, b.AgentRef, b.Settings.Tags = b3scale.AdminStopped, "node1", b3scale.Tags{"a"}
		}},
	}
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		for _, tt := range rows {
			t.Run(tt.name, func(t *testing.T) {
				h := h.in(t)
				shown := h.ask(tt.token, "POST /backends", tt.body).is(http.StatusOK).backend()
				got := h.storedBackend(shown.ID)
				want := b3scale.Backend{Host: someHost, Secret: "s", AdminState: b3scale.AdminReady, LoadFactor: 1}
				tt.want(&want)
				h.same(got, want)
				h.showsBackend(shown, got)
				if shown.NodeState != NodeStateInit || !shown.AgentHeartbeat.Equal(neverHeard) || !shown.SyncedAt.IsZero() {
					t.Errorf("§6 got %+v", shown)
				}
				if len(h.cluster.Backends()) != 1 {
					t.Error("the cluster does not know it")
				}
			})
		}
	})
}

// same compares what is set of two backends.
func (h *harness) same(got, want b3scale.Backend) {
	h.Helper()
	want.ID, want.CreatedAt, want.UpdatedAt, want.Version = got.ID, got.CreatedAt, got.UpdatedAt, got.Version
	all := func(b b3scale.Backend) any { return []any{b, b.Secret.Reveal(), b.SecondarySecret.Reveal()} }
	if diff := cmp.Diff(all(want), all(got)); diff != "" {
		h.Errorf("want - and got +:\n%s", diff)
	}
}

// showsBackend holds an answer to an admin to what is stored.
func (h *harness) showsBackend(shown Backend, stored b3scale.Backend) {
	h.Helper()
	known, err := h.server.facts(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	want := backendOf(&stored, known, auth.Identity{Scopes: auth.Scopes{auth.Admin}})
	want.Reasons, shown.Reasons = nil, nil // they tell the time
	if diff := cmp.Diff(want, shown); diff != "" {
		h.Errorf("want - and shown +:\n%s", diff)
	}
}

func TestBackendCreateRefuses(t *testing.T) {
	t.Parallel()
	agent := token("node1", auth.Node)
	long := strings.Repeat("x", 2000)
	host := func(host string) string { return `{"bbb":{"host":"` + host + `","secret":"s"}}` }
	more := func(members string) string { return `{"bbb":{"host":"` + someHost + `","secret":"s"},` + members + `}` }
	const badState = "admin_state: should be init, ready, stopped or decommissioned"
	for _, tt := range []struct {
		name, token, body string
		status            int
		want              string
	}{
		{"§1 an empty body", admin, ``, 400, "bbb: this field is required"},
		{"§7 bbb null", admin, `{"bbb":null}`, 400, "bbb: this field is required"},
		{"§6 empty", admin, `{"bbb":{}}`, 400, "bbb.host: this field is required; bbb.secret: this field is required"},
		{"§6 blank", admin, `{"bbb":{"host":" ","secret":" "}}`, 400, "bbb.host: this field is required; bbb.secret: this field is required"},
		{"C24 httpfoo", admin, host("httpfoo"), 400, "bbb.host: should start with http(s)://"},
		{"§6 another scheme", admin, host("ftp://x.example.org/"), 400, "bbb.host: should start with http(s)://"},
		{"C24 no host", admin, host("https:///bigbluebutton/api/"), 400, "bbb.host: should be a URL with a host"},
		{"C24 only a port", admin, host("https://:443/"), 400, "bbb.host: should be a URL with a host"},
		{"C24 no URL", admin, host("https://x y/"), 400, "bbb.host: should be a URL with a host"},
		{"C24 a user", admin, host("https://u:p@x.example.org/"), 400, "bbb.host: should have no user name and no password"},
		{"C24 a query", admin, host("https://x.example.org/?a=b"), 400, "bbb.host: should have no query and no fragment"},
		{"C24 an empty query", admin, host("https://x.example.org/?"), 400, "bbb.host: should have no query and no fragment"},
		{"C24 a fragment", admin, host("https://x.example.org/#a"), 400, "bbb.host: should have no query and no fragment"},
		{"C24 a long host", admin, host("https://x.example.org/" + long), 400, "bbb.host: should have 512 bytes at most"},
		{"C24 a long secret", admin, `{"bbb":{"host":"` + someHost + `","secret":"` + long + `"}}`, 400, "bbb.secret: should have 1024 bytes at most"},
		{"C24 the state error", admin, more(`"admin_state":"error"`), 400, badState},
		{"C24 the state destroyed", admin, more(`"admin_state":"destroyed"`), 400, badState},
		{"C24 an unknown state", admin, more(`"admin_state":"Ready"`), 400, badState},
		{"C24 a load factor below 0", admin, more(`"load_factor":-1`), 400, "load_factor: should be above 0"},
		{"§6 ceilings below 0", admin, more(`"settings":{"max_meetings":-1,"max_attendees":-2}`), 400,
			"settings.max_attendees: should not be negative; settings.max_meetings: should not be negative"},
		{"§6 an empty tag", admin, more(`"settings":{"tags":[""]}`), 400, "settings.tags: should have no empty tags"},
		{"S13 an agent's state", agent, more(`"admin_state":"ready"`), 403, "admin_state: this action is not allowed"},
		{"S13 an agent's tags", agent, more(`"settings":{"tags":["a"]}`), 403, "settings: this action is not allowed"},
		{"S13 an agent's ceilings", agent, more(`"settings":{"max_meetings":1}`), 403, "settings: this action is not allowed"},
		{"C24 a long subject", token(long[:65], auth.Node), more(`"load_factor":1`), 400, "agent_ref: should have 64 characters at most"},
		{"no subject", token("", auth.Node), more(`"load_factor":1`), 403, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{})
			if got := h.ask(tt.token, "POST /backends", tt.body).is(tt.status).fields(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if n := h.store.writes.Load(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
	h := newHarness(t, setup{})
	p := h.ask(admin, "POST /backends", more(`"load_factor":1e999`)).is(http.StatusBadRequest).problem()
	if !strings.HasPrefix(p.Message, "Unmarshal type error: expected=float64, got=number 1e999, field=load_factor") {
		t.Errorf("infinite: got %s", p.Message)
	}
}

func TestBackendConflicts(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		first := h.backend("first", "")
		old, err := h.store.AddBackend(t.Context(), b3scale.Backend{Host: "https://old.example.org", Secret: "s", AdminState: "ready", LoadFactor: 1}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		h.backend("of-node1", "node1")
		const hostTaken = "bbb.host: is the host of another backend"
		post := func(token, host, secret string) *answer {
			t.Helper()
			return h.ask(token, "POST /backends", `{"bbb":{"host":"`+host+`","secret":"`+secret+`"}}`)
		}
		for _, host := range []string{first.Host, strings.TrimRight(first.Host, "/"), first.Host + "/", old.Host, old.Host + "/"} {
			a := post(admin, host, backendSecret).is(http.StatusConflict)
			if got := a.fields(); got != hostTaken || !strings.HasSuffix(a.problem().Message, " is taken") {
				t.Errorf("§6 create %s: got %s", host, a.Body)
			}
		}
		if got := h.ask(admin, "PATCH /backends/"+old.ID, `{"bbb":{"host":"`+strings.TrimRight(first.Host, "/")+`"}}`).is(http.StatusConflict).fields(); got != hostTaken {
			t.Errorf("patch: got %s", got)
		}
		if got := post(token("node1", auth.Node), "https://new.example.org", "s").is(http.StatusConflict).fields(); got != "agent_ref: is the agent of another backend" {
			t.Errorf("C24 an agent that has one: got %s", got)
		}
		if got := post(token("node1", auth.Node, auth.Admin), "https://new.example.org", "s").backend(); got.AgentRef != nil {
			t.Errorf("C32 an admin who is an agent that has one: got %+v", got)
		}
		if got := h.ask(token("node1", auth.Node), "PATCH /backends/"+h.agentID("node1"), `{"backend":{"host":"`+first.Host+`"}}`).is(http.StatusConflict).fields(); got != hostTaken {
			t.Errorf("an agent takes a host: got %s", got)
		}
	})
}

// agentID is the id of the backend of an agent.
func (h *harness) agentID(subject string) string {
	h.Helper()
	for _, b := range h.storedBackends() {
		if b.AgentRef == subject {
			return b.ID
		}
	}
	h.Fatalf("no backend of %s", subject)
	return ""
}

// An operator has added the node before its agent came.
func TestAgentFindsItsBackend(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		b := h.backend("first", "")
		post := func(subject, host, secret string) *answer {
			t.Helper()
			return h.ask(token(subject, auth.Node), "POST /backends", `{"bbb":{"host":"`+host+`","secret":"`+secret+`"},"admin_state":"init","load_factor":1}`)
		}
		for name, secret := range map[string]string{"another secret": "x", "a part of it": backendSecret[:8], "another case": strings.ToUpper(backendSecret)} {
			a := post("node1", b.Host, secret).is(http.StatusConflict)
			if strings.Contains(a.Body.String(), "secret") || h.storedBackend(b.ID).AgentRef != "" {
				t.Errorf("%s: got %s", name, a.Body)
			}
		}
		got := post("node1", strings.TrimRight(b.Host, "/"), backendSecret).backend()
		if got.ID != b.ID || text(got.AgentRef) != "node1" || got.AdminState != AdminStateReady {
			t.Errorf("got %+v", got)
		}
		post("node2", b.Host, backendSecret).is(http.StatusConflict) // somebody else's now
		post("node1", b.Host, backendSecret).is(http.StatusConflict)
		second := h.backend("second", "")
		if got := post("node1", second.Host, backendSecret).is(http.StatusConflict).fields(); got != "agent_ref: is the agent of another backend" {
			t.Errorf("one agent for two: got %s", got)
		}
		if got := post("node2", second.Host, backendSecret2).backend(); got.ID != second.ID {
			t.Errorf("while secrets change: got %+v", got)
		}
	})
}

// §7: the table of merge rules, row by row.
func TestBackendPatch(t *testing.T) {
	t.Parallel()
	type backend = b3scale.Backend
	rows := []struct {
		name, body string
		edit       func(*backend)
	}{
		{"§6 patch: an empty body", ``, func(*backend) {}},
		{"§7 patch: object for an object", `{"bbb":{"secret":"x"}}`, func(b *backend) { b.Secret = "x" }},
		{"§7 patch: the host only", `{"bbb":{"host":"https://x.example.org/api"}}`, func(b *backend) { b.Host = "https://x.example.org/api/" }},
		{"§6 patch: the host without its slash", `{"bbb":{"host":"https://first.example.org/bigbluebutton/api"}}`, func(*backend) {}},
		{"§7 patch: null for an array", `{"settings":{"tags":null}}`, func(b *backend) { b.Settings.Tags = nil }},
		{"§7 patch: array replaces", `{"settings":{"tags":["z"]}}`, func(b *backend) { b.Settings.Tags = b3scale.Tags{"z"} }},
		{"§7 patch: one of the settings", `{"settings":{"max_meetings":9}}`, func(b *backend) { b.Settings.MaxMeetings = 9 }},
		{"§7 patch: null for a struct", `{"settings":null}`, func(*backend) {}},
		{"§7 patch: null for scalars", `{"load_factor":null,"admin_state":null,"bbb":{"host":null},"settings":{"max_meetings":null}}`, func(*backend) {}},
		{"§1 patch: names in any case", `{"BBB":{"SECRET":"x"},"Load_Factor":3}`, func(b *backend) { b.Secret, b.LoadFactor = "x", 3 }},
		{"§6 patch: what is not honoured", `{"id":"x","node_state":"error","agent_ref":"you","lost":true,"meetings_count":-1,"synced_at":"junk"}`, func(*backend) {}},
		{"§6 patch: a member of agents of old", `{"backend":{"host":"https://x.example.org","secret":"x"}}`, func(*backend) {}},
		{"§6 patch: state", `{"admin_state":"stopped"}`, func(b *backend) { b.AdminState = b3scale.AdminStopped }},
		{"§6 patch: load factor 1 of an admin", `{"load_factor":1}`, func(b *backend) { b.LoadFactor = 1 }},
		{"patch: second secret null", `{"bbb":{"secondary_secret":null}}`, func(b *backend) { b.SecondarySecret = "" }},
		{"patch: second secret", `{"bbb":{"secondary_secret":" u "}}`, func(b *backend) { b.SecondarySecret = "u" }},
	}
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		for _, tt := range rows {
			t.Run(tt.name, func(t *testing.T) {
				h := h.in(t)
				before := h.fullBackend("node1")
				shown := h.ask(admin, "PATCH /backends/"+before.ID, tt.body).backend()
				got := h.storedBackend(before.ID)
				want := before
				tt.edit(&want)
				h.same(got, want)
				h.showsBackend(shown, got)
			})
		}
	})
}

// fullBackend is one with settings.
func (h *harness) fullBackend(agent string) b3scale.Backend {
	h.Helper()
	b := h.backend("first", agent)
	b, err := h.cluster.EditBackend(h.Context(), b.ID, b3scale.Actor{}, func(b *b3scale.Backend) error {
		b.LoadFactor = 2.5
		b.Settings = b3scale.BackendSettings{Tags: b3scale.Tags{"x", "y"}, MaxMeetings: 5, MaxAttendees: 100}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	return b
}

func TestBackendPatchRefuses(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		before := h.fullBackend("")
		for _, tt := range []struct{ name, body, want string }{
			{"§7 bbb null", `{"bbb":null}`, "bbb: this field is required"},
			{"§6 no host", `{"bbb":{"host":""}}`, "bbb.host: this field is required"},
			{"§6 no secret", `{"bbb":{"secret":""}}`, "bbb.secret: this field is required"},
			{"C24 httpfoo", `{"bbb":{"host":"httpfoo"}}`, "bbb.host: should start with http(s)://"},
			{"C24 an empty state", `{"admin_state":""}`, "admin_state: should be init, ready, stopped or decommissioned"},
			{"C24 the state error", `{"admin_state":"error"}`, "admin_state: should be init, ready, stopped or decommissioned"},
			{"C24 load factor 0", `{"load_factor":0}`, "load_factor: should be above 0"},
			{"§6 a ceiling below 0", `{"settings":{"max_attendees":-1},"admin_state":"stopped"}`, "settings.max_attendees: should not be negative"},
		} {
			if got := h.ask(admin, "PATCH /backends/"+before.ID, tt.body).is(http.StatusBadRequest).fields(); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
			}
		}
		h.same(h.storedBackend(before.ID), before)
	})
}

// What was stored under other rules is in nobody's way.
func TestOldBackendsStay(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		old, err := h.store.AddBackend(t.Context(), b3scale.Backend{Host: "httpfoo/", Secret: " ", AdminState: b3scale.AdminError,
			LoadFactor: -1, Settings: b3scale.BackendSettings{Tags: b3scale.Tags{""}}}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		b := h.ask(admin, "PATCH /backends/"+old.ID, `{"settings":{"max_meetings":1}}`).backend()
		if b.AdminState != AdminStateError || b.LoadFactor != -1 || b.BBB.Host != "httpfoo/" || b.Settings.MaxMeetings != 1 {
			t.Errorf("got %+v", b)
		}
		h.ask(admin, "PATCH /backends/"+old.ID, `{"admin_state":"error"}`).is(http.StatusOK) // as it is
		h.ask(admin, "PATCH /backends/"+old.ID, `{"admin_state":"ready"}`).is(http.StatusOK)
		h.ask(admin, "PATCH /backends/"+old.ID, `{"admin_state":"error"}`).is(http.StatusBadRequest)
	})
}

// C7, S13: what an agent may change of its own backend, and what not.
func TestBackendPatchByItsAgent(t *testing.T) {
	t.Parallel()
	agent := token("node1", auth.Node)
	type backend = b3scale.Backend
	rows := []struct {
		name, body, forbidden string
		edit                  func(*backend)
	}{
		{"§11 the shipped agent", `{"backend":{"host":"https://x.example.org/api/","secret":"x"},"load_factor":1}`, "", func(b *backend) {
			b.Host, b.Secret = "https://x.example.org/api/", "x"
			b.AdminState = b3scale.AdminInit // an operator looks first
		}},
		{"§11 our agent", `{"bbb":{"host":"https://x.example.org/api","secret":"x"},"backend":{"host":"https://x.example.org/api","secret":"x"},"load_factor":3}`, "", func(b *backend) {
			b.Host, b.Secret, b.LoadFactor = "https://x.example.org/api/", "x", 3
			b.AdminState = b3scale.AdminInit // an operator looks first
		}},
		{"both, and they differ", `{"backend":{"host":"https://x.example.org/","secret":"x"},"bbb":{"host":"https://y.example.org/"}}`, "", func(b *backend) {
			b.Host, b.Secret = "https://y.example.org/", "x"
			b.AdminState = b3scale.AdminInit // an operator looks first
		}},
		{"backend null", `{"backend":null}`, "", func(*backend) {}},
		{"in any case", `{"BACKEND":{"Secret":"x"}}`, "", func(b *backend) { b.Secret = "x" }},
		{"load factor 0", `{"load_factor":0}`, "", func(*backend) {}},
		{"load factor 1", `{"load_factor":1.0}`, "", func(*backend) {}},
		{"load factor 0.5", `{"load_factor":0.5}`, "", func(b *backend) { b.LoadFactor = 0.5 }},
		{"the object as it is", `{"admin_state":"ready","settings":{"tags":["x","y"],"max_meetings":5}}`, "", func(*backend) {}},
		{"the state", `{"admin_state":"stopped"}`, "admin_state", nil},
		{"tags", `{"settings":{"tags":["z"]}}`, "settings.tags", nil},
		{"ceilings", `{"settings":{"max_meetings":0,"max_attendees":0}}`, "settings.max_attendees settings.max_meetings", nil},
		{"second secret", `{"bbb":{"secondary_secret":null}}`, "bbb.secondary_secret", nil},
		{"second secret, as of old", `{"backend":{"secondary_secret":"x"}}`, "bbb.secondary_secret", nil},
		{"something allowed, too", `{"load_factor":3,"admin_state":"init"}`, "admin_state", nil},
	}
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		for _, tt := range rows {
			t.Run(tt.name, func(t *testing.T) {
				h := h.in(t)
				want := h.fullBackend("node1")
				a := h.ask(agent, "PATCH /backends/"+want.ID, tt.body)
				if tt.forbidden != "" {
					var fields []string
					for field := range strings.FieldsSeq(tt.forbidden) {
						fields = append(fields, field+": this action is not allowed")
					}
					if got := a.is(http.StatusForbidden).fields(); got != strings.Join(fields, "; ") {
						t.Errorf("got %s, want %s", got, fields)
					}
				} else {
					tt.edit(&want)
					if shown := a.backend(); text(shown.BBB.Secret) != want.Secret.Reveal() {
						t.Errorf("§16 got %+v", shown.BBB)
					}
				}
				h.same(h.storedBackend(want.ID), want)
			})
		}
	})
	h := newHarness(t, setup{})
	own, foreign := h.backend("own", "node1"), h.backend("foreign", "node2")
	nobodys := h.backend("nobodys", "")
	missing := "00000000-0000-4000-8000-000000000000"
	for _, call := range []string{"GET", "PATCH"} {
		a := h.ask(agent, call+" /backends/"+foreign.ID, ``).is(http.StatusNotFound)
		b := h.ask(agent, call+" /backends/"+missing, ``).is(http.StatusNotFound)
		if strings.ReplaceAll(a.Body.String(), foreign.ID, missing) != b.Body.String() {
			t.Errorf("%s tells foreign %s from missing %s", call, a.Body, b.Body)
		}
		h.ask(token("", auth.Node), call+" /backends/"+nobodys.ID, ``).is(http.StatusNotFound)
		// C32: more scopes are never less.
		h.ask(token("node1", auth.Node, auth.Admin), call+" /backends/"+foreign.ID, `{"admin_state":"stopped"}`).is(http.StatusOK)
	}
	h.ask(token("node1", auth.Node, auth.Read), "GET /backends/"+foreign.ID, "").is(http.StatusOK)
	h.ask(token("node1", auth.Node, auth.Read), "PATCH /backends/"+own.ID, `{"admin_state":"stopped"}`).is(http.StatusForbidden)
	h.ask(agent, "PATCH /backends/"+own.ID, `{"bbb":null}`).is(http.StatusBadRequest)
	h.ask(agent, "PATCH /backends/"+own.ID, `{"backend":{"host":"x"}}`).is(http.StatusBadRequest)
	h.ask(agent, "PATCH /backends/"+own.ID, `{"backend":"x"}`).is(http.StatusBadRequest)
	h.ask(agent, "PATCH /backends/"+own.ID, `{"load_factor":-2}`).is(http.StatusBadRequest)
}

// Who may see which secrets.
func TestBackendSecrets(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	own, foreign := h.backend("own", "node1"), h.backend("foreign", "node2")
	for _, tt := range []struct {
		name, token  string
		own, foreign bool // the secrets are shown
	}{
		{"admin", admin, true, true},
		{"reader", reader, false, false},
		{"agent", token("node1", auth.Node), true, false},
		{"reader with the subject of an agent", token("node1", auth.Read), false, false},
		{"reader and agent", token("node1", auth.Read, auth.Node), true, false},
		{"agent and admin", token("node1", auth.Node, auth.Admin), true, true},
	} {
		for id, may := range map[string]bool{own.ID: tt.own, foreign.ID: tt.foreign} {
			a := h.ask(tt.token, "GET /backends/"+id, "")
			if shown := strings.Contains(a.Body.String(), backendSecret) || strings.Contains(a.Body.String(), backendSecret2); shown != may {
				t.Errorf("%s: the secrets are shown: %t in %s", tt.name, shown, a.Body)
			}
		}
		a := h.ask(tt.token, "GET /backends", "")
		if shown := strings.Count(a.Body.String(), backendSecret); a.Code == 200 && shown > 0 && !tt.own {
			t.Errorf("%s: secrets are in %s", tt.name, a.Body)
		}
	}
}

func TestBackendsList(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		for _, name := range []string{"beta", "Alpha", "al%25pha", "a_a"} {
			h.backend(name, "")
		}
		if _, err := h.store.AddBackend(t.Context(), b3scale.Backend{Host: "https://old.example.org/api", Secret: "s", AdminState: "stopped", LoadFactor: 2}, b3scale.Actor{}); err != nil {
			t.Fatal(err)
		}
		const path = ".example.org/bigbluebutton/api/"
		for _, tt := range []struct{ name, query, want, total string }{
			{"§6 all, by host", "", "Alpha a_a al%25pha beta old", "5"},
			{"§6 by host", "?host=https://beta" + path, "beta", "1"},
			{"§6 by host without its slash", "?host=https://beta" + strings.TrimRight(path, "/"), "beta", "1"},
			{"§6 by host, stored without its slash", "?host=https://old.example.org/api/", "old", "1"},
			{"§6 by host, a part of it", "?host=https://beta", "", "0"},
			{"§6 by host, another case", "?host=https://BETA" + path, "", "0"},
			{"§6 host like", "?host__like=al", "al%25pha", "1"},
			{"§6 host like, in any case", "?host__ilike=AL", "Alpha al%25pha", "2"},
			{"§6 no wildcards: %", "?host__like=%25", "al%25pha", "1"},
			{"§6 no wildcards: _", "?host__ilike=_", "a_a", "1"},
			{"§6 all of them", "?host__like=p&host__ilike=ALP&host=https://Alpha" + path, "Alpha", "1"},
			{"§6 other parameters", "?foo=bar&pretty", "Alpha a_a al%25pha beta old", "5"},
			{"a page", "?limit=2&offset=1", "a_a al%25pha", "5"},
			{"order", "?order=-load_factor", "old Alpha a_a al%25pha beta", "5"},
			{"two orders", "?order=admin_state,-bbb.host", "beta al%25pha a_a Alpha old", "5"},
		} {
			var all []Backend
			a := h.ask(reader, "GET /backends"+tt.query, "")
			a.into(&all)
			var names []string
			for _, b := range all {
				name, _, _ := strings.Cut(strings.TrimPrefix(b.BBB.Host, "https://"), ".")
				names = append(names, name)
			}
			if got := strings.Join(names, " "); got != tt.want || a.Header().Get("X-Total-Count") != tt.total {
				t.Errorf("%s: got %q of %s, want %q of %s", tt.name, got, a.Header().Get("X-Total-Count"), tt.want, tt.total)
			}
		}
		for field := range backendOrders {
			if field != "" {
				h.ask(admin, "GET /backends?order="+field+",-"+field, "").is(http.StatusOK)
			}
		}
		h.ask(token("node1", auth.Node), "GET /backends", "").is(http.StatusForbidden)
	})
}

func TestBackendDestroy(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		b := h.backend("first", "")
		for _, query := range []string{"", "?force=false", "?force=", "?force=y"} {
			got := h.ask(admin, "DELETE /backends/"+b.ID+query, "").backend()
			if got.ID != b.ID || got.AdminState != AdminStateDecommissioned || h.storedBackend(b.ID).AdminState != b3scale.AdminDecommissioned {
				t.Errorf("§6 %s: got %+v", query, got)
			}
		}
		h.ask(admin, "PATCH /backends/"+b.ID, `{"admin_state":"ready"}`).is(http.StatusOK) // it was a mistake
		for _, force := range []string{"true", "YES", "1"} {
			got := h.ask(admin, "DELETE /backends/"+b.ID+"?force="+force, "").backend()
			if got.ID != b.ID || got.AdminState != AdminStateDestroyed || len(h.cluster.Backends()) != 0 {
				t.Errorf("§6 force: got %+v", got)
			}
			b = h.backend("first", "")
		}
		h.ask(admin, "DELETE /backends/"+b.ID+"?force=1", "").is(http.StatusOK)
		for _, id := range []string{b.ID, "not-a-uuid", "%00", strings.Repeat("x", 2000), "%ff"} {
			for _, call := range []string{"GET /backends/" + id, "PATCH /backends/" + id, "DELETE /backends/" + id,
				"DELETE /backends/" + id + "?force=1", "POST /backends/" + id + "/declare-lost"} {
				h.ask(admin, call, "").is(http.StatusNotFound) // C1: never 500
			}
		}
	})
}

func TestBackendDeclareLost(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 2}, func(t *testing.T, h *harness) {
		t.Helper()
		id := h.backends[0].ID
		if got := h.ask(admin, "GET /backends/"+id, "").backend(); got.Lost || got.LostAt != nil || !got.Eligible || len(got.Reasons) != 0 {
			t.Errorf("before: got %+v", got)
		}
		for range 2 { // once more changes nothing
			got := h.ask(admin, "POST /backends/"+id+"/declare-lost", "{}").backend()
			if !got.Lost || got.LostAt == nil || got.Eligible || len(got.Reasons) != 1 || !h.storedBackend(id).Lost {
				t.Errorf("after: got %+v", got)
			}
		}
	})
}

// What is known of a node is shown.
func TestBackendFacts(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 2}, func(t *testing.T, h *harness) {
		t.Helper()
		if err := h.store.SaveHeartbeats(t.Context(), []string{h.backends[0].ID}); err != nil {
			t.Fatal(err)
		}
		h.nodes[1].Down()
		h.run()
		var good, bad Backend
		h.eventually("both are known", func() bool {
			good = h.ask(reader, "GET /backends/"+h.backends[0].ID, "").backend()
			bad = h.ask(reader, "GET /backends/"+h.backends[1].ID, "").backend()
			return good.Latency > 0 && bad.LastError != nil && good.BBB.SecretUsedAt != nil && bad.NodeState == NodeStateError
		})
		if good.NodeState != NodeStateReady || good.AgentHeartbeat.Equal(neverHeard) || good.LastError != nil || good.SyncedAt.IsZero() {
			t.Errorf("got %+v", good)
		}
		if !bad.AgentHeartbeat.Equal(neverHeard) || bad.BBB.SecretUsedAt != nil || strings.Contains(*bad.LastError, "checksum") {
			t.Errorf("got %+v", bad)
		}
		// The row counts: what has just been set is not contradicted.
		got := h.ask(admin, "PATCH /backends/"+h.backends[0].ID, `{"admin_state":"stopped"}`).backend()
		if got.Eligible || len(got.Reasons) != 1 {
			t.Errorf("got %+v", got)
		}
	})
}
