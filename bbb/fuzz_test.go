package bbb_test

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"b3scale/bbb"
)

// FuzzQueryChecksum checks that a signed query is accepted, that nothing in it
// may be changed, and that its parameters come out as they went in.
func FuzzQueryChecksum(f *testing.F) {
	for _, query := range []string{"", "a=1", "&", "a=1&&b=2&", "name=%C3%A9+x;y", "checksums=1&x", "100%&%zz=%", "a=1&checksu=m", "%63hecksum=1", "é= #"} {
		f.Add("create", query, secret, uint(0))
		f.Add("end", query, "", uint(77))
	}
	f.Fuzz(func(t *testing.T, call, query, secret string, flip uint) {
		params := bbb.ParseParams(query)
		checkParams(t, query, params)
		if params.Count("checksum") > 0 {
			return
		}
		signed := bbb.SignedQuery(call, query, secret)
		r := bbb.NewRequest(call, signed, "")
		if got := r.Verify(secret); (got == nil) != (secret != "") {
			t.Fatalf("%q: %v", signed, got)
		}
		if got := r.Params; got.Encode() != params.Encode() {
			t.Errorf("parameters are %q, want %q", got.Encode(), params.Encode())
		}
		changed := []byte(signed)
		at := int(flip / 8 % uint(len(changed)))
		changed[at] ^= 1 << (flip % 8)
		if at >= len(signed)-64 && strings.EqualFold(string(changed), signed) {
			return // a digit in upper case
		}
		r = bbb.NewRequest(call, string(changed), "")
		if r.Verify(secret) == nil {
			t.Errorf("%q is accepted for %q", changed, signed)
		}
		r = bbb.NewRequest(call, signed, "")
		if r.Verify(secret+"x") == nil || r.Verify(" "+secret) == nil {
			t.Errorf("%q is accepted for another secret", signed)
		}
	})
}

// checkParams checks that params keep what raw says.
func checkParams(t *testing.T, raw string, params bbb.Params) {
	t.Helper()
	encoded := params.Encode()
	again := bbb.ParseParams(encoded)
	if got, want := listOf(again), listOf(params); !slices.Equal(got, want) {
		t.Errorf("%q comes out as %q: %q, want %q", raw, encoded, got, want)
	}
	if again.Encode() != encoded {
		t.Errorf("%q comes out as %q, and then as %q", raw, encoded, again.Encode())
	}
	if strings.IndexFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) < 0 {
		parts := slices.DeleteFunc(strings.Split(raw, "&"), func(part string) bool { return part == "" })
		if want := strings.Join(parts, "&"); encoded != want {
			t.Errorf("%q comes out as %q, want %q", raw, encoded, want)
		}
	}
	if u, err := url.Parse("http://node.example.org/?" + encoded); err != nil || u.RawQuery != encoded {
		t.Errorf("%q is no query: %v", encoded, err)
	}
}

// FuzzForm checks all three rules by which a form is signed.
func FuzzForm(f *testing.F) {
	for _, form := range []string{"b=2&a=1", "a=1&a=0", "a", "=", "&", "x=%7E*%zz+", "é=1", "checksum", "%63hecksum=1", "checksums=1&b"} {
		f.Add(form, secret)
	}
	f.Fuzz(func(t *testing.T, form, secret string) {
		unsigned := bbb.NewRequest("create", "", form)
		if secret == "" || unsigned.Verify(secret) == nil {
			return // it carries a right checksum: nothing to add
		}
		params := bbb.ParseParams(form)
		checkParams(t, form, params)
		if params.Count("checksum") > 0 {
			if r := bbb.NewRequest("create", bbb.SignedQuery("create", "", secret), form); r.Verify(secret) == nil {
				t.Errorf("a second checksum is accepted in %q", form)
			}
			return
		}

		java := javaForm(params)
		r := bbb.NewRequest("create", "", form+"&checksum="+bbb.Sign("create", java, secret))
		if err := r.Verify(secret); err != nil || r.UnsignedForm {
			t.Errorf("old rule: %q signed as %q: %v, unsigned %t", form, java, err, r.UnsignedForm)
		}
		r = bbb.NewRequest("create", "", "checksum="+bbb.Sign("create", "", secret)+"&"+form)
		if err := r.Verify(secret); err != nil || r.UnsignedForm != (params.Len() > 0) {
			t.Errorf("new rule: %q: %v, unsigned %t", form, err, r.UnsignedForm)
		}
		r = bbb.NewRequest("create", bbb.SignedQuery("create", "q=1", secret), form)
		if err := r.Verify(secret); err != nil || r.UnsignedForm != (form != "") {
			t.Errorf("signed query: %q: %v, unsigned %t", form, err, r.UnsignedForm)
		}
		if got := r.Params.Len(); got != params.Len()+1 {
			t.Errorf("%d parameters, want %d", got, params.Len()+1)
		}
		for _, query := range []string{"", "q=1"} {
			r = bbb.NewRequest("create", query, form)
			if err := r.Verify(secret); err != bbb.ErrChecksumMissing {
				t.Errorf("not signed: %q: %v, want %v", form, err, bbb.ErrChecksumMissing)
			}
		}
	})
}

// javaForm is the text that old nodes sign, by way of net/url: it differs from
// java.net.URLEncoder in two characters.
func javaForm(params bbb.Params) string {
	escape := func(s string) string {
		return strings.NewReplacer("~", "%7E", "%2A", "*").Replace(url.QueryEscape(s))
	}
	var parts [][2]string
	for name, value := range params.All() {
		parts = append(parts, [2]string{name, escape(name) + "=" + escape(value)})
	}
	slices.SortStableFunc(parts, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var texts []string
	for _, part := range parts {
		texts = append(texts, part[1])
	}
	return strings.Join(texts, "&")
}

// FuzzXML checks the parser against encoding/xml, and that an edit changes
// nothing but what it names.
func FuzzXML(f *testing.F) {
	for name, raw := range answers(f) {
		if len(raw) < 1500 || strings.HasPrefix(name, "getMeetings") {
			f.Add(raw, uint(3), "new")
		}
	}
	for _, text := range []string{
		"<a/>", "<a />", "<a></a >", `<a b='1' c=">"/>`, "<a><![CDATA[<&]]>x</a>", "<a>x<!-- - -->y</a>", "\xef\xbb\xbf<?xml version='1.0'?>\n<a/>\n",
		"<a>&#x41;&amp;&lt;&#65;\r\n</a>", "<a><b/>x<b>y</b>z</a>", "<a:b xmlns:a='x'/>", "<é/>", "<a", "<!DOCTYPE a><a/>", "<a>]]></a>", "<a/>x", "<?x?><a/><?y?>",
	} {
		f.Add([]byte(text), uint(0), `<&>"']]>`)
		f.Add([]byte(text), uint(1), "\x00\ufffe\xff\r\n")
	}
	f.Fuzz(func(t *testing.T, raw []byte, which uint, text string) {
		original := bytes.Clone(raw)
		doc, err := bbb.ParseXML(raw)
		leaves, depth, directive, refErr := readReference(raw)
		if refErr == nil && !directive && err != nil && depth <= 64 && err.Error() != "tag is malformed" {
			t.Fatalf("%q is refused: %v", raw, err) // a malformed tag: attributes without a blank between, which encoding/xml lets pass
		}
		if err != nil {
			return
		}
		if refErr == nil {
			if directive {
				t.Errorf("%q has a document type and is accepted", raw)
			}
			compareLeaves(t, leavesOf(doc.Root(), ""), leaves)
		}

		elements := descendants(doc.Root())
		i := int(which % uint(len(elements)))
		e := elements[i]
		edit := doc.Edit()
		edit.SetText(e, text)
		changed := edit.Bytes()
		if !bytes.Equal(raw, original) {
			t.Fatal("the document itself was changed")
		}
		if want := setByHand(raw, e, text); string(changed) != want {
			t.Errorf("%q becomes %q, want %q", raw, changed, want)
		}
		again, err := bbb.ParseXML(changed)
		if err != nil {
			t.Fatalf("%q cannot be read back: %v", changed, err)
		}
		back := descendants(again.Root())[i]
		if want := carried(text); back.Name() != e.Name() || back.Text() != want {
			t.Errorf("it reads back as <%s>%q, want <%s>%q", back.Name(), back.Text(), e.Name(), want)
		}
		before, after := edit.Split(e)
		if !bytes.HasPrefix(changed, before) || !bytes.HasSuffix(changed, after) {
			t.Errorf("the halves of %q are %q and %q", changed, before, after)
		}
		checkAppend(t, doc, i)
		edit = doc.Edit()
		edit.Remove(e)
		if i == 0 {
			return
		}
		rest, err := bbb.ParseXML(edit.Bytes())
		if err != nil {
			t.Fatalf("%q without an element cannot be read: %v", edit.Bytes(), err)
		}
		if got, want := len(descendants(rest.Root())), len(elements)-len(descendants(e)); got != want {
			t.Errorf("%d elements are left, want %d", got, want)
		}
	})
}

// checkAppend adds an element at the end of the one with number i.
func checkAppend(t *testing.T, doc *bbb.Document, i int) {
	t.Helper()
	const added = `<added name="1&amp;2"/>`
	elements := descendants(doc.Root())
	edit := doc.Edit()
	edit.Append(elements[i], added)
	again, err := bbb.ParseXML(edit.Bytes())
	if err != nil {
		t.Fatalf("%q cannot be read back: %v", edit.Bytes(), err)
	}
	back := descendants(again.Root())
	if len(back) != len(elements)+1 || string(edit.Inner(elements[i])) != string(elements[i].Inner())+added && len(elements[i].Inner()) > 0 {
		t.Fatalf("%q becomes %q", doc.Bytes(), edit.Bytes())
	}
	var last bbb.Element
	for last = range back[i].Children() {
	}
	if last.Name() != "added" || last.Attribute("name") != "1&2" {
		t.Errorf("%q: the last in <%s> is now %q", edit.Bytes(), back[i].Name(), last.Raw())
	}
	if got := strings.Replace(string(edit.Bytes()), added, "", 1); len(elements[i].Inner()) > 0 && got != string(doc.Bytes()) {
		t.Errorf("%q: other bytes were changed: %q", doc.Bytes(), edit.Bytes())
	}
}

// setByHand is raw with the text of e replaced. Slices tell where they stand.
func setByHand(raw []byte, e bbb.Element, text string) string {
	text = bbb.EscapeXML(text)
	whole, inner := e.Raw(), e.Inner()
	start, from := cap(raw)-cap(whole), cap(raw)-cap(inner)
	before, after := raw[:start], raw[start+len(whole):]
	if from == 0 { // nothing can stand inside
		open := strings.TrimSuffix(string(whole), "/>")
		return string(before) + open + ">" + text + "</" + e.Name() + ">" + string(after)
	}
	return string(raw[:from]) + text + string(raw[from+len(inner):])
}

// carried is text as XML can carry it.
func carried(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

// compareLeaves ignores how line breaks are written, which encoding/xml
// changes, and references to what is no character, which it reads as U+FFFD.
func compareLeaves(t *testing.T, got, want []leaf) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d leaves, want %d", len(got), len(want))
	}
	same := strings.NewReplacer("\r", "", "\n", "")
	for i := range got {
		if got[i].path != want[i].path {
			t.Errorf("leaf %q, want %q", got[i].path, want[i].path)
		}
		if g, w := same.Replace(got[i].text), same.Replace(want[i].text); g != w && !strings.ContainsRune(w, utf8.RuneError) {
			t.Errorf("%s reads %q, want %q", got[i].path, g, w)
		}
	}
}
