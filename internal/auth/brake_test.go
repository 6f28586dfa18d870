package auth

import (
	"fmt"
	"net/netip"
	"testing"
)

// However many addresses there are, a fixed number is remembered: those that
// have failed last.
func TestBrakeForgetsTheOldest(t *testing.T) {
	t.Parallel()
	b := newBrake()
	address := func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/256, i%256) }
	for i := range 2 * maxNetworks {
		b.note(address(i))
		b.note(address(0)) // always lately
	}
	if len(b.found) != maxNetworks || b.recent.Len() != maxNetworks {
		t.Errorf("remembers %d and %d, want %d", len(b.found), b.recent.Len(), maxNetworks)
	}
	for i, want := range map[int]bool{0: true, 1: false, maxNetworks: false, maxNetworks + 2: true, 2*maxNetworks - 1: true} {
		if _, got := b.found[netip.PrefixFrom(netip.MustParseAddr(address(i)), 32)]; got != want {
			t.Errorf("remembers %s: %v, want %v", address(i), got, want)
		}
	}
}
