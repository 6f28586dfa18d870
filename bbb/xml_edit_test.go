package bbb_test

import (
	"regexp"
	"testing"

	"b3scale/bbb"
)

func TestSetTextKeepsAllOtherBytes(t *testing.T) {
	t.Parallel()
	ids := regexp.MustCompile(`<meetingID>([^<]*|<!\[CDATA\[.*?\]\]>)</meetingID>`) // not how ParseXML finds them
	total := 0
	for name, raw := range answers(t) {
		doc, err := bbb.ParseXML(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		edit, n := doc.Edit(), 0
		for _, e := range descendants(doc.Root()) {
			if e.Name() == "meetingID" {
				edit.SetText(e, "Übung <1> & Co")
				n++
			}
		}
		want := ids.ReplaceAllString(string(raw), "<meetingID>Übung &lt;1&gt; &amp; Co</meetingID>")
		if got := string(edit.Bytes()); got != want {
			t.Errorf("%s becomes\n%s\nwant\n%s", name, got, want)
		}
		if found := len(ids.FindAll(raw, -1)); n != found {
			t.Errorf("%s: %d meeting ids, want %d", name, n, found)
		}
		if string(doc.Bytes()) != string(raw) {
			t.Errorf("%s: the edit changed the document itself", name)
		}
		total += n
	}
	if total < 20 {
		t.Errorf("%d meeting ids in all, want more", total)
	}
}

// Each single element of each answer, one at a time.
func TestEachElementCanBeChanged(t *testing.T) {
	t.Parallel()
	const mark = "changed"
	for name, raw := range answers(t) {
		doc, err := bbb.ParseXML(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, e := range descendants(doc.Root()) {
			edit := doc.Edit()
			edit.SetText(e, mark)
			changed := parse(t, string(edit.Bytes()))
			if got := descendants(changed.Root())[i]; got.Name() != e.Name() || got.Text() != mark {
				t.Errorf("%s: <%s> became <%s>%s", name, e.Name(), got.Name(), got.Text())
			}
		}
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	const doc = "<r>\n<a>1</a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n</r>"
	cases := []struct {
		name string
		edit func(ed *bbb.Edit, r bbb.Element)
		want string
	}{
		{"nothing", func(*bbb.Edit, bbb.Element) {}, doc},
		{"text", func(ed *bbb.Edit, r bbb.Element) { ed.SetText(r.Child("a"), "x&y") }, "<r>\n<a>x&amp;y</a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n</r>"},
		{"self-closing", func(ed *bbb.Edit, r bbb.Element) { ed.SetText(r.Child("b"), "x") }, "<r>\n<a>1</a>\n<b>x</b>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n</r>"},
		{"self-closing with an attribute", func(ed *bbb.Edit, r bbb.Element) { ed.SetText(r.Child("c"), "x") }, "<r>\n<a>1</a>\n<b/>\n<c x=\"y>/\" >x</c>\n<d></d>\n<e><f>2</f></e>\n</r>"},
		{"empty", func(ed *bbb.Edit, r bbb.Element) { ed.SetText(r.Child("d"), "x") }, "<r>\n<a>1</a>\n<b/>\n<c x=\"y>/\" />\n<d>x</d>\n<e><f>2</f></e>\n</r>"},
		{"to empty", func(ed *bbb.Edit, r bbb.Element) { ed.SetText(r.Child("a"), "") }, "<r>\n<a></a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n</r>"},
		{"element with children", func(ed *bbb.Edit, r bbb.Element) { ed.SetText(r.Child("e"), "x") }, "<r>\n<a>1</a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e>x</e>\n</r>"},
		{"remove", func(ed *bbb.Edit, r bbb.Element) { ed.Remove(r.Child("a")) }, "<r>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n</r>"},
		{"remove without a line break", func(ed *bbb.Edit, r bbb.Element) { ed.Remove(r.Child("e").Child("f")) }, "<r>\n<a>1</a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e></e>\n</r>"},
		{"remove self-closing", func(ed *bbb.Edit, r bbb.Element) { ed.Remove(r.Child("c")) }, "<r>\n<a>1</a>\n<b/>\n<d></d>\n<e><f>2</f></e>\n</r>"},
		{"several, last first", func(ed *bbb.Edit, r bbb.Element) {
			ed.SetText(r.Child("e").Child("f"), "9")
			ed.Remove(r.Child("c"))
			ed.SetText(r.Child("a"), "7")
			ed.Remove(r.Child("b"))
		}, "<r>\n<a>7</a>\n<d></d>\n<e><f>9</f></e>\n</r>"},
		{"neighbours", func(ed *bbb.Edit, r bbb.Element) {
			for c := range r.Children() {
				ed.Remove(c)
			}
		}, "<r>\n</r>"},
		{"outer and inner", func(ed *bbb.Edit, r bbb.Element) {
			ed.SetText(r.Child("e").Child("f"), "inner")
			ed.SetText(r.Child("e"), "outer")
		}, "<r>\n<a>1</a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e>outer</e>\n</r>"},
		{"removed and changed", func(ed *bbb.Edit, r bbb.Element) {
			ed.Remove(r.Child("a"))
			ed.SetText(r.Child("a"), "x")
		}, "<r>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n</r>"},
		{"the same twice", func(ed *bbb.Edit, r bbb.Element) {
			for _, name := range []string{"a", "b", "d"} {
				ed.SetText(r.Child(name), "first")
				ed.SetText(r.Child(name), "second")
			}
		}, "<r>\n<a>second</a>\n<b>second</b>\n<c x=\"y>/\" />\n<d>second</d>\n<e><f>2</f></e>\n</r>"},
		{"append", func(ed *bbb.Edit, r bbb.Element) { ed.Append(r, "<g/>") }, "<r>\n<a>1</a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n<g/></r>"},
		{"append inside", func(ed *bbb.Edit, r bbb.Element) {
			ed.Append(r.Child("a"), "<g/>")
			ed.Append(r.Child("b"), "<g/>")
			ed.Append(r.Child("c"), "<g/>")
			ed.Append(r.Child("d"), "<g/>")
			ed.Append(r.Child("e"), "<g>&amp;</g>")
		}, "<r>\n<a>1<g/></a>\n<b><g/></b>\n<c x=\"y>/\" ><g/></c>\n<d><g/></d>\n<e><f>2</f><g>&amp;</g></e>\n</r>"},
		{"append where the last is removed", func(ed *bbb.Edit, r bbb.Element) {
			ed.Append(r, "<g/>")
			ed.Remove(r.Child("e"))
			ed.Append(r.Child("e"), "<gone/>")
		}, "<r>\n<a>1</a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<g/></r>"},
		{"text and append", func(ed *bbb.Edit, r bbb.Element) {
			ed.Append(r.Child("a"), "<g/>")
			ed.SetText(r.Child("a"), "x")
		}, "<r>\n<a>x<g/></a>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n</r>"},
		{"append to nothing", func(ed *bbb.Edit, r bbb.Element) { ed.Append(r.Child("z"), "<g/>") }, doc},
		{"removed twice", func(ed *bbb.Edit, r bbb.Element) {
			ed.Remove(r.Child("a"))
			ed.Remove(r.Child("a"))
		}, "<r>\n<b/>\n<c x=\"y>/\" />\n<d></d>\n<e><f>2</f></e>\n</r>"},
	}
	for _, c := range cases {
		parsed := parse(t, doc)
		edit := parsed.Edit()
		c.edit(edit, parsed.Root())
		for range 2 { // it may be asked twice
			if got := string(edit.Bytes()); got != c.want {
				t.Errorf("%s gives\n%s\nwant\n%s", c.name, got, c.want)
			}
		}
	}
}

func TestEscapeXML(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"", ""},
		{"room 1", "room 1"},
		{`<a> & "b" 'c'`, "&lt;a&gt; &amp; &quot;b&quot; &apos;c&apos;"},
		{"a\tb\nc\r", "a\tb\nc\r"},
		{"教室\U0001f3eb", "教室\U0001f3eb"},
		{"a\x00b\x1fc", "a\ufffdb\ufffdc"},
		{"a\ufffe\uffffb", "a\ufffd\ufffdb"},
		{"a\xffb\xed\xa0\x80", "a\ufffdb\ufffd\ufffd\ufffd"},
		{"a\x7f", "a\x7f"},
		{"]]>", "]]&gt;"},
	}
	for _, c := range cases {
		if got := bbb.EscapeXML(c.in); got != c.want {
			t.Errorf("EscapeXML(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestInnerAndSplit(t *testing.T) {
	t.Parallel()
	doc := parse(t, "<r>\n<a>1</a>\n<m>\n<x>2</x>\n<y>3</y>\n</m>\n<b></b>\n<c/>\n<z>4</z></r>")
	r := doc.Root()
	m := r.Child("m")
	all := func(ed *bbb.Edit) {
		ed.SetText(r.Child("z"), "Z")
		ed.SetText(m.Child("y"), "Y")
		ed.Remove(m.Child("x"))
		ed.SetText(r.Child("a"), "A")
	}
	cases := []struct {
		name                 string
		edit                 func(*bbb.Edit)
		e                    bbb.Element
		inner, before, after string
	}{
		{"unchanged", func(*bbb.Edit) {}, m, "\n<x>2</x>\n<y>3</y>\n", "<r>\n<a>1</a>\n<m>", "</m>\n<b></b>\n<c/>\n<z>4</z></r>"},
		{"changed everywhere", all, m, "\n<y>Y</y>\n", "<r>\n<a>A</a>\n<m>", "</m>\n<b></b>\n<c/>\n<z>Z</z></r>"},
		{"of an empty element", all, r.Child("b"), "", "<r>\n<a>A</a>\n<m>\n<y>Y</y>\n</m>\n<b>", "</b>\n<c/>\n<z>Z</z></r>"},
		{"of a self-closing element", all, r.Child("c"), "", "<r>\n<a>A</a>\n<m>\n<y>Y</y>\n</m>\n<b></b>\n<c/>\n<z>Z</z></r>", ""},
		{"of the root", all, r, "\n<a>A</a>\n<m>\n<y>Y</y>\n</m>\n<b></b>\n<c/>\n<z>Z</z>", "<r>", "</r>"},
		{"of what was set", func(ed *bbb.Edit) { ed.SetText(r.Child("a"), "A") }, r.Child("a"), "A", "<r>\n<a>", "</a>\n<m>\n<x>2</x>\n<y>3</y>\n</m>\n<b></b>\n<c/>\n<z>4</z></r>"},
		{"of what was empty and set", func(ed *bbb.Edit) { ed.SetText(r.Child("b"), "B") }, r.Child("b"), "B", "<r>\n<a>1</a>\n<m>\n<x>2</x>\n<y>3</y>\n</m>\n<b>", "</b>\n<c/>\n<z>4</z></r>"},
		{"appended", func(ed *bbb.Edit) { ed.Append(m, "<n/>") }, m, "\n<x>2</x>\n<y>3</y>\n<n/>", "<r>\n<a>1</a>\n<m>", "</m>\n<b></b>\n<c/>\n<z>4</z></r>"},
		{"of what was empty and appended", func(ed *bbb.Edit) { ed.Append(r.Child("b"), "<n/>") }, r.Child("b"), "<n/>", "<r>\n<a>1</a>\n<m>\n<x>2</x>\n<y>3</y>\n</m>\n<b>", "</b>\n<c/>\n<z>4</z></r>"},
		{"of no element", all, bbb.Element{}, "", "<r>\n<a>A</a>\n<m>\n<y>Y</y>\n</m>\n<b></b>\n<c/>\n<z>Z</z></r>", ""},
	}
	for _, c := range cases {
		edit := doc.Edit()
		c.edit(edit)
		if got := string(edit.Inner(c.e)); got != c.inner {
			t.Errorf("%s: Inner = %q, want %q", c.name, got, c.inner)
		}
		before, after := edit.Split(c.e)
		if string(before) != c.before || string(after) != c.after {
			t.Errorf("%s: Split = %q, %q, want %q, %q", c.name, before, after, c.before, c.after)
		}
	}
}

func TestAttribute(t *testing.T) {
	t.Parallel()
	r := parse(t, `<r plain="1" blanks = ' two  words ' empty="" refs="&lt;&#x41;&quot;" x:pre="p" tail='>/'
	line="a"><none/><end a="1" ></end></r>`).Root()
	for _, c := range []struct {
		e          bbb.Element
		name, want string
	}{
		{r, "plain", "1"}, {r, "blanks", " two  words "}, {r, "empty", ""}, {r, "refs", `<A"`}, {r, "x:pre", "p"}, {r, "pre", ""},
		{r, "tail", ">/"}, {r, "line", "a"}, {r, "Plain", ""}, {r, "", ""}, {r, "missing", ""},
		{r.Child("none"), "a", ""}, {r.Child("end"), "a", "1"}, {r.Child("end"), "b", ""}, {r.Child("zero"), "a", ""},
	} {
		if got := c.e.Attribute(c.name); got != c.want {
			t.Errorf("<%s> %s is %q, want %q", c.e.Name(), c.name, got, c.want)
		}
	}
}
