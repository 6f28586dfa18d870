package storetest

import (
	"testing"
	"time"

	"b3scale"
)

func testOrphans(t *testing.T, open opener) {
	run(t, open, "books where the meeting does not live", func(f *fixture) {
		before := f.now()
		f.active(f.a, "r1")
		f.book(f.b, "stray")
		got := f.orphan(f.b)
		f.same("orphan", got, b3scale.Orphan{Key: f.key, BackendID: f.b, InternalID: "stray", BookedAt: got.BookedAt})
		if got.BookedAt < before {
			f.Errorf("booked at %d, want %d or later", got.BookedAt, before)
		}
		f.noOrphan(f.a)
		f.book(f.b, "later")
		f.same("the older booking", f.orphan(f.b), got)
	})

	run(t, open, "books where the meeting ended", func(f *fixture) {
		f.ended(f.active(f.a, "r1"))
		f.book(f.a, "r1")
		f.orphan(f.a)
	})

	run(t, open, "does not book where the meeting lives", func(f *fixture) {
		refuse := func(what string) {
			f.Helper()
			ok, err := f.store.BookOrphan(f.Context(), f.key, f.a, "r0")
			f.expect(what, ok, err, false)
			f.noOrphan(f.a)
		}
		refuse("no row")
		m := f.claimed(f.a)
		refuse("creating")
		f.confirmed(m, room("r1"))
		refuse("active")
	})

	run(t, open, "does not book on an unknown backend", func(f *fixture) {
		f.active(f.a, "r1")
		_, err := f.store.BookOrphan(f.Context(), f.key, "unknown", "r0")
		f.code("book", err, b3scale.NotFound)
	})

	run(t, open, "lists a backend's orphans, the oldest first", func(f *fixture) {
		var want []b3scale.MeetingKey
		for _, id := range []string{"z", "a", "m"} {
			f.key = f.keyOf(id)
			f.active(f.a, "room of "+id)
			f.book(f.b, "")
			want = append(want, f.key)
		}
		f.book(f.c, "")
		var got []b3scale.MeetingKey
		for _, o := range f.orphans(f.b) {
			got = append(got, o.Key)
		}
		f.same("keys", got, want)
		f.orphan(f.c)
	})

	run(t, open, "leases an orphan to one at a time", func(f *fixture) {
		lease := func(what string, key b3scale.MeetingKey, backendID string, d time.Duration, want bool) {
			f.Helper()
			ok, err := f.store.LeaseOrphan(f.Context(), key, backendID, d)
			f.expect(what, ok, err, want)
		}
		f.active(f.a, "r1")
		lease("nothing booked", f.key, f.b, time.Hour, false)
		f.book(f.b, "stray")
		f.book(f.c, "stray")
		lease("other meeting", f.keyOf("other"), f.b, time.Hour, false)
		lease("first", f.key, f.b, -time.Second, true)
		lease("expired", f.key, f.b, time.Hour, true)
		lease("taken", f.key, f.b, time.Hour, false)
		lease("other backend", f.key, f.c, time.Hour, true)
	})

	run(t, open, "deletes only older bookings of the given keys", func(f *fixture) {
		f.active(f.a, "r1")
		f.book(f.b, "stray")
		f.book(f.c, "stray")
		first := f.key
		f.key = f.keyOf("other")
		f.active(f.a, "r2")
		f.book(f.b, "stray")
		remove := func(before b3scale.Micros, keys ...b3scale.MeetingKey) int {
			f.Helper()
			f.must(f.store.DeleteOrphans(f.Context(), f.b, keys, before, 0))
			return len(f.orphans(f.b))
		}
		late := f.now().Add(time.Hour)
		bookedAt := f.orphans(f.b)[0].BookedAt
		f.same("no keys", remove(late), 2)
		f.same("other keys", remove(late, f.keyOf("nobody")), 2)
		f.same("booked just then", remove(bookedAt, first), 2)
		f.same("booked before", remove(bookedAt+1, first, f.key), 1) // the other one is younger
		f.same("which", f.orphan(f.b).Key, f.key)
		f.orphan(f.c)
		f.same("repeated", remove(late, f.key, f.key, first), 0)
	})

	// A blunt end may still be on its way to a backend whose room has gone, and
	// would hit the next room there.
	run(t, open, "keeps a booking while a blunt end may arrive", func(f *fixture) {
		note := func(backendID string) {
			f.Helper()
			f.must(f.store.NoteBluntEnd(f.Context(), f.key, backendID))
		}
		remove := func(backendID string, patience time.Duration) int {
			f.Helper()
			f.must(f.store.DeleteOrphans(f.Context(), backendID, []b3scale.MeetingKey{f.key}, f.now().Add(time.Hour), patience))
			return len(f.orphans(backendID))
		}
		note(f.a) // nothing is there
		f.noMeeting(f.key)
		m := f.active(f.a, "r1")
		f.book(f.b, "stray")
		f.book(f.c, "stray")
		note(f.b)
		f.unchanged("noted elsewhere", m)
		f.same("noted lately", remove(f.b, time.Hour), 1)
		f.same("noted on another", remove(f.c, time.Hour), 0)
		f.same("long ago", remove(f.b, 0), 0)

		note(f.a)
		f.unchanged("nobody need read it again", m)
		f.lose(f.a)
		f.claimed(f.b)
		f.same("it moved with the meeting", remove(f.a, time.Hour), 1)
		f.lose(f.b)
		f.claimed(f.c)
		f.same("to its own backend only", remove(f.b, time.Hour), 0)
		f.same("long ago", remove(f.a, 0), 0)
	})

	run(t, open, "keeps a noted blunt end in a new generation on the same backend", func(f *fixture) {
		m := f.active(f.a, "r1")
		f.must(f.store.NoteBluntEnd(f.Context(), f.key, f.a))
		f.ended(m)
		again := f.claimed(f.a)
		f.claimed(f.b, again.Generation)
		f.must(f.store.DeleteOrphans(f.Context(), f.a, []b3scale.MeetingKey{f.key}, f.now().Add(time.Hour), time.Hour))
		f.orphan(f.a)
	})
}
