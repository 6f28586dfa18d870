package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale/internal/pgtest"
)

// Both ways in which a database goes away, one after the other.
func TestDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	databaseGoesAway(t, 3*time.Second)
}

// databaseGoesAway proves that people join as long as their servers work, that
// nothing new is promised meanwhile, and that nobody has to start anything
// again.
func databaseGoesAway(t *testing.T, outage time.Duration) {
	server := pgtest.Start(t)
	f := startFleet(t, server.DSN())
	c := newClients(f, f.once)
	stop := c.run(t.Context(), 4)
	defer stop()
	eventually(t, "there are meetings to work with", func() bool { return c.acknowledged() >= 60 })
	c.rest()
	pids := f.pids()
	for _, way := range []struct {
		name       string
		away, back func()
	}{
		{"stopped", server.Stop, server.Start},
		{"hanging", server.Pause, server.Continue},
	} {
		f.settles(t, c) // every member knows them all: what it has not heard of yet, memory cannot answer
		begin := time.Now()
		last := "last-" + way.name
		if f.members[0].create(t.Context(), last) == "" {
			t.Fatalf("%s: no meeting to end later", way.name)
		}
		way.away()
		refused := f.createInVain(t, way.name, outage)
		if got := f.members[0].call(t.Context(), "end", "meetingID="+last); got.status != http.StatusOK || !strings.Contains(got.body, "SUCCESS") {
			t.Errorf("%s: end: %d %s", way.name, got.status, got.body)
		}
		if urls, _ := f.homes(last); len(urls) > 0 {
			t.Errorf("%s: the room that was to end is still at %q", way.name, urls)
		}
		way.back()
		f.createAgain(t, c, way.name, refused)
		t.Logf("%s: all in all %v", way.name, time.Since(begin).Round(time.Millisecond))
	}
	stop()
	c.contentment(t)
	f.settles(t, c)
	if now := f.pids(); now != pids {
		t.Errorf("the processes were %s and are %s", pids, now)
	}
}

// createInVain asks every member for new meetings while there is no database,
// and returns which.
func (f *fleet) createInVain(t *testing.T, way string, outage time.Duration) []string {
	t.Helper()
	begin := time.Now()
	degraded := make([]bool, len(f.members))
	ids := make([][]string, len(f.members))
	slowest := make([]time.Duration, len(f.members))
	var wg sync.WaitGroup
	for i, d := range f.members {
		wg.Go(func() {
			for time.Since(begin) < outage || !degraded[i] && time.Since(begin) < time.Minute {
				inService, text := d.ready(t.Context())
				if !inService {
					t.Errorf("%s: instance %d is out of service: %s", way, i, text)
				}
				if !degraded[i] && strings.HasPrefix(text, "degraded: ") && !strings.Contains(text, "\n") {
					t.Logf("%s: instance %d says so after %v: %s", way, i, time.Since(begin).Round(time.Millisecond), text)
					degraded[i] = true
				}
				id := fmt.Sprintf("%s-%d-%d", way, i, len(ids[i]))
				ids[i] = append(ids[i], id)
				asked := time.Now()
				got := d.call(t.Context(), "create", "name=Class&meetingID="+id)
				took := time.Since(asked)
				slowest[i] = max(slowest[i], took)
				// Two seconds are promised; the machine may have others to serve.
				if wrong := got.unlike("<returncode>FAILED"); wrong != "" || took > 5*time.Second {
					t.Errorf("%s: a new create took %v: %s", way, took, wrong)
				}
				time.Sleep(outage / 150)
			}
			if !degraded[i] {
				t.Errorf("%s: instance %d never said that it is degraded", way, i)
			}
		})
	}
	wg.Wait()
	refused := slices.Concat(ids...)
	t.Logf("%s: %d creates refused, the slowest after %v", way, len(refused), slices.Max(slowest).Round(time.Millisecond))
	return refused
}

// createAgain waits until every member creates meetings again, and creates
// those that were refused.
func (f *fleet) createAgain(t *testing.T, c *clients, way string, refused []string) {
	t.Helper()
	begin := time.Now()
	for i, d := range f.members {
		within(t, time.Minute, fmt.Sprintf("%s: instance %d creates again", way, i), func() string {
			got := d.call(t.Context(), "create", fmt.Sprintf("name=Class&meetingID=%s-again-%d", way, i))
			return got.unlike("<returncode>SUCCESS")
		})
	}
	t.Logf("%s: %v after its return all instances create again", way, time.Since(begin).Round(time.Millisecond))
	for i, d := range f.members {
		within(t, time.Minute, fmt.Sprintf("%s: instance %d is ready", way, i), func() string {
			if inService, text := d.ready(t.Context()); !inService || text != "ready" {
				return text
			}
			return ""
		})
	}
	t.Logf("%s: %v after its return all instances are ready", way, time.Since(begin).Round(time.Millisecond))
	for _, id := range refused {
		c.create(t.Context(), id)
	}
}
