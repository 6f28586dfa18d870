package storetest

import (
	"testing"

	"b3scale"
)

// testSettle has an orphan of f.key on f.b, whose room "x" was found.
func testSettle(t *testing.T, open opener) {
	x := room("x")
	alive := func(m b3scale.Meeting) *b3scale.Alive {
		return &b3scale.Alive{Generation: m.Generation, InternalID: m.InternalID}
	}
	// settle settles what prepare left, and checks the row that comes with it.
	settle := func(f *fixture, elsewhere *b3scale.Alive, want b3scale.Settlement) b3scale.Meeting {
		f.Helper()
		got, m, err := f.store.SettleOrphan(f.Context(), f.key, f.b, x, elsewhere)
		f.must(err)
		if got != want {
			f.Errorf("got %q, want %q", got, want)
		}
		if m.Key != (b3scale.MeetingKey{}) {
			f.unchanged("the row that stands", m)
		}
		return m
	}
	keep := func(name string, want b3scale.Settlement, prepare func(f *fixture) (b3scale.Meeting, *b3scale.Alive)) {
		run(t, open, name, func(f *fixture) {
			m, elsewhere := prepare(f)
			settle(f, elsewhere, want)
			f.unchanged("settled", m)
			ending := ""
			if want == b3scale.OrphanEnds {
				ending = "x"
			}
			f.same("ending", f.orphan(f.b).Ending, ending)
		})
	}

	keep("waits while the row's own room was not seen", b3scale.OrphanWaits, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		return m, nil
	})
	keep("waits when another room of the row was seen", b3scale.OrphanWaits, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		return m, &b3scale.Alive{Generation: m.Generation, InternalID: "r0"}
	})
	keep("waits when another generation was seen", b3scale.OrphanWaits, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		return m, &b3scale.Alive{Generation: m.Generation - 1, InternalID: "r1"}
	})
	keep("waits while its successor is being created", b3scale.OrphanWaits, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.claimed(f.a)
		f.book(f.b, "x")
		return m, alive(m)
	})
	keep("ends when the row's room lives elsewhere", b3scale.OrphanEnds, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		return m, alive(m)
	})
	keep("ends the room whose end was requested", b3scale.OrphanEnds, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		f.endRequested(f.active(f.b, "x"))
		f.lose(f.b)
		return f.confirmed(f.claimed(f.a), room("y")), nil
	})
	keep("ends when an end was requested after the booking", b3scale.OrphanEnds, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		return f.endRequested(m), nil
	})
	keep("ends a requested room although the row has ended", b3scale.OrphanEnds, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		return f.ended(f.endRequested(m)), nil
	})
	keep("ends a requested room although the row is being created", b3scale.OrphanEnds, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		f.endRequested(f.active(f.b, "x"))
		f.lose(f.b)
		return f.claimed(f.a), nil
	})
	keep("ends a requested room although the row's backend is lost", b3scale.OrphanEnds, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		m = f.endRequested(m)
		f.lose(f.a)
		return m, nil
	})
	keep("ends again what is being ended", b3scale.OrphanEnds, func(f *fixture) (b3scale.Meeting, *b3scale.Alive) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		settle(f, alive(m), b3scale.OrphanEnds)
		return f.ended(m), nil // else it would be taken back
	})

	// back takes x back and checks its new place.
	back := func(f *fixture, was b3scale.Meeting) {
		f.Helper()
		got := settle(f, nil, b3scale.OrphanTakenBack)
		want := was
		want.BackendID, want.State, want.Incarnation = f.b, b3scale.MeetingActive, x
		want.Generation, want.ClaimedAt, want.ConfirmedAt, want.Version = got.Generation, got.ClaimedAt, got.ConfirmedAt, got.Version
		f.same("row", got, want)
		if got.Generation <= was.Generation || got.Version <= was.Version {
			f.Errorf("got %+v, want it newer than %+v", got, was)
		}
		f.noOrphan(f.b)
		settle(f, nil, b3scale.OrphanGone)
	}
	run(t, open, "takes the room back when the row has ended elsewhere", func(f *fixture) {
		m := f.ended(f.active(f.a, "r1"))
		f.book(f.b, "x")
		back(f, m)
		f.same("orphan", f.orphan(f.a).InternalID, "r1")
	})
	run(t, open, "takes the room back when the row has ended here", func(f *fixture) {
		m := f.ended(f.active(f.b, "r1"))
		f.book(f.b, "x")
		back(f, m)
	})
	run(t, open, "takes the room back when the row's backend is lost", func(f *fixture) {
		m := f.populated(f.active(f.a, "r1"))
		f.book(f.b, "x")
		f.lose(f.a)
		back(f, m)
		f.same("orphan", f.orphan(f.a).InternalID, "r1")
		f.same("attendees", f.people(), map[string]bool{})
	})
	run(t, open, "takes the room back from a creation on a lost backend", func(f *fixture) {
		m := f.claimed(f.a)
		f.book(f.b, "x")
		f.lose(f.a)
		back(f, m)
		f.orphan(f.a)
	})
	run(t, open, "takes the room back on a lost backend", func(f *fixture) {
		m := f.ended(f.active(f.a, "r1"))
		f.book(f.b, "x")
		f.lose(f.b)
		back(f, m)
	})
	run(t, open, "takes back the room that ended last", func(f *fixture) {
		f.ended(f.active(f.b, "x"))
		f.claimed(f.a) // books f.b
		m := f.ended(f.meeting(f.key))
		f.same("last ended", m.LastEndedInternalID, "x")
		m.LastEndedInternalID = "" // it has not
		back(f, m)
	})
	run(t, open, "takes a room back that is not the one being ended", func(f *fixture) {
		m := f.active(f.a, "r1")
		f.book(f.b, "w")
		_, _, err := f.store.SettleOrphan(f.Context(), f.key, f.b, room("w"), alive(m))
		f.must(err)
		f.same("ending", f.orphan(f.b).Ending, "w")
		back(f, f.ended(m))
	})

	run(t, open, "is gone where nothing is booked", func(f *fixture) {
		f.same("no row", settle(f, nil, b3scale.OrphanGone), b3scale.Meeting{})
		m := f.active(f.a, "r1")
		f.same("row", settle(f, alive(m), b3scale.OrphanGone), m)
		f.noOrphan(f.b)
	})
	run(t, open, "refuses a room without an id", func(f *fixture) {
		m := f.active(f.a, "r1")
		f.book(f.b, "x")
		_, _, err := f.store.SettleOrphan(f.Context(), f.key, f.b, room(""), alive(m))
		f.code("settle", err, b3scale.InvalidArgument)
		f.same("ending", f.orphan(f.b).Ending, "")
	})
}
