package bbb

import (
	"bytes"
	"iter"
	"slices"
)

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
		ed.open(n, EscapeXML(text))
		return
	}
	ed.changes = append(ed.changes, change{int(n.inner), int(n.innerTo), EscapeXML(text)})
}

// Append adds XML at the end of what stands between the tags of e. The zero
// Element has nothing to add it to.
func (ed *Edit) Append(e Element, xml string) {
	if !e.Exists() {
		return
	}
	n := e.node()
	if n.inner == 0 { // <name/> gets an end tag
		ed.open(n, xml)
		return
	}
	ed.changes = append(ed.changes, change{int(n.innerTo), int(n.innerTo), xml})
}

// open gives a self-closing element an end tag and what stands before it.
func (ed *Edit) open(n *node, inner string) {
	name := string(ed.doc.raw[n.name:n.nameTo])
	slash := bytes.LastIndexByte(ed.doc.raw[:n.end], '/')
	ed.changes = append(ed.changes, change{slash, int(n.end), ">" + inner + "</" + name + ">"})
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
func (ed *Edit) Bytes() []byte { return ed.render(0, len(ed.doc.raw), true) }

// Inner returns what stands between the tags of e after the edit.
func (ed *Edit) Inner(e Element) []byte {
	if !e.Exists() {
		return nil
	}
	n := e.node()
	return ed.render(int(n.inner), int(n.innerTo), true)
}

// Split returns the edited document in two halves: up to the inside of e, and
// from behind it on. What stands inside e is left out.
func (ed *Edit) Split(e Element) (before, after []byte) {
	if !e.Exists() || e.node().inner == 0 {
		return ed.Bytes(), nil
	}
	n := e.node()
	return ed.render(0, int(n.inner), false), ed.render(int(n.innerTo), len(ed.doc.raw), false)
}

func (ed *Edit) render(from, to int, edges bool) []byte {
	if len(ed.changes) == 0 {
		return ed.doc.raw[from:to]
	}
	slices.SortStableFunc(ed.changes, func(a, b change) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	size := to - from
	for c := range ed.within(from, to, edges) {
		size += len(c.with) - (c.to - c.from) // exactly: bodies can be large
	}
	out := make([]byte, 0, size)
	pos := from
	for c := range ed.within(from, to, edges) {
		out = append(out, ed.doc.raw[pos:c.from]...)
		out = append(out, c.with...)
		pos = c.to
	}
	return append(out, ed.doc.raw[pos:to]...)
}

// within are the changes that count, in order. Without edges they leave out
// what is put in right at from or to.
func (ed *Edit) within(from, to int, edges bool) iter.Seq[change] {
	return func(yield func(change) bool) {
		pos := from
		for i, c := range ed.changes {
			switch {
			case c.from < pos || c.to > to:
			case !edges && c.from == c.to && (c.from == from || c.to == to):
			case i+1 < len(ed.changes) && ed.changes[i+1].from == c.from && ed.changes[i+1].to == c.to:
			case !yield(c):
				return
			default:
				pos = c.to
			}
		}
	}
}
