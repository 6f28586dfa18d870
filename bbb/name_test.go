package bbb_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"b3scale/bbb"
)

func TestIsElementName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a": true, "_": true, "bbb-origin": true, "meetingId": true, "a.1-b_c": true, "größe": true, "ключ": true, "é1": true, "a\u0300": true,
		"": false, "1": false, "-a": false, ".": false, "a b": false, "a:b": false, ":": false, "a/": false, "<a>": false, "a>": false, "a\x00": false,
		"\xff": false, "a\xff": false, "ü>": false, "ü/": false, "ü a='b'": false, "ü:b": false, "b:ü": false, "\u00d7": false, "\u0300": false,
		"👋": false, "ü ": false, "ü\n": false, "!--ü--": false, "?ü?": false, "/ü": false, "\ufffd": false,
	} {
		if got := bbb.IsElementName(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// Names and texts that are let through never break a document.
func FuzzElements(f *testing.F) {
	f.Add("name", "text")
	f.Add("größe", "\x01&<]]>\u0085\ufffe")
	f.Add("ü><x", "")
	f.Fuzz(func(t *testing.T, name, text string) {
		if !bbb.IsElementName(name) {
			return
		}
		document := "<r><" + name + ">" + bbb.EscapeXML(bbb.DropControls(text)) + "</" + name + "></r>"
		var r struct {
			Children []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		}
		if err := xml.Unmarshal([]byte(document), &r); err != nil || len(r.Children) != 1 || r.Children[0].XMLName.Local != name {
			t.Fatalf("%q: got %+v (%v)", document, r, err)
		}
		doc, err := bbb.ParseXML([]byte(document))
		if err != nil || doc.Root().Child(name).Text() != strings.ToValidUTF8(bbb.DropControls(text), "\ufffd") && strings.ToValidUTF8(text, "") == text {
			t.Errorf("%q: %v", document, err)
		}
	})
}
