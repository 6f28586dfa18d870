package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"b3scale/internal/web"
)

const (
	stranger = "203.0.113.7:1"
	ourProxy = "10.0.0.1:1"
)

var trustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func hostOf(peer, host string, forwarded []string) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr, r.Host = peer, host
	if forwarded != nil {
		r.Header["X-Forwarded-Host"] = forwarded
	}
	return web.Host(r, trustedProxies)
}

// The host is the one of the request, but a proxy of ours knows better. Who is
// none cannot choose another one than the one that was asked.
func TestHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		peer, host string
		forwarded  []string
		want       string
	}{
		{stranger, "one.example.org", nil, "one.example.org"},
		{stranger, "One.EXAMPLE.org.:8443", nil, "one.example.org"},
		{stranger, "one.example.org", []string{"two.example.org"}, "one.example.org"},
		{stranger, "one.example.org", []string{""}, "one.example.org"},
		{"@", "one.example.org", []string{"two.example.org"}, "one.example.org"}, // a socket file
		{ourProxy, "one.example.org", nil, "one.example.org"},
		{ourProxy, "10.0.0.9:42353", []string{"Two.example.org."}, "two.example.org"},
		{ourProxy, "b3scale", []string{"evil.example.org, two.example.org:443"}, "two.example.org"},
		{ourProxy, "b3scale", []string{"evil.example.org", "two.example.org"}, "two.example.org"},
		{ourProxy, "b3scale", []string{"evil.example.org,two.example.org", " three.example.org "}, "three.example.org"},
		{ourProxy, "b3scale", []string{"two.example.org,"}, ""},
		{ourProxy, "b3scale", []string{""}, ""},
		{"[fd00::1]:1", "b3scale", []string{"two.example.org"}, "two.example.org"},
		{"[::ffff:10.0.0.1]:1", "b3scale", []string{"two.example.org"}, "two.example.org"},
		{stranger, "xn--mnchen-3ya.example.org", nil, "xn--mnchen-3ya.example.org"},
		{stranger, "", nil, ""},
		{stranger, ".", nil, ""},
		{stranger, ":80", nil, ""},
		{stranger, "[2001:db8::1]:8443", nil, ""},
		{stranger, "[2001:db8::1]", nil, ""},
		{stranger, "2001:db8::1", nil, ""},
		{stranger, "192.0.2.1:80", nil, "192.0.2.1"},
		{stranger, "one.example.org:https", nil, ""},
		{stranger, "one.example.org:80:80", nil, ""},
		{stranger, "user@one.example.org", nil, ""},
		{stranger, "one.example.org/two", nil, ""},
		{stranger, "one.example.org\x00", nil, ""},
		{stranger, "one.example.org,two.example.org", nil, ""},
		{stranger, "one%2eexample.org", nil, ""},
		{stranger, "\u212Aey.example.org", nil, ""}, // a Kelvin sign, which is k in lower case
		{stranger, "o\u0308ne.example.org", nil, ""},
	} {
		if got := hostOf(c.peer, c.host, c.forwarded); got != c.want {
			t.Errorf("%q from %s with %q: got %q, want %q", c.host, c.peer, c.forwarded, got, c.want)
		}
	}
}

// FuzzHost: whatever is sent, the result is a plain name in lower case, and
// strangers do not change it by a header.
func FuzzHost(f *testing.F) {
	f.Add("One.example.org:8443", "two.example.org", "three.example.org, four.example.org.")
	f.Add("[::1]:80", "a,b", ",")
	f.Add("xn--a.\u212A", "\x00", "a:b:c")
	f.Fuzz(func(t *testing.T, host, first, second string) {
		given := hostOf(stranger, host, []string{first, second})
		if plain := hostOf(stranger, host, nil); given != plain {
			t.Errorf("%q: the header of a stranger makes it %q instead of %q", host, given, plain)
		}
		told := hostOf(ourProxy, host, []string{first, second})
		if last := hostOf(ourProxy, "", []string{second}); told != last {
			t.Errorf("%q, %q: got %q, want %q", first, second, told, last)
		}
		for _, got := range []string{given, told} {
			if strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
				t.Errorf("%q, %q, %q: got %q", host, first, second, got)
			}
			if again := hostOf(stranger, got, nil); again != strings.TrimSuffix(got, ".") {
				t.Errorf("%q becomes %q the second time", got, again)
			}
		}
	})
}
