package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
)

// benchInfo is as long as what a node says of an idle meeting.
var benchInfo = bytes.Repeat([]byte("<meta>value</meta>"), 72)

type benchCluster struct {
	store    *Store
	frontend string
	backends []string
	next     atomic.Int64
}

// onBoth measures on a new database of each kind. The test servers of
// PostgreSQL do not wait for the disk; B3SCALE_TEST_DB_URL names one that does.
func onBoth(b *testing.B, measure func(b *testing.B, c *benchCluster)) {
	b.Run("SQLite", func(b *testing.B) {
		s, err := Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"), Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
		measure(b, newBenchCluster(b, s))
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		measure(b, newBenchCluster(b, connect(b, migrated(b), PostgresOptions{})))
	})
}

func newBenchCluster(b *testing.B, s *Store) *benchCluster {
	b.Helper()
	c := &benchCluster{store: s}
	f, err := s.AddFrontend(b.Context(), b3scale.Frontend{Key: "bench", Active: true}, b3scale.Actor{})
	if err != nil {
		b.Fatal(err)
	}
	c.frontend = f.ID
	for i := range 10 {
		be, err := s.AddBackend(b.Context(), b3scale.Backend{Host: fmt.Sprint("https://bbb", i, "/"), AdminState: b3scale.AdminReady}, b3scale.Actor{})
		if err != nil {
			b.Fatal(err)
		}
		c.backends = append(c.backends, be.ID)
	}
	return c
}

// place claims and confirms a new meeting.
func (c *benchCluster) place(ctx context.Context) (b3scale.MeetingKey, error) {
	n := c.next.Add(1)
	key := b3scale.MeetingKey{FrontendID: c.frontend, MeetingID: fmt.Sprintf("%x-meeting-of-a-usual-length", uint64(n)*0x9e3779b97f4a7c15)}
	m, _, err := c.store.ClaimMeeting(ctx, b3scale.Claim{Key: key, BackendID: c.backends[int(n)%len(c.backends)],
		AttendeePW: "attendee-pw", ModeratorPW: "moderator-pw", Size: 15})
	if err != nil {
		return key, err
	}
	_, ok, err := c.store.ConfirmMeeting(ctx, key, m.Generation, b3scale.Incarnation{
		InternalID: fmt.Sprintf("%040x-1700000000000", n), CreateTime: 1700000000000,
		AttendeePW: "attendee-pw", ModeratorPW: "moderator-pw", Info: benchInfo})
	if err == nil && !ok {
		err = fmt.Errorf("%s was not confirmed", key)
	}
	return key, err
}

func BenchmarkClaimConfirm(b *testing.B) {
	onBoth(b, func(b *testing.B, c *benchCluster) {
		for b.Loop() {
			if _, err := c.place(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkClaimConfirm64Callers(b *testing.B) {
	onBoth(b, func(b *testing.B, c *benchCluster) {
		ctx := b.Context()
		b.SetParallelism(32) // times GOMAXPROCS, 2 where the targets are measured
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.place(ctx); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
	})
}

// BenchmarkClaim is of meetings that live.
func BenchmarkClaim(b *testing.B) {
	onBoth(b, func(b *testing.B, c *benchCluster) {
		key, err := c.place(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, _, err := c.store.ClaimMeeting(b.Context(), b3scale.Claim{Key: key, BackendID: c.backends[0]}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMeetingRead(b *testing.B) {
	onBoth(b, func(b *testing.B, c *benchCluster) {
		keys := c.fill(b, 10_000)
		ctx := b.Context()
		n := 0
		for b.Loop() {
			if _, err := c.store.Meeting(ctx, keys[n%len(keys)]); err != nil {
				b.Fatal(err)
			}
			n += 7919
		}
	})
}

// BenchmarkSightings200 is what a full backend's list changes in one go.
func BenchmarkSightings200(b *testing.B) {
	onBoth(b, func(b *testing.B, c *benchCluster) {
		var seen []b3scale.Sighting
		for _, key := range c.fill(b, 2000) {
			m, err := c.store.Meeting(b.Context(), key)
			if err != nil {
				b.Fatal(err)
			}
			if m.BackendID == c.backends[0] {
				seen = append(seen, b3scale.Sighting{Key: key, Generation: m.Generation, InternalID: m.InternalID, Info: benchInfo})
			}
		}
		for b.Loop() {
			if _, err := c.store.SaveSightings(b.Context(), c.backends[0], seen); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLiveMeetings100k(b *testing.B) {
	onBoth(b, func(b *testing.B, c *benchCluster) {
		const rows = 100_000
		c.fill(b, rows)
		for b.Loop() {
			n := 0
			if err := c.store.LiveMeetings(b.Context(), func(b3scale.Meeting) { n++ }); err != nil || n != rows {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/rows, "µs/row")
	})
}

// fill places n meetings, many at a time.
func (c *benchCluster) fill(b *testing.B, n int) []b3scale.MeetingKey {
	b.Helper()
	keys := make([]b3scale.MeetingKey, n)
	errs := make(chan error, 64)
	for w := range cap(errs) {
		go func() {
			var err error
			for i := w; i < n && err == nil; i += cap(errs) {
				keys[i], err = c.place(b.Context())
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	return keys
}

// BenchmarkTakePlace is what the limit of attendees adds to a join: beside 50
// meetings and 500 reservations, granted and refused.
func BenchmarkTakePlace(b *testing.B) {
	for name, limit := range map[string]int{"granted": 1000, "refused": 100} {
		b.Run(name, func(b *testing.B) {
			onBoth(b, func(b *testing.B, c *benchCluster) {
				var key b3scale.MeetingKey
				var err error
				for range 50 {
					if key, err = c.place(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				take := func(i, limit int) (ok bool) {
					holder := fmt.Sprintf("%064d", i%500)
					_, ok, err := c.store.TakePlace(b.Context(), b3scale.Place{Key: key, Holder: holder, Arrival: holder, Hold: time.Hour, Limit: limit})
					if err != nil {
						b.Fatal(err)
					}
					return ok
				}
				for i := range 500 {
					take(i, 0)
				}
				i := 0
				for b.Loop() {
					if ok := take(i, limit); ok != (limit > 500) {
						b.Fatalf("got %v", ok)
					}
					i++
				}
			})
		})
	}
}
