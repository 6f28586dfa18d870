package callbacks

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
	"b3scale/internal/logtest"
	"b3scale/internal/sqlstore"
)

// lms is the server of a frontend. It keeps what it is sent, and answers as
// its test says.
type lms struct {
	*httptest.Server
	mu     sync.Mutex
	got    []delivery
	answer func(n int, r *http.Request) int // n: how often this message came before
}

type delivery struct {
	method, url, body string
	header            http.Header
}

func newLMS(t *testing.T, answer func(n int, r *http.Request) int) *lms {
	l := &lms{answer: answer}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		n := 0
		for _, d := range l.got {
			if d.header.Get("Idempotency-Key") == r.Header.Get("Idempotency-Key") {
				n++
			}
		}
		l.got = append(l.got, delivery{r.Method, r.URL.String(), string(body), r.Header})
		l.mu.Unlock()
		status := l.answer(n, r)
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(l.Close)
	return l
}

// asLocalhost is another host than that of its URL: ports make none.
func (l *lms) asLocalhost() string { return strings.Replace(l.URL, "127.0.0.1", "localhost", 1) }

func (l *lms) deliveries() []delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]delivery(nil), l.got...)
}

// frontends has one.
type frontends struct{ f b3scale.Frontend }

func (f frontends) FrontendByID(id string) *b3scale.Frontend {
	if id != f.f.ID {
		return nil
	}
	return &f.f
}

type harness struct {
	*testing.T
	store    b3scale.Store
	outbox   *Outbox
	frontend b3scale.Frontend
}

var local = Allow{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Hosts: []string{"localhost"}}

func newStore(t *testing.T) b3scale.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "b3scale.db"), sqlstore.Options{Log: logtest.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func newHarness(t *testing.T, opts Options) *harness {
	t.Helper()
	store := newStore(t)
	f, err := store.AddFrontend(t.Context(), b3scale.Frontend{Key: "moodle", Secret: logtest.Secret[b3scale.Secret]("tenant secret"), Active: true}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	opts.Poll, opts.Pause = 20*time.Millisecond, time.Millisecond
	h := &harness{T: t, store: store, frontend: f, outbox: New(store, frontends{f}, logtest.Logger(), opts)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.outbox.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *harness) add(kind b3scale.CallbackKind, target string, payload string) b3scale.Callback {
	h.Helper()
	c := b3scale.Callback{FrontendID: h.frontend.ID, Kind: kind, URL: target}
	if payload != "" {
		c.Payload = []byte(payload)
	}
	c, err := h.outbox.Add(h.Context(), c, b3scale.CallbackTerms{})
	if err != nil {
		h.Fatal(err)
	}
	return c
}

// becomes waits for the state of a message.
func (h *harness) becomes(id string, want b3scale.CallbackState) b3scale.Callback {
	h.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := h.store.Callback(h.Context(), id)
		if err != nil {
			h.Fatal(err)
		}
		if c.State == want {
			return c
		}
		if time.Now().After(deadline) {
			h.Fatalf("callback %+v, want it %s", c, want)
		}
	}
}

func TestFormsOfMessages(t *testing.T) {
	t.Parallel()
	to := newLMS(t, func(int, *http.Request) int { return http.StatusOK })
	h := newHarness(t, Options{Allow: local})
	for _, c := range []struct {
		kind                    b3scale.CallbackKind
		payload                 string
		method, contentType, by string
	}{
		{b3scale.CallbackEnd, "", "GET", "", "b3scale"},
		{b3scale.CallbackMeetingEnded, "", "GET", "", "b3scale"},
		{b3scale.CallbackRecordingReady, `{"meeting_id":"room","record_id":"r-1","n":12345678901234567890}`, "POST", "application/x-www-form-urlencoded", "b3scale"},
		{b3scale.CallbackAnalytics, `{"version":"1.0","meeting_id":"room"}`, "POST", "application/json", "BigBlueButton Analytics Callback"},
	} {
		before := len(to.deliveries())
		saved := h.add(c.kind, to.URL+"/ready?x=1&y=%20", c.payload)
		done := h.becomes(saved.ID, b3scale.CallbackDelivered)
		all := to.deliveries()[before:]
		if len(all) != 1 || done.Attempts != 1 || done.LastStatus != 200 || done.LastError != "" {
			t.Fatalf("%s: %d deliveries, %+v", c.kind, len(all), done)
		}
		got := all[0]
		if got.method != c.method || got.url != "/ready?x=1&y=%20" || got.header.Get("Content-Type") != c.contentType ||
			got.header.Get("User-Agent") != c.by || got.header.Get("Idempotency-Key") != saved.ID {
			t.Errorf("%s: got %+v", c.kind, got)
		}
		switch c.kind {
		case b3scale.CallbackRecordingReady:
			form, _ := url.ParseQuery(got.body)
			claims := h.claims(form.Get("signed_parameters"), "HS256")
			if text, _ := json.Marshal(claims); string(text) != `{"meeting_id":"room","n":12345678901234567890,"record_id":"r-1"}` {
				t.Errorf("claims %s", text)
			}
		case b3scale.CallbackAnalytics:
			token, _ := strings.CutPrefix(got.header.Get("Authorization"), "Bearer ")
			if exp, err := h.claims(token, "HS512").GetExpirationTime(); err != nil || exp == nil || got.body != c.payload {
				t.Errorf("expires %v, %v, body %s", exp, err, got.body)
			}
		default:
			if got.body != "" || got.header.Get("Authorization") != "" {
				t.Errorf("%s: got %+v", c.kind, got)
			}
		}
	}
}

func (h *harness) claims(token, alg string) jwt.MapClaims {
	h.Helper()
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte("tenant secret"), nil },
		jwt.WithValidMethods([]string{alg}), jwt.WithJSONNumber())
	if err != nil {
		h.Errorf("%q: %v", token, err)
	}
	return claims
}

func TestAnswersDecide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answers  []int
		want     b3scale.CallbackState
		attempts int
	}{
		{"taken", []int{204}, b3scale.CallbackDelivered, 1},
		{"gone", []int{410}, b3scale.CallbackRefused, 1},
		{"unknown", []int{404}, b3scale.CallbackRefused, 1},
		{"late", []int{500, 503, 429, 401, 302, 200}, b3scale.CallbackDelivered, 6},
		{"late and gone", []int{502, 404}, b3scale.CallbackRefused, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			to := newLMS(t, func(n int, _ *http.Request) int { return c.answers[n] })
			h := newHarness(t, Options{Allow: local})
			done := h.becomes(h.add(b3scale.CallbackEnd, to.URL+"/x", "").ID, c.want)
			if all := to.deliveries(); len(all) != c.attempts || done.Attempts != c.attempts || done.LastStatus != c.answers[c.attempts-1] {
				t.Errorf("%d deliveries, %+v", len(all), done)
			}
			for _, d := range to.deliveries() {
				if d.url != "/x" || d.header.Get("Idempotency-Key") != done.ID {
					t.Errorf("got %+v", d)
				}
			}
		})
	}
}

func TestTargetsThatMayNotBeCalled(t *testing.T) {
	t.Parallel()
	to := newLMS(t, func(int, *http.Request) int { return http.StatusOK })
	h := newHarness(t, Options{})
	for _, target := range []string{
		to.URL + "/secret?token=abc", strings.Replace(to.URL, "127.0.0.1", "localhost", 1), "http://[::1]/", "http://169.254.169.254/latest/meta-data",
		"ftp://example.org/", "file:///etc/passwd", "gopher://127.0.0.1/", "http://", "//example.org/x", "", "http://a b/", "http://[::1",
	} {
		done := h.becomes(h.add(b3scale.CallbackEnd, target, "").ID, b3scale.CallbackRefused)
		if done.LastError == "" || strings.Contains(done.LastError, "token=abc") {
			t.Errorf("%s: %+v", target, done)
		}
	}
	if all := to.deliveries(); len(all) != 0 {
		t.Errorf("got %v", all)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	to := newLMS(t, func(int, *http.Request) int { return http.StatusTeapot })
	expired := make(chan b3scale.CallbackKind, 1)
	h := newHarness(t, Options{Allow: local, Tried: 300 * time.Millisecond, Done: func(kind b3scale.CallbackKind, r b3scale.CallbackResult) {
		if r.State == b3scale.CallbackExpired {
			expired <- kind
		}
	}})
	done := h.becomes(h.add(b3scale.CallbackEnd, to.URL, "").ID, b3scale.CallbackExpired)
	if done.LastStatus != http.StatusTeapot || done.Attempts == 0 {
		t.Errorf("got %+v", done)
	}
	select {
	case kind := <-expired:
		if kind != b3scale.CallbackEnd {
			t.Errorf("a message of the kind %q is counted", kind)
		}
	case <-time.After(time.Minute):
		t.Error("that it is expired is not counted")
	}
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	o := New(nil, nil, nil, Options{})
	for attempts, most := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 11: time.Hour, 1000: time.Hour} {
		for range 100 {
			if d := o.pause(attempts); d < most/2 || d > most {
				t.Errorf("after %d attempts: %s, want about %s", attempts, d, most)
			}
		}
	}
}
