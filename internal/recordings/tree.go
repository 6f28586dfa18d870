package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"b3scale"
)

// tree is a base directory. Below it are <format>/<recording id>/ and, while
// somebody works on them, files of ours.
type tree struct {
	name string // for people
	base string
}

// live is where the files of a recording's format are played from.
func (t tree) live(format, id string) string { return filepath.Join(t.base, format, id) }

// aside is where work puts files that are to go, in case they must come back.
func (t tree) aside(op, format, id string) string {
	return filepath.Join(t.base, format, asidePrefix+op+"-"+id)
}

// incoming is where files are while they are copied.
func (t tree) incoming(op, format, id string) string {
	return filepath.Join(t.base, format, incomingPrefix+op+"-"+id)
}

// Our own names in a format's directory: a prefix, the id of an op, and the id
// of a recording. Web servers do not serve names that begin with a dot.
const (
	ourPrefix      = ".b3scale-"
	marker         = ourPrefix + "tree" // in each of our trees
	asidePrefix    = ourPrefix + "aside-"
	incomingPrefix = ourPrefix + "incoming-"
)

// isThere reports whether there is a directory. Anything else in its place is an
// error: a link might lead anywhere.
func isThere(path string) (bool, error) {
	parent, err := os.Lstat(filepath.Dir(path))
	if err == nil && !parent.IsDir() {
		return false, notDirectory(filepath.Dir(path))
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, notDirectory(path)
	}
	return true, nil
}

func notDirectory(path string) error {
	return b3scale.Errorf(b3scale.Conflict, "%s/%s is not a directory: links and files are not followed there",
		filepath.Base(filepath.Dir(path)), filepath.Base(path))
}

// examine makes sure that a directory holds only directories and files that we
// may read, and that all of it is on the disk.
func examine(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case entry.IsDir() || entry.Type().IsRegular():
			return sync(path)
		default:
			inside, _ := filepath.Rel(filepath.Dir(filepath.Dir(dir)), path)
			return b3scale.Errorf(b3scale.Conflict, "%s is neither a file nor a directory: a recording must hold nothing else", inside)
		}
	})
}

// rename moves a directory within a file system, where nothing is, and makes
// that last. It reports false when the two are on different ones.
func (l *Library) rename(from, to string) (bool, error) {
	if err := makeParent(to); err != nil {
		return false, err
	}
	if there, err := isThere(to); err != nil || there {
		if err == nil {
			err = b3scale.Errorf(b3scale.Conflict, "there are files in the way at %s/%s", filepath.Base(filepath.Dir(to)), filepath.Base(to))
		}
		return false, err
	}
	switch err := l.renameDir(from, to); {
	case errors.Is(err, syscall.EXDEV):
		return false, nil
	case err != nil:
		return false, err
	}
	if err := sync(filepath.Dir(to)); err != nil {
		return true, err
	}
	return true, sync(filepath.Dir(from))
}

func makeParent(path string) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(filepath.Dir(dir)); err != nil {
		return err
	}
	switch err := os.Mkdir(dir, 0o755); { //nolint:gosec // the web server reads it
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return errors.Join(os.Chmod(dir, 0o755), sync(filepath.Dir(dir))) //nolint:gosec // whatever our umask is
}

// lockedIn names a directory from which nothing can be removed by us.
func lockedIn(dir string) (locked string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && !writable(path) {
			locked = path
			return fs.SkipAll
		}
		return nil
	})
	return locked, err
}

// remove deletes a directory of ours. It may be gone already.
func remove(dir string) error {
	if !strings.HasPrefix(filepath.Base(dir), ourPrefix) {
		return fmt.Errorf("%s is not ours to remove", dir)
	}
	return os.RemoveAll(dir)
}

// sync makes sure that a file or the names in a directory are on the disk.
func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
