package bbb

import (
	"bytes"
	"errors"
	"fmt"
	"math"
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

// errTruncated is what half an answer gives.
var errTruncated = errors.New("document ends too early")

// The largest numbers of elements: of an answer, far above the list of a full
// server, and of a request's body, which holds a handful of documents.
const (
	maxElements     = 2_000_000
	maxBodyElements = 10_000
)

// ParseXML reads one document. raw is kept, not copied.
func ParseXML(raw []byte) (*Document, error) { return parseXML(raw, maxElements) }

// ParseBody reads the XML body of a request. It takes little memory, whatever
// the body holds.
func ParseBody(raw []byte) (*Document, error) { return parseXML(raw, maxBodyElements) }

// CheckBody reports what is wrong with an XML body.
func CheckBody(raw []byte) error {
	_, err := ParseBody(raw)
	return err
}

func parseXML(raw []byte, limit int) (*Document, error) {
	if len(raw) > math.MaxInt32 {
		return nil, errors.New("document is too large")
	}
	d := &Document{raw: raw, nodes: make([]node, 0, min(8+len(raw)/20, limit))}
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
			if len(d.nodes) == limit {
				return nil, errors.New("document has too many elements")
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
