package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"b3scale"
)

func testMeetingsLimit(t *testing.T, open opener) {
	claim := func(f *fixture, key b3scale.MeetingKey, backendID string, limit int, abandoned ...int64) (b3scale.Meeting, bool, error) {
		return f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: key, BackendID: backendID, MaxMeetings: limit, Abandoned: abandoned})
	}
	within := func(f *fixture, what, id, backendID string, limit int, abandoned ...int64) b3scale.Meeting {
		f.Helper()
		m, fit, err := claim(f, f.keyOf(id), backendID, limit, abandoned...)
		f.expect(what, fit, err, true)
		return m
	}
	refused := func(f *fixture, what, id string, limit int) {
		f.Helper()
		m, fit, err := claim(f, f.keyOf(id), f.a, limit)
		f.code(what, err, b3scale.LimitReached)
		f.same(what, m, b3scale.Meeting{})
		f.expect(what, fit, nil, false)
	}

	run(t, open, "refuses what is one too many", func(f *fixture) {
		within(f, "first", "one", f.a, 2)
		two := f.confirmed(within(f, "second", "two", f.b, 2), room("r2"))
		refused(f, "third", "three", 2)
		f.noMeeting(f.keyOf("three"))
		other := f.addFrontend(b3scale.Frontend{Key: "moodle"}).ID
		_, fit, err := claim(f, b3scale.MeetingKey{FrontendID: other, MeetingID: "three"}, f.a, 2)
		f.expect("of another frontend", fit, err, true)
		within(f, "with a higher limit", "three", f.a, 3)
		within(f, "without", "four", f.a, 0)

		old := f.ended(two)
		refused(f, "an ended one returns", "two", 3)
		f.unchanged("refused", old)
		got := within(f, "with a higher limit", "two", f.b, 4)
		if got.Generation <= old.Generation || got.State != b3scale.MeetingCreating {
			f.Errorf("got %+v", got)
		}
	})

	run(t, open, "leaves alone what lives, above the limit, too", func(f *fixture) {
		one := f.confirmed(within(f, "first", "one", f.a, 0), room("r1"))
		within(f, "second", "two", f.b, 0)
		three := within(f, "third", "three", f.b, 0)
		f.same("a repeat", within(f, "a repeat", "one", f.b, 1), one)
		f.lose(f.a)
		moved := within(f, "a move", "one", f.c, 1)
		f.same("a move", moved.BackendID, f.c)
		f.orphan(f.a)
		f.same("an abandoned one", within(f, "an abandoned one", "three", f.c, 1, three.Generation).BackendID, f.c)
		m, fit, err := claim(f, f.keyOf("one"), f.a, 1, moved.Generation)
		f.expect("a candidate that is lost", fit, err, false)
		f.same("a candidate that is lost", m, b3scale.Meeting{})
		refused(f, "a new one", "new", 1)
		_, _, err = claim(f, b3scale.MeetingKey{FrontendID: "unknown", MeetingID: "x"}, f.b, 1)
		f.code("of no frontend", err, b3scale.NotFound)
	})

	run(t, open, "is never exceeded", func(f *fixture) {
		const limit = 6
		for i := range 3 { // of some only rows are left, which count for nothing
			f.ended(within(f, "before", fmt.Sprint("room ", i), f.c, 0))
			f.dropOrphans(f.c)
		}
		var placed, others atomic.Int64
		backends := []string{f.a, f.b}
		parallel(60, func(i int) {
			key := f.keyOf(fmt.Sprint("room ", i/2)) // two ask for each
			_, fit, err := claim(f, key, backends[i%2], limit)
			switch {
			case err == nil && fit:
				placed.Add(1)
			case b3scale.CodeOf(err) == b3scale.LimitReached:
				others.Add(1)
			default:
				f.Errorf("%s: got %v, %v", key.MeetingID, fit, err)
			}
		})
		f.same("live", len(f.live()), limit)
		if placed.Load()+others.Load() != 60 || placed.Load() < limit || placed.Load() > 2*limit {
			f.Errorf("%d were placed, %d refused", placed.Load(), others.Load())
		}
	})

	run(t, open, "ends well when the frontend is deleted meanwhile", func(f *fixture) {
		for round := range 5 {
			f.frontend = f.addFrontend(b3scale.Frontend{Key: fmt.Sprint("school ", round)}).ID
			f.key = f.keyOf("class")
			f.ended(f.active(f.a, "r1"))
			parallel(12, func(i int) {
				var err error
				switch i % 4 {
				case 0:
					_, _, err = claim(f, f.keyOf("class"), f.b, 3)
				case 1:
					_, _, err = claim(f, f.keyOf(fmt.Sprint("class ", i)), f.a, 3)
				case 2:
					_, _, err = f.store.TakePlace(f.Context(), f.place(fmt.Sprint("holder ", i), 3))
				case 3:
					_, err = f.store.DeleteFrontend(f.Context(), f.frontend, operator)
				}
				if code := b3scale.CodeOf(err); err != nil && code != b3scale.NotFound && code != b3scale.LimitReached {
					f.Errorf("%d: %v", i, err)
				}
			})
			f.same("live", len(f.live()), 0)
		}
	})
}
