package recordings

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"b3scale"
)

func TestCheckFindsAndRepairs(t *testing.T) {
	t.Parallel()
	remove := func(s *site, dir string) {
		if err := os.RemoveAll(dir); err != nil {
			s.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		harm     func(s *site)
		want     b3scale.RecordingDifferenceKind
		repaired bool
	}{
		"missing": {func(s *site) { remove(s, s.published.live("video", one)) }, b3scale.FilesMissing, false},
		"misplaced": {func(s *site) {
			remove(s, s.published.live("video", one))
			s.put(s.unpublished, "video", one)
		}, b3scale.FilesMisplaced, true},
		"twice the same": {func(s *site) { s.put(s.unpublished, "video", one) }, b3scale.FilesTwice, true},
		"twice and different": {func(s *site) {
			s.put(s.unpublished, "video", one)
			remove(s, filepath.Join(s.unpublished.live("video", one), "empty"))
		}, b3scale.FilesTwice, false},
		"in the inbox":           {func(s *site) { s.put(s.inbox, "video", two) }, b3scale.FilesUnknown, true},
		"published, unknown":     {func(s *site) { s.put(s.published, "video", two) }, b3scale.FilesUnknown, true},
		"not published, unknown": {func(s *site) { s.put(s.unpublished, "video", two) }, b3scale.FilesUnknown, true},
		"unknown, without metadata": {func(s *site) {
			s.put(s.published, "video", two)
			remove(s, filepath.Join(s.published.live("video", two), "metadata.xml"))
		}, b3scale.FilesUnknown, false},
		"unknown, with metadata of another": {func(s *site) {
			s.put(s.published, "video", one)
			if err := os.Rename(s.published.live("video", one), s.published.live("video", two)); err != nil {
				s.t.Fatal(err)
			}
			s.put(s.published, "video", one)
		}, b3scale.FilesUnknown, false},
		"a link": {func(s *site) {
			if err := os.Symlink("/etc", s.published.live("video", two)); err != nil {
				s.t.Fatal(err)
			}
		}, b3scale.FilesUnreadable, false},
		"half a copy": {func(s *site) {
			s.put(s.published, "video", incomingPrefix+b3scale.NewID()+"-"+two)
		}, b3scale.FilesLeftOver, true},
		"put aside by deleted work": {func(s *site) {
			s.put(s.published, "video", asidePrefix+b3scale.NewID()+"-"+two)
		}, b3scale.FilesLeftOver, true},
		"something of ours": {func(s *site) { s.put(s.published, "video", ourPrefix+"what") }, b3scale.FilesLeftOver, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.has(one, "video")
			s.agree()
			c.harm(s)
			before := s.files()
			kinds := func(found []b3scale.RecordingDifference) (kinds []b3scale.RecordingDifferenceKind) {
				for _, d := range found {
					kinds = append(kinds, d.Kind)
				}
				return kinds
			}
			if got := kinds(s.differences(false)); !slices.Equal(got, []b3scale.RecordingDifferenceKind{c.want}) {
				t.Fatalf("found %v, want %v", got, c.want)
			}
			found := s.differences(true)
			if got := kinds(found); !slices.Equal(got, []b3scale.RecordingDifferenceKind{c.want}) || found[0].Repaired != c.repaired || found[0].Repaired == (found[0].Error != "") {
				t.Fatalf("found %+v, want %v, repaired %v", found, c.want, c.repaired)
			}
			if c.repaired {
				s.agree()
			} else if after := s.files(); len(after) != len(before) {
				t.Errorf("it cannot be repaired, but files have become %v", after)
			}
			if name != "in the inbox" && s.rows()[two].Published {
				t.Error("nobody knows that these may be seen, but they are published now")
			}
		})
	}
}

// The only copy of files comes back, whatever became of the work.
func TestCheckBringsTheLastCopyBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.has(one, "video")
	if err := os.Rename(s.published.live("video", one), s.published.aside(b3scale.NewID(), "video", one)); err != nil {
		t.Fatal(err)
	}
	if found := s.differences(false); len(found) != 2 {
		t.Fatalf("found %+v", found)
	}
	s.differences(true)
	s.agree()
	if s.where("video", one) != "published" {
		t.Error("the files are lost")
	}
}

// Work that is under way is none of its business; work that broke off is.
func TestCheckAndWork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.has(one, "video")
	s.has(two, "video")
	s.apart = true
	reached, goOn := make(chan struct{}), make(chan struct{})
	s.opts.Step = func(name string) {
		if name == "publish:arrived" {
			close(reached)
			<-goOn
		}
	}
	done := make(chan error, 1)
	go func() { done <- s.Publish(t.Context(), s.frontends["a"].ID, []string{one}, false) }()
	<-reached
	if found := s.differences(true); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.opts.Step = s.step
	s.crashes(3, func(ctx context.Context) error { return s.Delete(ctx, "", []string{two}) })
	for _, o := range s.taps.had() {
		if _, err := s.db.RenewRecordingOp(t.Context(), o, 0); err != nil {
			t.Fatal(err)
		}
	}
	if found := s.differences(false); len(found) != 1 || found[0].Kind != b3scale.OpUnfinished || found[0].RecordingID != two {
		t.Errorf("found %+v", found)
	}
	if found := s.differences(true); len(found) != 1 || !found[0].Repaired {
		t.Errorf("found %+v", found)
	}
	s.agree()
}
