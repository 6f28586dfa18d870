package storetest

import (
	"testing"

	"b3scale"
)

func testAdopt(t *testing.T, open opener) {
	run(t, open, "adopts a room without a row", func(f *fixture) {
		before := f.now()
		f.setState(f.a, b3scale.AdminStopped) // it lives there, whatever the operator wants of the backend
		got, ok, err := f.store.AdoptMeeting(f.Context(), f.key, f.a, room("r1"), 30)
		f.expect("adopt", ok, err, true)
		want := b3scale.Meeting{Key: f.key, BackendID: f.a, State: b3scale.MeetingActive, Incarnation: room("r1"), Size: 30,
			Generation: got.Generation, ClaimedAt: got.ClaimedAt, ConfirmedAt: got.ConfirmedAt, Version: got.Version}
		f.same("row", got, want)
		f.same("read row", f.meeting(f.key), want)
		if got.ClaimedAt < before || got.ConfirmedAt < before || b3scale.Micros(got.Generation) < before {
			f.Errorf("got %+v, want it from %d on", got, before)
		}
	})

	run(t, open, "adopts nothing over a row", func(f *fixture) {
		refuse := func(what string, m b3scale.Meeting) {
			f.Helper()
			got, ok, err := f.store.AdoptMeeting(f.Context(), f.key, f.b, room("r2"), 30)
			f.expect(what, ok, err, false)
			f.same(what+": the row that stands", got, m)
			f.unchanged(what, m)
		}
		m := f.claimed(f.a)
		refuse("creating", m)
		m = f.confirmed(m, room("r1"))
		refuse("active", m)
		refuse("ended", f.ended(m))
	})

	run(t, open, "adopts only rooms with an id, of a known frontend, on a known backend", func(f *fixture) {
		_, _, err := f.store.AdoptMeeting(f.Context(), f.key, f.a, room(""), 0)
		f.code("no id", err, b3scale.InvalidArgument)
		_, _, err = f.store.AdoptMeeting(f.Context(), f.key, "unknown", room("r1"), 0)
		f.code("unknown backend", err, b3scale.NotFound)
		_, _, err = f.store.AdoptMeeting(f.Context(), b3scale.MeetingKey{FrontendID: "unknown", MeetingID: "room"}, f.a, room("r1"), 0)
		f.code("unknown frontend", err, b3scale.NotFound)
		f.noMeeting(f.key)
	})

	run(t, open, "activates an ended row elsewhere", func(f *fixture) {
		old := f.ended(f.active(f.a, "r1"))
		got, ok, err := f.store.ActivateMeeting(f.Context(), old, f.b, room("r2"))
		f.expect("activate", ok, err, true)
		want := old
		want.BackendID, want.State, want.Incarnation = f.b, b3scale.MeetingActive, room("r2")
		want.Generation, want.ClaimedAt, want.ConfirmedAt, want.Version = got.Generation, got.ClaimedAt, got.ConfirmedAt, got.Version
		f.same("row", got, want)
		f.same("read row", f.meeting(f.key), want)
		if got.Generation <= old.Generation || got.Version <= old.Version || got.ConfirmedAt < old.EndedAt {
			f.Errorf("got %+v, want it newer than %+v", got, old)
		}
		f.same("orphan", f.orphan(f.a).InternalID, "r1")
		f.noOrphan(f.b)
	})

	run(t, open, "activates the room that was thought to have ended", func(f *fixture) {
		old := f.ended(f.active(f.a, "r1"))
		got, ok, err := f.store.ActivateMeeting(f.Context(), old, f.a, room("r1"))
		f.expect("activate", ok, err, true)
		f.same("last ended", got.LastEndedInternalID, "") // else nothing could confirm it
		f.noOrphan(f.a)
		f.same("confirmed again", f.confirmed(got, room("r1")), got)
	})

	refuse := func(name string, prepare func(f *fixture) (seen, now b3scale.Meeting)) {
		run(t, open, "does not activate "+name, func(f *fixture) {
			seen, now := prepare(f)
			got, ok, err := f.store.ActivateMeeting(f.Context(), seen, f.b, room("r2"))
			f.expect("activate", ok, err, false)
			f.same("the row that stands", got, now)
			f.unchanged("refused", now)
		})
	}
	refuse("a live row", func(f *fixture) (seen, now b3scale.Meeting) {
		m := f.active(f.a, "r1")
		return m, m
	})
	refuse("a row that lives again", func(f *fixture) (seen, now b3scale.Meeting) {
		seen = f.ended(f.active(f.a, "r1"))
		return seen, f.claimed(f.a)
	})
	refuse("a row that lived and ended again", func(f *fixture) (seen, now b3scale.Meeting) {
		seen = f.ended(f.active(f.a, "r1"))
		return seen, f.ended(f.claimed(f.a))
	})
	refuse("a row that ended at another time", func(f *fixture) (seen, now b3scale.Meeting) {
		now = f.ended(f.active(f.a, "r1"))
		seen = now
		seen.EndedAt--
		return seen, now
	})
	refuse("a row of another generation", func(f *fixture) (seen, now b3scale.Meeting) {
		now = f.ended(f.active(f.a, "r1"))
		seen = now
		seen.Generation--
		return seen, now
	})
	refuse("on a backend with an orphan", func(f *fixture) (seen, now b3scale.Meeting) {
		now = f.ended(f.active(f.a, "r1"))
		f.book(f.b, "r2")
		return now, now
	})
	refuse("a room that is being ended", func(f *fixture) (seen, now b3scale.Meeting) {
		seen = f.ended(f.active(f.b, "r2"))
		return seen, f.endRequested(seen)
	})

	run(t, open, "activates nothing that is not there", func(f *fixture) {
		got, ok, err := f.store.ActivateMeeting(f.Context(), b3scale.Meeting{Key: f.key, State: b3scale.MeetingEnded}, f.a, room("r1"))
		f.expect("no row", ok, err, false)
		f.same("no row", got, b3scale.Meeting{})
		_, _, err = f.store.ActivateMeeting(f.Context(), f.ended(f.active(f.a, "r1")), f.a, room(""))
		f.code("no id", err, b3scale.InvalidArgument)
	})
}
