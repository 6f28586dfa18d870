package cluster

import (
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
)

// TestChaos kills, cuts, drains and forgets, and then looks whether all that
// was promised held: I1 to I8. A seed repeats the faults, not the schedule: one
// that fails is a hint.
func TestChaos(t *testing.T) {
	t.Parallel()
	chaosFor(t, 5*time.Second, seedOf(t, "B3SCALE_CHAOS_SEED"))
}

// chaosFor makes rounds until the time is up.
func chaosFor(t *testing.T, d time.Duration, seed uint64) {
	t.Helper()
	begin := time.Now()
	for round := uint64(0); round < 3 || time.Since(begin) < d; round++ {
		report, happened := runChaos(t, []chaos{wide, dense, old}[round%3], seed+round)
		t.Logf("seed %d: %v", seed+round, happened)
		for _, line := range report {
			t.Errorf("seed %d: %s", seed+round, line)
		}
		if t.Failed() {
			t.Logf("to repeat: B3SCALE_CHAOS_SEED=%d", seed)
			return
		}
	}
}

// seedOf reads a seed from the environment, or makes another one each time.
func seedOf(t *testing.T, variable string) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return uint64(time.Now().UnixNano()) % 1_000_000
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return seed
}

// chaos describes one round: the size of the world, and what is wrong with it
// on purpose.
type chaos struct {
	nodes, clients, meetings int
	lasts                    time.Duration
	deaths                   int           // one step in so many kills the instance; 0: none
	patience                 time.Duration // 2.4 nodes, where orphans are kept so long
	opts                     Options
	mutate                   func(b3scale.Store) b3scale.Store
}

// Few meetings on few nodes come back to a node sooner. Old nodes know no
// internal ids.
var (
	wide  = chaos{nodes: 6, clients: 10, meetings: 16, lasts: 2 * time.Minute, deaths: 400}
	dense = chaos{nodes: 3, clients: 6, meetings: 4, lasts: 2 * time.Minute, deaths: 300}
	old   = chaos{nodes: 3, clients: 6, meetings: 6, lasts: 2 * time.Minute, deaths: 300, patience: keepOrphan}
)

// runChaos makes one round and returns which invariants were broken.
func runChaos(t *testing.T, c chaos, seed uint64) (report []string, happened map[string]int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, c, seed)
		stop := make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() { w.watch(stop) })
		w.live()
		w.calm()
		close(stop)
		watching.Wait()
		report = w.witness.report()
		happened = w.happened
	})
	return report, happened
}
