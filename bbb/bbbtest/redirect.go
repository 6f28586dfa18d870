package bbbtest

import (
	"net/http"
	"net/url"
	"strings"

	"b3scale/bbb"
)

// sendAway redirects with the error in the query, to where the caller of join
// wants to have errors (BBB API, join errors).
func (c *call) sendAway(f *bbb.Failure) reply {
	target := ""
	if c.node.version.since(2, 7) {
		target = c.get("errorRedirectUrl")
	}
	if target == "" {
		target = c.logoutURL()
	}
	return reply{status: http.StatusFound, noCache: true, location: withError(target, f)}
}

func (c *call) logoutURL() string {
	if u := c.get("logoutURL"); u != "" {
		return u
	}
	return c.node.PublicURL()
}

// withError appends the error. As in a node, the query that is there already
// is decoded and encoded minimally again: it loses some of its escapes.
func withError(target string, f *bbb.Failure) string {
	target, fragment, hasFragment := strings.Cut(target, "#")
	base, query, _ := strings.Cut(target, "?")
	if decoded, err := url.PathUnescape(query); err == nil {
		query = decoded
	}
	if query != "" {
		query += "&"
	}
	query += `errors=[{"message":"` + f.Message + `","key":"` + f.Key + `"}]`
	target = base + "?" + quoteQuery(query)
	if hasFragment {
		target += "#" + fragment
	}
	return target
}

// quoteQuery escapes what java.net.URI does not accept in a query.
func quoteQuery(query string) string {
	const legal = "_-!.~'()*;/?:@&=+$,[]"
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(query) {
		c := query[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(legal, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}
