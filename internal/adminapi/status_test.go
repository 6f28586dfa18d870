package adminapi

import (
	"net/http"
	"strings"
	"testing"

	"b3scale/internal/auth"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		for _, tt := range []struct {
			name, token, subject string
			admin                bool
		}{
			{"§4 admin", admin, "operator@example.org", true},
			{"§4 any valid token", token(""), "", false},
			{"§4 tenant", token("me", auth.Owner), "me", false},
			{"§4 admin and more", token("me", auth.Node, auth.Admin), "me", true},
		} {
			for _, path := range []string{"", "/status"} {
				var got Status
				h.ask(tt.token, "GET "+path, "").into(&got)
				db := got.Database
				got.Database = Database{}
				if want := (Status{Version: "1.2.3", Build: "abcdef0", API: "v1", AccountRef: tt.subject, IsAdmin: tt.admin}); got != want {
					t.Errorf("%s: got %+v, want %+v", tt.name, got, want)
				}
				if !db.Available || !db.Migrated || db.PendingMigrations != 0 || db.Error != nil || db.Migration == nil ||
					db.Migration.Version == 0 || db.Migration.Description == "" || db.Migration.AppliedAt.IsZero() || db.Name == "" || strings.Contains(db.Name, "/") {
					t.Errorf("%s: got %+v", tt.name, db)
				}
			}
		}
		h.store.away.Store(true)
		var got Status
		a := h.ask(admin, "GET /status", "")
		a.into(&got)
		want := Database{Error: got.Database.Error}
		if got.Database != want || text(want.Error) != "the store does not answer" || strings.Contains(a.Body.String(), causeOfDeath) {
			t.Errorf("away: got %s", a.Body)
		}
	})
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		var got Database
		h.ask(admin, "POST /ctrl/migrate", "").into(&got)
		if !got.Available || !got.Migrated || got.PendingMigrations != 0 || got.Migration == nil {
			t.Errorf("§4 got %+v", got)
		}
		h.ask(admin, "POST /ctrl/migrate", `{"ignored":true}`).is(http.StatusOK)
	})
}

func TestTransport(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	if got := h.ask(admin, "GET /status?pretty", "").is(200).Body.String(); !strings.HasPrefix(got, "{\n  \"account_ref\"") || !strings.HasSuffix(got, "}\n") {
		t.Errorf("§1 pretty: got %q", got)
	}
	f := h.frontend("a&b", "")
	if got := h.ask(admin, "GET /frontends/"+f.ID, "").is(200).Body.String(); !strings.Contains(got, `"a\u0026b"`) {
		t.Errorf("§1 escaping: got %q", got)
	}
	for _, tt := range []struct {
		call   string
		status int
	}{
		{"HEAD /status", 405},
		{"GET /nothing", 404},
		{"PUT /frontends", 404},
		{"GET /frontends/", 404},
		{"OPTIONS /frontends", 404},
		{"POST /openapi.yaml", 404},
		{"GET /", 404},
	} {
		h.ask(admin, tt.call, "").is(tt.status)
		if tt.status == 404 {
			h.ask("", tt.call, "").is(http.StatusUnauthorized)
		}
	}
	// The mux alone would redirect. The contract has no word for it.
	for _, target := range []string{"//frontends", "/x/../frontends", "/frontends/./"} {
		h.askAt(h.server, admin, "GET "+target, "").is(http.StatusNotFound)
	}
	if got := h.ask("", "GET /openapi.yaml", "").is(200).Body.String(); !strings.HasPrefix(got, "openapi: 3") {
		t.Errorf("the contract: %.40s", got)
	}
	r := h.requestFor("", "GET", "", "")
	r.URL.Path = "/docs/api/v1"
	if got := h.send(h.handler, r).is(200); !strings.Contains(got.Body.String(), "<html") {
		t.Errorf("the page: %.40s", got.Body)
	}
}

// A panic is answered with an object, and told to the log.
func TestPanic(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.server.Mind = nil
	if p := h.ask(admin, "GET /commands", "").is(http.StatusInternalServerError).problem(); p.Message != "Internal Server Error" {
		t.Errorf("got %+v", p)
	}
	if !strings.Contains(h.log.String(), "level=ERROR msg=panic") {
		t.Error("the log does not tell")
	}
}

// While the store is away every request that needs it is told to come back,
// and one line says why.
func TestStoreIsAway(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 1})
	f, b := h.frontend("k", "me"), h.backend("first", "node1")
	h.store.away.Store(true)
	const whyNot = `level=WARN msg="request not served"` // besides the line of the request
	for _, call := range []string{
		"GET /frontends", "POST /frontends", "GET /frontends/" + f.ID, "PATCH /frontends/" + f.ID, "DELETE /frontends/" + f.ID,
		"GET /frontends/" + f.ID + "/policy", "GET /frontend-defaults", "PATCH /frontend-defaults",
		"GET /backends", "POST /backends", "GET /backends/" + b.ID, "PATCH /backends/" + b.ID, "DELETE /backends/" + b.ID,
		"DELETE /backends/" + b.ID + "?force=1", "POST /backends/" + b.ID + "/declare-lost",
		"GET /audit", "POST /ctrl/migrate", "GET /commands",
	} {
		body := ""
		switch call {
		case "POST /frontends":
			body = `{"bbb":{"key":"new","secret":"s"}}`
		case "POST /backends":
			body = `{"bbb":{"host":"https://new.example.org","secret":"s"}}`
		}
		lines := strings.Count(h.log.String(), whyNot)
		a := h.ask(admin, call, body).is(http.StatusServiceUnavailable)
		if a.Header().Get("Retry-After") == "" || a.problem().Message != "the store does not answer" {
			t.Errorf("%s: got %v %s", call, a.Header(), a.Body)
		}
		if n := strings.Count(h.log.String(), whyNot) - lines; n != 1 {
			t.Errorf("%s: %d lines in the log", call, n)
		}
	}
	if !strings.Contains(h.log.String(), causeOfDeath) {
		t.Error("the log does not tell the cause")
	}
	h.store.away.Store(false)
	if got, want := h.storedFrontend(f.ID).Version, f.Version; got != want {
		t.Error("the frontend has changed")
	}
	if got, want := h.storedBackend(b.ID).Version, b.Version; got != want {
		t.Error("the backend has changed")
	}
	h.ask(admin, "GET /frontends", "").is(http.StatusOK)
}

// A change that is done looks done, even when the store goes away right then.
func TestStoreGoesAwayAfterAChange(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.store.leaves.Store(true)
	f := h.ask(admin, "POST /frontends", `{"bbb":{"key":"k","secret":"s"}}`).frontend()
	if f.BBB.Key != "k" {
		t.Errorf("got %+v", f)
	}
	h.store.away.Store(false)
	b := h.ask(admin, "POST /backends", `{"bbb":{"host":"https://new.example.org","secret":"s"}}`).backend()
	if b.NodeState != NodeStateInit || b.Eligible || len(b.Reasons) == 0 {
		t.Errorf("got %+v", b)
	}
}

func TestTwoSecretsOfTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	second, err := auth.NewKeys(jwtSecondSecret, "").Mint(auth.Claims{Subject: "second", Scopes: auth.Scopes{auth.Admin}})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{admin, second} {
		h.ask(token, "GET /frontends", "").is(http.StatusOK)
	}
}
