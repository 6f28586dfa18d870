package bbbtest

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tree is every file below a directory with its size; directories have none.
func tree(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Mode().Perm()&0o444 != 0o444 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		name, _ := filepath.Rel(dir, path)
		found[name] = info.Size()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFilesOfFormats(t *testing.T) {
	t.Parallel()
	formats := []string{"presentation", "video", "podcast", "notes", "screenshare"}
	r := newRecorder(t, "3.0", formats...)
	r.open(t)
	r.record(physics, "student-17", 60)
	r.EndNow(physics)
	for range formats {
		r.news(t)
	}
	for format, needs := range map[string][]string{
		"presentation": {"shapes.svg", "panzooms.xml", "cursor.xml", "presentation_text.json", "video/webcams.webm"},
		"video":        {"video-0.webm", "index.html"},
		"podcast":      {"audio.ogg"},
		"notes":        {"notes.pdf"},
		"screenshare":  {"screenshare.webm"},
	} {
		dir := filepath.Join(r.dir, format, physicsID)
		files := tree(t, dir)
		sum := int64(0)
		for name, size := range files {
			if name != "metadata.xml" {
				sum += size
			}
		}
		for _, name := range needs {
			if files[name] == 0 {
				t.Errorf("%s has no %s: %v", format, name, slices.Sorted(maps.Keys(files)))
			}
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o055 != 0o055 {
			t.Errorf("%s: others cannot read it: %v, %v", dir, info.Mode(), err)
		}
		if raw := r.metadata(t, format, physicsID); format != "screenshare" && !strings.Contains(raw, "<size>"+strconv.FormatInt(sum, 10)+"</size>") {
			t.Errorf("%s has %d bytes: %s", format, sum, raw)
		}
		if left, err := filepath.Glob(filepath.Join(r.dir, format, ".*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestMediaAreWhatTheyAreCalled(t *testing.T) {
	t.Parallel()
	for video := webm(); len(video) > 0; {
		id := binary.BigEndian.Uint32(video)
		size := binary.BigEndian.Uint64(video[4:]) &^ (1 << 56)
		if id != 0x1a45dfa3 && id != 0x18538067 || size > uint64(len(video)-12) {
			t.Fatalf("element %x of %d bytes in %d", id, size, len(video))
		}
		video = video[12+size:]
	}
	pages := 0
	for audio := ogg(); len(audio) > 0; pages++ {
		size := 28 + int(audio[27])
		page := bytes.Clone(audio[:size])
		sum := binary.LittleEndian.Uint32(page[22:])
		clear(page[22:26])
		if string(page[:4]) != "OggS" || oggSum(page) != sum {
			t.Fatalf("page %d is broken", pages)
		}
		audio = audio[size:]
	}
	if pages != 3 {
		t.Errorf("%d pages", pages)
	}
	if sum := oggSum([]byte("123456789")); sum != 0x89a1897f { // the check value of this CRC
		t.Errorf("sum %x", sum)
	}
	document := string(pdf())
	table := strings.Index(document, "xref\n")
	if !strings.HasSuffix(document, "startxref\n"+strconv.Itoa(table)+"\n%%EOF\n") {
		t.Error(document)
	}
	for i, line := range strings.Split(document[table:], "\n")[3:6] {
		at, err := strconv.Atoi(line[:10])
		if err != nil || !strings.HasPrefix(document[at:], strconv.Itoa(i+1)+" 0 obj") {
			t.Errorf("object %d is not at %q", i+1, line)
		}
	}
}

// Files come first, then the hook, then the news. What is not published is not
// told.
func TestOrderOfPublishing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		to := &taker{}
		var published []time.Time
		var failures []string
		n := New(Options{
			Callbacks: to, RecordingsDir: dir, RecordingFormats: []string{"presentation", "../video"}, ProcessingTime: time.Hour,
			Published:     func(string, string, string) { time.Sleep(time.Minute); published = append(published, time.Now()) },
			PublishFailed: func(err error) { failures = append(failures, err.Error()) },
		})
		defer n.Close()
		ended := time.Now()
		for _, marked := range []string{"true", "false"} {
			get(t, n, "create", "meetingID", "room "+marked, "name", "Room", "record", "true", "autoStartRecording", marked,
				"meta_bbb-recording-ready-url", readyURL)
			n.EndNow("room " + marked)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		told := to.to(readyURL)
		if len(published) != 1 || published[0].Sub(ended) != time.Hour+time.Minute || len(told) != 1 || told[0].at.Before(published[0]) {
			t.Errorf("published at %v, told %+v", published, told)
		}
		if len(failures) != 1 || !strings.Contains(failures[0], "is no name for a directory") {
			t.Errorf("failures: %q", failures)
		}
	})
	if there, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(there) != 1 {
		t.Errorf("there are %v, %v", there, err)
	}
}

// A recording that is there is never replaced, and callers who choose ids of
// rooms do not choose directories.
func TestPublishingFails(t *testing.T) {
	t.Parallel()
	r := newRecorder(t, "3.0", "presentation")
	kept := filepath.Join(r.dir, "presentation", physicsID, "kept")
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r.open(t)
	r.record(physics, "student-17", 60)
	get(t, r.Node, "create", "isBreakout", "true", "meetingID", "../evil", "parentMeetingID", physicsID, "sequence", "1", "name", "Evil",
		"record", "true", "autoStartRecording", "true")
	r.EndNow(physics)
	for range 2 {
		if text := r.news(t); !strings.HasPrefix(text, "publish presentation of ") {
			t.Errorf("got %q", text)
		}
	}
	if files := tree(t, filepath.Dir(r.dir)); len(files) != 1 {
		t.Errorf("there are %v", files)
	}
}
