package web_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"b3scale/internal/web"
)

// doorNotes are those of some door.
type doorNotes struct {
	result  string
	matters bool
}

func (n doorNotes) LogAttrs() []slog.Attr { return []slog.Attr{slog.String("result", n.result)} }
func (n doorNotes) Matters() bool         { return n.matters }

// inner wraps a writer as other middleware does.
type inner struct{ http.ResponseWriter }

func (w inner) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Queries hold names, passwords and checksums; addresses of waiting pages hold
// queries; paths hold what clients put there by mistake.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	log, lines := logger()
	h := web.RequestID(web.AccessLog(log, web.AccessAll, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "teapot") {
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK) // too late
		}
		_, _ = io.WriteString(w, "12345")
		_, _ = io.WriteString(w, "678")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("the writer below is out of reach: %v", err)
		}
	})))
	for _, c := range []struct {
		target string
		want   []string
	}{
		{"/bbb/fe1/api/join?fullName=Ada&password=secret&checksum=0123", []string{"level=INFO", "msg=request", "request_id=", "method=GET", "path=/bbb/fe1/api/join ", "status=200", "bytes=8", "duration="}},
		{"/b3s/retry-join/eyJ1cmwiOiJzZWNyZXQifQ?n=1", []string{"path=/b3s/retry-join/… ", "status=200"}},
		{"/b3s/retry-join/", []string{"path=/b3s/retry-join/ "}},
		{"/b3s/callback/eyJhbGci.eyJz.x/more", []string{"path=/b3s/callback/…/more "}},
		{"/bbb/fe1/api/join&fullName=Ada", []string{"path=/bbb/fe1/api/join… "}},
		{"/bbb/fe1/api/join%3FfullName=Ada", []string{"path=/bbb/fe1/api/join… "}},
		{"/bbb/fe1/api/join;fullName=Ada", []string{"path=/bbb/fe1/api/join… "}},
		{"/bbb/fe1/api/secret=Ada", []string{`path=/bbb/fe1/api/secret… `}},
		{"/api/v1/meetings/WyJmZSIsImEiLCJiM3NjbCJd==", []string{`path="/api/v1/meetings/WyJmZSIsImEiLCJiM3NjbCJd==" `}},
		{"/bbb/" + strings.Repeat("a", 1000) + "/Ada", []string{"path=/bbb/" + strings.Repeat("a", 495) + "… "}},
		{"/teapot", []string{"status=418", "client=192.0.2.1 ", "bytes=8"}},
	} {
		lines.Reset()
		get(h, c.target, nil)
		got := strings.ReplaceAll(lines.String(), "\n", " ")
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got %s, want %q in it", c.target, got, want)
			}
		}
		if strings.Count(got, "msg=") != 1 {
			t.Errorf("%s: got %s, want one line", c.target, got)
		}
		for _, secret := range []string{"Ada", "=secret", "checksum", "eyJ", "?"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s: the log tells %q: %s", c.target, secret, got)
			}
		}
	}
}

// Which requests have a line, and how important it is.
func TestAccessLogLevels(t *testing.T) {
	t.Parallel()
	const none = ""
	for _, c := range []struct {
		name             string
		status           int
		notes            web.Notes
		off, errors, all string
	}{
		{"fine", 200, nil, none, "DEBUG", "INFO"},
		{"asked for something else", 404, nil, none, "DEBUG", "INFO"},
		{"broken", 500, nil, none, "WARN", "WARN"},
		{"not now", 503, doorNotes{"later", false}, none, "WARN", "WARN"},
		{"fine, says the door", 200, doorNotes{"ok", false}, none, "DEBUG", "INFO"},
		{"it matters, says the door", 200, doorNotes{"lost", true}, none, "WARN", "WARN"},
	} {
		for which, want := range map[web.Access]string{web.AccessOff: c.off, web.AccessErrors: c.errors, web.AccessAll: c.all} {
			for _, lowest := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
				var buf bytes.Buffer
				log := slog.New(slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: lowest}))
				h := web.AccessLog(log, which, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if c.notes != nil {
						web.Note(inner{inner{w}}, doorNotes{"the last one counts", !c.notes.Matters()})
						web.Note(inner{inner{w}}, c.notes)
					}
					w.WriteHeader(c.status)
				}))
				if got := get(h, "/", nil).Code; got != c.status {
					t.Errorf("%s, %s: status %d, want %d", c.name, which, got, c.status)
				}
				var line struct{ Level, Result string }
				if buf.Len() > 0 {
					if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
						t.Errorf("%s, %s: %v in %s", c.name, which, err, &buf)
					}
				}
				var level slog.Level
				wants := want
				if want != none && level.UnmarshalText([]byte(want)) == nil && level < lowest {
					wants = none
				}
				if line.Level != wants {
					t.Errorf("%s, %s, from %s on: the line has the level %q, want %q", c.name, which, lowest, line.Level, wants)
				}
				if notes, ok := c.notes.(doorNotes); ok && wants != none && line.Result != notes.result {
					t.Errorf("%s, %s: the line has the result %q, want %q", c.name, which, line.Result, notes.result)
				}
			}
		}
	}
}

// A panic has a line, too: with the status that the client sees.
func TestAccessLogOfPanics(t *testing.T) {
	t.Parallel()
	log, lines := logger()
	h := web.AccessLog(log, web.AccessErrors, nil, web.Recover(log, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("https://node/api/join?fullName=Ada&checksum=0123 and password=Pa55 and eyJhbGci.eyJz.x")
	})))
	get(h, "/panic", nil)
	for _, want := range []string{"level=ERROR msg=panic", "level=WARN msg=request", "status=500", "cause=\"… and … and …\""} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("the log does not tell %q: %s", want, lines)
		}
	}
	for _, secret := range []string{"Ada", "0123", "Pa55", "eyJ", "node"} {
		if strings.Contains(lines.String(), secret) {
			t.Errorf("the log tells %q: %s", secret, lines)
		}
	}
	lines.Reset()
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler { //nolint:errorlint // it is passed on as it is
			t.Errorf("the server is told %v, want http.ErrAbortHandler", cause)
		}
		if !strings.Contains(lines.String(), "msg=request") {
			t.Errorf("an aborted request has no line: %s", lines)
		}
	}()
	get(h, "/abort", nil)
}

// Nobody has to write lines for doors to note something.
func TestNotesWithoutAccessLog(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	web.Note(inner{w}, doorNotes{"ok", true})
	if w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("something was answered: %d %q", w.Code, w.Body)
	}
}
