package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale/internal/auth"
	"b3scale/internal/logtest"
)

const adminClaims = `{"scope":"b3scale:admin","sub":"b3scalectl"}`

// lines is a log that several requests write at the same time.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	logtest.Keep(b)
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// door is a guarded one that tells who comes in.
type door struct {
	guard *auth.Guard
	log   *lines
	http.Handler
}

func newDoor(trusted ...netip.Prefix) door {
	log := &lines{}
	guard := auth.New(auth.Options{
		Keys:    auth.NewKeys(logtest.Secret(first), logtest.Secret(second)),
		Log:     slog.New(slog.NewTextHandler(log, nil)),
		Trusted: trusted,
	})
	return door{guard, log, guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := auth.Of(r.Context())
		_, _ = fmt.Fprintf(w, "%s %s %v", who.Subject, who.Scopes, ok)
	}))}
}

// ask sends a request from an address with these Authorization headers.
func (d door) ask(ctx context.Context, from string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1", nil)
	if from != "" {
		r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(from), 1234).String()
	}
	if len(headers) > 0 {
		r.Header["Authorization"] = headers
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// fail sends a bad token and gives status and the time until the answer.
func (d door) fail(ctx context.Context, from string) (int, time.Duration) {
	start := time.Now()
	status := d.ask(ctx, from, "Bearer "+token(other, adminClaims)).Code
	return status, time.Since(start)
}

func TestRequire(t *testing.T) {
	t.Parallel()
	const (
		malformed = `{"message":"missing or malformed jwt"}` + "\n"
		invalid   = `{"message":"invalid or expired jwt"}` + "\n"
	)
	good := token(first, adminClaims)
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		body    string
		reason  auth.Reason
	}{
		{"§2 a token", []string{"Bearer " + good}, 200, "b3scalectl b3scale:admin true", ""},
		{"§2 lower case", []string{"bearer " + good}, 200, "b3scalectl b3scale:admin true", ""},
		{"§2 upper case", []string{"BEARER  " + good}, 200, "b3scalectl b3scale:admin true", ""},
		{"§2 no scope at all", []string{"Bearer " + token(second, `{}`)}, 200, "  true", ""},
		{"§1 missing", nil, 401, malformed, auth.Missing},
		{"§1 empty", []string{""}, 401, malformed, auth.Malformed},
		{"§2 another scheme", []string{"Basic " + good}, 401, malformed, auth.Malformed},
		{"§1 no scheme", []string{good}, 401, malformed, auth.Malformed},
		{"§1 no token", []string{"Bearer"}, 401, malformed, auth.Malformed},
		{"§1 blanks for a token", []string{"Bearer  "}, 401, malformed, auth.Malformed},
		{"§1 no blank between", []string{"Bearer" + good}, 401, malformed, auth.Malformed},
		{"§1 two headers", []string{"Bearer " + good, "Bearer " + good}, 401, malformed, auth.Malformed},
		{"§1 not a token", []string{"Bearer x"}, 401, invalid, auth.Invalid},
		{"§1 bad signature", []string{"Bearer " + token(other, adminClaims)}, 401, invalid, auth.Invalid},
		{"§1 two tokens", []string{"Bearer " + good + " " + good}, 401, invalid, auth.Invalid},
		{"§1 expired", []string{"Bearer " + token(first, `{"exp":1}`)}, 401, invalid, auth.Expired},
		{"§1 not yet valid", []string{"Bearer " + token(first, `{"nbf":1e12}`)}, 401, invalid, auth.NotYetValid},
	} {
		d := newDoor()
		got := d.ask(t.Context(), "192.0.2.1", c.headers...)
		if got.Code != c.status || got.Body.String() != c.body {
			t.Errorf("%s: got %d %q, want %d %q", c.name, got.Code, got.Body, c.status, c.body)
		}
		failures := d.guard.Failures()
		if c.reason == "" {
			if d.log.String() != "" {
				t.Errorf("%s: logs %s", c.name, d.log)
			}
		} else {
			h := got.Header()
			if h.Get("Content-Type") != "application/json" || h.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: headers %v", c.name, h)
			}
			want := fmt.Sprintf("level=WARN msg=\"authentication failed\" reason=%s client=192.0.2.1\n", c.reason)
			if log := d.log.String(); strings.Count(log, "\n") != 1 || !strings.HasSuffix(log, want) {
				t.Errorf("%s: logs %s, want one line with %s", c.name, log, want)
			}
			if failures[c.reason] != 1 {
				t.Errorf("%s: counts %v, want one of %s", c.name, failures, c.reason)
			}
			delete(failures, c.reason)
		}
		for reason, n := range failures {
			if n != 0 {
				t.Errorf("%s: counts %d of %s", c.name, n, reason)
			}
		}
	}
}

func TestNoGuardNoIdentity(t *testing.T) {
	t.Parallel()
	if who, ok := auth.Of(t.Context()); ok {
		t.Errorf("got %+v without a guard", who)
	}
}

// A Guard without a secret lets nobody in, and one without a log works.
func TestZeroOptions(t *testing.T) {
	t.Parallel()
	h := auth.New(auth.Options{}).Require(http.NotFoundHandler())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token("", adminClaims))
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", w.Code)
	}
}

// §1: every accepted scope, in the order in which the door declares them.
func TestForbidden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accepted []auth.Scope
		want     string
	}{
		{[]auth.Scope{auth.Admin}, `{"message":"b3scale:admin scope required"}`},
		{[]auth.Scope{auth.Admin, auth.Owner}, `{"message":"b3scale:admin, b3scale scope required"}`},
		{[]auth.Scope{auth.Owner, auth.Admin, auth.Read}, `{"message":"b3scale, b3scale:admin, b3scale:read scope required"}`},
		{[]auth.Scope{"a&b<c"}, `{"message":"a\u0026b\u003cc scope required"}`},
	} {
		w := httptest.NewRecorder()
		auth.Forbidden(w, c.accepted...)
		if w.Code != http.StatusForbidden || w.Body.String() != c.want+"\n" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("got %d %q %v, want %s", w.Code, w.Body, w.Header(), c.want)
		}
	}
}

// A few failures are free, then each one waits longer; the pause has a limit,
// and who is quiet is forgiven.
func TestFailuresAreSlowedDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		for i, want := range []time.Duration{0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 2000, 2000, 2000} {
			status, took := d.fail(t.Context(), "192.0.2.1")
			if status != http.StatusUnauthorized || took != want*time.Millisecond {
				t.Errorf("failure %d: got %d after %s, want 401 after %s", i+1, status, took, want*time.Millisecond)
			}
		}
		if got := d.guard.Failures()[auth.Invalid]; got != 13 {
			t.Errorf("counted %d failures, want 13", got)
		}
		if got := strings.Count(d.log.String(), "\n"); got != 13 {
			t.Errorf("logged %d lines, want 13", got)
		}

		start := time.Now()
		if got := d.ask(t.Context(), "192.0.2.1", "Bearer "+token(first, adminClaims)); got.Code != http.StatusOK || time.Since(start) != 0 {
			t.Errorf("a valid token of the same address: got %d after %s", got.Code, time.Since(start))
		}
		if _, took := d.fail(t.Context(), "192.0.2.1"); took != 2*time.Second {
			t.Errorf("after a valid token a failure waits %s, want 2s still", took)
		}
		if _, took := d.fail(t.Context(), "192.0.2.2"); took != 0 {
			t.Errorf("another address waits %s", took)
		}

		time.Sleep(3 * time.Minute)
		if _, took := d.fail(t.Context(), "192.0.2.1"); took != 0 {
			t.Errorf("after some minutes of silence a failure waits %s", took)
		}
	})
}

// An agent with an old token that knocks now and then is answered at once.
func TestRareFailuresAreNotSlowedDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		for i := range 100 {
			if _, took := d.fail(t.Context(), "192.0.2.1"); took != 0 {
				t.Fatalf("failure %d waits %s", i, took)
			}
			time.Sleep(12 * time.Second)
		}
	})
}

func TestWhoIsOneAddress(t *testing.T) {
	t.Parallel()
	proxy := netip.MustParsePrefix("10.0.0.0/8")
	for _, c := range []struct {
		name            string
		peer, forward   string
		peer2, forward2 string
		same            bool
	}{
		{"IPv4", "192.0.2.1:1", "", "192.0.2.1:2", "", true},
		{"two of IPv4", "192.0.2.1:1", "", "192.0.2.2:1", "", false},
		{"IPv4 in IPv6", "192.0.2.1:1", "", "[::ffff:192.0.2.1]:1", "", true},
		{"IPv6 of one /64", "[2001:db8:0:1::1]:1", "", "[2001:db8:0:1:ffff::2]:1", "", true},
		{"IPv6 of two /64", "[2001:db8:0:1::1]:1", "", "[2001:db8:0:2::1]:1", "", false},
		{"zones", "[fe80::1%eth0]:1", "", "[fe80::1%eth1]:1", "", true},
		{"one behind a proxy", "10.0.0.1:1", "192.0.2.1", "10.0.0.2:1", "192.0.2.1", true},
		{"two behind a proxy", "10.0.0.1:1", "192.0.2.1", "10.0.0.1:1", "192.0.2.2", false},
		{"a made-up header", "192.0.2.1:1", "192.0.2.7", "192.0.2.1:1", "192.0.2.8", true},
		{"a made-up entry before the proxy's", "10.0.0.1:1", "192.0.2.7, 192.0.2.1", "10.0.0.1:1", "192.0.2.8, 192.0.2.1", true},
		{"socket files", "@", "", "@", "", true},
		{"a socket file and an address", "@", "", "0.0.0.0:1", "", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor(proxy)
			fail := func(peer, forward string) time.Duration {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr = peer
				if forward != "" {
					r.Header.Set("X-Forwarded-For", forward)
				}
				start := time.Now()
				d.ServeHTTP(httptest.NewRecorder(), r)
				return time.Since(start)
			}
			for range 5 {
				fail(c.peer, c.forward)
			}
			if took := fail(c.peer2, c.forward2); (took > 0) != c.same {
				t.Errorf("%s: the second one waits %s, want it to be the same: %v", c.name, took, c.same)
			}
		})
	}
}

// The pause ends with the request: a caller that is gone holds nothing.
func TestPauseEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		for range 10 {
			d.fail(t.Context(), "192.0.2.1")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, took := d.fail(ctx, "192.0.2.1"); took != 300*time.Millisecond {
			t.Errorf("waited %s, want 300ms", took)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		for range 20 { // and its place is free again
			if status, took := d.fail(gone, "192.0.2.1"); status != http.StatusUnauthorized || took != 0 {
				t.Errorf("got %d after %s", status, took)
			}
		}
	})
}

// More than a few of one address, or very many of all, do not even wait.
func TestTooManyWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		addresses int
		each      int
		waiting   int
	}{
		{"of one address", 1, 20, 8},
		{"of all", 50, 8, 256},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor()
			address := func(i int) string { return fmt.Sprintf("198.51.100.%d", i) }
			for i := range c.addresses {
				for range 5 {
					d.fail(t.Context(), address(i))
				}
			}
			var all sync.WaitGroup
			answers := make(chan *httptest.ResponseRecorder, c.addresses*c.each)
			for i := range c.addresses {
				for range c.each {
					all.Go(func() { answers <- d.ask(t.Context(), address(i)) })
				}
			}
			synctest.Wait()
			refused := c.addresses*c.each - c.waiting
			if got := len(answers); got != refused {
				t.Errorf("%s: %d are answered at once, want %d", c.name, got, refused)
			}
			for range len(answers) {
				got := <-answers
				body, _ := io.ReadAll(got.Body)
				if got.Code != http.StatusTooManyRequests || string(body) != `{"message":"Too Many Requests"}`+"\n" || got.Header().Get("Retry-After") != "2" {
					t.Errorf("%s: got %d %s %v", c.name, got.Code, body, got.Header())
				}
			}
			if got := d.guard.Failures()[auth.Throttled]; got != int64(refused) {
				t.Errorf("%s: counted %d, want %d", c.name, got, refused)
			}
			if got, want := strings.Count(d.log.String(), "\n"), 5*c.addresses+c.waiting; got != want {
				t.Errorf("%s: logged %d lines, want %d", c.name, got, want)
			}

			start := time.Now()
			if got := d.ask(t.Context(), address(0), "Bearer "+token(first, adminClaims)); got.Code != http.StatusOK || time.Since(start) != 0 {
				t.Errorf("%s: a valid token meanwhile: got %d after %s", c.name, got.Code, time.Since(start))
			}
			if got := d.ask(t.Context(), "203.0.113.1"); got.Code != http.StatusUnauthorized || time.Since(start) != 0 {
				t.Errorf("%s: another address meanwhile: got %d after %s", c.name, got.Code, time.Since(start))
			}

			all.Wait()
			for range len(answers) {
				if got := <-answers; got.Code != http.StatusUnauthorized {
					t.Errorf("%s: who waited got %d", c.name, got.Code)
				}
			}
			if status, _ := d.fail(t.Context(), address(0)); status != http.StatusUnauthorized {
				t.Errorf("%s: afterwards: got %d, want the places to be free again", c.name, status)
			}
		})
	}
}

// What stands in addresses opens nothing else.
func TestTokensOfAddresses(t *testing.T) {
	t.Parallel()
	for scopes, want := range map[string]int{
		"b3scale:callback": http.StatusForbidden, "b3scale:recordings": http.StatusForbidden, "b3scale:callback b3scale:recordings": http.StatusForbidden,
		"b3scale:callback b3scale:read": http.StatusOK, "b3scale:admin": http.StatusOK, "": http.StatusOK, "unknown": http.StatusOK,
	} {
		d := newDoor()
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header.Set("Authorization", "Bearer "+token(first, `{"sub":"f","scope":"`+scopes+`"}`))
		d.guard.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: got %d, want %d", scopes, w.Code, want)
		}
	}
}
