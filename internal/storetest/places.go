package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
)

func testPlaces(t *testing.T, open opener) {
	run(t, open, "are as many as the limit", func(f *fixture) {
		for i := range 3 {
			p := f.place(fmt.Sprint("holder ", i), 3)
			p.Look = i == 1
			f.takes(fmt.Sprint("person ", i), p, i+1, true)
		}
		f.takes("one too many", f.place("late", 3), 3, false)
		looks := f.place("late", 3)
		looks.Look = true
		f.takes("one too many, who looks first", looks, 3, false)
		f.takes("a repeat", f.place("holder 1", 3), 3, true)
		f.takes("with a higher limit", f.place("late", 4), 4, true)
		f.takes("with a lower limit", f.place("holder 1", 2), 3, false)
		f.takes("with none", f.place("another", 0), 5, true)
		other := f.place("holder 0", 1)
		other.Key.FrontendID = f.addFrontend(b3scale.Frontend{Key: "moodle"}).ID
		f.takes("at another frontend", other, 1, true)
	})

	run(t, open, "are shared with the people who are there", func(f *fixture) {
		m := f.active(f.a, "r1")
		v := turnout(m)
		v.Headcount = b3scale.Headcount{People: 4, Moderators: 1}
		f.turnedOut(f.a, v)
		f.takes("beside four people", f.place("one", 5), 5, true)
		f.takes("a sixth", f.place("two", 5), 5, false)
		exempt := f.place("two", 5)
		exempt.ModeratorsExempt = true
		f.takes("beside four people, one of them a moderator", exempt, 5, true)

		again := f.confirmed(m, room("r2")) // another room: everybody is gone
		f.takes("after a new room", f.place("three", 3), 3, true)
		f.sighted(f.a, b3scale.Sighting{Key: m.Key, Generation: again.Generation, InternalID: "r2", AttendeesReplaced: true, Headcount: b3scale.Headcount{People: 9, Moderators: 9}})
		f.takes("beside nine", f.place("four", 9), 12, false)
		exempt = f.place("four", 4)
		exempt.ModeratorsExempt = true
		f.takes("beside nine moderators", exempt, 4, true)
		f.ended(again)
		f.takes("after the end", f.place("five", 5), 5, true)
	})

	run(t, open, "lapse and are renewed", func(f *fixture) {
		short := f.place("short", 1)
		short.Hold = time.Millisecond
		f.takes("for a moment", short, 1, true)
		f.eventually("it has lapsed", func() bool { return f.tries(f.place("long", 1)) })
		f.takes("the first one again", short, 1, false)
		f.must(f.store.PurgePlaces(f.Context())) // what lapsed a moment ago stays, uncounted
		f.takes("a repeat", f.place("long", 1), 1, true)

		old := f.place("old", 0)
		old.Hold = -time.Hour
		f.takes("one of an hour ago", old, 2, true)
		f.takes("it does not count", f.place("new", 2), 2, true)
		f.takes("one of an hour ago", old, 3, true)
		f.must(f.store.PurgePlaces(f.Context()))
		f.takes("it does not count", f.place("new", 2), 2, true)
	})

	run(t, open, "become people when they arrive", func(f *fixture) {
		m := f.active(f.a, "r1")
		for i, arrival := range []string{"ann", "bob", "guest", "guest"} {
			p := f.place(fmt.Sprint("holder ", i), 4)
			p.Arrival = arrival
			f.takes(arrival, p, i+1, true)
		}
		taken := func(what string, want int) {
			f.Helper()
			got, ok, err := f.store.TakePlace(f.Context(), f.place("nobody", 1))
			f.expect(what, ok, err, false)
			f.same(what, got, want)
		}
		v := turnout(m, attendee(m, "ann"))
		v.Headcount, v.Arrivals = b3scale.Headcount{People: 1}, []string{"ann", "unknown", "\x00"}
		f.turnedOut(f.a, v)
		taken("after an arrival", 4)
		v.Headcount, v.Arrivals = b3scale.Headcount{}, nil
		f.turnedOut(f.a, v)
		taken("after a departure", 3)

		late := v
		late.Generation--
		late.Arrivals = []string{"bob"}
		f.same("late", f.turnedOut(f.a, late), b3scale.Stored{})
		taken("after an arrival in another generation", 3)

		s := b3scale.Sighting{Key: m.Key, Generation: m.Generation, InternalID: m.InternalID, AttendeesReplaced: true,
			Headcount: b3scale.Headcount{People: 1}, Arrivals: []string{"guest"}}
		f.sighted(f.a, s)
		taken("after one of two guests of the same name", 3)
		s.Merge = func([]b3scale.Attendee) ([]b3scale.Attendee, b3scale.Headcount, []string) {
			return nil, b3scale.Headcount{People: 2}, []string{"guest", "guest"}
		}
		f.sighted(f.a, s)
		taken("after the other", 3)

		lapsed := f.place("lapsed", 0)
		lapsed.Arrival, lapsed.Hold = "bob", -time.Second
		f.takes("lapsed", lapsed, 4, true)
		s.Merge, s.Arrivals, s.Headcount = nil, []string{"bob"}, b3scale.Headcount{}
		f.sighted(f.a, s)
		f.takes("after bob, and all are gone", f.place("nobody", 1), 1, true)
	})

	run(t, open, "are never more than the limit", func(f *fixture) {
		const limit = 7
		m := f.active(f.a, "r1")
		var admitted atomic.Int64
		parallel(40, func(i int) {
			if i%8 == 7 { // somebody comes and goes meanwhile, whom nobody counts
				v := turnout(m)
				v.Arrivals = []string{fmt.Sprint("arrival of nobody ", i)}
				if _, err := f.store.SaveTurnouts(f.Context(), f.a, []b3scale.Turnout{v}); err != nil {
					f.Error(err)
				}
				return
			}
			for range 2 { // a repeat takes no other place
				p := f.place(fmt.Sprint("holder ", i), limit)
				p.Look = i%2 == 0
				taken, ok, err := f.store.TakePlace(f.Context(), p)
				if err != nil || taken > limit || ok && taken == 0 {
					f.Errorf("%d: got %d, %v, %v", i, taken, ok, err)
				}
				if ok {
					admitted.Add(1)
				}
			}
		})
		f.same("admitted, each twice", admitted.Load(), int64(2*limit))
		f.takes("another", f.place("late", limit), limit, false)
	})

	// Whoever counts in two steps sees a person twice, or not at all.
	run(t, open, "count everybody once who arrives meanwhile", func(f *fixture) {
		const people = 25
		m := f.active(f.a, "r1")
		for i := range people {
			p := f.place(fmt.Sprint("holder ", i), people)
			p.Arrival = fmt.Sprint("arrival ", i)
			f.takes(p.Holder, p, i+1, true)
		}
		var done atomic.Bool
		parallel(4, func(i int) {
			if i == 0 {
				defer done.Store(true)
				for n := range people {
					v := turnout(m)
					v.Headcount, v.Arrivals = b3scale.Headcount{People: n + 1}, []string{fmt.Sprint("arrival ", n)}
					if _, err := f.store.SaveTurnouts(f.Context(), f.a, []b3scale.Turnout{v}); err != nil {
						f.Error(err)
					}
				}
				return
			}
			for !done.Load() {
				p := f.place(fmt.Sprint("late ", i), people)
				p.Look = i == 1
				taken, ok, err := f.store.TakePlace(f.Context(), p)
				if err != nil || ok || taken != people {
					f.Errorf("got %d, %v, %v, want %d and no place", taken, ok, err, people)
					return
				}
			}
		})
	})

	run(t, open, "go with their frontend", func(f *fixture) {
		f.takes("one", f.place("one", 1), 1, true)
		_, err := f.store.DeleteFrontend(f.Context(), f.frontend, operator)
		f.must(err)
		_, _, err = f.store.TakePlace(f.Context(), f.place("two", 2))
		f.code("at a frontend that is gone", err, b3scale.NotFound)
		_, _, err = f.store.TakePlace(f.Context(), f.place("\x00", 2))
		f.code("an odd holder", err, b3scale.InvalidArgument)
	})
}

// place asks for one in f.key.
func (f *fixture) place(holder string, limit int) b3scale.Place {
	return b3scale.Place{Key: f.key, Holder: holder, Arrival: "arrival of " + holder, Hold: time.Hour, Limit: limit}
}

func (f *fixture) takes(what string, p b3scale.Place, taken int, want bool) {
	f.Helper()
	got, ok, err := f.store.TakePlace(f.Context(), p)
	f.expect(what, ok, err, want)
	f.same(what+": taken", got, taken)
}

func (f *fixture) tries(p b3scale.Place) bool {
	f.Helper()
	_, ok, err := f.store.TakePlace(f.Context(), p)
	f.must(err)
	return ok
}

// eventually waits for the store's clock.
func (f *fixture) eventually(what string, is func() bool) {
	f.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			f.Fatalf("this never happened: %s", what)
		}
	}
}
