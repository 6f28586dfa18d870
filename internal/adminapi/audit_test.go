package adminapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"b3scale"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		list := func(query string) []AuditEntry {
			t.Helper()
			var entries []AuditEntry
			h.ask(reader, "GET /audit"+query, "").into(&entries)
			return entries
		}
		if got := list(""); len(got) != 0 {
			t.Fatalf("nothing was done, got %v", got)
		}
		f := h.ask(admin, "POST /frontends", `{"bbb":{"key":"k","secret":"`+frontendSecret+`"}}`).frontend()
		h.ask(admin, "PATCH /frontends/"+f.ID, `{"bbb":{"secret":"`+frontendSecret2+`"},"active":false}`).is(http.StatusOK)
		h.ask(admin, "PATCH /frontends/"+f.ID, `{}`).is(http.StatusOK) // no change, no entry
		b := h.ask(admin, "POST /backends", `{"bbb":{"host":"`+someHost+`","secret":"`+backendSecret+`"}}`).backend()
		h.ask(admin, "POST /backends/"+b.ID+"/declare-lost", "").is(http.StatusOK)
		middle := list("")[0]
		h.ask(admin, "DELETE /backends/"+b.ID+"?force=1", "").is(http.StatusOK)
		h.ask(admin, "DELETE /frontends/"+f.ID, "").is(http.StatusOK)

		for _, tt := range []struct{ name, query, want string }{
			{"all", "", "frontend.delete backend.delete backend.declare_lost backend.create frontend.update frontend.create"},
			{"kind", "?kind=backend", "backend.delete backend.declare_lost backend.create"},
			{"an unknown kind", "?kind=x", ""},
			{"object", "?object_id=" + f.ID, "frontend.delete frontend.update frontend.create"},
			{"subject", "?subject=operator@example.org&limit=1", "frontend.delete"},
			{"another subject", "?subject=operator", ""},
			{"before", "?before=" + middle.ID, "backend.create frontend.update frontend.create"},
			{"a page", "?limit=2&offset=1", "backend.delete backend.declare_lost"},
			{"order", "?order=action,-id&limit=2", "backend.create backend.declare_lost"},
			{"since", "?since=2000-01-01T00:00:00Z&kind=backend", "backend.delete backend.declare_lost backend.create"},
			{"since the future", "?since=2999-01-01T00:00:00Z", ""},
			{"until the past", "?until=1970-01-01T00:00:00Z", ""},
			{"until long ago", "?until=0001-01-01T00:00:00Z", ""},
			{"since this one", "?since=" + url.QueryEscape(middle.At.Format(time.RFC3339Nano)), "frontend.delete backend.delete backend.declare_lost"},
			{"until this one", "?until=" + url.QueryEscape(middle.At.Format(time.RFC3339Nano)), "backend.create frontend.update frontend.create"},
		} {
			var actions []string
			for _, e := range list(tt.query) {
				actions = append(actions, e.Action)
			}
			if got := strings.Join(actions, " "); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
		for query, want := range map[string]string{
			"before=x":   "before: should be the id of an entry",
			"before=0":   "before: should be the id of an entry",
			"since=2020": "since: cannot be read",
			"order=x":    `order: unknown field "x"`,
			"limit=0":    "limit: should be between 1 and 10000",
		} {
			if got := h.ask(reader, "GET /audit?"+query, "").is(http.StatusBadRequest).fields(); got != want {
				t.Errorf("%s: got %s, want %s", query, got, want)
			}
		}
		for field := range auditOrders {
			h.ask(admin, "GET /audit?order="+field, "").is(http.StatusOK)
		}

		a := h.ask(admin, "GET /audit", "")
		for _, secret := range []string{frontendSecret, frontendSecret2, backendSecret} {
			if strings.Contains(a.Body.String(), secret) {
				t.Errorf("S17 a secret is in the audit: %s", a.Body)
			}
		}
		update := list("?object_id=" + f.ID)[1]
		if update.Subject != "operator@example.org" || !strings.HasPrefix(update.Address, "10.") || update.RequestID == "" ||
			update.Object != (AuditObject{Kind: "frontend", ID: f.ID, Name: "k"}) || time.Since(update.At) > time.Hour {
			t.Errorf("got %+v", update)
		}
		if before, after := string(update.Before), string(update.After); !strings.Contains(before, `"active":true`) ||
			!strings.Contains(after, `"active":false`) || !strings.Contains(after, "(changed)") {
			t.Errorf("before %s\nafter %s", before, after)
		}
		if created := list("?object_id=" + f.ID)[2]; string(created.Before) != "null" {
			t.Errorf("before it was created: %s", created.Before)
		}
	})
}

func TestAuditIsBounded(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for i := range usualAudit + 5 {
		if err := h.store.NoteAction(t.Context(), b3scale.AuditEntry{Action: fmt.Sprint("test.", i), Object: b3scale.AuditObject{Kind: "test"}}); err != nil {
			t.Fatal(err)
		}
	}
	var entries []AuditEntry
	a := h.ask(admin, "GET /audit", "")
	a.into(&entries)
	if len(entries) != usualAudit || a.Header().Get("X-Total-Count") != fmt.Sprint(usualAudit+5) {
		t.Errorf("got %d of %s", len(entries), a.Header().Get("X-Total-Count"))
	}
	h.ask(admin, "GET /audit?limit=10000&before="+entries[len(entries)-1].ID, "").into(&entries)
	if len(entries) != 5 || entries[0].Action != "test.4" {
		t.Errorf("the rest: got %d", len(entries))
	}
}
