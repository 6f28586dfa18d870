package bbb_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"b3scale/bbb"
)

// answers are all XML answers of the fixtures, by file name.
func answers(t testing.TB) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir("testdata/responses")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, e := range entries {
		all[e.Name()] = readFile(t, "responses/"+e.Name())
	}
	if len(all) < 90 {
		t.Fatalf("%d answers, want all of them", len(all))
	}
	return all
}

func parse(t testing.TB, text string) *bbb.Document {
	t.Helper()
	doc, err := bbb.ParseXML([]byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return doc
}

// descendants are e and all elements inside it, in the order of the document.
func descendants(e bbb.Element) []bbb.Element {
	all := []bbb.Element{e}
	for c := range e.Children() {
		all = append(all, descendants(c)...)
	}
	return all
}

func TestParseAnswers(t *testing.T) {
	t.Parallel()
	for name, raw := range answers(t) {
		doc, err := bbb.ParseXML(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := doc.Root().Name(); got != "response" {
			t.Errorf("%s: the root is %q", name, got)
		}
		if got := doc.Root().Child("returncode").Text(); got != bbb.Success && got != bbb.Failed {
			t.Errorf("%s: the return code is %q", name, got)
		}
		if got := string(doc.Bytes()); got != string(raw) {
			t.Errorf("%s: the bytes have changed", name)
		}
		if got := string(doc.Root().Raw()); got != string(raw) {
			t.Errorf("%s: the root is not the document", name)
		}
	}
}

func TestNoPartOfAnAnswerIsAnAnswer(t *testing.T) {
	t.Parallel()
	for name, raw := range answers(t) {
		for n := range raw {
			if _, err := bbb.ParseXML(raw[:n:n]); err == nil {
				t.Errorf("%s: the first %d bytes are accepted", name, n)
			}
		}
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	doc := parse(t, string(readFile(t, "responses/getMeetings.success.3.0.xml")))
	var ids, names []string
	for m := range doc.Root().Child("meetings").Children() {
		ids = append(ids, m.Child("meetingID").Text())
		names = append(names, m.Child("attendees").Child("attendee").Child("fullName").Text())
	}
	if want := []string{"phys-101-spring", "ba201b51551a548e1b727547cef34bf902c627d3-1767227400789", "staff-room"}; !slices.Equal(ids, want) {
		t.Errorf("ids are %q, want %q", ids, want)
	}
	if want := []string{"Ada Example", "Bob <Tester>", ""}; !slices.Equal(names, want) {
		t.Errorf("first attendees are %q, want %q", names, want)
	}
	first := doc.Root().Child("meetings").Child("meeting")
	if got, want := string(first.Child("meetingName").Raw()), "<meetingName>Physics &amp; Chemistry 101</meetingName>"; got != want {
		t.Errorf("Raw = %q, want %q", got, want)
	}
	if got, want := string(first.Child("meetingName").Inner()), "Physics &amp; Chemistry 101"; got != want {
		t.Errorf("Inner = %q, want %q", got, want)
	}
	for range first.Children() {
		break // the iterator must stop
	}
}

func TestZeroElement(t *testing.T) {
	t.Parallel()
	doc := parse(t, "<a>x</a>")
	none := doc.Root().Child("b").Child("c")
	if none.Exists() || none.Name() != "" || none.Text() != "" || none.Number() != 0 || none.Raw() != nil || none.Inner() != nil {
		t.Errorf("%+v is something", none)
	}
	for range none.Children() {
		t.Error("it has children")
	}
	edit := doc.Edit()
	edit.SetText(none, "y")
	edit.Remove(none)
	if got := string(edit.Bytes()); got != "<a>x</a>" {
		t.Errorf("changing it gives %q", got)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	cases := []struct{ xml, want string }{
		{"<a/>", ""},
		{"<a />", ""},
		{"<a></a>", ""},
		{"<a> x\ny </a>", " x\ny "},
		{"<a>&amp;&lt;&gt;&quot;&apos;</a>", `&<>"'`},
		{"<a>&#65;&#x42;&#x1F3EB;&#233;</a>", "AB\U0001f3ebé"},
		{"<a>&#0000065;</a>", "A"},
		{"<a>&amp;amp;</a>", "&amp;"},
		{"<a>&unknown; & &; &#; &#x; &#xg; &#-1; &#0; &#x110000; &#xD800; &#99999999999;</a>", "&unknown; & &; &#; &#x; &#xg; &#-1; &#0; &#x110000; &#xD800; &#99999999999;"},
		{"<a>R&D &lt;3; &</a>", "R&D <3; &"},
		{"<a>&a&lt;</a>", "&a<"},
		{"<a><![CDATA[<b>&amp;]]></a>", "<b>&amp;"},
		{"<a>x<![CDATA[]]>y<![CDATA[]]]]><![CDATA[>]]>z</a>", "xy]]>z"},
		{"<a>x<!-- > <b> -->y</a>", "xy"},
		{"<a>x<!---->y<!----->z</a>", "xyz"},
		{"<a>x<?p <b> ?>y</a>", "xy"},
		{"<a>x<b>no</b>y<b/>z<b><a>no</a></b>!</a>", "xyz!"},
		{"<a><b>no</b></a>", ""},
		{`<a t="&lt;">x</a>`, "x"},
	}
	for _, c := range cases {
		if got := parse(t, c.xml).Root().Text(); got != c.want {
			t.Errorf("%s: %q, want %q", c.xml, got, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	cases := []struct {
		text string
		want int64
	}{
		{"0", 0},
		{"42", 42},
		{"-42", -42},
		{"1,500", 1500},
		{"1.500", 1500},
		{"1 500", 1500},
		{"1\u00a0500", 1500},
		{"1\u202f500", 1500},
		{"1,234,567", 1234567},
		{" 12\n", 12},
		{"<![CDATA[12]]>", 12},
		{"1767225600123", 1767225600123},
		{"9223372036854775807", 9223372036854775807},
		{"9223372036854775808", 0},
		{"-99999999999999999999", 0},
		{"", 0},
		{",", 0},
		{"1e3", 0},
		{"0x10", 0},
		{"many", 0},
		{"<b>1</b>", 0},
	}
	for _, c := range cases {
		if got := parse(t, "<a>"+c.text+"</a>").Root().Number(); got != c.want {
			t.Errorf("%q: %d, want %d", c.text, got, c.want)
		}
	}
	info := parse(t, string(readFile(t, "responses/getMeetingInfo.grouping.2.4.xml"))).Root()
	if got := info.Child("participantCount").Number(); got != 1204 {
		t.Errorf("participantCount = %d, want 1204", got)
	}
}

func TestParseXMLAccepts(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, xml string }{
		{"declaration", `<?xml version="1.0" encoding="UTF-8"?>` + "\n<a/>"},
		{"byte order mark", "\xef\xbb\xbf<a/>"},
		{"byte order mark and declaration", "\xef\xbb\xbf<?xml version=\"1.0\"?><a/>"},
		{"blanks around", " \t\r\n<a/>\r\n "},
		{"comments around", "<!-- x --><a/><!-- < & -- x -->"},
		{"instruction after it", "<a/><?x y?>"},
		{"attributes", `<a b="1" c='2' d = "3"	e:f-g.h_1="4"/>`},
		{"> in quotes", `<a b="x > y" c='/>'>t</a>`},
		{"other quotes in quotes", `<a b="it's" c='"'/>`},
		{"line breaks in a tag", "<a\nb='1'\n>\n</a\n>"},
		{"names", "<_a.b-c:d9><é/><教室/></_a.b-c:d9>"},
		{"one name begins with another", "<a><ab></ab></a>"},
		{"64 levels", strings.Repeat("<a>", 64) + "<b/>" + strings.Repeat("</a>", 64)},
		{"many siblings", "<r>" + strings.Repeat("<a></a>", 1000) + "</r>"},
		{"CDATA full of markup", "<a><![CDATA[</a><!-- ]] > ]> ]]></a>"},
		{"instruction full of markup", "<a><?x </a> > ? ?></a>"},
	}
	for _, c := range cases {
		doc, err := bbb.ParseXML([]byte(c.xml))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := string(doc.Bytes()); got != c.xml {
			t.Errorf("%s: the bytes are %q", c.name, got)
		}
	}
}

func TestParseXMLRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, xml string }{
		{"nothing", ""},
		{"blanks", " \n"},
		{"a byte order mark", "\xef\xbb\xbf"},
		{"text", "Bad Gateway"},
		{"JSON", `{"response": {"returncode": "SUCCESS"}}`},
		{"HTML", "<html><head><meta charset=utf-8></head><body></body></html>"},
		{"HTML with a document type", "<!DOCTYPE html>\n<html></html>"},
		{"document type", `<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>`},
		{"document type inside", "<a><!DOCTYPE a></a>"},
		{"declaration inside", "<a><!ENTITY e 'x'></a>"},
		{"CDATA outside", "<![CDATA[x]]><a/>"},
		{"CDATA in lower case", "<a><![cdata[x]]></a>"},
		{"only a comment", "<!-- a -->"},
		{"only a declaration", `<?xml version="1.0"?>`},
		{"text before", "x<a/>"},
		{"text after", "<a/>x"},
		{"reference after", "<a/>&#32;"},
		{"byte order mark after", "<a/>\xef\xbb\xbf"},
		{"byte order mark after a comment", "<!-- -->\xef\xbb\xbf<a/>"},
		{"two roots", "<a/><a/>"},
		{"two roots with text", "<a>x</a>\n<b>y</b>"},
		{"not closed", "<a><b></b>"},
		{"closed twice", "<a></a></a>"},
		{"only an end tag", "</a>"},
		{"crossed", "<a><b></a></b>"},
		{"other name", "<a></b>"},
		{"other case", "<a></A>"},
		{"longer name", "<a></ab>"},
		{"shorter name", "<ab></a>"},
		{"longer name inside", "<r><a></ab></r>"},
		{"attribute in an end tag inside", "<r><a></a b='1'></r>"},
		{"attribute in an end tag", "<a></a b='1'>"},
		{"blank before the name of an end tag", "<a></ a>"},
		{"blank before a name", "< a/>"},
		{"no name", "<>x</>"},
		{"name begins with a digit", "<1a/>"},
		{"name begins with a hyphen", "<-a/>"},
		{"markup in a tag", "<a <b/></a>"},
		{"slash in a tag", "<a / >x</a>"},
		{"slash before an attribute", "<a /b='1'>x</a>"},
		{"attribute without value", "<a b/>"},
		{"attribute without quotes", "<a b=1/>"},
		{"attribute not closed", "<a b='1/>"},
		{"attribute closed by the other quote", `<a b='1"/>`},
		{"attributes without a blank between", `<a b="1"c="2"/>`},
		{"attribute without name", `<a ="1"/>`},
		{"attribute begins with a digit", `<a 1="1"/>`},
		{"< in an attribute", `<a b="<"/>`},
		{"< in text", "<a>1 < 2</a>"},
		{"65 levels", strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65)},
		{"comment not closed", "<a><!-- x --></a><!-- "},
		{"comment closed too early", "<!-->a<a/>"},
		{"CDATA not closed", "<a><![CDATA[x]]</a>"},
		{"instruction not closed", "<a><?x ></a>"},
		{"instruction closed by its own beginning", "<a><?></a>"},
	}
	for _, c := range cases {
		if doc, err := bbb.ParseXML([]byte(c.xml)); err == nil {
			t.Errorf("%s: accepted as <%s>", c.name, doc.Root().Name())
		}
	}
}

// A node that went mad must not fill the log, nor keep us busy.
func TestErrorsStaySmall(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("a", 1<<20)
	for _, text := range []string{"<" + name + "></b>", "<" + name + "></" + name + "b>", "<" + name} {
		_, err := bbb.ParseXML([]byte(text))
		if err == nil {
			t.Fatal("accepted")
		}
		if len(err.Error()) > 200 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

// A quadratic reader would be busy for minutes.
func TestManyAmpersandsAreRead(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"", ";"} {
		text := strings.Repeat("&", 1<<20) + end
		if got := parse(t, "<a>"+text+"</a>").Root().Text(); got != text {
			t.Errorf("%d bytes, want %d", len(got), len(text))
		}
	}
}
