package cluster

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestChaos kills, cuts, drains and forgets, and then looks whether all that
// was promised held: I1 to I8. A seed repeats the faults, not the schedule: one
// that fails is a hint.
func TestChaos(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p platform) { chaosFor(t, p, 12*time.Second, seedOf(t, "B3SCALE_CHAOS_SEED")) })
}

// chaosFor makes rounds until the time is up.
func chaosFor(t *testing.T, p platform, d time.Duration, seed uint64) {
	t.Helper()
	begin := time.Now()
	sum := map[string]int{}
	rounds := []chaos{wide, dense, old, polling}
	round := uint64(0)
	for ; round < 2 || time.Since(begin) < d; round++ {
		c := rounds[(seed+round)%uint64(len(rounds))]
		c.on = p
		report, happened := runChaos(t, c, seed+round)
		t.Logf("seed %d: %v", seed+round, happened)
		for what, n := range happened {
			sum[what] += n
		}
		for _, line := range report {
			t.Errorf("seed %d: %s", seed+round, line)
		}
		if t.Failed() {
			t.Logf("to repeat: B3SCALE_CHAOS_SEED=%d", seed)
			return
		}
	}
	t.Logf("all in all: %v", sum)
	if round < uint64(len(rounds)) {
		return // too few to have seen everything
	}
	// A quiet world proves nothing.
	for _, what := range []string{"creates answered", "joins", "ends", "deaths", "moves", "booked", "orphans: ends", "ended"} {
		if sum[what] == 0 {
			t.Errorf("there was nothing of this: %s; there was %v", what, slices.Sorted(maps.Keys(sum)))
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
	on                       platform
	dsn                      string // of the database, with PostgreSQL
	nodes, clients, meetings int
	lasts                    time.Duration
	deaths                   int           // one step in so many kills the instance; 0: none
	patience                 time.Duration // 2.4 nodes, where orphans are kept so long
	pollOnly                 bool          // no hints at all
	mutation                 mutation
}

func (c chaos) opts() Options {
	opts := Options{ListInterval: 5 * time.Second, OrphanLease: 4 * time.Second, LostAfter: 30 * time.Second, HealAfter: 20 * time.Second}
	if c.mutation.opts != nil {
		c.mutation.opts(&opts)
	}
	return opts
}

// Few meetings on few nodes come back to a node sooner. Old nodes know no
// internal ids.
var (
	wide    = chaos{nodes: 6, clients: 10, meetings: 16, lasts: 2 * time.Minute, deaths: 400}
	dense   = chaos{nodes: 3, clients: 6, meetings: 4, lasts: 2 * time.Minute, deaths: 300}
	old     = chaos{nodes: 3, clients: 6, meetings: 6, lasts: 2 * time.Minute, deaths: 300, patience: keepOrphan}
	polling = chaos{nodes: 4, clients: 8, meetings: 6, lasts: 2 * time.Minute, deaths: 300, pollOnly: true}
)

// runChaos makes one round and returns which invariants were broken.
func runChaos(t *testing.T, c chaos, seed uint64) (report []string, happened map[string]int) {
	t.Helper()
	c.dsn = c.on.fresh(t)
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
