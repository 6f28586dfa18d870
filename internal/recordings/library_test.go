package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"b3scale"
)

func TestLife(t *testing.T) {
	t.Parallel()
	for _, apart := range []bool{false, true} {
		t.Run(fmt.Sprintf("apart %v", apart), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.apart = apart
			a := s.frontends["a"].ID
			s.has(one, "presentation", "video")
			r := s.rows()[one]
			if r.MeetingID != "room" || r.FrontendID != a || r.Metadata["meetingId"] != "room" || !r.Published || len(r.Formats) != 2 || r.Formats[0].Type != "video" {
				t.Fatalf("imported as %+v", r)
			}
			for _, step := range []struct {
				do   func() error
				want string
			}{
				{func() error { return nil }, "published"},
				{func() error { return s.Publish(t.Context(), a, []string{one}, false) }, "unpublished"},
				{func() error { return s.Publish(t.Context(), a, []string{one, one}, false) }, "unpublished"},
				{func() error { return s.Publish(t.Context(), a, []string{one}, true) }, "published"},
				{func() error { _, err := s.SetVisibility(t.Context(), one, b3scale.RecordingUnpublished); return err }, "unpublished"},
				{func() error {
					_, err := s.SetVisibility(t.Context(), one, b3scale.RecordingPublicProtected)
					return err
				}, "published"},
				{func() error { _, err := s.Move(t.Context(), one, s.frontends["b"].ID); return err }, "published"},
				{func() error { return s.Delete(t.Context(), s.frontends["b"].ID, []string{one}) }, ""},
			} {
				if err := step.do(); err != nil {
					t.Fatal(err)
				}
				if got := s.where("presentation", one) + s.where("video", one); got != step.want+step.want {
					t.Fatalf("the files are in %q, want them in %q", got, step.want)
				}
				s.agree()
			}
			if left := s.files(); len(left) > 0 {
				t.Errorf("deleted, but there is still %v", left)
			}
		})
	}
}

func TestVisibilityIsKeptAndWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.frontends["a"].Policy.Recordings = &b3scale.RecordingSettings{VisibilityOverride: new(b3scale.RecordingProtected)}
	s.has(one, "presentation")
	if r := s.rows()[one]; !r.Protected() || !r.Published || r.Metadata[b3scale.MetaListed] != "false" {
		t.Fatalf("imported as %+v", r)
	}
	if _, err := s.SetVisibility(t.Context(), one, b3scale.RecordingUnpublished); err != nil {
		t.Fatal(err)
	}
	s.has(one, "video") // does not publish it again
	if r := s.rows()[one]; r.Published || r.Protected() || s.where("video", one) != "unpublished" {
		t.Fatalf("the second format made it %+v", r)
	}
	_, err := s.SetVisibility(t.Context(), one, "secret")
	wantCode(t, err, b3scale.InvalidArgument)
	_, err = s.SetVisibility(t.Context(), two, b3scale.RecordingPublic)
	wantCode(t, err, b3scale.NotFound)
}

func TestOthersCannotTouchIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.has(one, "presentation")
	before, b := s.state(), s.frontends["b"].ID
	for _, ids := range [][]string{{one}, {one[:10]}, {one + "%"}, {"%"}, {""}, {}, {"../" + one}, {strings.ToUpper(one)}} {
		wantCode(t, s.Publish(t.Context(), b, ids, false), b3scale.NotFound)
		wantCode(t, s.Delete(t.Context(), b, ids), b3scale.NotFound)
		wantCode(t, s.Update(t.Context(), b, ids, func(r *b3scale.Recording) error { r.Name = "mine"; return nil }), b3scale.NotFound)
	}
	_, err := s.Move(t.Context(), one, "nobody")
	wantCode(t, err, b3scale.NotFound)
	if after := s.state(); !reflect.DeepEqual(after, before) {
		t.Errorf("it has become %v", after)
	}
}

func TestAllOrNone(t *testing.T) {
	t.Parallel()
	for _, apart := range []bool{false, true} {
		s := newSite(t)
		s.apart = apart
		a := s.frontends["a"].ID
		s.has(one, "presentation", "video")
		s.has(two, "presentation")
		before := s.state()
		wantCode(t, s.Publish(t.Context(), a, []string{one, "unknown"}, false), b3scale.NotFound)
		wantCode(t, s.Delete(t.Context(), a, []string{one, "unknown"}), b3scale.NotFound)
		s.put(s.unpublished, "presentation", two) // others than those that are published
		other := filepath.Join(s.unpublished.live("presentation", two), "empty")
		if err := os.WriteFile(other, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantCode(t, s.Publish(t.Context(), a, []string{one, two}, false), b3scale.Conflict)
		if err := os.RemoveAll(filepath.Dir(other)); err != nil {
			t.Fatal(err)
		}
		if after := s.state(); !reflect.DeepEqual(after, before) {
			t.Errorf("it has become %v", after)
		}
		s.agree()
	}
}

// Whatever the disk or the store does, rows and files agree afterwards, and
// nothing is lost.
func TestTrouble(t *testing.T) {
	t.Parallel()
	noSpace := func(w io.Writer, r io.Reader) (int64, error) {
		n, _ := io.CopyN(w, r, 3)
		return n, syscall.ENOSPC
	}
	for _, j := range jobs {
		if strings.HasPrefix(j.name, "check") {
			continue // it tells, and has no error
		}
		for name, trouble := range map[string]func(s *site){
			"full disk":      func(s *site) { s.copyBytes, s.apart = noSpace, true },
			"read-only disk": func(s *site) { s.renameDir = func(_, _ string) error { return syscall.EROFS } },
			"second file cannot be moved": func(s *site) {
				good, n := s.renameDir, 0
				s.renameDir = func(from, to string) error {
					if n++; n == 2 {
						return syscall.EIO
					}
					return good(from, to)
				}
			},
			"store refuses":         func(s *site) { s.taps.before = errors.New("gone") },
			"store fails too late":  func(s *site) { s.taps.after = errors.New("gone") },
			"store refuses, apart":  func(s *site) { s.taps.before, s.apart = errors.New("gone"), true },
			"store too late, apart": func(s *site) { s.taps.after, s.apart = errors.New("gone"), true },
		} {
			t.Run(j.name+", "+name, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				j.setup(s)
				before := s.state()
				trouble(s)
				err := j.do(s)(t.Context())
				if err == nil && s.taps.after == nil && s.taps.before == nil {
					return // it had no need of what is in trouble
				}
				wantCode(t, err, b3scale.Unavailable)
				s.open(filepath.Dir(s.published.base), Options{})
				s.taps.before, s.taps.after, s.apart = nil, nil, false
				if err := s.repaired(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.agreeBut(before)
				if j.name == "delete" {
					return
				}
				if err := j.do(s)(t.Context()); err != nil {
					t.Fatalf("it cannot be done again: %v", err)
				}
				s.agree()
			})
		}
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	link := func(s *site, target, name string) {
		if err := os.Symlink(target, name); err != nil {
			s.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		prepare  func(s *site)
		document string
		override b3scale.RecordingOverride
		want     b3scale.Code
	}{
		"no files":        {func(*site) {}, document(one, "video"), b3scale.RecordingOverride{}, b3scale.Conflict},
		"a broken one":    {func(*site) {}, "<recording>", b3scale.RecordingOverride{}, b3scale.InvalidArgument},
		"a long id":       {func(*site) {}, document(strings.Repeat("a", 200), "video"), b3scale.RecordingOverride{}, b3scale.InvalidArgument},
		"an odd id":       {func(*site) {}, document("..", "video"), b3scale.RecordingOverride{}, b3scale.InvalidArgument},
		"an odd format":   {func(*site) {}, document(one, "../video"), b3scale.RecordingOverride{}, b3scale.InvalidArgument},
		"nobody's":        {func(*site) {}, strings.ReplaceAll(document(one, "video"), "Wy", "xx"), b3scale.RecordingOverride{}, b3scale.NotFound},
		"an unknown key":  {func(*site) {}, document(one, "video"), b3scale.RecordingOverride{FrontendKey: "c"}, b3scale.NotFound},
		"a link instead":  {func(s *site) { s.mkdir("video"); link(s, "/etc", s.inbox.live("video", one)) }, document(one, "video"), b3scale.RecordingOverride{}, b3scale.Conflict},
		"a linked format": {func(s *site) { link(s, "/etc", filepath.Join(s.inbox.base, "video")) }, document(one, "video"), b3scale.RecordingOverride{}, b3scale.Conflict},
		"a file instead": {func(s *site) {
			s.mkdir("video")
			if err := os.WriteFile(s.inbox.live("video", one), nil, 0o600); err != nil {
				s.t.Fatal(err)
			}
		}, document(one, "video"), b3scale.RecordingOverride{}, b3scale.Conflict},
		"a link inside": {func(s *site) {
			s.put(s.inbox, "video", one)
			link(s, "/etc/passwd", filepath.Join(s.inbox.live("video", one), "video", "more"))
		}, document(one, "video"), b3scale.RecordingOverride{}, b3scale.Conflict},
		"a pipe inside": {func(s *site) {
			s.put(s.inbox, "video", one)
			if err := syscall.Mkfifo(filepath.Join(s.inbox.live("video", one), "pipe"), 0o600); err != nil {
				s.t.Fatal(err)
			}
		}, document(one, "video"), b3scale.RecordingOverride{}, b3scale.Conflict},
		"others in the way": {func(s *site) {
			s.put(s.inbox, "video", one)
			s.put(s.published, "video", one)
			if err := os.WriteFile(filepath.Join(s.published.live("video", one), "empty"), []byte("x"), 0o600); err != nil {
				s.t.Fatal(err)
			}
		}, document(one, "video"), b3scale.RecordingOverride{}, b3scale.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c.prepare(s)
			before := s.state()
			_, err := s.Import(t.Context(), []byte(c.document), c.override)
			wantCode(t, err, c.want)
			if after := s.state(); !reflect.DeepEqual(after, before) {
				t.Errorf("it has become %v, want %v", after, before)
			}
			if begun, err := s.db.RecordingOps(t.Context()); err != nil || len(begun) > 0 {
				t.Errorf("work is left over: %v, %v", begun, err)
			}
		})
	}
}

func (s *site) mkdir(format string) {
	s.t.Helper()
	if err := os.Mkdir(filepath.Join(s.inbox.base, format), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func TestImportFindsItsFrontend(t *testing.T) {
	t.Parallel()
	foreign := strings.ReplaceAll(document(one, "video"), b3scale.EncodeMeetingID("a", "room"), b3scale.EncodeMeetingID("gone", "room"))
	breakout := strings.ReplaceAll(document(one, "video"), b3scale.EncodeMeetingID("a", "room"), two)
	marked := strings.Replace(breakout, "<course>", "<b3s-frontend>b</b3s-frontend><course>", 1)
	for name, c := range map[string]struct {
		document      string
		override      b3scale.RecordingOverride
		want, meeting string
	}{
		"by the meeting":               {document(one, "video"), b3scale.RecordingOverride{}, "a", "room"},
		"by the mark":                  {marked, b3scale.RecordingOverride{}, "b", two},
		"by the operator":              {foreign, b3scale.RecordingOverride{FrontendKey: "b"}, "b", "room"},
		"by the operator, against all": {document(one, "video"), b3scale.RecordingOverride{FrontendKey: "b", MeetingID: "other"}, "b", "other"},
		"with an encoded override":     {document(one, "video"), b3scale.RecordingOverride{MeetingID: b3scale.EncodeMeetingID("a", "x")}, "a", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.put(s.inbox, "video", one)
			r, err := s.Import(t.Context(), []byte(c.document), c.override)
			if err != nil {
				t.Fatal(err)
			}
			if r.FrontendID != s.frontends[c.want].ID || r.MeetingID != c.meeting || r.Metadata["meetingId"] != c.meeting || r.Metadata["b3s-frontend"] != "" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestAddressesOfCallbacksAreTheFrontendsOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open(filepath.Dir(s.published.base), Options{Original: func(frontendID, address string) (string, bool) {
		switch address {
		case "https://us/1":
			return "https://lms/" + frontendID, true
		case "https://us/2":
			return "", true
		}
		return "", false
	}})
	s.put(s.inbox, "video", one)
	doc := strings.Replace(document(one, "video"), "<course>", "<endcallbackurl>https://us/1</endcallbackurl><bbb-recording-ready-url>https://us/2</bbb-recording-ready-url><course>", 1)
	r, err := s.Import(t.Context(), []byte(doc), b3scale.RecordingOverride{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"meetingId": "room", "course": "7", "endcallbackurl": "https://lms/" + r.FrontendID}
	if !reflect.DeepEqual(r.Metadata, want) {
		t.Errorf("metadata %v, want %v", r.Metadata, want)
	}
}

func TestThumbnailsInTheOrderOfSlides(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.put(s.inbox, "presentation", one)
	for i := 1; i <= 11; i++ {
		path := filepath.Join(s.inbox.live("presentation", one), "presentation", "deck", "thumbnails", fmt.Sprintf("thumb-%d.png", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.Import(t.Context(), []byte(document(one, "presentation")), b3scale.RecordingOverride{})
	if err != nil {
		t.Fatal(err)
	}
	images := r.Formats[0].Preview
	if len(images) != 11 || images[9].URL != "presentation/"+one+"/presentation/deck/thumbnails/thumb-10.png" || images[1].Alt != "Thumbnail 02" {
		t.Errorf("got %+v", images)
	}
}

// Files that come a little later than their metadata are waited for.
func TestImportWaitsForFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open(filepath.Dir(s.published.base), Options{FilesWait: time.Minute})
	done := make(chan error, 1)
	go func() {
		_, err := s.Import(t.Context(), []byte(document(one, "video")), b3scale.RecordingOverride{})
		done <- err
	}()
	for { // until the import looks for them
		if _, err := os.Stat(filepath.Join(s.unpublished.base, marker)); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	made := t.TempDir() // they are made elsewhere, and renamed
	s.put(tree{"", made}, "video", one)
	s.mkdir("video")
	if err := os.Rename(filepath.Join(made, "video", one), s.inbox.live("video", one)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.agree()
}

// Two instances that import the same recording at the same time both succeed.
func TestSimultaneousImports(t *testing.T) {
	t.Parallel()
	for _, formats := range [][2]string{{"video", "video"}, {"video", "presentation"}} {
		s := newSite(t)
		s.opts.Step = nil
		other := New(s.db, s, s.log, s.opts)
		for _, format := range slices.Compact(slices.Sorted(slices.Values(formats[:]))) {
			s.put(s.inbox, format, one)
		}
		var all gosync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				l := []*Library{s.Library, other}[i%2]
				if _, err := l.Import(t.Context(), []byte(document(one, formats[i%2])), b3scale.RecordingOverride{}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s.agree()
		if r := s.rows()[one]; len(r.Formats) != len(slices.Compact(slices.Sorted(slices.Values(formats[:])))) {
			t.Errorf("formats %+v", r.Formats)
		}
	}
}

// What the requester no longer waits for goes on.
func TestWorkOutlivesItsRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.has(one, "presentation")
	ctx, cancel := context.WithCancel(t.Context())
	s.opts.Step = func(name string) {
		if name == "publish:moved" {
			cancel()
			<-ctx.Done()
		}
	}
	err := s.Publish(ctx, s.frontends["a"].ID, []string{one}, false)
	if err != nil {
		wantCode(t, err, b3scale.Unavailable)
	}
	s.atWork.Wait()
	if s.where("presentation", one) != "unpublished" {
		t.Error("it was not done")
	}
	s.agree()
}

func TestObservingChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.has(one, "presentation")
	s.put(s.inbox, "video", one)
	before := s.state()
	s.open(filepath.Dir(s.published.base), Options{Observe: true})
	for name, do := range map[string]func() error{
		"import":     func() error { return importing("video")(s)(t.Context()) },
		"publish":    func() error { return s.Publish(t.Context(), "", []string{one}, false) },
		"visibility": func() error { _, err := s.SetVisibility(t.Context(), one, b3scale.RecordingPublic); return err },
		"delete":     func() error { return s.Delete(t.Context(), "", []string{one}) },
		"move":       func() error { _, err := s.Move(t.Context(), one, s.frontends["b"].ID); return err },
		"update": func() error {
			return s.Update(t.Context(), "", []string{one}, func(*b3scale.Recording) error { return nil })
		},
		"repair": func() error { return s.Check(t.Context(), true, func(b3scale.RecordingDifference) {}) },
	} {
		if err := do(); b3scale.CodeOf(err) != b3scale.Observing {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if after := s.state(); !reflect.DeepEqual(after, before) {
		t.Errorf("it has become %v", after)
	}
}
