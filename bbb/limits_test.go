package bbb_test

import (
	"strings"
	"testing"

	"b3scale/bbb"
)

func TestClean(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"", ""},
		{"room", "room"},
		{"  room\t\n", "room"},
		{"ro om", "ro om"},
		{"ro  om", "ro  om"},
		{"ro\x00\x1f\x7fom", "room"},
		{" \x00 room \x7f ", "room"},
		{"\t\r\n ", ""},
		{"Übung\n1", "Übung1"},
		{"\u0085room\u00a0", "\u0085room\u00a0"}, // no blanks to a node
		{"教室\u2028", "教室\u2028"},
		{"a\xffb", "a\xffb"}, // left for CheckMeetingID to refuse
		{"a\xff\x01b", "a\xffb"},
	}
	for _, c := range cases {
		if got := bbb.Clean(c.in); got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestLength(t *testing.T) {
	t.Parallel()
	cases := []struct {
		in   string
		want int
	}{{"", 0}, {"ab", 2}, {"é", 1}, {"教室", 2}, {"\U0001f3eb", 2}, {"a\U0001f3ebb", 4}, {"\uffff", 1}, {"\U00010000", 2}, {"e\u0301", 2}, {"\xff", 1}}
	for _, c := range cases {
		if got := bbb.Length(c.in); got != c.want {
			t.Errorf("Length(%q) = %d, want %d", c.in, got, c.want)
		}
	}
}

func TestCheckMeetingID(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, id string
		want     *bbb.Failure
	}{
		{"empty", "", bbb.ErrMissingMeetingID},
		{"one character", "a", bbb.ErrMeetingIDSize},
		{"one comma", ",", bbb.ErrMeetingIDSize},
		{"two characters", "ab", nil},
		{"one letter outside ASCII", "é", bbb.ErrMeetingIDSize},
		{"one character of two units", "\U0001f3eb", nil},
		{"256", strings.Repeat("x", 256), nil},
		{"257", strings.Repeat("x", 257), bbb.ErrMeetingIDSize},
		{"256 of three bytes", strings.Repeat("教", 256), nil},
		{"257 of three bytes", strings.Repeat("教", 257), bbb.ErrMeetingIDSize},
		{"128 of two units", strings.Repeat("\U0001f3eb", 128), nil},
		{"128 of two units and one", strings.Repeat("\U0001f3eb", 128) + "x", bbb.ErrMeetingIDSize},
		{"comma", "a,b", bbb.ErrMeetingIDComma},
		{"other comma", "a，b", nil},
		{"not UTF-8", "ab\xff", bbb.ErrMeetingIDInvalid},
		{"cut UTF-8", "ab\xe6\x95", bbb.ErrMeetingIDInvalid},
		{"surrogate in UTF-8", "ab\xed\xa0\x80", bbb.ErrMeetingIDInvalid},
		{"replacement character", "ab\ufffd", nil},
		{"punctuation", `a b/c?d&e<f>"g'`, nil},
	}
	for _, c := range cases {
		if got := bbb.CheckMeetingID(c.id); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// An id that is not UTF-8 must not become one by cleaning: two ids would be
// one room.
func TestCleaningDoesNotRepair(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"ab\xff", "\x01ab\xff", "ab\xff\x7f"} {
		if got := bbb.CheckMeetingID(bbb.Clean(id)); got != bbb.ErrMeetingIDInvalid {
			t.Errorf("%q: %v, want %v", id, got, bbb.ErrMeetingIDInvalid)
		}
	}
}
