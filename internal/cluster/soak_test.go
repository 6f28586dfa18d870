//go:build soak

package cluster

import (
	"os"
	"testing"
	"time"
)

// TestSoakChaos is TestChaos for as long as DURATION says, from SEED on.
func TestSoakChaos(t *testing.T) {
	d, err := time.ParseDuration(os.Getenv("DURATION"))
	if err != nil {
		d = time.Minute
	}
	onEach(t, func(t *testing.T, p platform) { chaosFor(t, p, d, seedOf(t, "SEED")) })
}
