package cluster

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"b3scale"
	"b3scale/internal/pgtest"
)

// eventSite is a site with so many meetings on one node, and its own work.
func eventSite(b *testing.B, dsn string, meetings int) (s *site, rooms []string) {
	nodes := &instant{}
	s = newSite(b, plan{nodes: 1, dsn: dsn, ownClock: true, calling: func(Nodes) Nodes { return nodes }, opts: Options{ListInterval: time.Hour}})
	s.unchecked = true // the node has no rooms
	rooms = make([]string, meetings)
	var g errgroup.Group
	g.SetLimit(32)
	for i := range rooms {
		rooms[i] = fmt.Sprintf("room-%d-1", i)
		g.Go(func() error {
			room := b3scale.Incarnation{InternalID: rooms[i], CreateTime: 1, Info: []byte("<participantCount>0</participantCount>\n<attendees>\n</attendees>")}
			_, _, err := s.store.AdoptMeeting(s.ctx, s.key(fmt.Sprint("class-", i)), s.backends[0], room, 15)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	s.restart()
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.c.runEvents(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	return s, rooms
}

// Events of which each changes something, until all are in the store, too.
func BenchmarkEvents(b *testing.B) {
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		for _, meetings := range []int{100, 5000} {
			for _, size := range []int{1, 200} {
				b.Run(fmt.Sprintf("%s/meetings=%d/batch=%d", database, meetings, size), func(b *testing.B) {
					dsn := ""
					if database == "PostgreSQL" {
						dsn = pgtest.NewDatabase(b)
					}
					s, rooms := eventSite(b, dsn, meetings)
					benchEvents(b, s, rooms, size)
				})
			}
		}
	}
}

func benchEvents(b *testing.B, s *site, rooms []string, size int) {
	yes, no := true, false
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	begin := time.Now()
	sequence := int64(0)
	for i := 0; i < b.N; i += size {
		events := make([]Event, 0, size)
		for range min(size, b.N-i) {
			k := n.Add(1)
			sequence++
			e := arrival(rooms[k%int64(len(rooms))], fmt.Sprint(k/int64(len(rooms))%20))
			if round := k / int64(len(rooms)) / 20; round%3 == 1 { // everybody comes, speaks and leaves
				e = Event{Kind: EventAttendee, Meeting: e.Meeting, UserID: e.UserID, Person: PersonFacts{Voice: &yes, Presenter: &no}}
			} else if round%3 == 2 {
				e = Event{Kind: EventAttendeeLeft, Meeting: e.Meeting, UserID: e.UserID}
			}
			e.Sequence = sequence
			events = append(events, e)
		}
		s.c.TakeEvents(s.backends[0], Batch{Boot: "boot", Events: events})
	}
	applied := time.Since(begin)
	s.c.flush(s.ctx)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/applied.Seconds(), "applied/s")
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "stored/s")
	if stats := s.c.EventStats(); stats.Taken != int64(b.N) || stats.Unknown > 0 {
		b.Errorf("%+v of %d", stats, b.N)
	}
}
