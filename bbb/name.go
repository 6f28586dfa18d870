package bbb

import (
	"encoding/xml"
	"strings"
	"unicode/utf8"
)

// IsElementName tells whether a document can have an element of that name,
// without a prefix, and any reader takes it. The names of metadata become
// elements in lists of recordings.
func IsElementName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		case c >= utf8.RuneSelf:
			return isForeignName(name)
		default:
			return false
		}
	}
	return name != ""
}

// isForeignName asks a parser that knows the letters of older versions of XML:
// newer ones have more, which some clients refuse.
func isForeignName(name string) bool {
	token, err := xml.NewDecoder(strings.NewReader("<" + name + "/>")).RawToken()
	e, ok := token.(xml.StartElement)
	return err == nil && ok && e.Name.Space == "" && e.Name.Local == name
}

// DropControls drops the characters that no XML document can carry.
func DropControls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s)
}
