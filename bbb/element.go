package bbb

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Element is one element of a Document. The zero Element has no name, no text
// and no children.
type Element struct {
	doc *Document
	i   int32
}

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

// Attribute returns the value of an attribute of e, with references resolved;
// "" if there is none.
func (e Element) Attribute(name string) string {
	if e.doc == nil {
		return ""
	}
	n := e.node()
	for i := int(n.nameTo); ; {
		for isSpace(e.doc.raw[i]) {
			i++
		}
		end, err := attribute(e.doc.raw[:n.end], i)
		if err != nil {
			return "" // the tag ends here
		}
		found, value, _ := bytes.Cut(e.doc.raw[i:end], []byte("="))
		if string(bytes.TrimRight(found, " \t\r\n")) == name {
			value = bytes.TrimLeft(value, " \t\r\n")
			return unescapeXML(string(value[1 : len(value)-1]))
		}
		i = end
	}
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
