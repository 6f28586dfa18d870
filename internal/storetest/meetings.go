package storetest

import (
	"testing"
	"time"

	"b3scale"
)

func testMeetings(t *testing.T, open opener) {
	run(t, open, "reads nothing where nothing is", func(f *fixture) {
		f.noMeeting(f.key)
		f.same("live", f.live(), map[b3scale.MeetingKey]b3scale.Meeting{})
		f.active(f.a, "r1")
		f.noMeeting(f.keyOf("rooms"))
		f.noMeeting(f.keyOf("ROOM")) // ids are bytes
		f.noMeeting(b3scale.MeetingKey{FrontendID: f.key.MeetingID, MeetingID: f.key.FrontendID})
	})

	run(t, open, "lists live meetings only", func(f *fixture) {
		want := make(map[b3scale.MeetingKey]b3scale.Meeting)
		for _, id := range []string{"active", "ended", "creating", "ended while creating"} {
			f.key = f.keyOf(id)
			m := f.claimed(f.a)
			if id == "active" || id == "ended" {
				m = f.confirmed(m, room("room of "+id))
			}
			if id == "ended" || id == "ended while creating" {
				f.ended(m)
				continue
			}
			want[f.key] = m
		}
		f.same("live", f.live(), want)
	})

	run(t, open, "ends an active meeting", func(f *fixture) {
		other := f.populated(f.active(f.a, "other"))
		f.key = f.keyOf("second")
		m := f.populated(f.active(f.a, "r1"))
		got := f.ended(m)
		want := m
		want.State, want.LastEndedInternalID, want.Info = b3scale.MeetingEnded, "r1", nil
		want.EndedAt, want.Version = got.EndedAt, got.Version
		f.same("ended row", got, want)
		if got.EndedAt < m.ConfirmedAt || got.Version <= m.Version {
			f.Errorf("got %+v, want it newer than %+v", got, m)
		}
		f.unchanged("other meeting", other)
		f.same("attendees", f.people(), map[string]bool{"room/other/ann": true, "room/other/bob": true})
	})

	run(t, open, "ends a meeting while it is being created", func(f *fixture) {
		f.ended(f.active(f.a, "r1"))
		got := f.ended(f.claimed(f.a))
		f.same("last ended", got.LastEndedInternalID, "r1") // nothing newer has ended
	})

	run(t, open, "ends only what was seen", func(f *fixture) {
		old := f.claimed(f.a)
		m := f.confirmed(f.claimed(f.b, old.Generation), room("r1"))
		refuse := func(what string, seen b3scale.Meeting) {
			f.Helper()
			ok, err := f.store.EndMeeting(f.Context(), seen)
			f.expect(what, ok, err, false)
			f.unchanged(what, m)
		}
		refuse("older generation", old)
		older := m
		older.Generation = old.Generation
		refuse("older generation of the same room", older)
		creating := m
		creating.State = b3scale.MeetingCreating
		refuse("other state", creating)
		other := m
		other.InternalID = "r0"
		refuse("other room", other)
		nobody := m
		nobody.Key.MeetingID = "nobody"
		refuse("other meeting", nobody)
		before := m
		m = f.ended(m)
		refuse("ended already", before)
		refuse("seen as ended", m)
	})

	run(t, open, "notes a requested end", func(f *fixture) {
		m := f.active(f.a, "r1")
		got := f.endRequested(m)
		want := m
		want.EndRequestedInternalID, want.EndRequestedAt, want.Version = "r1", got.EndRequestedAt, got.Version
		f.same("row", got, want)
		f.same("read row", f.meeting(f.key), want)
		f.expect("end requested", got.EndRequested(), nil, true)
		if got.EndRequestedAt < m.ConfirmedAt || got.Version <= m.Version {
			f.Errorf("got %+v, want it newer than %+v", got, m)
		}
	})

	run(t, open, "notes a requested end after the end", func(f *fixture) {
		m := f.ended(f.active(f.a, "r1"))
		f.same("row", f.endRequested(m).EndRequestedInternalID, "r1")
	})

	run(t, open, "requests the end of no other room", func(f *fixture) {
		m := f.active(f.a, "r1")
		refuse := func(what string, generation int64, internalID string) {
			f.Helper()
			got, ok, err := f.store.RequestEnd(f.Context(), f.key, generation, internalID)
			f.expect(what, ok, err, false)
			f.same(what+": the row that stands", got, m)
			f.unchanged(what, m)
		}
		refuse("other generation", m.Generation-1, "r1")
		refuse("other room", m.Generation, "r2")
		refuse("no room", m.Generation, "")
		f.ended(m)
		m = f.claimed(f.a)
		refuse("being created", m.Generation, "")
		refuse("the room before", m.Generation, "r1")
		got, ok, err := f.store.RequestEnd(f.Context(), f.keyOf("nobody"), m.Generation, "r1")
		f.expect("no row", ok, err, false)
		f.same("no row", got, b3scale.Meeting{})
	})

	run(t, open, "purges old ended rows without orphans", func(f *fixture) {
		purge := func(before b3scale.Micros, want int) {
			f.Helper()
			got, err := f.store.PurgeMeetings(f.Context(), before)
			f.must(err)
			if got != want {
				f.Errorf("purged %d, want %d", got, want)
			}
		}
		f.key = f.keyOf("live")
		live := f.active(f.a, "r1")
		f.key = f.keyOf("creating")
		creating := f.claimed(f.a)
		f.key = f.keyOf("orphaned")
		orphaned := f.ended(f.active(f.a, "r2"))
		f.book(f.b, "r0")
		f.key = f.keyOf("ended")
		ended := f.ended(f.active(f.a, "r3"))

		purge(ended.EndedAt, 0) // ended before, not at
		purge(f.now().Add(time.Hour), 1)
		f.noMeeting(ended.Key)
		for _, m := range []b3scale.Meeting{live, creating, orphaned} {
			f.unchanged("kept", m)
		}
		// The key is free, and its generations go on.
		f.key = ended.Key
		if m := f.claimed(f.b); m.Generation <= ended.Generation || m.LastEndedInternalID != "" {
			f.Errorf("claimed after the purge: %+v", m)
		}
		f.key = orphaned.Key
		f.dropOrphans(f.b)
		purge(f.now().Add(time.Hour), 1)
		f.noMeeting(orphaned.Key)
	})
}

func (f *fixture) live() map[b3scale.MeetingKey]b3scale.Meeting {
	f.Helper()
	live := make(map[b3scale.MeetingKey]b3scale.Meeting)
	f.must(f.store.LiveMeetings(f.Context(), func(m b3scale.Meeting) { live[m.Key] = m }))
	return live
}
