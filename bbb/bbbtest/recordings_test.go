package bbbtest

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"b3scale/bbb"
	"b3scale/internal/recordings"
)

// recorder is a node that publishes into a directory, with a clock to set.
type recorder struct {
	*Node
	dir  string
	now  *atomic.Int64
	said chan string // what is published, as format and id; errors too
}

func newRecorder(t *testing.T, version string, formats ...string) *recorder {
	t.Helper()
	r := &recorder{dir: t.TempDir(), now: &atomic.Int64{}, said: make(chan string, 20)}
	r.Node = New(Options{
		Version: version, PublicURL: "https://node1.bbb.example.org", Now: func() time.Time { return time.UnixMilli(r.now.Load()) },
		Callbacks: &taker{}, RecordingsDir: r.dir, RecordingFormats: formats, ProcessingTime: time.Millisecond,
		Published: func(format, id, path string) {
			if _, err := os.Stat(path); err != nil || path != filepath.Join(r.dir, format, id, "metadata.xml") {
				r.said <- "published " + path
				return
			}
			r.said <- format + " " + id
		},
		PublishFailed: func(err error) { r.said <- err.Error() },
	})
	t.Cleanup(r.Close)
	r.now.Store(physicsTime)
	return r
}

// open makes the room of the fixtures, with its three people.
func (r *recorder) open(t *testing.T, extra ...string) {
	t.Helper()
	get(t, r.Node, "create", append([]string{
		"name", "Physics & Chemistry 101", "meetingID", physics, "record", "true",
		"meta_bbb-origin", "Moodle", "meta_bbb-recording-name", "Week 1: Intro & Safety", "meta_bbb-origin-tag", "",
		"meta_bbb-recording-ready-url", "https://lb.example.org/cb/rec/7c1d",
	}, extra...)...)
	for _, a := range []Attendee{{UserID: "teacher-1", InternalID: "w_1"}, {UserID: "student-17"}, {UserID: "student-18"}} {
		r.Join(physics, a)
	}
	r.Leave(physics, "teacher-1") // and comes back in the same session
	r.Join(physics, Attendee{UserID: "teacher-1", InternalID: "w_1"})
}

// record lets the recording run for some parts of seconds, with pauses.
func (r *recorder) record(meetingID, userID string, parts ...int64) {
	for _, seconds := range parts {
		r.Recording(meetingID, userID, true)
		r.now.Add(1000 * seconds)
		r.Recording(meetingID, userID, false)
		r.now.Add(10_000)
	}
}

// news is what is said next.
func (r *recorder) news(t *testing.T) string {
	t.Helper()
	select {
	case text := <-r.said:
		return text
	case <-time.After(time.Minute):
		t.Fatal("nothing is said of a recording")
		return ""
	}
}

func (r *recorder) metadata(t *testing.T, format, id string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, format, id, "metadata.xml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Numbers that a simulation cannot have: sizes of media that are not there, the
// time that a real recorder took, and the name of a document.
var madeUp = regexp.MustCompile(`<(processing_time|size|raw_size)>\d+<|/presentation/[0-9a-f]{40}-\d+/thumbnails`)

func TestMetadataIsThatOfTheFixtures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ fixture, version, format string }{
		{"presentation", "3.0", "presentation"},
		{"presentation", "2.4", "presentation"},
		{"video", "3.0", "video"},
		{"video-minimal", "2.7", "video"},
		{"podcast", "3.0", "podcast"},
		{"notes", "2.5", "notes"},
		{"screenshare", "3.0", "screenshare"},
		{"data-metrics", "2.6", "statistics"},
		{"presentation-parent", "3.0", "presentation"},
		{"presentation-breakout-2.4", "2.4", "presentation"},
		{"presentation-breakout-3.0", "3.0", "presentation"},
	} {
		t.Run(c.fixture+" of "+c.version, func(t *testing.T) {
			t.Parallel()
			r := newRecorder(t, c.version, c.format)
			id := physicsID
			if strings.Contains(c.fixture, "breakout") || strings.Contains(c.fixture, "parent") {
				r.open(t, "breakoutRoomsRecord", "true")
				r.Recording(physics, "teacher-1", true)
				r.now.Store(breakoutAt)
				r.OpenBreakouts(physics, 1)
				r.now.Add(20_000)
				r.Join(breakoutID1, Attendee{UserID: "student-17"}) // the recording starts by itself
				r.now.Store(physicsTime + 3_725_000)
				r.Recording(physics, "teacher-1", false)
				r.now.Store(breakoutAt + 900_000)
				r.EndNow(breakoutID1)
			} else {
				r.open(t)
				r.record(physics, "student-17", 3000, 725)
			}
			r.now.Store(physicsTime + 3_900_000)
			r.EndNow(physics)
			said := []string{r.news(t)}
			if strings.Contains(c.fixture, "-breakout") {
				id = breakoutID1
			}
			if strings.Contains(c.fixture, "breakout") || strings.Contains(c.fixture, "parent") {
				said = append(said, r.news(t))
			}
			if !slices.Contains(said, c.format+" "+id) {
				t.Fatalf("got %q", said)
			}
			want, err := os.ReadFile(filepath.Join("..", "..", "internal", "recordings", "testdata", c.fixture+".xml"))
			if err != nil {
				t.Fatal(err)
			}
			plain := func(s string) string { return madeUp.ReplaceAllString(s, "<$1>") }
			if got := r.metadata(t, c.format, id); plain(got) != plain(string(want)) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What the balancer reads out of the files is what the room was.
func TestMetadataSaysWhatTheRoomWas(t *testing.T) {
	t.Parallel()
	formats := []string{"presentation", "video", "podcast", "notes", "screenshare", "statistics", "whiteboard"}
	r := newRecorder(t, "3.0", formats...)
	const name, note = "<Ünï> \"quoted\" & 'more' 😀", "a\tb & <c> ]]> &amp;"
	r.open(t, "name", "shadowed") // the first one counts
	get(t, r.Node, "create", "meetingID", "odd", "name", name, "record", "true", "autoStartRecording", "true", "meta_Note", note, "disabledFeatures", "presentation")
	odd, _ := r.Room("odd")
	r.Join("odd", Attendee{FullName: "Ada"})
	r.now.Add(90_000)
	r.EndNow("odd")
	for range formats {
		r.news(t)
	}
	for _, format := range formats {
		raw := r.metadata(t, format, odd.InternalID)
		got, err := recordings.ParseMetadata([]byte(raw))
		if err != nil {
			t.Fatalf("%s: %v\n%s", format, err, raw)
		}
		clean := bbb.Clean(note)
		if got.ID != odd.InternalID || got.MeetingID != "odd" || got.Name != name || got.Metadata["note"] != clean || !got.Published ||
			got.State != "published" || got.StartMillis != odd.StartTime || got.EndMillis != odd.StartTime+90_000 || got.Breakout {
			t.Errorf("%s: got %+v of\n%s", format, got, raw)
		}
		f := got.Formats[0]
		if f.Type != format || !strings.HasPrefix(f.URL, "https://node1.bbb.example.org/") || len(f.Preview) > 0 ||
			f.Data != (format == "statistics") || !f.Data && f.DurationMillis != 90_000 {
			t.Errorf("%s: got %+v", format, f)
		}
	}
	r.record(physics, "student-17", 1)
	r.EndNow(physics)
	for range formats {
		r.news(t)
	}
	got, err := recordings.ParseMetadata([]byte(r.metadata(t, "presentation", physicsID)))
	if err != nil || len(got.Formats[0].Preview) != 3 || got.Participants != 3 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for _, image := range got.Formats[0].Preview { // the files are where the links lead
		path := strings.TrimPrefix(image.URL, "https://node1.bbb.example.org/")
		b, err := os.ReadFile(filepath.Join(r.dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if picture, err := png.DecodeConfig(bytes.NewReader(b)); err != nil || picture.Width != image.Width || picture.Height != image.Height {
			t.Errorf("%s: %+v, %v", path, picture, err)
		}
	}
}
