package storetest

import (
	"testing"

	"b3scale"
)

func testClaim(t *testing.T, open opener) {
	run(t, open, "places a new meeting on the candidate", func(f *fixture) {
		before := f.now()
		got := f.claimed(f.a)
		want := b3scale.Meeting{
			Key: f.key, BackendID: f.a, State: b3scale.MeetingCreating, Size: 20,
			Incarnation: b3scale.Incarnation{AttendeePW: "ap-" + f.a, ModeratorPW: "mp-" + f.a},
			Generation:  got.Generation, ClaimedAt: got.ClaimedAt, Version: got.Version,
		}
		f.same("claimed row", got, want)
		f.same("read row", f.meeting(f.key), want)
		after := f.now()
		if got.ClaimedAt < before || got.ClaimedAt > after || b3scale.Micros(got.Generation) < before || got.Version < int64(before) {
			f.Errorf("claimed at %d, generation %d, version %d: want all from %d to %d", got.ClaimedAt, got.Generation, got.Version, before, after)
		}
	})

	run(t, open, "tells everybody who hosts a live meeting", func(f *fixture) {
		creating := f.claimed(f.a)
		got, fit := f.claim(f.b)
		f.expect("creating: fit", fit, nil, true)
		f.same("creating", got, creating)

		active := f.confirmed(creating, room("r1"))
		got, fit = f.claim(f.b)
		f.expect("active: fit", fit, nil, true)
		f.same("active", got, active)

		f.setState(f.a, b3scale.AdminStopped) // drained: it stays where it is
		got, fit = f.claim(f.b)
		f.expect("drained: fit", fit, nil, true)
		f.same("drained", got, active)
		f.noOrphan(f.a)
	})

	run(t, open, "moves an ended meeting", func(f *fixture) {
		old := f.ended(f.endRequested(f.active(f.a, "r1")))
		got := f.claimed(f.b)
		want := old
		want.BackendID, want.State, want.Size = f.b, b3scale.MeetingCreating, 20
		want.Incarnation = b3scale.Incarnation{AttendeePW: "ap-" + f.b, ModeratorPW: "mp-" + f.b}
		want.Generation, want.ClaimedAt, want.Version = got.Generation, got.ClaimedAt, got.Version
		f.same("moved row", got, want) // the last ended id and the end request stay
		if got.Generation <= old.Generation || got.Version <= old.Version || got.ClaimedAt < old.EndedAt {
			f.Errorf("got %+v, want it newer than %+v", got, old)
		}
		if o := f.orphan(f.a); o.Key != f.key || o.InternalID != "r1" || o.BookedAt < old.EndedAt || o.Ending != "" {
			f.Errorf("booked %+v", o)
		}
	})

	run(t, open, "books nothing when an ended meeting returns", func(f *fixture) {
		old := f.ended(f.active(f.a, "r1"))
		if got := f.claimed(f.a); got.Generation <= old.Generation {
			f.Errorf("got generation %d, want more than %d", got.Generation, old.Generation)
		}
		f.noOrphan(f.a)
	})

	run(t, open, "moves a meeting off a lost backend", func(f *fixture) {
		f.populated(f.active(f.a, "r1"))
		f.lose(f.a)
		f.claimed(f.b)
		f.same("orphan", f.orphan(f.a).InternalID, "r1")
		f.lose(f.b)
		f.claimed(f.c) // a creating one as well
		f.same("orphan of the creation", f.orphan(f.b).InternalID, "")

		f.same("attendees", f.people(), map[string]bool{})
		again := f.confirmed(f.meeting(f.key), room("r1"))
		f.same("attendees of an equal id elsewhere", f.people(), map[string]bool{})
		f.same("state", again.State, b3scale.MeetingActive)
	})

	run(t, open, "moves an abandoned generation while it is being created", func(f *fixture) {
		first := f.claimed(f.a)
		got, _ := f.claim(f.b, first.Generation+1, first.Generation-1)
		f.same("other generations abandoned", got, first)

		second := f.claimed(f.b, 1, first.Generation)
		f.orphan(f.a)
		third := f.claimed(f.b, second.Generation) // again on the same
		f.noOrphan(f.b)
		active := f.confirmed(third, room("r1"))
		got, fit := f.claim(f.c, active.Generation)
		f.expect("active: fit", fit, nil, true)
		f.same("active and abandoned", got, active)
	})

	for _, c := range unfit {
		run(t, open, "refuses a candidate that is "+c.name, func(f *fixture) {
			backendID := c.make(f)
			m, fit := f.claim(backendID)
			f.expect("new: fit", fit, nil, false)
			f.same("new: row", m, b3scale.Meeting{})
			f.noMeeting(f.key)

			old := f.ended(f.active(f.a, "r1"))
			m, fit = f.claim(backendID)
			f.expect("ended: fit", fit, nil, false)
			f.same("ended: row", m, b3scale.Meeting{})
			f.unchanged("ended", old)

			creating := f.claimed(f.a)
			_, fit = f.claim(backendID, creating.Generation)
			f.expect("abandoned: fit", fit, nil, false)
			f.unchanged("abandoned", creating)

			f.lose(f.a)
			_, fit = f.claim(backendID)
			f.expect("lost: fit", fit, nil, false)
			f.unchanged("lost", creating)
			f.noOrphan(f.a)
		})
	}

	run(t, open, "never returns to a backend with an orphan", func(f *fixture) {
		f.active(f.a, "r1")
		f.lose(f.a)
		moved := f.claimed(f.b)
		_, err := f.store.ClearLost(f.Context(), f.a)
		f.must(err)
		_, fit := f.claim(f.a, moved.Generation)
		f.expect("fit", fit, nil, false)
		f.unchanged("with an orphan", moved)
		f.dropOrphans(f.a)
		f.claimed(f.a, moved.Generation)
		f.orphan(f.b)
	})

	run(t, open, "renews an older booking", func(f *fixture) {
		f.ended(f.active(f.a, "r1"))
		f.book(f.a, "guessed")
		old := f.orphan(f.a)
		f.claimed(f.b)
		got := f.orphan(f.a)
		if got.InternalID != "r1" || got.BookedAt <= old.BookedAt {
			f.Errorf("got %+v, want r1 after %+v", got, old)
		}
	})

	run(t, open, "refuses an unknown frontend", func(f *fixture) {
		_, _, err := f.store.ClaimMeeting(f.Context(), b3scale.Claim{BackendID: f.a,
			Key: b3scale.MeetingKey{FrontendID: "unknown", MeetingID: "room"}})
		f.code("claim", err, b3scale.NotFound)
	})
}

// unfit are the ways not to get new meetings. make gives the id of such a
// backend, which is neither f.a nor f.b.
var unfit = []struct {
	name string
	make func(f *fixture) string
}{
	{"unknown", func(*fixture) string { return "unknown" }},
	{"lost", func(f *fixture) string { f.lose(f.c); return f.c }},
	{"init", func(f *fixture) string { f.setState(f.c, b3scale.AdminInit); return f.c }},
	{"stopped", func(f *fixture) string { f.setState(f.c, b3scale.AdminStopped); return f.c }},
	{"decommissioned", func(f *fixture) string { f.setState(f.c, b3scale.AdminDecommissioned); return f.c }},
	{"in error", func(f *fixture) string { f.setState(f.c, b3scale.AdminError); return f.c }},
}
