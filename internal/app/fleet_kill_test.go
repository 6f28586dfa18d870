package app_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"b3scale/internal/pgtest"
)

func TestKill9OfInstances(t *testing.T) {
	t.Parallel()
	killInstances(t, 10*time.Second, time.Second)
}

// killInstances kills a random one of three instances again and again. Clients
// that try once more at another one notice nothing.
func killInstances(t *testing.T, d, every time.Duration) {
	f := startFleet(t, pgtest.NewDatabase(t))
	c := newClients(f, f.twice)
	stop := c.run(t.Context(), 6)
	defer stop()
	deaths := 0
	for begin := time.Now(); time.Since(begin) < d; deaths++ {
		next := time.Now().Add(every)
		victim := f.members[rand.IntN(len(f.members))]
		victim.kill()
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) // how long it takes to notice
		victim.start(t)
		time.Sleep(time.Until(next))
	}
	stop()
	t.Logf("%d deaths", deaths)
	c.contentment(t)
	f.settles(t, c)
}
