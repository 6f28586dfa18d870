package adminapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// logLevel is that of no log.
type logLevel struct {
	mu      sync.Mutex
	current string
	by      []string
}

func (l *logLevel) Names() (current, configured string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current, "info"
}

func (l *logLevel) Change(_ context.Context, name, by string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch name {
	case "":
		name = "info"
	case "0":
		name = "debug"
	case "debug", "info", "warn":
	default:
		return errors.New("no such level")
	}
	l.current, l.by = name, append(l.by, by)
	return nil
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		level := func(a *answer) string {
			t.Helper()
			var got LogSettings
			a.into(&got)
			if got.Instance != "instance-1" || got.Configured != "info" {
				t.Errorf("got %+v", got)
			}
			return got.Level
		}
		if got := level(h.ask(reader, "GET /log", "")); got != "info" {
			t.Errorf("at first: %s", got)
		}
		var wants []string // the audit, newest first
		for _, c := range []struct{ body, want string }{
			{`{"level":"debug"}`, "debug"},
			{`{}`, "debug"},
			{``, "debug"},
			{`{"level":"warn"}`, "warn"},
			{`{"level":"0"}`, "debug"},
			{`{"LEVEL":null}`, "info"},
		} {
			was := level(h.ask(admin, "GET /log", ""))
			if got := level(h.ask(admin, "PATCH /log", c.body)); got != c.want {
				t.Errorf("%s: got %s, want %s", c.body, got, c.want)
			}
			wants = append(wants, was+" "+c.want)
		}
		for _, body := range []string{`{"level":"loud"}`, `{"level":""}`} {
			if got := h.ask(admin, "PATCH /log", body).is(http.StatusBadRequest).fields(); got != "level: "+isNoLevel {
				t.Errorf("%s: %s", body, got)
			}
		}
		h.ask(admin, "PATCH /log", `{"level":7}`).is(http.StatusBadRequest)

		var entries []AuditEntry
		h.ask(reader, "GET /audit?kind=log", "").into(&entries)
		slices.Reverse(wants)
		var got []string
		for _, e := range entries {
			if e.Action != "log.update" || e.Object != (AuditObject{Kind: "log", ID: "instance-1"}) || e.Subject != "operator@example.org" || e.Address == "" {
				t.Errorf("got %+v", e)
			}
			got = append(got, levelIn(t, e.Before)+" "+levelIn(t, e.After))
		}
		if !slices.Equal(got, wants) {
			t.Errorf("the audit has %q, want %q", got, wants)
		}
		fake, ok := h.server.Level.(*logLevel)
		if !ok || len(fake.by) != len(wants) || slices.ContainsFunc(fake.by, func(by string) bool { return by != "operator@example.org" }) {
			t.Errorf("the log hears of %+v", h.server.Level)
		}
	})
}

func levelIn(t *testing.T, entry []byte) string {
	t.Helper()
	var settings LogSettings
	if err := decode(entry, &settings); err != nil {
		t.Fatal(err)
	}
	return settings.Level
}

// When the database is away one wants to see more: the level changes all the
// same.
func TestLogLevelWithoutDatabase(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.store.away.Store(true)
	var got LogSettings
	h.ask(admin, "PATCH /log", `{"level":"debug"}`).into(&got)
	if got.Level != "debug" || !strings.Contains(h.log.String(), "not in the audit") {
		t.Errorf("got %+v and the log %s", got, h.log)
	}
}

func TestLogLevelThatCannotChange(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.server.Level = nil
	h.ask(admin, "GET /log", "").is(http.StatusNotFound)
	h.ask(admin, "PATCH /log", `{"level":"debug"}`).is(http.StatusNotFound)
}
