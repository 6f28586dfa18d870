package recordings

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"b3scale"
)

// mounted makes sure that the trees are ours, and not the empty directories that
// are seen while a file system is not mounted: work there would lose files. We
// mark our trees as long as there are no recordings yet.
func (l *Library) mounted(ctx context.Context) error {
	for _, t := range []tree{l.published, l.unpublished} {
		_, err := os.Lstat(filepath.Join(t.base, marker))
		if errors.Is(err, fs.ErrNotExist) {
			err = l.mark(ctx, t)
		}
		if err != nil {
			return b3scale.Errorf(b3scale.Unavailable, "the %s tree of recordings cannot be used: is it mounted?", t.name).Because(err)
		}
	}
	return nil
}

// mark makes a tree ours.
func (l *Library) mark(ctx context.Context, t tree) error {
	counts, err := l.store.CountRecordings(ctx)
	if err != nil {
		return err
	}
	if len(counts) > 0 {
		if _, err := os.Lstat(filepath.Join(t.base, marker)); err == nil {
			return nil // somebody else has just marked it, before the first recording
		}
		return errors.New("there are recordings, but " + t.base + " has no file " + marker + "; when it is the right directory, make one: touch " +
			filepath.Join(t.base, marker))
	}
	if err := os.WriteFile(filepath.Join(t.base, marker), []byte("recordings of b3scale, "+t.name+"\n"), 0o600); err != nil {
		return err
	}
	return sync(t.base)
}
