package b3scale_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"b3scale"
)

// referenceID is what running nodes and stored recordings have.
func referenceID(t testing.TB, key, id string) string {
	t.Helper()
	raw, err := json.Marshal([]string{key, id, "b3scl"})
	if err != nil {
		t.Fatal(err)
	}
	return base64.URLEncoding.EncodeToString(raw)
}

var meetingIDs = []string{
	"m1", "", "a", "room 1", "a,b", `quote " and \ backslash`, "a/b?c=d&e=f#g%h+i", "<b>&amp;</b>", "tab\tline\nreturn\r",
	"\x00\x01\x1f\x7f", "\b\f", "\u0080\u009f", "Übung", "教室", "\U0001f3eb", "a\u2028b\u2029c", "\ufeff\ufffd\ufffe", "e\u0301",
	"332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123", strings.Repeat("x", 256), strings.Repeat("教", 256), "b3scl", `["k","i","b3scl"]`,
}

func TestMeetingIDs(t *testing.T) {
	t.Parallel()
	if got, want := b3scale.EncodeMeetingID("fe2", "m1"), "WyJmZTIiLCJtMSIsImIzc2NsIl0="; got != want {
		t.Errorf("the example of the reference is %s, want %s", got, want)
	}
	for _, key := range []string{"fe2", "", "schule-1", "Ü<&>", "k\u2028"} {
		for _, id := range meetingIDs {
			got := b3scale.EncodeMeetingID(key, id)
			if want := referenceID(t, key, id); got != want {
				t.Errorf("%q of %q is %s, want %s", id, key, got, want)
			}
			backKey, backID, ok := b3scale.DecodeMeetingID(got)
			if backKey != key || backID != id || !ok {
				t.Errorf("%s is %q, %q, %t, want %q, %q", got, backKey, backID, ok, key, id)
			}
		}
	}
}

func TestDecodeMeetingIDRefuses(t *testing.T) {
	t.Parallel()
	std := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	url := func(text string) string { return base64.URLEncoding.EncodeToString([]byte(text)) }
	good := b3scale.EncodeMeetingID("fe2", "m1")
	cases := []struct{ name, id string }{
		{"empty", ""},
		{"plain id", "phys-101-spring"},
		{"id of a breakout", "ba201b51551a548e1b727547cef34bf902c627d3-1767227400789"},
		{"no padding", strings.TrimRight(good, "=")},
		{"too much padding", good + "="},
		{"cut", good[:len(good)-4]},
		{"something after it", good + "AAAA"},
		{"line break after it", good + "\n"},
		{"line break inside", good[:8] + "\r\n" + good[8:]},
		{"blank before it", " " + good},
		{"bits that padding ignores", strings.TrimSuffix(good, "0=") + "1="},
		{"standard alphabet", std(`["k","~~~???>>>","b3scl"]`)},
		{"one element", url(`["b3scl"]`)},
		{"two elements", url(`["fe2","b3scl"]`)},
		{"four elements", url(`["fe2","m1","b3scl","x"]`)},
		{"four elements, mark last", url(`["fe2","m1","x","b3scl"]`)},
		{"other mark", url(`["fe2","m1","b3scale"]`)},
		{"mark in another case", url(`["fe2","m1","B3scl"]`)},
		{"no mark", url(`["fe2","m1",""]`)},
		{"blank after a comma", url(`["fe2", "m1","b3scl"]`)},
		{"blank before it all", url(` ["fe2","m1","b3scl"]`)},
		{"line break at the end", url(`["fe2","m1","b3scl"]` + "\n")},
		{"letters as escapes", url(`["fe2","\u006d1","b3scl"]`)},
		{"slash as escape", url(`["fe2","a\/b","b3scl"]`)},
		{"line break as long escape", url(`["fe2","a\u000ab","b3scl"]`)},
		{"escape in capitals", url(`["fe2","\u003Cb","b3scl"]`)},
		{"< not escaped", url(`["fe2","<b","b3scl"]`)},
		{"U+2028 not escaped", url("[\"fe2\",\"a\u2028\",\"b3scl\"]")},
		{"letter as escape outside ASCII", url(`["fe2","\u00fc1","b3scl"]`)},
		{"lone surrogate", url(`["fe2","\ud83c","b3scl"]`)},
		{"not UTF-8", url("[\"fe2\",\"a\xff\",\"b3scl\"]")},
		{"encoded from what is not UTF-8", b3scale.EncodeMeetingID("fe2", "a\xff")},
		{"number", url(`["fe2",1,"b3scl"]`)},
		{"null", url(`["fe2",null,"b3scl"]`)},
		{"nested", url(`["fe2",["m1"],"b3scl"]`)},
		{"object", url(`{"0":"fe2","1":"m1","2":"b3scl"}`)},
		{"text", url(`"fe2","m1","b3scl"`)},
		{"two arrays", url(`["fe2","m1","b3scl"]["fe2","m1","b3scl"]`)},
		{"empty array of some length", url(`["","","","","",""]`)},
		{"hexadecimal", "5b22666532222c226d31222c22623373636c225d"},
	}
	for _, c := range cases {
		if key, id, ok := b3scale.DecodeMeetingID(c.id); ok || key != "" || id != "" {
			t.Errorf("%s: %q is %q of %q", c.name, c.id, id, key)
		}
	}
}

func TestMeetingKeyPrints(t *testing.T) {
	t.Parallel()
	if got, want := (b3scale.MeetingKey{FrontendID: "f", MeetingID: "m"}).String(), "f/m"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzMeetingID checks that encoded ids are those of encoding/json, that they
// come back, and that an id has one spelling only.
func FuzzMeetingID(f *testing.F) {
	for _, id := range meetingIDs {
		f.Add("fe2", id, b3scale.EncodeMeetingID("fe2", id))
	}
	f.Add("\xff", "a\xed\xa0\x80", "WyJmZTIiLCJtMSIsImIzc2NsIl0")
	f.Add("k", "i", base64.URLEncoding.EncodeToString([]byte(`["k","\u0069","b3scl"]`)))
	f.Fuzz(func(t *testing.T, key, id, encoded string) {
		got := b3scale.EncodeMeetingID(key, id)
		if want := referenceID(t, key, id); got != want {
			t.Errorf("%q of %q is %s, want %s", id, key, got, want)
		}
		backKey, backID, ok := b3scale.DecodeMeetingID(got)
		if valid := utf8.ValidString(key) && utf8.ValidString(id); ok != valid {
			t.Errorf("%s is taken back: %t, want %t", got, ok, valid)
		}
		if ok && (backKey != key || backID != id) {
			t.Errorf("%s is %q, %q, want %q, %q", got, backKey, backID, key, id)
		}
		if key, id, ok := b3scale.DecodeMeetingID(encoded); ok && b3scale.EncodeMeetingID(key, id) != encoded {
			t.Errorf("%q of %q has a second spelling: %q", id, key, encoded)
		}
	})
}

func BenchmarkEncodeMeetingID(b *testing.B) {
	for name, id := range map[string]string{"plain": "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123", "escaped": "Übung & <Labor>"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b3scale.EncodeMeetingID("greenlight", id)
			}
		})
	}
}

func BenchmarkDecodeMeetingID(b *testing.B) {
	id := b3scale.EncodeMeetingID("greenlight", "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := b3scale.DecodeMeetingID(id); !ok {
			b.Fatal("refused")
		}
	}
}
