package bbb

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Params are the parameters of one API call, in the order they were sent.
// A parameter that nobody changes keeps its raw bytes: an escape stays as the
// sender wrote it, a semicolon stays part of its value. Only what could not
// stand in a URL is escaped.
type Params struct {
	pairs []pair
}

type pair struct {
	name, value string
	raw         string // as sent; empty once changed, or if it cannot stand in a URL
}

// ParseParams takes a raw query or a form-encoded body apart. Only & separates
// parameters, as in a servlet container. Nothing is refused here: a broken
// escape stays in the value as it stands.
func ParseParams(raw string) Params {
	if raw == "" {
		return Params{}
	}
	pairs := make([]pair, 0, strings.Count(raw, "&")+4) // room for what rewrites add
	for len(raw) > 0 {
		var one string
		one, raw, _ = strings.Cut(raw, "&")
		if one == "" {
			continue
		}
		name, value, _ := strings.Cut(one, "=")
		p := pair{name: unescape(name), value: unescape(value), raw: one}
		if !sendable(one) {
			p.raw = ""
		}
		pairs = append(pairs, p)
	}
	return Params{pairs: pairs}
}

// Get returns the first value of name, or "".
func (p *Params) Get(name string) string {
	value, _ := p.Lookup(name)
	return value
}

// Lookup returns the first value of name and whether there is one.
func (p *Params) Lookup(name string) (string, bool) {
	for i := range p.pairs {
		if p.pairs[i].name == name {
			return p.pairs[i].value, true
		}
	}
	return "", false
}

// Count tells how often name was sent.
func (p *Params) Count(name string) int {
	n := 0
	for i := range p.pairs {
		if p.pairs[i].name == name {
			n++
		}
	}
	return n
}

// CanonicalName is the spelling by which names are compared. Nodes store those
// of metadata in lower case, so all spellings of one are the same; other names
// count as they stand.
func CanonicalName(name string) string {
	const prefix = "meta_"
	if name == "" || name[0] > ' ' && name[0] < 0x7f && name[0]|0x20 != 'm' {
		return name // nearly always
	}
	clean := strings.TrimFunc(Clean(name), unicode.IsSpace)
	if len(clean) < len(prefix) || !strings.EqualFold(clean[:len(prefix)], prefix) {
		return name
	}
	return strings.ToLower(clean)
}

// Metadata returns the first value of meta_key, in whatever spelling it was
// sent.
func (p *Params) Metadata(key string) string {
	for i := range p.pairs {
		if found, ok := strings.CutPrefix(CanonicalName(p.pairs[i].name), "meta_"); ok && found == key {
			return p.pairs[i].value
		}
	}
	return ""
}

// Len is the number of parameters, duplicates counted.
func (p *Params) Len() int { return len(p.pairs) }

// Set gives name one value: in the place of its first occurrence, which stays
// as sent if it has that value already, or else at the end.
func (p *Params) Set(name, value string) {
	found := false
	p.pairs = slices.DeleteFunc(p.pairs, func(q pair) bool {
		if q.name != name {
			return false
		}
		first := !found
		found = true
		return !first
	})
	if !found {
		p.Add(name, value)
		return
	}
	for i := range p.pairs {
		if q := &p.pairs[i]; q.name == name && q.value != value {
			*q = pair{name: name, value: value}
		}
	}
}

// Add appends a parameter.
func (p *Params) Add(name, value string) {
	p.pairs = append(p.pairs, pair{name: name, value: value})
}

// Append adds all parameters of other, raw bytes included.
func (p *Params) Append(other Params) { p.pairs = append(p.pairs, other.pairs...) }

// Delete removes every occurrence of name.
func (p *Params) Delete(name string) {
	p.DeleteFunc(func(found string) bool { return found == name })
}

// DeleteFunc removes the parameters whose names are unwanted.
func (p *Params) DeleteFunc(unwanted func(name string) bool) {
	p.pairs = slices.DeleteFunc(p.pairs, func(q pair) bool { return unwanted(q.name) })
}

// All iterates over the parameters in order.
func (p *Params) All() func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for i := range p.pairs {
			if !yield(p.pairs[i].name, p.pairs[i].value) {
				return
			}
		}
	}
}

// Clone returns a copy that can be changed on its own.
func (p *Params) Clone() Params { return Params{pairs: slices.Clone(p.pairs)} }

// Encode joins the parameters to a query. Unchanged ones come out byte for
// byte as they went in.
func (p *Params) Encode() string {
	n := 0
	for i := range p.pairs {
		n += len(p.pairs[i].raw) + len(p.pairs[i].name) + len(p.pairs[i].value) + 16
	}
	var b strings.Builder
	b.Grow(n)
	for i := range p.pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		q := &p.pairs[i]
		if q.raw != "" {
			b.WriteString(q.raw)
			continue
		}
		b.WriteString(url.QueryEscape(q.name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(q.value))
	}
	return b.String()
}

// sortedForm is the text that nodes before 2.6.18 and 2.7.8 sign for a POST
// without a query: every parameter but the checksum, sorted by name and
// encoded as Java's URLEncoder does (BBB API, checksum of POST requests).
func (p *Params) sortedForm() string {
	sorted := slices.Clone(p.pairs)
	slices.SortStableFunc(sorted, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	var b strings.Builder
	for i := range sorted {
		if sorted[i].name == checksumParam {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(javaEscape(sorted[i].name))
		b.WriteByte('=')
		b.WriteString(javaEscape(sorted[i].value))
	}
	return b.String()
}

// sendable reports whether raw may stand in a URL as it is. A form may hold
// blanks, line breaks or a # that would end the query.
func sendable(raw string) bool {
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// unescape decodes + and %XX. What is not a valid escape stays as it is.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// javaEscape encodes as java.net.URLEncoder: letters, digits, and . - * _ stay,
// a blank becomes +.
func javaEscape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '*', c == '_':
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}
