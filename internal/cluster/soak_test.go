//go:build soak

package cluster

import (
	"os"
	"slices"
	"testing"
	"time"
)

// TestSoakChaos is TestChaos for as long as DURATION says, from SEED on.
func TestSoakChaos(t *testing.T) {
	d := soakTime()
	onEach(t, func(t *testing.T, p platform) { chaosFor(t, p, d, seedOf(t, "SEED")) })
}

func soakTime() time.Duration {
	d, err := time.ParseDuration(os.Getenv("DURATION"))
	if err != nil {
		return time.Minute
	}
	return d
}

// TestSoakControls takes away one rule at a time and lets the chaos look for
// what that breaks. What it meets too seldom only the rule's own scenario
// shows; so that is told and is no failure, but for those that it always met.
func TestSoakControls(t *testing.T) {
	rules := slices.Concat(fences(), orphanRules(), verdictRules(), instanceRules())
	each := soakTime() / time.Duration(len(rules))
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			p := onSQLite
			if r.alone {
				p = onShared
			}
			seed, begin := seedOf(t, "SEED"), time.Now()
			rounds := uint64(0)
			for ; rounds == 0 || time.Since(begin) < each; rounds++ {
				c := []chaos{dense, wide}[rounds%2]
				if r.blunt {
					c = old
				}
				c.on, c.mutation, c.lasts = p, r.without, time.Minute
				if report, _ := runChaos(t, c, seed+rounds); len(report) > 0 {
					t.Logf("noticed in round %d: %s", rounds+1, report[0])
					return
				}
			}
			t.Logf("not noticed in %d rounds", rounds)
			if slices.Contains([]string{"I2", "I3"}, r.breaks) {
				t.Error("nobody noticed")
			}
		})
	}
}
