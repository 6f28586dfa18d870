//go:build race

package cluster

import (
	"os"
	"runtime"
	"testing"
)

const explainedStates = 300

// TestMain keeps to one processor under the race detector: with more, timers
// of one synctest bubble use one state of the detector from two threads, which
// corrupts it (Go 1.26: crashes within it and races that are none).
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	os.Exit(m.Run())
}
