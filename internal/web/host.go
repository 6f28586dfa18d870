package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Host is the name of the host that the client asked for: in lower case,
// without port and without the dot at the end. A trusted proxy tells it in
// X-Forwarded-Host, where the last element is the one that this proxy has
// added; from anybody else that header means nothing. What is no host name, as
// an IPv6 address in brackets, gives "".
func Host(r *http.Request, trusted []netip.Prefix) string {
	host := r.Host
	if told := r.Header.Values("X-Forwarded-Host"); len(told) > 0 && fromProxy(r, trusted) {
		last := told[len(told)-1]
		host = last[strings.LastIndexByte(last, ',')+1:]
	}
	return hostName(strings.Trim(host, " \t"))
}

// hostName takes nothing but the letters of host names: lower case is then the
// same for everybody, which it is not for all of Unicode.
func hostName(host string) string {
	name, port, _ := strings.Cut(host, ":")
	if strings.Trim(port, "0123456789") != "" {
		return ""
	}
	for _, c := range []byte(name) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '.' && c != '_' {
			return ""
		}
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// fromProxy reports whether a trusted proxy has sent the request.
func fromProxy(r *http.Request, trusted []netip.Prefix) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && trusts(trusted, peer.Addr().Unmap())
}

func trusts(trusted []netip.Prefix, client netip.Addr) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(client) })
}
