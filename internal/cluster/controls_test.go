package cluster

import (
	"testing"
	"time"

	"b3scale"
)

// Oracles that never speak prove nothing. Each control takes one rule away,
// and somebody must notice which promise is broken.

// noticed makes rounds of chaos until the promise is seen to be broken.
func noticed(t *testing.T, p platform, promise string, rounds uint64, m mutation) {
	t.Helper()
	seed := seedOf(t, "B3SCALE_CHAOS_SEED")
	for round := range rounds {
		c := []chaos{dense, wide}[round%2]
		c.on, c.mutation, c.lasts = p, m, time.Minute
		report, _ := runChaos(t, c, seed+round)
		if lines := of(promise, report); len(lines) > 0 {
			t.Logf("round %d: %s", round+1, lines[0])
			return
		}
	}
	t.Errorf("nobody noticed in %d rounds", rounds)
}

// The chaos notices at once what breaks often. The soak tests take the rarer
// controls, too; the tests of the invariants walk into those on purpose.
func TestChaosNotices(t *testing.T) {
	t.Parallel()
	noticed(t, onSQLite, "I2", 2, onStore(func(s b3scale.Store) b3scale.Store { return unwritten{s} }))
	noticed(t, onSQLite, "I3", 2, onStore(func(s b3scale.Store) b3scale.Store { return unconfirmed{s} }))
}
