package web

import (
	"net/http"
	"strings"
)

// traceContext gives the headers traceparent and tracestate of a client (W3C
// Trace Context) as they came, or "" for what is not well-formed. We are no
// span of the trace: nothing is made up or added.
func traceContext(h http.Header) (parent, state string) {
	parents := h.Values("Traceparent")
	if len(parents) != 1 || !validParent(parents[0]) {
		return "", ""
	}
	state = strings.Join(h.Values("Tracestate"), ",")
	if !validState(state) {
		state = ""
	}
	return parents[0], state
}

// maxTrace is more than tracers must pass on (512), and keeps headers small.
const maxTrace = 1024

// validParent knows version 00, and of later ones what they must keep of it.
func validParent(p string) bool {
	const length = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if len(p) < length || len(p) > maxTrace || p[2] != '-' || p[35] != '-' || p[52] != '-' {
		return false
	}
	version, trace, span, flags := p[:2], p[3:35], p[36:52], p[53:55]
	switch rest := p[length:]; {
	case version == "ff", version == "00" && rest != "", rest != "" && rest[0] != '-', !printable(rest):
		return false
	}
	for _, field := range []string{version, trace, span, flags} {
		if strings.Trim(field, "0123456789abcdef") != "" {
			return false
		}
	}
	return strings.Trim(trace, "0") != "" && strings.Trim(span, "0") != ""
}

// traceID is that of a valid parent.
func traceID(parent string) string { return parent[3:35] }

// validState takes a list of at most 32 members key=value. Empty members are
// allowed.
func validState(s string) bool {
	if len(s) > maxTrace || !printable(s) {
		return false
	}
	members := 0
	for member := range strings.SplitSeq(s, ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue
		}
		key, value, found := strings.Cut(member, "=")
		if members++; !found || members > 32 || !validKey(key) || value == "" || len(value) > 256 || strings.ContainsRune(value, '=') {
			return false
		}
	}
	return true
}

func validKey(key string) bool {
	return key != "" && len(key) <= 256 && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-*/@") == ""
}

// printable has no control characters, and nothing but ASCII. A tab may stand
// between members.
func printable(s string) bool {
	for _, c := range []byte(s) {
		if (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}
