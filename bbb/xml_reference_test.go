package bbb_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"b3scale/bbb"
)

// leaf is an element without children.
type leaf struct{ path, text string }

var errNotOneRoot = errors.New("not one document element")

// readReference reads a document with encoding/xml. It returns its leaves, its
// depth and whether it has a document type or something like it.
func readReference(raw []byte) (leaves []leaf, depth int, directive bool, err error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	dec := xml.NewDecoder(bytes.NewReader(raw))
	type open struct {
		path  string
		text  strings.Builder
		inner bool // it has elements
	}
	stack := []*open{{}}
	roots := 0
	for {
		before := dec.InputOffset()
		token, err := dec.RawToken() // checks everything but that tags match
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, false, err
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			if len(stack) == 1 {
				roots++
			}
			top.inner = true
			stack = append(stack, &open{path: top.path + "/" + nameOf(token.Name)})
			depth = max(depth, len(stack)-1)
		case xml.EndElement:
			if len(stack) == 1 || !strings.HasSuffix(top.path, "/"+nameOf(token.Name)) {
				return nil, 0, false, errNotOneRoot
			}
			if !top.inner {
				leaves = append(leaves, leaf{top.path, top.text.String()})
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text.Write(token)
			if len(stack) == 1 && len(bytes.Trim(raw[before:dec.InputOffset()], " \t\r\n")) > 0 {
				return nil, 0, false, errNotOneRoot
			}
		case xml.Directive:
			directive = true
		}
	}
	if len(stack) != 1 || roots != 1 {
		return nil, 0, false, errNotOneRoot
	}
	return leaves, depth, directive, nil
}

func nameOf(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func leavesOf(e bbb.Element, path string) []leaf {
	path += "/" + e.Name()
	var all []leaf
	inner := false
	for c := range e.Children() {
		inner = true
		all = append(all, leavesOf(c, path)...)
	}
	if !inner {
		all = append(all, leaf{path, e.Text()})
	}
	return all
}

func TestAnswersReadAsWithEncodingXML(t *testing.T) {
	t.Parallel()
	for name, raw := range answers(t) {
		want, _, _, err := readReference(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := leavesOf(parse(t, string(raw)).Root(), ""); !slices.Equal(got, want) {
			t.Errorf("%s reads as %q, want %q", name, got, want)
		}
	}
}

// What is written must be read by others as it was meant.
func TestWrittenTextReadsWithEncodingXML(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", `<&>"'`, "]]>", "教室 \U0001f3eb", "&amp;", "a\nb\tc", "<![CDATA[x]]>", "<!-- x -->"} {
		raw := bbb.NewAnswer(bbb.Success).Text("name", text).Bytes()
		leaves, _, _, err := readReference(raw)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := leaves[1].text; got != text {
			t.Errorf("%q reads as %q", text, got)
		}
	}
}
