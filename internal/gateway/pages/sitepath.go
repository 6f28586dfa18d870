package pages

import (
	"html/template"
	"net/url"
	"strings"
)

// sitePath returns target, fit for a header, when it surely stays on this site:
// a path with one slash in front. Otherwise it returns "".
//
// Browsers take // and /\ for another host and drop tabs and line ends before
// they look.
func sitePath(target string) string {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
		return ""
	}
	if strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return ""
	}
	u, err := url.Parse(target)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return ""
	}
	return escapeNonASCII(target)
}

// escapeNonASCII writes what a header cannot carry as a browser would send it.
// All other bytes stay: a checksum covers them.
func escapeNonASCII(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 0x80 {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// href makes the attribute by hand: html/template rewrites parentheses and the
// like in an address, and its checksum would not match any more.
func href(path string) template.HTMLAttr {
	if path == "" {
		return ""
	}
	return template.HTMLAttr(`href="` + template.HTMLEscapeString(path) + `"`) // #nosec G203 -- escaped here
}
