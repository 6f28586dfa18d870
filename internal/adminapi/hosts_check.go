package adminapi

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// hosts judges the names that are new. They are in lower case already.
func (c *settingsCheck) hosts(hosts, old []string) {
	for i, host := range hosts {
		c.judge("hosts", !slices.Contains(old, host), wrongWithHostName(host))
		c.judge("hosts", !slices.Equal(hosts, old) && slices.Contains(hosts[:i], host), "should have each name once")
	}
	c.judge("hosts", len(hosts) > len(old) && len(hosts) > maxHosts, isTooLong(maxHosts, "names"))
}

// wrongWithHostName allows what can be in a certificate and in a Host header,
// and means one host: no addresses, ports or patterns.
func wrongWithHostName(host string) string {
	name := strconv.Quote(host)
	switch {
	case host == "":
		return "should have no empty names"
	case len(host) > maxHostName:
		return "each name " + isTooLong(maxHostName, "bytes")
	case strings.Contains(host, "/"):
		return name + " should be a host name, not a URL"
	case isAddress(host):
		return name + " should be a name, not an address"
	case strings.Contains(host, ":"):
		return name + " should have no port"
	case strings.Contains(host, "*"):
		return name + " should be one name, not a pattern"
	case strings.ContainsFunc(host, func(r rune) bool { return r > '~' }):
		return name + " should be in the form that begins with xn--"
	}
	for label := range strings.SplitSeq(host, ".") {
		if !isLabel(label) {
			return name + " is no host name"
		}
	}
	return ""
}

// isAddress also knows the forms of an IPv4 address that only some programs
// read: no name ends in a number.
func isAddress(host string) bool {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(last, 0, 64)
	return err == nil || last != "" && strings.Trim(last, "0123456789") == ""
}

func isLabel(label string) bool {
	return label != "" && len(label) <= 63 && label[0] != '-' && label[len(label)-1] != '-' &&
		!strings.ContainsFunc(label, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}
