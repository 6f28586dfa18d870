package recordings_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/recordings"
)

const (
	parentID   = "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123"
	breakoutID = "b2453a49d9a6ceb38bd2a07d436fe35f9bb59d28-1767227400789"
	slidesID   = "d11ce424081d27fe82877ed86056b9eb7a0f224c-1767225601623"
	node       = "https://node1.bbb.example.org"
)

// lecture is what the documents in testdata have in common.
func lecture(change func(*b3scale.Recording)) b3scale.Recording {
	r := b3scale.Recording{
		ID:                parentID,
		MeetingID:         "phys-101-spring",
		InternalMeetingID: parentID,
		Name:              "Physics & Chemistry 101",
		Published:         true,
		State:             "published",
		StartMillis:       1767225600123,
		EndMillis:         1767229500123,
		Participants:      3,
		RawSize:           184549376,
		Metadata: map[string]string{
			"bbb-origin":              "Moodle",
			"bbb-recording-name":      "Week 1: Intro & Safety",
			"bbb-origin-tag":          "",
			"bbb-recording-ready-url": "https://lb.example.org/cb/rec/7c1d",
			"meetingId":               "phys-101-spring",
			"meetingName":             "Physics & Chemistry 101",
			"isBreakout":              "false",
		},
	}
	change(&r)
	return r
}

func slides(r *b3scale.Recording) {
	thumb := func(n, alt string) b3scale.RecordingImage {
		return b3scale.RecordingImage{
			URL: node + "/presentation/" + parentID + "/presentation/" + slidesID + "/thumbnails/thumb-" + n + ".png",
			Alt: alt, Width: 176, Height: 136,
		}
	}
	r.Formats = []b3scale.RecordingFormat{{
		Type: "presentation", URL: node + "/playback/presentation/2.3/" + parentID,
		ProcessingMillis: 48210, DurationMillis: 3725000, Size: 7340032,
		Preview: []b3scale.RecordingImage{thumb("1", "Welcome slide"), thumb("2", "Agenda & rules"), thumb("3", "")},
	}}
}

func hidden(state string) func(*b3scale.Recording) {
	return func(r *b3scale.Recording) {
		slides(r)
		r.Published, r.State = false, state
	}
}

func breakout(r *b3scale.Recording) {
	const external = "ba201b51551a548e1b727547cef34bf902c627d3-1767227400789"
	r.ID, r.InternalMeetingID, r.MeetingID = breakoutID, breakoutID, external
	r.Name, r.Breakout = "Physics & Chemistry 101 (Room 1)", true
	r.StartMillis, r.EndMillis, r.Participants, r.RawSize = 1767227400789, 1767228300789, 1, 5242880
	maps.Copy(r.Metadata, map[string]string{"meetingId": external, "meetingName": r.Name, "isBreakout": "true"})
	r.BreakoutOf = &b3scale.RecordingParent{ParentID: parentID, Sequence: 1}
	r.Formats = []b3scale.RecordingFormat{{
		Type: "presentation", URL: node + "/playback/presentation/2.3/" + breakoutID,
		ProcessingMillis: 5000, DurationMillis: 880000, Size: 524288,
	}}
}

func playable(kind, path string, size int64, change func(*b3scale.Recording)) func(*b3scale.Recording) {
	return func(r *b3scale.Recording) {
		r.Formats = []b3scale.RecordingFormat{{Type: kind, URL: node + path, DurationMillis: 3725000, Size: size}}
		change(r)
	}
}

func TestParseMetadataOfNodes(t *testing.T) {
	t.Parallel()
	asItIs := func(*b3scale.Recording) {}
	sparse := func(r *b3scale.Recording) { r.Participants, r.RawSize = 0, 0 }
	want := map[string]b3scale.Recording{
		"presentation":              lecture(slides),
		"presentation-unpublished":  lecture(hidden("unpublished")),
		"presentation-deleted":      lecture(hidden("deleted")),
		"presentation-parent":       lecture(func(r *b3scale.Recording) { slides(r); r.BreakoutRooms = []string{breakoutID} }),
		"presentation-breakout-2.4": lecture(breakout),
		"presentation-breakout-3.0": lecture(breakout),
		"video":                     lecture(playable("video", "/playback/video/"+parentID+"/", 99614720, asItIs)),
		"video-minimal":             lecture(playable("video", "/playback/video/"+parentID+"/", 0, sparse)),
		"screenshare":               lecture(playable("screenshare", "/recording/screenshare/"+parentID+"/", 0, sparse)),
		"podcast":                   lecture(playable("podcast", "/podcast/"+parentID+"/audio.ogg", 15728640, asItIs)),
		"notes":                     lecture(playable("notes", "/notes/"+parentID+"/notes.pdf", 40960, asItIs)),
		"data-metrics": lecture(playable("statistics", "/statistics/"+parentID+"/", 0, func(r *b3scale.Recording) {
			r.RawSize = 0
			r.Formats[0].Data, r.Formats[0].DurationMillis = true, 0
		})),
	}
	for _, path := range documents(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".xml")
		got, err := recordings.ParseMetadata(read(t, path))
		if name == "presentation-processing" {
			refused(t, name, err, "not finished")
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		expected, ok := want[name]
		if !ok {
			t.Errorf("%s: nobody says what it should be", name)
		}
		if !reflect.DeepEqual(got, expected) {
			t.Errorf("%s: got\n%+v, want\n%+v", name, got, expected)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("there is no %s", name)
	}
}

// least is a document in which nothing can be missing.
const least = `<recording><id>a-1</id>%<playback><format>video</format></playback></recording>`

func TestParseMetadataWithWhatIsMissing(t *testing.T) {
	t.Parallel()
	got := parse(t, strings.Replace(least, "%", "", 1))
	want := b3scale.Recording{
		ID: "a-1", MeetingID: "a-1", InternalMeetingID: "a-1", Name: "unknown", Published: true, State: "published",
		Metadata: map[string]string{}, Formats: []b3scale.RecordingFormat{{Type: "video"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseMetadataNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ document, meetingID, internalID, name string }{
		{`<meeting id="b-2" externalId="x y" name="A"/><meta><meetingId>other</meetingId><meetingName>B</meetingName></meta>`, "x y", "b-2", "A"},
		{`<meeting id="../../etc" externalId=""/><meta><meetingId>m&amp;m</meetingId><meetingName>B</meetingName></meta>`, "m&m", "a-1", "B"},
		{`<meta><meetingName></meetingName></meta>`, "a-1", "a-1", "unknown"},
		{`<meeting name="A &amp;amp;amp; &amp;amp;lt;b&amp;amp;gt;"/><meta><meetingName>A &amp; &lt;b&gt;</meetingName></meta>`, "a-1", "a-1", "A & <b>"},
		{`<meeting name="&amp;amp;"/><meta><meetingName>&amp;</meetingName></meta>`, "a-1", "a-1", "&"},
		{`<meeting name="&amp;amp;"/><meta><meetingName>&amp;amp;</meetingName></meta>`, "a-1", "a-1", "&amp;"},
		{`<meeting name="&amp;amp;"/>`, "a-1", "a-1", "&amp;"},
		{`<meeting name="R &amp;amp; D"/><meta><meetingName>R &amp; E</meetingName></meta>`, "a-1", "a-1", "R &amp; D"},
		{`<meeting name="a&#1;&#x0;b"/>`, "a-1", "a-1", "a&#x0;b"},
	} {
		got := parse(t, strings.Replace(least, "%", c.document, 1))
		if got.MeetingID != c.meetingID || got.InternalMeetingID != c.internalID || got.Name != c.name {
			t.Errorf("%s: got %q, %q, %q, want %q, %q, %q", c.document, got.MeetingID, got.InternalMeetingID, got.Name, c.meetingID, c.internalID, c.name)
		}
	}
}

func TestParseMetadataStates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		document, state string
		published       bool
	}{
		{"<published>true</published>", "published", true},
		{"<state>available</state>", "published", true},
		{"<state>available</state><published>TRUE</published>", "published", true},
		{"<state>processed</state><published>true</published>", "published", true},
		{"<state>processed</state><published>false</published>", "processed", false},
		{"<state> deleted\n</state><published> false </published>", "deleted", false},
		{"<state>available</state><published>false</published>", "unpublished", false},
		{"<state/><published>no</published>", "unpublished", false},
		{"<state>unpublished</state>", "unpublished", false}, // nothing is shown that a node hides
		{"<state>" + strings.Repeat("x", 65) + "</state><published>false</published>", "unpublished", false},
	} {
		if got := parse(t, strings.Replace(least, "%", c.document, 1)); got.State != c.state || got.Published != c.published {
			t.Errorf("%s: got %q, %v, want %q, %v", c.document, got.State, got.Published, c.state, c.published)
		}
	}
}

func TestParseMetadataNumbers(t *testing.T) {
	t.Parallel()
	got := parse(t, `<recording><id>a</id><start_time> 12
		</start_time><end_time>99999999999999999999999</end_time><participants>9223372036854775807</participants><raw_size>-5</raw_size>
		<breakout parentMeetingId="p" sequence="-99999999999999999999" freeJoin="true"/>
		<playback><format>f</format><size>1.5</size><duration>0x10</duration><processing_time>-1</processing_time>
		<extensions><preview><images><image width="99999999999" height="-1">/a.png</image><image/></images></preview></extensions></playback></recording>`)
	f := got.Formats[0]
	if got.StartMillis != 12 || got.EndMillis != 1<<53 || got.Participants != math.MaxInt32 || got.RawSize != 0 ||
		*got.BreakoutOf != (b3scale.RecordingParent{ParentID: "p", FreeJoin: true}) || f.Size != 0 || f.DurationMillis != 0 || f.ProcessingMillis != 0 ||
		!slices.Equal(f.Preview, []b3scale.RecordingImage{{URL: "/a.png", Width: math.MaxInt32}}) {
		t.Errorf("got %+v of %+v", got, got.BreakoutOf)
	}
}

func TestParseMetadataKeepsMetadata(t *testing.T) {
	t.Parallel()
	got := parse(t, strings.Replace(least, "%", `<meta><a> 1
 </a><b><![CDATA[<x>&amp;]]></b><x:y>prefix</x:y><größe>ü</größe><ключ.1_-/>
		<twice>1</twice><Twice>2</Twice><meetingid>theirs</meetingid><meetingId>m</meetingId><MEETINGID>theirs</MEETINGID><c>&#7;&#65534;&quot;&unknown;</c></meta>`, 1))
	want := map[string]string{"a": " 1\n ", "b": "<x>&amp;", "größe": "ü", "ключ.1_-": "", "Twice": "2", "meetingId": "m", "c": `"&unknown;`}
	if !maps.Equal(got.Metadata, want) {
		t.Errorf("got %q, want %q", got.Metadata, want)
	}
}

func TestParseMetadataKeepsExtensions(t *testing.T) {
	t.Parallel()
	for extensions, want := range map[string]string{
		`<a x="1"><b>&amp;&#65;</b><!-- c --></a> <preview/><c/>`: `<a x="1"><b>&amp;&#65;</b><!-- c --></a><c/>`,
		`<a>&unknown;</a><a>&</a><a>]]></a><b/>`:                  `<b/>`,
		`<a x="1" x="2"/><x:a/><a x:y=""/><b xmlns="u"/>`:         `<b xmlns="u"/>`,
		`<a><!-- -- --></a><a><?php ?></a><a>&#1;</a><b/>`:        `<b/>`,
		`<a>` + strings.Repeat("x", 64<<10) + `</a><b/>`:          `<b/>`,
		"<a>\x01</a><\u2028/><a \u2028=''/><b/>":                  `<b/>`,
		`<b><![CDATA[</b></response>]]></b>`:                      `<b><![CDATA[</b></response>]]></b>`,
	} {
		document := `<recording><id>a</id><playback><format>f</format><extensions>` + extensions + `</extensions></playback></recording>`
		if got := parse(t, document).Formats[0].Extensions; got != want {
			t.Errorf("%.200s: got %q, want %q", extensions, got, want)
		}
	}
}

func parse(t *testing.T, document string) b3scale.Recording {
	t.Helper()
	r, err := recordings.ParseMetadata([]byte(document))
	if err != nil {
		t.Errorf("%.200s: %v", document, err)
		r.Formats = []b3scale.RecordingFormat{{}}
	}
	return r
}

func refused(t *testing.T, document string, err error, problem string) {
	t.Helper()
	if b3scale.CodeOf(err) != b3scale.InvalidArgument || !strings.Contains(err.Error(), problem) || len(err.Error()) > 300 {
		t.Errorf("%.200q: got %v, want one about %q", document, err, problem)
	}
}

func documents(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	return paths
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
