package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkPath gives the absolute path of the file behind path, or says why there
// can be none.
func checkPath(path string) (string, error) {
	switch {
	case path == "":
		return "", errors.New("the path is empty; give that of a file")
	case strings.Contains(path, ":memory:"):
		return "", errors.New("a database in memory would forget where meetings live; give the path of a file")
	case strings.HasPrefix(path, "file:"):
		return "", errors.New("give the plain path of a file, not a URI")
	case strings.ContainsRune(path, 0):
		return "", errors.New("the path contains a NUL")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	// Two names of one file must not have two lock files.
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return "", errors.New("this is a symbolic link to nothing")
		}
		return path, nil
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("this is no regular file; give the path of one")
	}
	return real, nil
}

// createFile makes sure that the file is there, readable by its owner only:
// it holds secrets. It reports whether it was missing or empty.
func createFile(path string) (created bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	info, err := f.Stat()
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return false, err
	}
	return info.Size() == 0, nil
}

// checkFile refuses a file that only a migration may fill.
func checkFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 {
		err = errors.New("the file is empty: run the migrate command")
	}
	return err
}

// lockFile keeps a second process away. The kernel releases it with the
// process, however that ends, so a file that was left behind locks nobody out.
type lockFile struct{ file *os.File }

func acquireLockFile(path string) (*lockFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockExclusively(f); err != nil {
		if errors.Is(err, errHeld) {
			holder, _ := os.ReadFile(path) // written by whoever has it
			err = fmt.Errorf("another process has it open: pid %s, which holds the lock file %q", pidIn(holder), path)
		} else {
			err = fmt.Errorf("lock the file %q: %w", path, err)
		}
		_ = f.Close() // nothing was written
		return nil, err
	}
	if err := writePid(f); err != nil {
		return nil, errors.Join(fmt.Errorf("write the lock file %q: %w", path, err), f.Close())
	}
	return &lockFile{f}, nil
}

// errHeld says that another process has the lock.
var errHeld = errors.New("held by another process")

func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}

func pidIn(content []byte) string {
	pid := strings.TrimSpace(string(content))
	if pid == "" || len(pid) > 20 || strings.Trim(pid, "0123456789") != "" {
		return "unknown"
	}
	return pid
}

// release gives the lock free. The file stays: removing it could take away one
// that another process has just locked.
func (l *lockFile) release() error { return errors.Join(unlock(l.file), l.file.Close()) }
