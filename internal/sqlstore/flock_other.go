//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sqlstore

import (
	"errors"
	"os"
)

// lockExclusively cannot be had here, and without it two daemons could decide
// about the same meetings.
func lockExclusively(*os.File) error {
	return errors.New("this operating system has no flock; use PostgreSQL")
}

func unlock(*os.File) error { return nil }
