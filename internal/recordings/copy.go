package recordings

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"b3scale"
)

// copyTree copies a directory to where nothing is, with modes and times, and
// makes that last.
func (l *Library) copyTree(ctx context.Context, from, to string) error {
	if err := makeParent(to); err != nil {
		return err
	}
	source, err := os.OpenRoot(from) // nothing that changes meanwhile leads out of it
	if err != nil {
		return err
	}
	defer source.Close()
	var dirs []string
	err = fs.WalkDir(source.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		target := filepath.Join(to, filepath.FromSlash(name))
		switch {
		case entry.IsDir():
			dirs = append(dirs, target)
			return copyDir(entry, target)
		case entry.Type().IsRegular():
			return l.copyFile(ctx, source, name, target)
		default:
			return b3scale.Errorf(b3scale.Conflict, "%s is neither a file nor a directory: a recording must hold nothing else", name)
		}
	})
	for _, dir := range dirs {
		err = errors.Join(err, sync(dir))
	}
	return err
}

// copyDir makes a directory with the same mode, whatever our umask is, and with
// as much for us as we need.
func copyDir(entry fs.DirEntry, target string) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	if err := os.Mkdir(target, 0o700); err != nil {
		return err
	}
	return os.Chmod(target, info.Mode()&(fs.ModePerm|fs.ModeSetgid)|0o700)
}

func (l *Library) copyFile(ctx context.Context, source *os.Root, name, target string) (err error) {
	in, err := source.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o400)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := l.copyBytes(out, whileWanted{ctx, in}); err != nil {
		return err
	}
	if err := out.Chmod(info.Mode().Perm() | 0o400); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return os.Chtimes(target, info.ModTime(), info.ModTime())
}

// whileWanted reads until ctx is over.
type whileWanted struct {
	ctx context.Context
	io.Reader
}

func (r whileWanted) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// same reports whether two directories hold the same, byte for byte.
func same(ctx context.Context, a, b string) (bool, error) {
	left, err := contents(a)
	if err != nil {
		return false, err
	}
	right, err := contents(b)
	if err != nil || len(left) != len(right) {
		return false, err
	}
	for name, size := range left {
		if other, there := right[name]; !there || size != other {
			return false, nil
		}
	}
	for name, size := range left {
		if size < 0 {
			continue
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if equal, err := sameFile(filepath.Join(a, name), filepath.Join(b, name)); err != nil || !equal {
			return false, err
		}
	}
	return true, nil
}

// contents are the names in a directory and in those below it, with the sizes
// of files. Other things than files have negative ones.
func contents(dir string) (map[string]int64, error) {
	found := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[name] = -1 - int64(entry.Type().Type())
		if entry.Type().IsRegular() {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			found[name] = info.Size()
		}
		return nil
	})
	return found, err
}

func sameFile(a, b string) (bool, error) {
	left, err := os.Open(a)
	if err != nil {
		return false, err
	}
	defer left.Close()
	right, err := os.Open(b)
	if err != nil {
		return false, err
	}
	defer right.Close()
	one, two := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err1 := io.ReadFull(left, one)
		m, err2 := io.ReadFull(right, two)
		if !bytes.Equal(one[:n], two[:m]) {
			return false, nil
		}
		if err := errors.Join(unlessEnd(err1), unlessEnd(err2)); err != nil {
			return false, err
		}
		if err1 != nil || err2 != nil {
			return err1 != nil && err2 != nil, nil
		}
	}
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
