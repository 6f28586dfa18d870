package ctl

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// arrives puts files of a recording into the inbox, and gives the name of its
// metadata.xml.
func (w *world) arrives(id, format, key string) string {
	w.Helper()
	dir := filepath.Join(w.trees, "inbox", format, id)
	file := filepath.Join(dir, "metadata.xml")
	document := fmt.Sprintf(`<recording><id>%s</id><state>published</state><published>true</published>
	<start_time>1716030289891</start_time><end_time>1716030389891</end_time><participants>2</participants>
	<meta><meetingId>%s</meetingId><meetingName>Physics</meetingName></meta>
	<playback><format>%s</format><link>https://node.example.org/%[3]s/%[1]s/</link><processing_time>4882</processing_time><duration>150000</duration></playback></recording>`,
		id, b3scale.EncodeMeetingID(key, "room"), format)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(document), 0o600)
	}
	if err != nil {
		w.Fatal(err)
	}
	return file
}

func (w *world) imports(id, format string) {
	w.Helper()
	w.ctl("recordings", "import", w.arrives(id, format, "moodle")).tells("imported recording: " + id)
}

// tree is where the files of a recording are.
func (w *world) tree(format, id string) (where string) {
	for _, tree := range []string{"published", "unpublished", "inbox"} {
		if _, err := os.Stat(filepath.Join(w.trees, tree, format, id)); err == nil {
			where += tree
		}
	}
	return where
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	w.ctl("set", "frontend", "other", "--secret", feSecret).tells("created")
	w.ctl("show", "recordings").wants(0, "Recording\tTimestamp\tMeeting\n")
	w.ctl("recordings", "import", w.arrives("abc-1", "video", "moodle")).wants(0, "imported recording: abc-1 published\n")
	const listed = "Recording\tTimestamp\tMeeting\nabc-1 1716030389891 Physics\n"
	f := w.app.Cluster().Frontend("moodle")
	for _, args := range []string{
		"", "--frontend moodle", "-fe moodle", "--frontend-id " + f.ID, "-feid " + f.ID, "--meeting room", "--state published", "--id abc",
		"--since 2024-05-01", "--until 2024-06-01", "--limit 1",
	} {
		w.ctl(append([]string{"show", "recordings"}, strings.Fields(args)...)...).wants(0, listed)
	}
	for _, args := range []string{"-fe other", "--meeting class", "--state unpublished", "--id abd", "--since 2024-06-01", "--until 2024-05-01"} {
		w.ctl(append([]string{"show", "recordings"}, strings.Fields(args)...)...).wants(0, "Recording\tTimestamp\tMeeting\n")
	}
	w.ctl("show", "recordings", "-fe", "moodel").fails(`did you mean "moodle"?`)
	w.ctl("show", "recordings", "-feid", "nobody").fails("no frontend")
	w.ctl("show", "recordings", "--since", "lately").fails("--since lately: want a time")
	w.ctl("show", "--json", "recordings", "-fe", "moodle").tells("[\n   {\n      \"created_at\": \"", "      \"record_id\": \"abc-1\",\n")
	w.ctl("show", "recordings", "-o", "table").tells("RECORDING ", "published", "moodle", "video", "Physics")
	w.ctl("show", "recording", "abc-1").tells("{\n   \"created_at\": \"", "   \"record_id\": \"abc-1\",\n")
	w.ctl("show", "recording", "abc-1", "-o", "yaml").tells("record_id: abc-1\n")
	w.ctl("show", "recording", "abc-2").fails(`recording not found: "abc-2"`)

	w.ctl("set", "recording-visibility", "abc-1", "publik").fails(`did you mean "public"?`)
	w.ctl("set", "--dry", "recording-visibility", "abc-1", "unpublished").wants(0, "setting visibility of abc-1 to unpublished\nskipping visibility update\n")
	if where := w.tree("video", "abc-1"); where != "published" {
		t.Errorf("a dry run brought the files to %q", where)
	}
	w.ctl("set", "recording-visibility", "abc-1", "unpublished").wants(0, "setting visibility of abc-1 to unpublished\nOk.\n")
	if where := w.tree("video", "abc-1"); where != "unpublished" {
		t.Errorf("the files are in %q", where)
	}
	w.ctl("set", "recording-visibility", "abc-2", "public").fails("no recording with the id \"abc-2\"")
	for _, v := range visibilities {
		w.ctl("set", "recording-visibility", "abc-1", v).tells("Ok.")
		w.ctl("show", "recordings", "-o", "table").tells("  " + v + "  ")
	}

	w.ctl("move", "recording", "abc-1").fails("Add --frontend KEY")
	w.ctl("move", "recording", "abc-1", "--frontend", "othr").fails(`did you mean "other"?`)
	w.ctl("move", "recording", "abc-2", "--frontend", "other").fails("recording not found")
	w.ctl("move", "recording", "abc-1", "--frontend", "moodle").wants(64, "no changes\n")
	w.ctl("move", "--dry", "recording", "abc-1", "--frontend", "other").wants(0, "skipping move (dry)\n")
	w.ctl("move", "recording", "abc-1", "--frontend", "other").wants(0, "moved recording: abc-1 to other\n")
	w.ctl("show", "recordings", "-fe", "other").wants(0, listed)
	w.ctl("delete", "frontend", "other").fails("the frontend has 1 recordings")

	w.ctl("delete", "recording", "abc-2").fails("recording not found")
	w.ctl("delete", "recording", "abc-1", "--dry").wants(0, "skipping delete (dry)\n")
	w.ctl("delete", "recording", "abc-1").wants(0, "deleted recording: abc-1\n")
	if where := w.tree("video", "abc-1"); where != "" {
		t.Errorf("the files are still in %q", where)
	}
	w.ctl("show", "audit", "--kind", "recording").tells("recording.visibility", "recording.move", "recording.delete")
}

func TestImportOfRecordings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	w.ctl("recordings", "import", "nowhere.xml").fails("nowhere.xml")
	file := w.arrives("abc-1", "video", "nobody")
	w.ctl("recordings", "import", file).fails("nobody knows whose recording this is")
	w.ctl("recordings", "import", file, "--frontend", "moodel").fails(`did you mean "moodle"?`)
	w.ctl("recordings", "import", file, "--frontend", "moodle", "--meeting", "class", "--json").tells("   \"RecordID\": \"abc-1\",\n")
	w.ctl("show", "recordings", "--frontend", "moodle", "--meeting", "class").tells("abc-1")
	text, err := os.ReadFile(w.arrives("abc-2", "notes", "moodle"))
	if err != nil {
		t.Fatal(err)
	}
	w.as().in(string(text)).do("recordings", "import", "-").wants(0, "imported recording: abc-2 published\n")
	w.as().in("<nothing").do("recordings", "import", "-").fails("[400]")
	w.as().in(strings.ReplaceAll(string(text), "abc-2", "abc-3")).do("recordings", "import", "-").fails("there are no files at notes/abc-3")
}

func TestRecordingsCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	w.ctl("recordings", "check").wants(0, "differences: 0, repaired: 0, open: 0\n")
	w.imports("abc-1", "video")
	w.imports("abc-2", "video")
	w.arrives("abc-3", "video", "moodle")
	move := func(id, from, to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(w.trees, to, "video"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(w.trees, from, "video", id), filepath.Join(w.trees, to, "video", id)); err != nil {
			t.Fatal(err)
		}
	}
	move("abc-1", "published", "unpublished")
	if err := os.RemoveAll(filepath.Join(w.trees, "published", "video", "abc-2")); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-2 * time.Hour) // else they may still be arriving
	if err := filepath.WalkDir(filepath.Join(w.trees, "inbox"), func(path string, _ fs.DirEntry, _ error) error {
		return os.Chtimes(path, before, before)
	}); err != nil {
		t.Fatal(err)
	}
	in := func(tree, id string) string { return filepath.Join(w.trees, tree, "video", id) }
	o := w.ctl("recordings", "check")
	o.failsWith(1, "do not agree in 3 things")
	want := "files_misplaced\tabc-1\tvideo\t" + in("unpublished", "abc-1") + "\tin the unpublished instead of the published tree\topen\n" +
		"files_missing\tabc-2\tvideo\t\tnot in any tree\topen\n" +
		"files_unknown\tabc-3\tvideo\t" + in("inbox", "abc-3") + "\tin the inbox tree, not imported\topen\n" +
		"differences: 3, repaired: 0, open: 3\n"
	if o.out != want {
		t.Errorf("got\n%s\nwant\n%s", o.out, want)
	}
	o = w.ctl("recordings", "check", "--repair")
	o.failsWith(1, "1 things that nobody can repair alone")
	if !strings.Contains(o.out, "abc-1\tvideo\t"+in("unpublished", "abc-1")+"\tin the unpublished instead of the published tree\trepaired\n") ||
		!strings.Contains(o.out, "not in any tree\topen: ") || !strings.Contains(o.out, "differences: 3, repaired: 2, open: 1\n") {
		t.Errorf("got\n%s", o.out)
	}
	w.ctl("delete", "recording", "abc-2").tells("deleted")
	w.ctl("recordings", "check", "-o", "table").wants(0, "KIND  RECORDING  FORMAT  PATH  WHAT  STATE\n")
	w.ctl("recordings", "check", "--json").tells(`"open": 0`)
	w.ctl("show", "recordings").tells("abc-1", "abc-3")
}

// The time that moving files may take is not what other requests may take.
func TestRecordingsOfOtherServers(t *testing.T) {
	t.Parallel()
	there := fake(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.Method + r.URL.Path {
		case "GET/api/v1":
			answers(200, `{"is_admin":true,"database":{}}`)(rw, r)
		case "GET/api/v1/recordings":
			// As the existing product answers, whose times were never set.
			answers(200, `[{"record_id":"abc-1","recording":{"XMLName":{"Space":"","Local":""},"RecordID":"abc-1","State":"published","EndTime":1716030389891,`+
				`"Metadata":{"meetingName":"Physics\u001b[2J"},"Formats":null},"created_at":"0001-01-01T00:00:00Z"}]`)(rw, r)
		case "POST/api/v1/recordings-check":
			answers(503, `{"message":"the files of the recording are being worked on: try again later"}`)(rw, r)
		default:
			answers(404, `{"message":"recordings are switched off: set B3SCALE_RECORDINGS_PUBLISHED_PATH"}`)(rw, r)
		}
	}).as().env("B3SCALE_API_ACCESS_TOKEN=" + mint(t, apiSecret, "ci", time.Time{}, auth.Admin))
	there.do("show", "recordings").wants(0, "Recording\tTimestamp\tMeeting\nabc-1 1716030389891 Physics [2J\n")
	there.do("show", "recording", "abc-1").fails("switched off: set B3SCALE_RECORDINGS_PUBLISHED_PATH")
	there.do("set", "recording-visibility", "abc-1", "public").fails("switched off")
	there.do("recordings", "check").fails("being worked on: try again later")
}
