package web_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"

	"b3scale/internal/web"
)

// logger writes text at debug level into the buffer.
func logger() (*slog.Logger, *bytes.Buffer) {
	var buf bytes.Buffer
	return slog.New(web.LogHandler(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))), &buf
}

func get(h http.Handler, target string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var fresh = regexp.MustCompile(`^[0-9a-f]{16}$`)

// An id that a proxy has given is kept if it is harmless, and is on every line
// that the request logs.
func TestRequestID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given string
		kept  bool
	}{
		{"", false},
		{"short", false},
		{"1234567", false},
		{"12345678", true},
		{"4bf92f35-77b3_4DA6", true},
		{strings.Repeat("a", 64), true},
		{strings.Repeat("a", 65), false},
		{"with blanks in it", false},
		{"line\nbreaks", false},
		{"quote\"quote", false},
		{"semicolon;=value", false},
		{"ümläute-", false},
	} {
		log, lines := logger()
		h := web.RequestID(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			log.InfoContext(r.Context(), "one")
			if got, want := web.RequestIDOf(r.Context()), w.Header().Get("X-Request-Id"); got != want {
				t.Errorf("%q: the context has the id %q, the answer %q", c.given, got, want)
			}
			log.With("a", 1).WithGroup("g").WarnContext(r.Context(), "two")
		}))
		got := get(h, "/", http.Header{"X-Request-Id": {c.given}}).Header().Get("X-Request-Id")
		if (got == c.given) != c.kept || !c.kept && !fresh.MatchString(got) {
			t.Errorf("%q: the id is %q, want it to be kept: %v", c.given, got, c.kept)
		}
		if n := strings.Count(lines.String(), "request_id="+got); n != 2 {
			t.Errorf("%q: the id is on %d of 2 lines: %s", c.given, n, lines)
		}
	}
	log, lines := logger()
	log.Info("outside of a request")
	if id := web.RequestIDOf(t.Context()); id != "" {
		t.Errorf("outside of a request the id is %q", id)
	}
	if strings.Contains(lines.String(), "request_id") {
		t.Errorf("a line without a request has an id: %s", lines)
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	t.Parallel()
	h := web.RequestID(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	seen := map[string]bool{}
	for range 1000 {
		seen[get(h, "/", nil).Header().Get("X-Request-Id")] = true
	}
	if len(seen) != 1000 {
		t.Errorf("1000 requests got %d ids", len(seen))
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	log, lines := logger()
	h := web.RequestID(web.Recover(log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic(fmt.Sprintf("it broke: %s", r.URL.Path))
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "fine")
	})))
	if got := get(h, "/", nil); got.Code != http.StatusOK || got.Body.String() != "fine" || lines.Len() > 0 {
		t.Errorf("without a panic: got %d %q and the log %q", got.Code, got.Body, lines)
	}
	got := get(h, "/panic", nil)
	if got.Code != http.StatusInternalServerError || strings.Contains(got.Body.String(), "broke") {
		t.Errorf("with a panic: got %d %q", got.Code, got.Body)
	}
	for _, want := range []string{"level=ERROR", "it broke: /panic", "web_test.go", "request_id=" + got.Header().Get("X-Request-Id")} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("the log does not tell %q: %s", want, lines)
		}
	}
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler { //nolint:errorlint // it is passed on as it is
			t.Errorf("the server is told %v, want http.ErrAbortHandler", cause)
		}
	}()
	get(h, "/abort", nil)
}

// The client is the last one that no trusted proxy has added: what stands
// before it may be made up.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"203.0.113.7:1", nil, "203.0.113.7"},
		{"203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"192.0.2.9, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"192.0.2.9, 198.51.100.1 , 10.2.3.4"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"192.0.2.9", "198.51.100.1", "10.2.3.4"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"10.9.9.9"}, "10.9.9.9"},
		{"10.0.0.1:1", []string{"nonsense, 10.9.9.9"}, "10.9.9.9"},
		{"10.0.0.1:1", []string{"198.51.100.1, nonsense"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"@", []string{"198.51.100.1"}, "@"}, // a socket file
	} {
		log, lines := logger()
		h := web.AccessLog(log, web.AccessAll, proxies, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.forwarded
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got := web.ClientAddress(r, proxies); got != c.want {
			t.Errorf("%s with %q: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
		if got := lines.String(); !strings.Contains(got, " client="+c.want+" ") {
			t.Errorf("%s with %q: got %s, want client=%s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	var ready web.Readiness
	door := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "gateway "+r.URL.Path) })
	h := web.Handler(door, []string{"/bbb/", "/b3s/retry-join/"}, &ready)
	for _, c := range []struct {
		method, target string
		ready          bool
		status         int
		body           string
	}{
		{"GET", "/bbb/fe1/api", false, 200, "gateway /bbb/fe1/api"},
		{"DELETE", "/bbb//fe1//api//../create/", true, 200, "gateway /bbb//fe1//api//../create/"},
		{"GET", "/b3s/retry-join/x", true, 200, "gateway /b3s/retry-join/x"},
		{"GET", "/bbb", true, 404, ""},
		{"GET", "/bbbx/fe1", true, 404, ""},
		{"GET", "/b3s/retry-joinx", true, 404, ""},
		{"GET", "/", true, 404, ""},
		{"GET", "/healthz", false, 200, "ok\n"},
		{"GET", "/healthz", true, 200, "ok\n"},
		{"HEAD", "/healthz", true, 200, "ok\n"}, // the server leaves the body out
		{"POST", "/healthz", true, 405, ""},
		{"GET", "/readyz", false, 503, "starting or draining\n"},
		{"GET", "/readyz", true, 200, "ready\n"},
		{"GET", "/readyz", false, 503, "starting or draining\n"},
		{"DELETE", "/readyz", true, 405, ""},
	} {
		ready.Set(c.ready)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
		if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
			t.Errorf("%s %s: got %d %q, want %d %q", c.method, c.target, w.Code, w.Body, c.status, c.body)
		}
		if strings.HasSuffix(c.target, "z") && w.Code != 405 && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control is %q, want no-store", c.target, w.Header().Get("Cache-Control"))
		}
	}
}

// What is degraded stays in service; what starts or drains does not, whatever
// else is wrong with it.
func TestDegraded(t *testing.T) {
	t.Parallel()
	why := ""
	ready := web.Readiness{Degraded: func() string { return why }}
	h := web.Handler(http.NotFoundHandler(), nil, &ready)
	for _, c := range []struct {
		ready  bool
		why    string
		status int
		body   string
	}{
		{true, "", 200, "ready\n"},
		{true, "the cellar is dark", 200, "degraded: the cellar is dark\n"},
		{false, "the cellar is dark", 503, "starting or draining\n"},
		{false, "", 503, "starting or draining\n"},
		{true, "", 200, "ready\n"},
	} {
		ready.Set(c.ready)
		why = c.why
		if got := get(h, "/readyz", nil); got.Code != c.status || got.Body.String() != c.body {
			t.Errorf("ready %v, degraded %q: got %d %q, want %d %q", c.ready, c.why, got.Code, got.Body, c.status, c.body)
		}
	}
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	h := web.Handler(http.NotFoundHandler(), nil, &web.Readiness{}, web.Welcome("1.2.3", "<abc>"))
	got := get(h, "/", nil)
	if got.Code != http.StatusOK || got.Header().Get("Content-Type") != "text/html; charset=UTF-8" || !strings.Contains(got.Body.String(), "<h1>b3scale v.1.2.3 (&lt;abc&gt;)</h1>") {
		t.Errorf("status %d, %v, %s", got.Code, got.Header(), got.Body)
	}
	if got := get(h, "/other", nil).Code; got != http.StatusNotFound {
		t.Errorf("another path: status %d, want 404", got)
	}
}

// Probes may come at the same time as changes.
func TestReadinessIsSafe(t *testing.T) {
	t.Parallel()
	var ready web.Readiness
	h := web.Handler(http.NotFoundHandler(), nil, &ready)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 50 {
				ready.Set(i%2 == 0)
				if got := get(h, "/readyz", nil).Code; got != http.StatusOK && got != http.StatusServiceUnavailable {
					t.Errorf("got %d", got)
				}
			}
		})
	}
	all.Wait()
}
