package agent

import "syscall"

// diskFree is what programs without privileges could still write, in bytes.
func diskFree(dir string) *uint64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Bsize <= 0 {
		return nil
	}
	return new(s.Bavail * uint64(s.Bsize))
}
