//go:build unix

package recordings

import "golang.org/x/sys/unix"

// writable reports whether we may change what is in a directory.
func writable(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }
