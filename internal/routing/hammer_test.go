package routing_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// Whoever asks for a list while meetings change gets every live meeting, once:
// a frontend takes one that is missing for ended.
func TestListsNeverMissALiveMeeting(t *testing.T) {
	t.Parallel()
	const meetings = 8
	table := newTable("a", "b")
	for i := range meetings {
		table.Apply(row(fmt.Sprint(i)), start)
	}
	var (
		done    atomic.Bool
		writers sync.WaitGroup
	)
	writers.Go(func() {
		for n := range 3000 {
			id := fmt.Sprint(n % meetings)
			switch n % 3 {
			case 0:
				table.Observe(key(id), "x", routing.Facts{People: n % 5}, nil, 0, start)
			case 1:
				table.Apply(row(id, version(int64(n)+2)), start)
			default:
				table.Apply(row(id, version(int64(n)+2), on(string("ab"[n/3%2]))), start)
			}
		}
		done.Store(true)
	})
	for last := false; !last; {
		last = done.Load()
		seen := map[b3scale.MeetingKey]bool{}
		for _, r := range table.MeetingsOf("f") {
			seen[r.Key] = true
		}
		if len(seen) != meetings {
			t.Errorf("a list has %d meetings, want %d", len(seen), meetings)
			break
		}
	}
	writers.Wait()
	checkCounts(t, table, "afterwards")
}

// Everything at the same time, for the race detector; and the counts are right
// when it is over.
func TestHammer(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b", "c")
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for n := range 1000 {
				now := start.Add(time.Duration(n) * time.Second)
				id, backend := fmt.Sprint(random.IntN(20)), string("abc"[random.IntN(3)])
				switch random.IntN(13) {
				case 0, 1, 2:
					table.Apply(row(id, version(random.Int64N(2000)), generation(random.Int64N(9)), on(backend), sized(random.IntN(30))), now)
				case 3:
					table.Apply(row(id, version(random.Int64N(2000)), ended), now)
				case 4:
					table.End(row(id, version(random.Int64N(2000)), generation(random.Int64N(9))), now)
				case 5:
					table.Observe(key(id), "x", routing.Facts{People: random.IntN(50), Count: b3scale.Headcount{Moderators: random.IntN(5)}}, nil, 0, now)
				case 6:
					table.SetBreakouts(backend, []*routing.Room{breakout("of "+id, backend, n%7)}, now.Add(1), now)
				case 7:
					table.AddBreakout(breakout(id, backend, n%7), now)
				case 8:
					table.Age(now)
				case 9:
					if choice, err := table.Select(routing.Wanted{Size: 15}, start); err == nil {
						choice.Release()
					}
				case 10:
					for _, r := range table.MeetingsOf("f") {
						_ = r.People + len(r.InternalID)
					}
				case 11:
					select {
					case <-table.Changed(key(id)):
					default:
					}
				default:
					table.SetBackend(b3scale.Backend{ID: backend, AdminState: b3scale.AdminReady, LoadFactor: 1}, start)
					table.Backend(backend).Probed(true, start)
				}
				if r := table.Meeting(key(id)); r != nil && !r.Live() {
					t.Error("an ended meeting was found")
				}
			}
		})
	}
	all.Wait()
	checkCounts(t, table, "afterwards")
	for _, b := range table.Backends() {
		if b.Score() < 0 {
			t.Errorf("%s has the score %v", b.ID, b.Score())
		}
		for _, r := range table.MeetingsOn(b.ID) {
			if r.Breakout {
				table.SetBreakouts(b.ID, nil, start.Add(10000*time.Hour), start)
			} else {
				table.Apply(b3scale.Meeting{Key: r.Key, State: b3scale.MeetingEnded, Generation: 100, Version: 10_000}, start)
			}
		}
	}
	checkCounts(t, table, "when all have ended")
}

// The index by internal id is exact when everything is over, also while
// backends are being removed.
func TestHammerInternalIDs(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b", "c")
	internal := func(id, incarnation int) string { return fmt.Sprint("room-", id, "-", incarnation) }
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(worker)))
			for range 1000 {
				n, incarnation, backend := random.IntN(20), random.IntN(3), string("abc"[random.IntN(3)])
				m := row(fmt.Sprint(n), version(random.Int64N(2000)), generation(random.Int64N(9)), on(backend), room(internal(n, incarnation)))
				switch random.IntN(6) {
				case 0:
					table.End(m, start)
				case 1:
					table.AddBreakout(&routing.Room{Meeting: m}, start)
				case 2:
					table.SetBreakouts(backend, nil, start.Add(time.Second), start)
				case 3:
					if r := table.ByInternalID(backend, m.InternalID); r != nil && (r.BackendID != backend || r.InternalID != m.InternalID) {
						t.Errorf("%s on %s found as %s on %s", m.InternalID, backend, r.InternalID, r.BackendID)
					}
				case 4:
					if random.IntN(100) == 0 {
						table.Remove("c", start)
					}
				default:
					table.Apply(m, start)
				}
			}
		})
	}
	all.Wait()
	live := 0
	table.Each(func(r *routing.Room) {
		if live++; table.ByInternalID(r.BackendID, r.InternalID) != r {
			t.Errorf("%s is not found as %s", r.Key, r.InternalID)
		}
	})
	found := 0
	for n := range 20 {
		for incarnation := range 3 {
			if table.ByInternalID("", internal(n, incarnation)) != nil {
				found++
			}
		}
	}
	if found != live || len(table.MeetingsOn("c")) > 0 {
		t.Errorf("%d rooms are found, %d live; %d on the removed backend", found, live, len(table.MeetingsOn("c")))
	}
}
