package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	gosync "sync"
	"syscall"
	"time"

	"b3scale"
)

// Frontends knows who owns recordings. *cluster.Cluster is one.
type Frontends interface {
	Frontend(key string) *b3scale.Frontend
	FrontendByID(id string) *b3scale.Frontend
}

// Options have useful zero values, except for the paths.
type Options struct {
	Published   string // base of the published tree: below it <format>/<recording id>/
	Unpublished string // base of the unpublished tree
	Inbox       string // where new files appear; Published when empty
	// Original tells what the frontend may see of an address in the metadata; it
	// is empty if the address is ours and nothing can be told of it. nil: none
	// is ours.
	Original  func(frontendID, address string) (original string, ours bool)
	Observe   bool          // change nothing, neither rows nor files
	Quiet     time.Duration // how long files must not have changed for a check to import them; 1 h
	FilesWait time.Duration // how long an import waits for files that are not there yet; 5 s
	Patience  time.Duration // how long work waits for other work on the same recording; 10 s
	Lease     time.Duration // after it, work of a process that is gone is repaired; 20 s
	Step      func(string)  // hears the name of each step before it is done; for tests
	Done      func(kind b3scale.RecordingOpKind, err error)
}

// Library keeps the recordings of all frontends: rows in the store, files in
// the trees.
type Library struct {
	store     b3scale.Recordings
	frontends Frontends
	log       *slog.Logger
	opts      Options

	published, unpublished, inbox tree
	trees                         []tree // those that are different places

	atWork    gosync.WaitGroup
	renameDir func(from, to string) error               // os.Rename
	copyBytes func(io.Writer, io.Reader) (int64, error) // io.Copy

	halt context.Context // its end breaks off all work
	stop context.CancelFunc
}

// New makes a library of the trees that the options name. Nothing is touched
// yet; see Probe.
func New(store b3scale.Recordings, frontends Frontends, log *slog.Logger, opts Options) *Library {
	if opts.Inbox == "" {
		opts.Inbox = opts.Published
	}
	if opts.FilesWait == 0 {
		opts.FilesWait = 5 * time.Second
	}
	if opts.Quiet == 0 {
		opts.Quiet = time.Hour
	}
	if opts.Patience == 0 {
		opts.Patience = 10 * time.Second
	}
	if opts.Lease == 0 {
		opts.Lease = 20 * time.Second
	}
	l := &Library{store: store, frontends: frontends, log: log, opts: opts, renameDir: os.Rename, copyBytes: io.Copy}
	l.halt, l.stop = context.WithCancel(context.Background()) //nolint:gosec // Run calls it
	l.published = tree{"published", filepath.Clean(opts.Published)}
	l.unpublished = tree{"unpublished", filepath.Clean(opts.Unpublished)}
	l.inbox = tree{"inbox", filepath.Clean(opts.Inbox)}
	for _, t := range []*tree{&l.published, &l.unpublished} {
		if t.base == l.inbox.base {
			l.inbox = *t
		}
	}
	for _, t := range []tree{l.published, l.unpublished, l.inbox} {
		if !slices.Contains(l.trees, t) {
			l.trees = append(l.trees, t)
		}
	}
	return l
}

// home is where the files of a recording belong.
func (l *Library) home(published bool) tree {
	if published {
		return l.published
	}
	return l.unpublished
}

// origin is the tree that an op names as the one that files came from. When
// there is none of that name any more, it is one that nobody shows.
func (l *Library) origin(name string) tree {
	for _, t := range l.trees {
		if t.name == name {
			return t
		}
	}
	return l.unpublished
}

// Probe tells what keeps the trees from being used, one error for each.
func (l *Library) Probe() (problems []error) {
	for _, t := range l.trees {
		if err := t.probe(); err != nil {
			problems = append(problems, fmt.Errorf("the %s recordings in %s: %w", t.name, t.base, err))
		}
	}
	return problems
}

// Apart reports whether the trees are on different file systems, between which
// files are copied.
func (l *Library) Apart() (bool, error) {
	from, err := os.CreateTemp(l.trees[0].base, ourPrefix+"probe-")
	if err != nil {
		return false, err
	}
	name := from.Name()
	defer func() { _ = os.Remove(name) }()
	if err := from.Close(); err != nil {
		return false, err
	}
	for _, t := range l.trees[1:] {
		to := filepath.Join(t.base, filepath.Base(name))
		switch err := os.Link(name, to); {
		case errors.Is(err, syscall.EXDEV):
			return true, nil
		case err != nil:
			return false, err
		}
		if err := os.Remove(to); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (t tree) probe() error {
	f, err := os.CreateTemp(t.base, ourPrefix+"probe-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Find calls yield with the recordings that match, the newest first, and tells
// how many match without regard to the query's page.
func (l *Library) Find(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (total int, err error) {
	return l.store.Recordings(ctx, q, yield)
}

// Recording reads one. NotFound when there is none.
func (l *Library) Recording(ctx context.Context, id string) (b3scale.Recording, error) {
	return l.store.Recording(ctx, id)
}

// Update changes metadata, all or none of the recordings: NotFound when one of
// them is not there, or not the frontend's. Files stay where they are.
func (l *Library) Update(ctx context.Context, frontendID string, ids []string, edit func(*b3scale.Recording) error) error {
	if len(ids) == 0 {
		return errNoneNamed
	}
	if l.opts.Observe {
		return errObserving
	}
	return l.store.EditRecordings(ctx, frontendID, ids, edit)
}

// Move gives a recording to another frontend. Its files stay where they are.
func (l *Library) Move(ctx context.Context, id, frontendID string) (moved b3scale.Recording, err error) {
	if l.frontends.FrontendByID(frontendID) == nil {
		return moved, b3scale.Errorf(b3scale.NotFound, "no frontend with the id %q", frontendID)
	}
	err = l.Update(ctx, "", []string{id}, func(r *b3scale.Recording) error {
		r.FrontendID = frontendID
		return nil
	})
	if err != nil {
		return moved, err
	}
	return l.store.Recording(ctx, id)
}

var (
	errNoneNamed = b3scale.Errorf(b3scale.NotFound, "no recording is named")
	errObserving = b3scale.Errorf(b3scale.Observing, "this instance only observes: recordings stay as they are")
)

// owned reads the recordings, all of which must be the frontend's; any one's
// when frontendID is empty.
func (l *Library) owned(ctx context.Context, frontendID string, ids []string) ([]b3scale.Recording, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		return nil, errNoneNamed
	}
	var rows []b3scale.Recording
	_, err := l.store.Recordings(ctx, b3scale.RecordingQuery{FrontendID: frontendID, IDs: ids}, func(r b3scale.Recording) { rows = append(rows, r) })
	if err != nil {
		return nil, err
	}
	return rows, complete(rows, frontendID, ids)
}

// complete reports what is missing among rows.
func complete(rows []b3scale.Recording, frontendID string, ids []string) error {
	for _, id := range ids {
		i := slices.IndexFunc(rows, func(r b3scale.Recording) bool { return r.ID == id })
		if i < 0 || frontendID != "" && rows[i].FrontendID != frontendID {
			return b3scale.Errorf(b3scale.NotFound, "no recording with the id %q", strings.ToValidUTF8(id, "?"))
		}
	}
	return nil
}
