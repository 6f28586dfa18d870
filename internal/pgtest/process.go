package pgtest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// pause stops the postmaster and all its children, so that connections stay
// open and nothing answers. It waits until they stand still.
func (c *cluster) pause() error {
	if c.postmaster == 0 {
		return errors.New("pause a server that is not running")
	}
	// First the parent: then no child is born any more.
	if err := freeze(c.postmaster); err != nil {
		return err
	}
	for _, child := range children(c.postmaster) {
		if err := freeze(child); err != nil && alive(child) {
			return err
		}
	}
	return nil
}

func freeze(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); ; {
		state, _ := status(pid)
		switch {
		case state == 'T', !alive(pid):
			return nil
		case time.Now().After(deadline):
			return errors.New("a process does not stop")
		}
		time.Sleep(time.Millisecond)
	}
}

// resume continues what pause stopped. It is harmless otherwise.
func (c *cluster) resume() {
	if c.postmaster == 0 {
		return
	}
	for _, pid := range append(children(c.postmaster), c.postmaster) {
		_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended
	}
}

// children lists the processes whose parent is pid.
func children(pid int) []int {
	var found []int
	entries, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	for _, entry := range entries {
		child, err := strconv.Atoi(filepath.Base(entry))
		if err != nil {
			continue
		}
		if _, parent := status(child); parent == pid {
			found = append(found, child)
		}
	}
	return found
}

// alive reports whether a process runs. A zombie does not.
func alive(pid int) bool {
	state, _ := status(pid)
	return state != 0 && state != 'Z' && state != 'X'
}

// status is the state of a process, 0 when there is none, and its parent.
func status(pid int) (state byte, parent int) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0
	}
	// 1234 (a name with anything in it) S 1 …
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(string(fields[1])) // the kernel writes a number
	return fields[0][0], parent
}
