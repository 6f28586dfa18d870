package recordings_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"b3scale"
	"b3scale/bbb"
)

// meta is a document with such entries besides those that say whose it is.
func meta(entries string) string {
	return strings.Replace(least, "%", `<meta><b3s-frontend>fe</b3s-frontend><meetingId>m</meetingId><meetingName>n</meetingName><isBreakout>false</isBreakout>`+
		`<protect>true</protect><gl-listed>true</gl-listed>`+entries+`</meta>`, 1)
}

var needed = map[string]string{"b3s-frontend": "fe", "meetingId": "m", "meetingName": "n", "isBreakout": "false", "protect": "true", "gl-listed": "true"}

// Too much metadata costs the largest entries, never the recording.
func TestParseMetadataLeavesOutWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	many := ""
	for i := range 1000 {
		many += fmt.Sprintf("<n%03d>%s</n%03d>", i, strings.Repeat("x", 1+i/500), i)
	}
	long := strings.Repeat("n", 300)
	fill := strings.Repeat("x", 50<<10)
	for what, c := range map[string]struct {
		entries string
		kept    map[string]string // besides those that are needed
		others  int               // kept, whichever
	}{
		"none":               {},
		"one that is large":  {"<a>1</a><b>" + strings.Repeat("x", 70<<10) + "</b>", map[string]string{"a": "1"}, 0},
		"in lists it is":     {"<a>1</a><b>" + strings.Repeat(`"`, 11<<10) + "</b>", map[string]string{"a": "1"}, 0},
		"the sum":            {"<c>" + fill + "y</c><a>1</a><b>" + fill + "</b>", map[string]string{"a": "1", "b": fill}, 0},
		"a long name":        {"<a>1</a><" + long + ">1</" + long + ">", map[string]string{"a": "1"}, 0},
		"many":               {many, map[string]string{"n000": "x", "n193": "x"}, 192},
		"what fits is there": {"<b>" + fill + "</b>", map[string]string{"b": fill}, 0},
	} {
		r := parse(t, meta(c.entries))
		for name, value := range needed {
			if r.Metadata[name] != value {
				t.Errorf("%s: %s is %q, want %q", what, name, r.Metadata[name], value)
			}
		}
		for name, value := range c.kept {
			if r.Metadata[name] != value {
				t.Errorf("%s: %s is %.30q, want %.30q", what, name, r.Metadata[name], value)
			}
		}
		if got, want := len(r.Metadata), len(needed)+len(c.kept)+c.others; got != want {
			t.Errorf("%s: %d entries, want %d", what, got, want)
		}
		size := 0
		for name, value := range r.Metadata {
			size += len("<" + name + ">" + bbb.EscapeXML(value) + "</" + name + ">")
		}
		if size > b3scale.MaxMetadataBytes || len(r.Metadata) > b3scale.MaxMetadataEntries {
			t.Errorf("%s: %d entries of %d bytes", what, len(r.Metadata), size)
		}
	}
}

// Whatever else nodes tell has an end, too.
func TestParseMetadataHasAnEnd(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("ü", 1500)
	r := parse(t, `<recording><id>a</id><meeting name="`+name+`"/><meta><meetingName>`+name+`</meetingName></meta>
		<breakout parentMeetingId="../../x" sequence="1"/>
		<breakoutRooms>`+strings.Repeat("<breakoutRoom>a-1</breakoutRoom>", 1200)+`<breakoutRoom>a b</breakoutRoom></breakoutRooms>
		<playback><format>f</format><extensions><preview><images><image>`+strings.Repeat("x", 3000)+`</image>`+
		strings.Repeat(`<image alt="`+strings.Repeat("ö", 600)+`">/a.png</image>`, 150)+`</images></preview></extensions></playback></recording>`)
	if utf8.RuneCountInString(r.Name) != 1000 || !utf8.ValidString(r.Name) || r.Metadata["meetingName"] != r.Name {
		t.Errorf("the name has %d characters", utf8.RuneCountInString(r.Name))
	}
	if len(r.BreakoutRooms) != 1000 || r.BreakoutOf != nil {
		t.Errorf("%d rooms of %v", len(r.BreakoutRooms), r.BreakoutOf)
	}
	preview := r.Formats[0].Preview
	if len(preview) != 100 || preview[0].URL != "/a.png" || utf8.RuneCountInString(preview[0].Alt) != 500 {
		t.Errorf("%d images, the first is %.100v", len(preview), preview)
	}
}

// Who may see a recording is found whatever the spelling.
func TestParseMetadataSpellsVisibility(t *testing.T) {
	t.Parallel()
	for entries, want := range map[string]map[string]string{
		"<Protect>true</Protect>":                          {"protect": "true"},
		"<PROTECT> TRUE\n</PROTECT>":                       {"protect": "true"},
		"<protect>yes</protect>":                           {"protect": "true"},
		"<protect>1</protect>":                             {"protect": "true"},
		"<protect>whatever</protect>":                      {"protect": "true"},
		"<Protect>False</Protect>":                         {"protect": "false"},
		"<Protect/>":                                       {"protect": "false"},
		"<protect>0</protect>":                             {"protect": "false"},
		"<protect>false</protect><Protect>on</Protect>":    {"protect": "true"},
		"<GL-Listed>true</GL-Listed>":                      {"gl-listed": "true"},
		"<Gl-listed>x</Gl-listed><protected>1</protected>": {"gl-listed": "x", "protected": "1"},
	} {
		r := parse(t, strings.Replace(least, "%", "<meta>"+entries+"</meta>", 1))
		if !maps.Equal(r.Metadata, want) || r.Protected() != (want["protect"] == "true") {
			t.Errorf("%s: got %v", entries, r.Metadata)
		}
	}
}
