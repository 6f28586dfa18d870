package bbb

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Document is a parsed XML answer that still is its own bytes: elements know
// where they stand, and an edit changes nothing but what it names.
//
// The parser accepts what nodes send: elements, attributes, text, CDATA,
// comments and processing instructions. It refuses document types (no entity
// is ever expanded) and depths over 64.
type Document struct {
	raw   []byte
	nodes []node
}

// node has 32 bytes: lists have one for every 22 bytes or so.
type node struct {
	start, end     int32 // <name …>…</name>
	inner, innerTo int32 // between the tags; both 0 for <name/>
	name, nameTo   int32
	next           int32 // index of the next node that is not inside this one
	parent         int32
}

const maxDepth = 64

// Element is one element of a Document. The zero Element has no name, no text
// and no children.
type Element struct {
	doc *Document
	i   int32
}

// errTruncated is what half an answer gives.
var errTruncated = errors.New("document ends too early")

// ParseXML reads one document. raw is kept, not copied.
func ParseXML(raw []byte) (*Document, error) {
	if len(raw) > math.MaxInt32 {
		return nil, errors.New("document is too large")
	}
	d := &Document{raw: raw, nodes: make([]node, 0, 8+len(raw)/20)}
	open, pos := -1, 0 // index of the innermost open element
	depth := 0
	for {
		lt := bytes.IndexByte(raw[pos:], '<')
		if lt < 0 {
			lt = len(raw) - pos
		}
		if open < 0 && !blank(raw[pos:pos+lt], pos == 0) {
			return nil, errors.New("text outside of the document element")
		}
		if pos += lt; pos == len(raw) {
			break
		}
		rest := raw[pos:]
		switch {
		case bytes.HasPrefix(rest, []byte("<?")):
			n := bytes.Index(rest[2:], []byte("?>"))
			if n < 0 {
				return nil, errTruncated
			}
			pos += n + 4
		case bytes.HasPrefix(rest, []byte("<!--")):
			n := bytes.Index(rest[4:], []byte("-->"))
			if n < 0 {
				return nil, errTruncated
			}
			pos += n + 7
		case bytes.HasPrefix(rest, []byte("<![CDATA[")) && open >= 0:
			n := bytes.Index(rest, []byte("]]>"))
			if n < 0 {
				return nil, errTruncated
			}
			pos += n + 3
		case bytes.HasPrefix(rest, []byte("<!")):
			return nil, errors.New("document types are not accepted")
		case bytes.HasPrefix(rest, []byte("</")):
			if open < 0 {
				return nil, errors.New("end tag without its start")
			}
			n := &d.nodes[open]
			to := pos + 2 + int(n.nameTo-n.name)
			if to > len(raw) || !bytes.Equal(raw[pos+2:to], raw[n.name:n.nameTo]) {
				return nil, fmt.Errorf("<%.40s> is not closed where it should be", raw[n.name:n.nameTo])
			}
			for to < len(raw) && isSpace(raw[to]) {
				to++
			}
			if to == len(raw) {
				return nil, errTruncated
			}
			if raw[to] != '>' {
				return nil, fmt.Errorf("</%.40s is not an end tag", raw[n.name:n.nameTo])
			}
			n.innerTo, n.end, n.next = int32(pos), int32(to+1), int32(len(d.nodes))
			open, pos = int(n.parent), to+1
			depth--
		default:
			n := node{start: int32(pos), parent: int32(open), next: int32(len(d.nodes) + 1)}
			if open < 0 && len(d.nodes) > 0 {
				return nil, errors.New("more than one document element")
			}
			to, closed, err := startTag(raw, pos, &n)
			if err != nil {
				return nil, err
			}
			d.nodes = append(d.nodes, n)
			pos = to
			if closed {
				d.nodes[len(d.nodes)-1].end = int32(to)
				continue
			}
			if depth++; depth > maxDepth {
				return nil, errors.New("elements are nested too deeply")
			}
			d.nodes[len(d.nodes)-1].inner = int32(to)
			open = len(d.nodes) - 1
		}
	}
	if open >= 0 || len(d.nodes) == 0 {
		return nil, errTruncated
	}
	return d, nil
}

// startTag reads the tag at pos and returns where it ends and whether it is
// self-closing.
func startTag(raw []byte, pos int, n *node) (to int, closed bool, err error) {
	i := pos + 1
	for i < len(raw) && isNameByte(raw[i], i == pos+1) {
		i++
	}
	n.name, n.nameTo = int32(pos+1), int32(i)
	if i == pos+1 {
		if i == len(raw) {
			return 0, false, errTruncated
		}
		return 0, false, errors.New("< without a name")
	}
	for {
		from := i
		for i < len(raw) && isSpace(raw[i]) {
			i++
		}
		if i == len(raw) {
			return 0, false, errTruncated
		}
		switch {
		case raw[i] == '>':
			return i + 1, false, nil
		case raw[i] == '/':
			if i+1 == len(raw) {
				return 0, false, errTruncated
			}
			if raw[i+1] != '>' {
				return 0, false, errors.New("/ inside a tag")
			}
			return i + 2, true, nil
		case i == from:
			return 0, false, errors.New("tag is malformed")
		}
		if i, err = attribute(raw, i); err != nil {
			return 0, false, err
		}
	}
}

// attribute skips name="value" at i.
func attribute(raw []byte, i int) (int, error) {
	from := i
	for i < len(raw) && isNameByte(raw[i], i == from) {
		i++
	}
	if i == from {
		return 0, errors.New("attribute without a name")
	}
	for i < len(raw) && isSpace(raw[i]) {
		i++
	}
	if i == len(raw) {
		return 0, errTruncated
	}
	if raw[i] != '=' {
		return 0, errors.New("attribute without a value")
	}
	for i++; i < len(raw) && isSpace(raw[i]); i++ {
	}
	if i == len(raw) {
		return 0, errTruncated
	}
	quote := raw[i]
	if quote != '"' && quote != '\'' {
		return 0, errors.New("attribute value without quotes")
	}
	n := bytes.IndexByte(raw[i+1:], quote)
	if n < 0 {
		return 0, errTruncated
	}
	if bytes.IndexByte(raw[i+1:i+1+n], '<') >= 0 {
		return 0, errors.New("< in an attribute value")
	}
	return i + n + 2, nil
}

// Bytes is the document as it came.
func (d *Document) Bytes() []byte { return d.raw }

// Root is the document element.
func (d *Document) Root() Element { return Element{d, 0} }

// Name is the element's name, prefix included; "" for the zero Element.
func (e Element) Name() string {
	if e.doc == nil {
		return ""
	}
	n := e.node()
	return string(e.doc.raw[n.name:n.nameTo])
}

// Children iterates over the elements directly inside e, in order.
func (e Element) Children() iter.Seq[Element] {
	return func(yield func(Element) bool) {
		if e.doc == nil {
			return
		}
		for i, end := e.i+1, e.node().next; i < end; i = e.doc.nodes[i].next {
			if !yield(Element{e.doc, i}) {
				return
			}
		}
	}
}

// Child returns the first element of that name directly inside e, or the zero
// Element.
func (e Element) Child(name string) Element {
	for c := range e.Children() {
		n := c.node()
		if string(c.doc.raw[n.name:n.nameTo]) == name {
			return c
		}
	}
	return Element{}
}

// Exists is false for the zero Element.
func (e Element) Exists() bool { return e.doc != nil }

// Raw is the element as it came, tags included.
func (e Element) Raw() []byte {
	if e.doc == nil {
		return nil
	}
	n := e.node()
	return e.doc.raw[n.start:n.end]
}

// Inner is what stands between the tags, as it came.
func (e Element) Inner() []byte {
	if e.doc == nil {
		return nil
	}
	n := e.node()
	return e.doc.raw[n.inner:n.innerTo]
}

// Text is the character data directly inside e, with references and CDATA
// resolved. Unknown references stay as they are.
func (e Element) Text() string {
	inner := e.Inner()
	if bytes.IndexByte(inner, '<') < 0 {
		return unescapeXML(string(inner))
	}
	var b strings.Builder
	for len(inner) > 0 {
		lt := bytes.IndexByte(inner, '<')
		if lt < 0 {
			lt = len(inner)
		}
		b.WriteString(unescapeXML(string(inner[:lt])))
		inner = inner[lt:]
		switch {
		case len(inner) == 0:
		case bytes.HasPrefix(inner, []byte("<![CDATA[")):
			end := bytes.Index(inner, []byte("]]>"))
			b.Write(inner[len("<![CDATA["):end])
			inner = inner[end+3:]
		case bytes.HasPrefix(inner, []byte("<!--")):
			inner = inner[bytes.Index(inner[4:], []byte("-->"))+7:]
		case bytes.HasPrefix(inner, []byte("<?")):
			inner = inner[bytes.Index(inner[2:], []byte("?>"))+4:]
		default: // an element: its text is its own
			at := len(e.doc.raw[:e.node().innerTo]) - len(inner)
			i, _ := slices.BinarySearchFunc(e.doc.nodes, at, func(n node, at int) int { return int(n.start) - at })
			inner = e.doc.raw[e.doc.nodes[i].end:e.node().innerTo]
		}
	}
	return b.String()
}

// Number reads an integer. Thousands separators, which some versions print in
// counts, are skipped (BBB API, rendering details). Anything else counts as 0.
func (e Element) Number() int64 {
	text := strings.Map(func(r rune) rune {
		switch r {
		case ',', '.', ' ', '\u00a0', '\u202f':
			return -1
		}
		return r
	}, strings.TrimSpace(e.Text()))
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil { // on overflow, n would be the largest number there is
		return 0
	}
	return n
}

func (e Element) node() *node { return &e.doc.nodes[e.i] }

// Edit collects changes to a document.
type Edit struct {
	doc     *Document
	changes []change
}

type change struct {
	from, to int
	with     string
}

// Edit starts an edit of d. The document itself stays as it is.
func (d *Document) Edit() *Edit { return &Edit{doc: d} }

// SetText replaces all that stands between the tags of e. The zero Element
// has nothing to replace.
func (ed *Edit) SetText(e Element, text string) {
	if !e.Exists() {
		return
	}
	n := e.node()
	if n.inner == 0 { // <name/> gets an end tag
		name := string(ed.doc.raw[n.name:n.nameTo])
		slash := bytes.LastIndexByte(ed.doc.raw[:n.end], '/')
		ed.changes = append(ed.changes, change{slash, int(n.end), ">" + EscapeXML(text) + "</" + name + ">"})
		return
	}
	ed.changes = append(ed.changes, change{int(n.inner), int(n.innerTo), EscapeXML(text)})
}

// Remove takes e out, with the line break that follows it.
func (ed *Edit) Remove(e Element) {
	if !e.Exists() {
		return
	}
	n := e.node()
	to := int(n.end)
	if to < len(ed.doc.raw) && ed.doc.raw[to] == '\n' {
		to++
	}
	ed.changes = append(ed.changes, change{int(n.start), to, ""})
}

// Bytes returns the edited document; the original bytes if nothing changed.
// Of two changes that overlap the one that begins first, or spans more, wins;
// of two at the same place the later one.
func (ed *Edit) Bytes() []byte { return ed.render(0, len(ed.doc.raw)) }

// Inner returns what stands between the tags of e after the edit.
func (ed *Edit) Inner(e Element) []byte {
	if !e.Exists() {
		return nil
	}
	n := e.node()
	return ed.render(int(n.inner), int(n.innerTo))
}

// Split returns the edited document in two halves: up to the inside of e, and
// from behind it on. What stands inside e is left out.
func (ed *Edit) Split(e Element) (before, after []byte) {
	if !e.Exists() || e.node().inner == 0 {
		return ed.Bytes(), nil
	}
	n := e.node()
	return ed.render(0, int(n.inner)), ed.render(int(n.innerTo), len(ed.doc.raw))
}

func (ed *Edit) render(from, to int) []byte {
	if len(ed.changes) == 0 {
		return ed.doc.raw[from:to]
	}
	slices.SortStableFunc(ed.changes, func(a, b change) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	out := make([]byte, 0, to-from+64*len(ed.changes))
	pos := from
	for i, c := range ed.changes {
		if c.from < pos || c.to > to {
			continue
		}
		if from < to && c.from == c.to && (c.from == from || c.to == to) {
			continue // fills the empty element that Split leaves out
		}
		if i+1 < len(ed.changes) && ed.changes[i+1].from == c.from && ed.changes[i+1].to == c.to {
			continue
		}
		out = append(out, ed.doc.raw[pos:c.from]...)
		out = append(out, c.with...)
		pos = c.to
	}
	return append(out, ed.doc.raw[pos:to]...)
}

// EscapeXML escapes text as nodes do. Characters that XML cannot carry become
// U+FFFD.
func EscapeXML(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= ' ' && c < utf8.RuneSelf && c != '&' && c != '<' && c != '>' && c != '"' && c != '\''
	}
	if plain {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'':
			b.WriteString("&apos;")
		case r < ' ' && r != '\n' && r != '\t' && r != '\r', r == 0xfffe, r == 0xffff:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

func unescapeXML(s string) string {
	amp := strings.IndexByte(s, '&')
	if amp < 0 {
		return s
	}
	var b strings.Builder
	for {
		b.WriteString(s[:amp])
		s = s[amp:]
		end := strings.IndexAny(s[1:], "&;") + 1 // never beyond the next &: text full of them is read once
		text, ok := "", false
		if end > 0 && s[end] == ';' {
			text, ok = reference(s[1:end])
		}
		if ok {
			b.WriteString(text)
			s = s[end+1:]
		} else {
			b.WriteByte('&')
			s = s[1:]
		}
		if amp = strings.IndexByte(s, '&'); amp < 0 {
			b.WriteString(s)
			return b.String()
		}
	}
}

// reference resolves the inside of &…;
func reference(name string) (string, bool) {
	if text, ok := entities[name]; ok {
		return text, true
	}
	var digits string
	base := 10
	switch {
	case strings.HasPrefix(name, "#x"):
		digits, base = name[2:], 16
	case strings.HasPrefix(name, "#"):
		digits = name[1:]
	default:
		return "", false
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || !utf8.ValidRune(rune(n)) || n == 0 {
		return "", false
	}
	return string(rune(n)), true
}

func blank(b []byte, first bool) bool {
	if first {
		b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	}
	for _, c := range b {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isNameByte(c byte, first bool) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= utf8.RuneSelf ||
		!first && (c >= '0' && c <= '9' || c == '-' || c == '.')
}
