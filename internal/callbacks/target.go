package callbacks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"b3scale"
)

// Allow lists targets that may be called although they are not public.
type Allow b3scale.CallbackAllow

// ParseAllow reads a comma list of networks, addresses and host names.
func ParseAllow(text string) (Allow, error) {
	a, err := b3scale.ParseCallbackAllow(text)
	return Allow(a), err
}

// errNotAllowed says that a target must not be called.
var errNotAllowed = errors.New("it is not a public address, and B3SCALE_CALLBACK_ALLOW does not name it")

// special are networks that look public and lead elsewhere than onto the public
// net, or around it (RFC 6890 and its successors; the last is the inside of a
// cloud).
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "168.63.129.16/32")

// public6 is all of IPv6 that is given out for the public net. Much of the rest
// stands for an address of IPv4, which may be one of ours.
var public6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

func contains(networks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// permits reports whether a connection to ip may be made for host.
func (a Allow) permits(host string, ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	public := ip.IsGlobalUnicast() && !ip.IsPrivate() && (ip.Is4() || public6.Contains(ip)) && !contains(special, ip)
	return public || contains(a.Networks, ip) || slices.Contains(a.Hosts, strings.TrimSuffix(strings.ToLower(host), "."))
}

// dialer resolves a name once and connects to an address that it has judged: a
// name that changes its mind in between gains nothing.
type dialer struct {
	allow   Allow
	resolve func(ctx context.Context, network, host string) ([]netip.Addr, error)
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func newDialer(allow Allow) *dialer {
	return &dialer{
		allow:   allow,
		resolve: net.DefaultResolver.LookupNetIP,
		dial:    (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
	}
}

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := d.resolve(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, ip := range addresses {
		if !d.allow.permits(host, ip) {
			continue
		}
		conn, err := d.dial(ctx, network, net.JoinHostPort(ip.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	if failed == nil {
		failed = fmt.Errorf("%s: %w", host, errNotAllowed)
	}
	return nil, failed
}
