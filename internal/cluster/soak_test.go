//go:build soak

package cluster

import (
	"os"
	"testing"
	"time"

	"b3scale"
)

// TestSoakChaos is TestChaos for as long as DURATION says, from SEED on.
func TestSoakChaos(t *testing.T) {
	d, err := time.ParseDuration(os.Getenv("DURATION"))
	if err != nil {
		d = time.Minute
	}
	chaosFor(t, d, seedOf(t, "SEED"))
}

// TestSoakControls waits for the chaos to notice what it meets seldom.
func TestSoakControls(t *testing.T) {
	const rounds = 200
	for _, c := range []struct {
		name   string
		broken string
		mutate mutation
		opts   Options
	}{
		{"no fence of the generation", "I5", func(s b3scale.Store) b3scale.Store { return anyGeneration{s} }, Options{}},
		{"no fence of the room", "I5", func(s b3scale.Store) b3scale.Store { return anyRoom{s} }, Options{}},
		{"orphans are ended without a look elsewhere", "I6", func(s b3scale.Store) b3scale.Store { return noProof{s} }, Options{}},
		{"nothing is booked", "I8", func(s b3scale.Store) b3scale.Store { return unbooked{s} }, Options{}},
		{"nothing is healed", "I8", nil, Options{ListInterval: 5 * time.Second, OrphanLease: 4 * time.Second, HealAfter: 24 * time.Hour}},
	} {
		t.Run(c.name, func(t *testing.T) { noticed(t, c.broken, rounds, c.mutate, c.opts) })
	}
}
