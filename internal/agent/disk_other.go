//go:build !linux

package agent

// diskFree is unknown: nodes run on Linux.
func diskFree(string) *uint64 { return nil }
