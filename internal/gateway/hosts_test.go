package gateway_test

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/gateway"
)

// The hosts of the first two frontends; nobody has a third one.
const (
	hostOne, alsoOne = "one.example.org", "meet.one.example.org"
	hostTwo          = "two.example.org"
	proxy            = "10.0.0.1:1234" // is trusted
)

func newHostsHarness(t testing.TB) *harness {
	t.Helper()
	h := newHarness(t, setup{gateway: gateway.Options{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}})
	h.set(h.one, func(s *b3scale.FrontendSettings) { s.Hosts = []string{hostOne, alsoOne} })
	h.set(h.two, func(s *b3scale.FrontendSettings) { s.Hosts = []string{hostTwo} })
	return h
}

// atHost is a call at a host of a frontend.
func atHost(secret, call, query string) string {
	return "/bigbluebutton/api/" + call + "?" + bbb.SignedQuery(call, query, secret)
}

// A host name stands for a frontend as its key does, and for no other.
func TestHostNames(t *testing.T) {
	t.Parallel()
	h := newHostsHarness(t)
	h.create("room")
	for _, c := range []struct {
		host, secret string
		known        bool
	}{
		{hostOne, secretOne, true},
		{hostOne, secondSecretOne, true},
		{alsoOne, secretOne, true},
		{"One.Example.ORG", secretOne, true},
		{hostOne + ".:8443", secretOne, true},
		{hostTwo, secretTwo, true},
		{hostTwo, secretOne, false},
		{hostOne, secretTwo, false},
		{"three.example.org", secretOne, false},
		{"sub." + hostOne, secretOne, false},
		{"example.org", secretOne, false},
		{"b3scale.test", secretOne, false},
		{"", secretOne, false},
		{".", secretOne, false},
		{"[::1]:443", secretOne, false},
		{"192.0.2.1", secretOne, false},
		{keyOne, secretOne, false},
		{hostOne + ":443:443", secretOne, false},
		{hostOne + "\x00", secretOne, false},
		{hostOne + "," + hostTwo, secretOne, false},
		{"user@" + hostOne, secretOne, false},
	} {
		got := h.do(request{host: c.host, target: atHost(c.secret, "getMeetings", "")})
		if known := got.status == http.StatusOK && got.outcome(t) == bbb.Success; known != c.known {
			t.Errorf("%q: got %v, want the frontend to be known: %v", c.host, got, c.known)
		}
		if listed := strings.Contains(got.body, "<meetingID>room<"); listed != (c.known && c.secret != secretTwo) {
			t.Errorf("%q: got %v", c.host, got)
		}
	}
	h.untouched("getMeetings")
}

// Nobody can find out which hosts frontends have.
func TestHostsCannotBeListed(t *testing.T) {
	t.Parallel()
	h := newHostsHarness(t)
	answer := func(host, path string) string {
		got := h.do(request{host: host, target: path})
		got.header.Del("X-Request-Id")
		return got.String()
	}
	for _, call := range []string{"create", "join", "getMeetings", "getSecrets", "", "api"} {
		path := "/bigbluebutton/api/" + call + "?meetingID=room&name=Room&checksum=" + strings.Repeat("0", 64)
		if known, unknown := answer(hostOne, path), answer("nobody.example.org", path); known != unknown {
			t.Errorf("%q: at a known host\n%s\nat an unknown one\n%s", call, known, unknown)
		}
	}
	for _, path := range []string{"/bigbluebutton/", "/bigbluebutton/api", "/bigbluebutton/api/", "/bigbluebutton//api//"} {
		for _, host := range []string{hostOne, "nobody.example.org", "[::1]"} {
			if got := h.do(request{host: host, target: path}); got.status != http.StatusOK || !strings.Contains(got.body, "<version>") {
				t.Errorf("%s at %s: got %v, want the index", path, host, got)
			}
		}
	}
	h.untouched("hosts")
}

// Only a proxy of ours may say which host was asked for.
func TestForwardedHost(t *testing.T) {
	t.Parallel()
	h := newHostsHarness(t)
	for _, c := range []struct {
		name, peer, host, forwarded string
		known                       bool // the first frontend
	}{
		{"a stranger says so", "192.0.2.1:1", "three.example.org", hostOne, false},
		{"a stranger, at another's host", "192.0.2.1:1", hostTwo, hostOne, false},
		{"a stranger, in vain", "192.0.2.1:1", hostOne, hostTwo, true},
		{"a proxy says so", proxy, "127.0.0.1:42353", hostOne, true},
		{"the proxy adds to a client's", proxy, "127.0.0.1:42353", hostTwo + ", " + hostOne, true},
		{"the proxy adds to a client's, the other way", proxy, "127.0.0.1:42353", hostOne + ", " + hostTwo, false},
		{"a proxy that leaves the host as it was", proxy, hostOne, "", true},
	} {
		r := request{peer: c.peer, host: c.host, target: atHost(secretOne, "getMeetings", ""), header: http.Header{}}
		if c.forwarded != "" {
			r.header.Set("X-Forwarded-Host", c.forwarded)
		}
		if got := h.do(r).outcome(t); (got == bbb.Success) != c.known {
			t.Errorf("%s: got %s, want the frontend to be known: %v", c.name, got, c.known)
		}
	}
}

// Keys are keys at every host, and only below /bbb/.
func TestKeysAndHosts(t *testing.T) {
	t.Parallel()
	h := newHostsHarness(t)
	h.create("room")
	for _, host := range []string{hostOne, hostTwo, "nobody.example.org", "[::1]:80", ""} {
		if got := h.do(request{host: host, target: signed("isMeetingRunning", "meetingID=room")}); got.outcome(t) != bbb.Success {
			t.Errorf("the key at %q: got %v", host, got)
		}
		if got := h.do(request{host: host, target: signedBy(hostOne, secretOne, "isMeetingRunning", "meetingID=room")}); got.outcome(t) != "checksumError" {
			t.Errorf("a host in the place of the key at %q: got %v", host, got)
		}
	}
	odd := "/bigbluebutton/" + keyTwo + "/api/getMeetings?" + bbb.SignedQuery("getMeetings", "", secretTwo)
	if got := h.do(request{host: hostOne, target: odd}); got.outcome(t) != "checksumError" {
		t.Errorf("a key below the host: got %v", got)
	}
}

// All forms of calls work at hosts.
func TestCallsAtHosts(t *testing.T) {
	t.Parallel()
	h := newHostsHarness(t)
	do := func(r request) reply {
		r.host = hostOne
		return h.do(r)
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for name, r := range map[string]request{
		"GET":           {target: atHost(secretOne, "create", "name=Room&meetingID=room")},
		"double slash":  {target: "/bigbluebutton//api//create/?" + bbb.SignedQuery("create", "name=Room&meetingID=room", secretOne)},
		"POST":          {method: "POST", target: atHost(secretOne, "create", "name=Room&meetingID=room")},
		"form":          {method: "POST", target: "/bigbluebutton/api/create", header: form, body: strings.NewReader(bbb.SignedQuery("create", "meetingID=room&name=Room", secretOne))},
		"signed body":   {method: "POST", target: "/bigbluebutton/api/getMeetings", header: form, body: strings.NewReader(bbb.SignedQuery("getMeetings", "", secretOne))},
		"XML":           {method: "POST", target: atHost(secretOne, "create", "name=Room&meetingID=room"), header: http.Header{"Content-Type": {"text/xml"}}, body: strings.NewReader(slides)},
		"unknown call":  {target: atHost(secretOne, "getSecrets", "")},
		"wrong method":  {method: "PUT", target: atHost(secretOne, "getMeetings", "")},
		"HEAD":          {method: "HEAD", target: atHost(secretOne, "getMeetings", "")},
		"HEAD, effects": {method: "HEAD", target: atHost(secretOne, "create", "name=Room&meetingID=room")},
	} {
		got := do(r)
		switch name {
		case "unknown call":
			if got.outcome(t) != "unsupportedRequest" {
				t.Errorf("%s: got %v", name, got)
			}
		case "wrong method", "HEAD, effects":
			if got.status != http.StatusMethodNotAllowed {
				t.Errorf("%s: got %v", name, got)
			}
		default:
			if got.status != http.StatusOK || got.outcome(t) != bbb.Success {
				t.Errorf("%s: got %v", name, got)
			}
		}
	}
	h.joinQuery(do(request{target: atHost(secretOne, "join", joinQuery)}), h.nodes[0])
	if got := do(request{target: atHost(secretOne, "end", "meetingID=room")}); got.outcome(t) != bbb.Success {
		t.Errorf("end: got %v", got)
	}
}

// The waiting page stays at the host, and only there the retry is the
// frontend's.
func TestWaitingAtAHost(t *testing.T) {
	t.Parallel()
	h := newHostsHarness(t)
	m := h.claim("room")
	browse := func(host, target string) reply {
		return h.do(request{host: host, target: target, header: http.Header{"Accept": {"text/html"}}})
	}
	join := atHost(secretOne, "join", joinQuery)
	next := browse(hostOne, join).header.Get("Location")
	if !strings.HasPrefix(next, gateway.RetryPrefix) {
		t.Fatalf("join: got to %q, want the waiting page", next)
	}
	got := browse(hostOne, next)
	if _, target := refresh(t, got); !strings.HasPrefix(target, gateway.RetryPrefix) || !strings.Contains(got.body, `href="/bigbluebutton/api/join?`) {
		t.Errorf("the waiting page: got %v", got)
	}
	for _, host := range []string{hostTwo, "nobody.example.org", "[::1]"} {
		if got := browse(host, next); got.outcome(t) != "checksumError" {
			t.Errorf("at %s: got %v, want checksumError", host, got)
		}
	}
	if got := browse(hostOne, atHost(secretOne, "join", "meetingID=gone&errorRedirectUrl="+url.QueryEscape("https://lms.example.org/x"))); !strings.HasPrefix(got.header.Get("Location"), "https://lms.example.org/x?errors=") {
		t.Errorf("errorRedirectUrl: got %v", got)
	}
	h.untouched("waiting")
	h.confirm(m)
	h.joinQuery(browse(alsoOne, next), h.nodes[0])
}

// A retry address leads to a join at a host or below a key and nowhere else.
func TestRetryAddressesAtHosts(t *testing.T) {
	t.Parallel()
	h := newHostsHarness(t)
	h.claim("room")
	query := "?" + bbb.SignedQuery("join", joinQuery, secretOne)
	for target, ok := range map[string]bool{
		"/bigbluebutton/api/join" + query:                      true,
		"/bigbluebutton//api//join/" + query:                   true,
		"/bigbluebutton/api/create" + query:                    false,
		"/bigbluebutton/api/" + query:                          false,
		"/bigbluebuttonx/api/join" + query:                     false,
		"/api/v1/join" + query:                                 false,
		"//bigbluebutton/api/join" + query:                     false,
		"///bigbluebutton/api/join" + query:                    false,
		"/\\bigbluebutton/api/join" + query:                    false,
		"bigbluebutton/api/join" + query:                       false,
		"https://" + hostOne + "/bigbluebutton/api/join":       false,
		"//" + hostOne + "/bigbluebutton/api/join" + query:     false,
		"/b3s/retry-join/../../bigbluebutton/api/join" + query: false,
		"/bigbluebutton/api/join/../../../api/v1/frontends":    false,
		"javascript:alert(1)//bigbluebutton/join":              false,
		"/bigbluebutton/api/join" + query + "\r\nX-Evil: 1":    false,
	} {
		got := h.do(request{host: hostOne, target: retryAddress(target) + "?n=1", header: http.Header{"Accept": {"text/html"}}})
		if waits := got.status == http.StatusOK && got.header.Get("Refresh") != ""; waits != ok || !ok && got.status != http.StatusBadRequest {
			t.Errorf("%q: got %v, want it to be taken: %v", target, got, ok)
		}
	}
	h.untouched("retry addresses")
}

// FuzzRetry: whatever a retry address carries, it leads to no other place than
// a join below our prefixes.
func FuzzRetry(f *testing.F) {
	base := newHostsHarness(f)
	base.claim("room")
	for _, seed := range []string{
		`{"mth":"GET","url":"` + atHost(secretOne, "join", "meetingID=room&fullName=x") + `"}`,
		`{"mth":"GET","url":"` + signed("join", "meetingID=room&fullName=x") + `"}`,
		`{"url":"//evil.example.org/bigbluebutton/api/join"}`, `{"url":"/\\evil.example.org/bbb/x/join"}`,
		`{"url":"/bigbluebutton/%2e%2e/join"}`, `{"url":"/bbb//join"}`, `{"url":1}`, `"x"`, `{"url":"/bbb/a/join?\u0000"}`,
	} {
		f.Add([]byte(seed), hostOne)
	}
	f.Fuzz(func(t *testing.T, blob []byte, host string) {
		h := *base
		h.TB = t
		target := gateway.RetryPrefix + base64.RawURLEncoding.EncodeToString(blob)
		got := h.send(&url.URL{Path: target, RawQuery: "n=1"}, request{host: host, target: target, header: http.Header{"Accept": {"text/html"}}})
		switch got.status {
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound:
		default:
			t.Errorf("got %v", got)
		}
		if got.header.Get("Location") != "" {
			t.Errorf("it leads elsewhere: %v", got)
		}
		if next := got.header.Get("Refresh"); next != "" && !strings.Contains(next, "; url="+gateway.RetryPrefix) {
			t.Errorf("it goes on elsewhere: %v", got)
		}
		if _, link, found := strings.Cut(got.body, `href="`); found && !strings.HasPrefix(link, gateway.Prefix) && !strings.HasPrefix(link, gateway.HostPrefix) {
			t.Errorf("it links elsewhere: %v", got)
		}
		h.untouched("a retry")
		h.log.Reset()
	})
}
