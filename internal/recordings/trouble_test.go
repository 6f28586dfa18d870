package recordings

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"b3scale"
)

// A tree whose file system is not mounted looks empty: nothing is lost by that.
func TestTreeThatIsNotMounted(t *testing.T) {
	t.Parallel()
	for _, empty := range []bool{true, false} {
		s := newSite(t)
		s.apart = true
		s.has(one, "presentation")
		s.put(s.inbox, "presentation", two)
		before := s.state()
		away := s.published.base + ".away"
		if err := os.Rename(s.published.base, away); err != nil {
			t.Fatal(err)
		}
		if empty {
			if err := os.Mkdir(s.published.base, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, s.Delete(t.Context(), "", []string{one}), b3scale.Unavailable)
		wantCode(t, s.Publish(t.Context(), "", []string{one}, false), b3scale.Unavailable)
		_, err := s.Import(t.Context(), []byte(document(two, "presentation")), b3scale.RecordingOverride{})
		wantCode(t, err, b3scale.Unavailable)
		wantCode(t, s.Check(t.Context(), true, func(b3scale.RecordingDifference) {}), b3scale.Unavailable)
		if empty {
			if err := os.Remove(s.published.base); err != nil { // it fails unless it is empty
				t.Fatal(err)
			}
		}
		if err := os.Rename(away, s.published.base); err != nil {
			t.Fatal(err)
		}
		if after := s.state(); len(after.Files) != len(before.Files) || len(after.Published) != 1 {
			t.Errorf("it has become %v", after)
		}
	}
}

// asleep is a store that cannot be reached while this process is stopped.
type asleep struct {
	*taps
	wake <-chan struct{}
}

func (a *asleep) RenewRecordingOp(ctx context.Context, o b3scale.RecordingOp, d time.Duration) (bool, error) {
	select {
	case <-a.wake:
		return a.taps.RenewRecordingOp(ctx, o, d)
	default:
		return false, errors.New("away")
	}
}

// A process that was stopped in the middle of its work, and goes on when others
// have ended it, touches nothing more.
func TestWorkThatWasTakenOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		step string
		do   func(l *Library) error
	}{
		{"delete:withdraw", func(l *Library) error { return l.Delete(context.Background(), "", []string{one}) }},
		{"delete:commit", func(l *Library) error { return l.Delete(context.Background(), "", []string{one}) }},
		{"delete:remove", func(l *Library) error { return l.Delete(context.Background(), "", []string{one}) }},
		{"publish:move", func(l *Library) error { return l.Publish(context.Background(), "", []string{one}, false) }},
		{"publish:copied", func(l *Library) error { return l.Publish(context.Background(), "", []string{one}, false) }},
		{"publish:commit", func(l *Library) error { return l.Publish(context.Background(), "", []string{one}, false) }},
		{"publish:settled", func(l *Library) error { return l.Publish(context.Background(), "", []string{one}, false) }},
	} {
		t.Run(c.step, func(t *testing.T) {
			t.Parallel()
			for !takenOver(t, c.step, c.do) {
			}
		})
	}
}

// takenOver reports whether the work got to the step in time.
func takenOver(t *testing.T, step string, do func(l *Library) error) bool {
	s := newSite(t)
	s.apart = step == "publish:copied"
	s.has(one, "presentation", "video")
	reached, wake := make(chan struct{}), make(chan struct{})
	var once gosync.Once
	opts := s.opts
	opts.Lease = 500 * time.Millisecond
	opts.Step = func(name string) {
		if name == step {
			once.Do(func() { close(reached); <-wake })
		}
	}
	stopped := New(&asleep{&s.taps, wake}, s, s.log, opts)
	stopped.renameDir = s.renameDir
	done := make(chan error, 1)
	go func() { done <- do(stopped) }()
	select {
	case <-reached:
	case err := <-done:
		t.Logf("it was too slow: %v", err)
		return false
	}
	time.Sleep(2 * opts.Lease) // its time is over
	s.opts.Step = nil
	if err := s.repaired(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"presentation", "video"} {
		if _, there := s.rows()[one]; !there || s.where(format, one) == "" { // it was deleted, and comes anew
			s.has(one, format)
		}
	}
	s.agree()
	before := s.state()
	close(wake)
	if err := <-done; err == nil && step != "publish:settled" && step != "delete:remove" {
		t.Errorf("%s: it says that it has done what others have taken back", step)
	}
	stopped.atWork.Wait()
	after := s.state()
	for name := range before.Files {
		if _, there := after.Files[name]; !there {
			t.Errorf("%s: %s is gone", step, name)
		}
	}
	s.agreeButLeftOvers()
	return true
}

// agreeButLeftOvers is agree where files of a stopped process may lie about: a
// check removes them.
func (s *site) agreeButLeftOvers() {
	s.t.Helper()
	for _, d := range s.differences(false) {
		if d.Kind != b3scale.FilesLeftOver {
			s.t.Errorf("rows and files do not agree: %+v", d)
		}
	}
	s.differences(true)
	s.agree()
}

// Files that come again while a delete is dead do not keep it from ending.
func TestFilesComeAgainAfterADeath(t *testing.T) {
	t.Parallel()
	for at := 1; ; at++ {
		s := newSite(t)
		s.has(one, "presentation")
		if !s.crashes(at, func(ctx context.Context) error { return s.Delete(ctx, "", []string{one}) }) {
			break
		}
		if s.where("presentation", one) == "" {
			s.put(s.published, "presentation", one)
		}
		if err := s.repaired(t.Context()); err != nil {
			t.Fatalf("died at %v: %v", s.steps, err)
		}
		if s.where("presentation", one) != "published" {
			t.Fatalf("died at %v: the files that came are gone", s.steps)
		}
		if _, there := s.rows()[one]; there {
			if err := s.Delete(t.Context(), "", []string{one}); err != nil {
				t.Fatal(err)
			}
			s.agree()
		}
	}
}

// A delete that waits for an import deletes its files as well.
func TestDeleteAfterAnImportThatRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.has(one, "presentation")
	s.put(s.inbox, "video", one)
	reached, goOn := make(chan struct{}), make(chan struct{})
	s.opts.Step = func(name string) {
		if name == "import:moved" {
			close(reached)
			<-goOn
		}
	}
	imported, deleted := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Import(t.Context(), []byte(document(one, "video")), b3scale.RecordingOverride{})
		imported <- err
	}()
	<-reached
	go func() { deleted <- s.Delete(t.Context(), "", []string{one}) }()
	time.Sleep(10 * time.Millisecond) // it may have begun by now; it is right in any order
	close(goOn)
	if err := errors.Join(<-imported, <-deleted); err != nil && b3scale.CodeOf(err) != b3scale.NotFound {
		t.Fatal(err)
	}
	if left := s.files(); len(left) > 0 {
		t.Errorf("deleted, but there is still %v", left)
	}
	s.agree()
}

// Rows that were lost come back, but nobody may see them until somebody says so.
func TestLostRowsComeBackUnpublished(t *testing.T) {
	t.Parallel()
	for inbox := range inboxes {
		s := newSiteWith(t, inbox)
		s.has(one, "presentation")
		s.has(two, "presentation")
		s.publish(two, false)
		o, err := s.db.BeginRecordingOp(t.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingDelete, IDs: []string{one, two}}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.CommitRecordingOp(t.Context(), o, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) {
			return nil, o.IDs, nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.FinishRecordingOp(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s.differences(true)
		s.agree()
		for _, id := range []string{one, two} {
			if r, there := s.rows()[id]; !there || r.Published || s.where("presentation", id) != "unpublished" {
				t.Errorf("inbox %s: %+v, its files are in %q", inbox, r, s.where("presentation", id))
			}
		}
	}
}

func TestCheckLeavesAloneWhatMayStillArrive(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open(filepath.Dir(s.published.base), Options{Quiet: time.Hour})
	s.put(s.inbox, "video", one)
	if found := s.differences(true); len(found) != 1 || found[0].Repaired || s.where("video", one) != "inbox" {
		t.Errorf("found %+v, the files are in %q", found, s.where("video", one))
	}
}

func TestImportReplaces(t *testing.T) {
	t.Parallel()
	for _, apart := range []bool{false, true} {
		s := newSite(t)
		s.apart = apart
		s.has(one, "presentation")
		s.put(s.inbox, "presentation", one)
		if err := os.WriteFile(filepath.Join(s.inbox.live("presentation", one), "empty"), []byte("not any more"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := s.Import(t.Context(), []byte(document(one, "presentation")), b3scale.RecordingOverride{})
		wantCode(t, err, b3scale.Conflict)
		if _, err := s.Import(t.Context(), []byte(document(one, "presentation")), b3scale.RecordingOverride{Replace: true}); err != nil {
			t.Fatal(err)
		}
		if got := s.files()["published/presentation/"+one+"/empty"]; got != "not any more" {
			t.Errorf("the file is %q", got)
		}
		s.agree()
	}
}

// What is copied may be read by those who could before.
func TestCopiesKeepModes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.apart = true
	s.put(s.inbox, "presentation", one)
	for name, mode := range map[string]os.FileMode{"": 0o775 | os.ModeSetgid, "metadata.xml": 0o644, "empty": 0o660} {
		if err := os.Chmod(filepath.Join(s.inbox.live("presentation", one), name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Import(t.Context(), []byte(document(one, "presentation")), b3scale.RecordingOverride{}); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"": os.ModeDir | os.ModeSetgid | 0o775, "metadata.xml": 0o644, "empty": 0o660} {
		info, err := os.Stat(filepath.Join(s.published.live("presentation", one), name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%q has the mode %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
}

// Files that cannot be removed are not said to be deleted.
func TestDeleteOfOthersFiles(t *testing.T) {
	t.Parallel()
	if syscall.Geteuid() == 0 {
		t.Skip("root may remove everything: run it as another user")
	}
	s := newSite(t)
	s.has(one, "presentation")
	dir := filepath.Join(s.published.live("presentation", one), "video")
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	before := s.state()
	wantCode(t, s.Delete(t.Context(), "", []string{one}), b3scale.Unavailable)
	if after := s.state(); len(after.Files) != len(before.Files) || len(after.Published) != 1 {
		t.Errorf("it has become %v", after)
	}
}
