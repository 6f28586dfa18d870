package callbacks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestPermits(t *testing.T) {
	t.Parallel()
	allow, err := ParseAllow(" 10.1.0.0/16, 192.168.7.7 ,LMS.internal.,fd00::/8,::ffff:172.20.0.0/112,::ffff:172.21.0.1,")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, ip        string
		always, allowed bool // without and with the list
	}{
		{"example.org", "93.184.216.34", true, true},
		{"example.org", "2606:2800:220:1::1", true, true},
		{"example.org", "127.0.0.1", false, false},
		{"example.org", "::1", false, false},
		{"example.org", "0.0.0.0", false, false},
		{"example.org", "::", false, false},
		{"example.org", "10.1.2.3", false, true},
		{"example.org", "10.2.2.3", false, false},
		{"example.org", "::ffff:10.1.2.3", false, true},
		{"example.org", "::ffff:127.0.0.1", false, false},
		{"example.org", "172.16.0.1", false, false},
		{"example.org", "172.20.9.9", false, true},
		{"example.org", "172.21.0.1", false, true},
		{"example.org", "172.21.0.2", false, false},
		{"example.org", "192.168.7.7", false, true},
		{"example.org", "192.168.7.8", false, false},
		{"lms.internal", "192.168.7.8", false, true},
		{"lms.internal.", "192.168.7.8", false, true},
		{"LMS.INTERNAL.", "127.0.0.1", false, true},
		{"lms.internal.example.org", "127.0.0.1", false, false},
		{"example.org", "169.254.169.254", false, false},
		{"example.org", "fe80::1", false, false},
		{"example.org", "fd00:ec2::254", false, true},
		{"example.org", "fc00::1", false, false},
		{"example.org", "100.100.100.200", false, false},
		{"example.org", "168.63.129.16", false, false},
		{"example.org", "64:ff9b::7f00:1", false, false},
		{"example.org", "64:ff9b:1::7f00:1", false, false},
		{"example.org", "::127.0.0.1", false, false},
		{"example.org", "::ffff:0:7f00:1", false, false},
		{"example.org", "100::1", false, false},
		{"example.org", "1fff::1", false, false},
		{"example.org", "3ffe::1", true, true},
		{"example.org", "3fff::1", false, false},
		{"example.org", "3fff:1000::1", true, true},
		{"example.org", "4000::1", false, false},
		{"example.org", "5f00::1", false, false},
		{"example.org", "fec0::1", false, false},
		{"example.org", "2001::1", false, false},
		{"example.org", "2001:db8::1", false, false},
		{"example.org", "2002:7f00:1::", false, false},
		{"example.org", "224.0.0.1", false, false},
		{"example.org", "255.255.255.255", false, false},
		{"example.org", "ff02::1", false, false},
	} {
		ip := netip.MustParseAddr(c.ip)
		if got := (Allow{}).permits(c.host, ip); got != c.always {
			t.Errorf("%s at %s: %v, want %v", c.host, c.ip, got, c.always)
		}
		if got := allow.permits(c.host, ip); got != c.allowed {
			t.Errorf("%s at %s with a list: %v, want %v", c.host, c.ip, got, c.allowed)
		}
	}
}

func TestParseAllow(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"10.0.0.0/33", "http://x", "a b", "*.example.org", "host:80", "."} {
		if got, err := ParseAllow(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, got)
		}
	}
}

// A name that changes its mind is asked once, and what it said then is called.
func TestDialerPins(t *testing.T) {
	t.Parallel()
	asked := 0
	var called []string
	d := newDialer(Allow{})
	d.resolve = func(context.Context, string, string) ([]netip.Addr, error) {
		if asked++; asked > 1 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("93.184.216.34")}, nil
	}
	d.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		called = append(called, address)
		return nil, errors.New("not now")
	}
	if _, err := d.DialContext(t.Context(), "tcp", "lms.example.org:443"); err == nil || errors.Is(err, errNotAllowed) {
		t.Errorf("first: %v, want the error of the dial", err)
	}
	if _, err := d.DialContext(t.Context(), "tcp", "lms.example.org:443"); !errors.Is(err, errNotAllowed) {
		t.Errorf("second: %v, want it refused", err)
	}
	if asked != 2 || len(called) != 1 || called[0] != "93.184.216.34:443" {
		t.Errorf("asked %d times, called %v", asked, called)
	}
	for _, address := range []string{"127.0.0.1:80", "[::1]:80", "localhost:80", "2130706433:80", "0x7f.1:80"} {
		d := newDialer(Allow{})
		d.dial = func(_ context.Context, _, address string) (net.Conn, error) {
			t.Errorf("called %s", address)
			return nil, errors.New("called")
		}
		if _, err := d.DialContext(t.Context(), "tcp", address); err == nil {
			t.Errorf("%s: no error", address)
		}
	}
}
