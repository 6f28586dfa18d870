package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/logtest"
	"b3scale/internal/sqlstore"
)

// site is a library with a real store and real trees.
type site struct {
	*Library
	t         *testing.T
	db        *sqlstore.Store
	taps      taps
	frontends map[string]*b3scale.Frontend // by key
	apart     bool                         // the trees are on different file systems
	steps     []string
	crashAt   int // the step, counted from 1; 0: none
	crashed   chan struct{}
}

// shelf is what a library asks of a store.
type shelf = b3scale.Recordings

// taps is a store that remembers who has work, and may fail.
type taps struct {
	shelf
	mu     gosync.Mutex
	ops    []b3scale.RecordingOp
	before error // a commit fails with it
	after  error // a commit is done and fails with it
}

func (t *taps) had() []b3scale.RecordingOp {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.ops)
}

func (t *taps) have(ops ...b3scale.RecordingOp) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ops = append(t.ops, ops...)
}

func (t *taps) BeginRecordingOp(ctx context.Context, o b3scale.RecordingOp, lease time.Duration) (b3scale.RecordingOp, error) {
	begun, err := t.shelf.BeginRecordingOp(ctx, o, lease)
	if err == nil {
		t.have(begun)
	}
	return begun, err
}

func (t *taps) TakeRecordingOps(ctx context.Context, ids []string, lease time.Duration, n int) ([]b3scale.RecordingOp, error) {
	taken, err := t.shelf.TakeRecordingOps(ctx, ids, lease, n)
	t.have(taken...)
	return taken, err
}

func (t *taps) CommitRecordingOp(ctx context.Context, o b3scale.RecordingOp, settle func([]b3scale.Recording) ([]b3scale.Recording, []string, error)) (bool, error) {
	if t.before != nil {
		return false, t.before
	}
	mine, err := t.shelf.CommitRecordingOp(ctx, o, settle)
	if t.after != nil {
		return false, t.after
	}
	return mine, err
}

func (s *site) Frontend(key string) *b3scale.Frontend { return s.frontends[key] }

func (s *site) FrontendByID(id string) *b3scale.Frontend {
	for _, f := range s.frontends {
		if f.ID == id {
			return f
		}
	}
	return nil
}

func newSite(t *testing.T) *site {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b3scale.db")
	empty, err := emptyDatabase()
	if err == nil {
		err = os.WriteFile(path, empty, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlstore.Open(t.Context(), path, sqlstore.Options{Log: logtest.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &site{t: t, db: db, frontends: map[string]*b3scale.Frontend{}, taps: taps{shelf: db}}
	for _, key := range []string{"a", "b"} {
		f, err := db.AddFrontend(t.Context(), b3scale.Frontend{Key: key, Secret: "s-" + b3scale.Secret(key), Active: true}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		s.frontends[key] = &f
	}
	dir := t.TempDir()
	for _, name := range []string{"published", "unpublished", "inbox"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.open(dir, Options{})
	return s
}

// emptyDatabase is what a database looks like that has its tables and no more.
var emptyDatabase = gosync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "recordings")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "b3scale.db")
	db, err := sqlstore.Open(context.Background(), path, sqlstore.Options{Log: logtest.Logger()})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(db.Migrate(context.Background()), db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// open is what a start does, after a crash too.
func (s *site) open(dir string, opts Options) {
	opts.Published, opts.Unpublished = filepath.Join(dir, "published"), filepath.Join(dir, "unpublished")
	if opts.Inbox == "" {
		opts.Inbox = filepath.Join(dir, "inbox")
	}
	if opts.FilesWait == 0 {
		opts.FilesWait = time.Millisecond
	}
	if opts.Quiet == 0 {
		opts.Quiet = time.Nanosecond
	}
	opts.Step = s.step
	s.Library = New(&s.taps, s, logtest.Logger(), opts)
	s.renameDir = func(from, to string) error {
		if s.apart && filepath.Dir(filepath.Dir(from)) != filepath.Dir(filepath.Dir(to)) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EXDEV}
		}
		return os.Rename(from, to)
	}
}

// step ends the goroutine that does the work as kill -9 would: nothing is
// tidied up.
func (s *site) step(name string) {
	s.steps = append(s.steps, name)
	if len(s.steps) == s.crashAt {
		close(s.crashed)
		runtime.Goexit()
	}
}

// document is the metadata.xml of a meeting of frontend a.
func document(id, format string) string {
	return fmt.Sprintf(`<recording><id>%[1]s</id><state>published</state><published>true</published><start_time>1000</start_time><end_time>61000</end_time>`+
		`<participants>2</participants><meeting id=%[1]q externalId=%[3]q name="Room" breakout="false"/><meta><meetingId>%[3]s</meetingId><course>7</course></meta>`+
		`<playback><format>%[2]s</format><link>https://node/playback/%[2]s/%[1]s</link><duration>60000</duration></playback></recording>`,
		id, format, b3scale.EncodeMeetingID("a", "room"))
}

// put writes the files of a recording's format into a tree.
func (s *site) put(t tree, format, id string) {
	s.t.Helper()
	dir := t.live(format, id)
	for name, text := range map[string]string{"metadata.xml": document(id, format), "video/webcams.webm": "film of " + id, "empty": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
}

// has imports a recording in these formats.
func (s *site) has(id string, formats ...string) {
	s.t.Helper()
	for _, format := range formats {
		s.put(s.inbox, format, id)
		if _, err := s.Import(s.t.Context(), []byte(document(id, format)), b3scale.RecordingOverride{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// files are the names of all files in all trees, relative to them, with what is
// in them.
func (s *site) files() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, t := range s.trees {
		err := filepath.WalkDir(t.base, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() && entry.Name() != marker {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				name, _ := filepath.Rel(t.base, path)
				all[t.name+"/"+name] = string(text)
			}
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return all
}

// where are the places of a recording's format, e.g. "published".
func (s *site) where(format, id string) string {
	s.t.Helper()
	var names []string
	for name := range s.files() {
		if rest, ok := strings.CutSuffix(name, "/"+format+"/"+id+"/video/webcams.webm"); ok {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

func (s *site) differences(repair bool) (found []b3scale.RecordingDifference) {
	s.t.Helper()
	if err := s.Check(s.t.Context(), repair, func(d b3scale.RecordingDifference) { found = append(found, d) }); err != nil {
		s.t.Fatal(err)
	}
	return found
}

func (s *site) rows() map[string]b3scale.Recording {
	s.t.Helper()
	rows := map[string]b3scale.Recording{}
	if _, err := s.db.Recordings(s.t.Context(), b3scale.RecordingQuery{}, func(r b3scale.Recording) { rows[r.ID] = r }); err != nil {
		s.t.Fatal(err)
	}
	return rows
}

// agree fails the test unless rows and files do.
func (s *site) agree() {
	s.t.Helper()
	if found := s.differences(false); len(found) > 0 {
		s.t.Fatalf("rows and files do not agree: %+v\n%v", found, slices.Sorted(maps.Keys(s.files())))
	}
	for name := range s.files() {
		if strings.Contains(name, ourPrefix) {
			s.t.Fatalf("left over: %s", name)
		}
	}
}

func wantCode(t *testing.T, err error, want b3scale.Code) {
	t.Helper()
	if b3scale.CodeOf(err) != want {
		t.Fatalf("error is %v, want one with the code %q", err, want)
	}
}

// crashes runs do until the step at which the process is to die, or to its end.
// It reports whether that step came.
func (s *site) crashes(at int, do func(ctx context.Context) error) bool {
	s.steps, s.crashAt, s.crashed = nil, at, make(chan struct{})
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = do(ctx)
	}()
	select {
	case <-done:
	case <-s.crashed: // the caller of dead work would wait for ever
		cancel()
		<-done
	}
	s.atWork.Wait()
	s.crashAt = 0
	return len(s.steps) >= at
}
