package storetest

import (
	"testing"

	"b3scale"
)

func testConfirm(t *testing.T, open opener) {
	run(t, open, "stores the room", func(f *fixture) {
		claimed := f.claimed(f.a)
		got := f.confirmed(claimed, room("r1"))
		want := claimed
		want.State, want.Incarnation = b3scale.MeetingActive, room("r1")
		want.ConfirmedAt, want.Version = got.ConfirmedAt, got.Version
		f.same("confirmed row", got, want)
		f.same("read row", f.meeting(f.key), want)
		if got.ConfirmedAt < claimed.ClaimedAt || got.Version <= claimed.Version {
			f.Errorf("got %+v, want it newer than %+v", got, claimed)
		}
	})

	run(t, open, "does not write what is there", func(f *fixture) {
		active := f.active(f.a, "r1")
		f.same("again", f.confirmed(active, room("r1")), active)
		noInfo := room("r1")
		noInfo.Info = nil // unchanged, says a node's answer without it
		f.same("without info", f.confirmed(active, noInfo), active)
		f.unchanged("equal", active)
	})

	run(t, open, "stores other data of the same room", func(f *fixture) {
		active := f.active(f.a, "r1")
		for what, change := range map[string]func(*b3scale.Incarnation){
			"attendee password":  func(r *b3scale.Incarnation) { r.AttendeePW = "other" },
			"moderator password": func(r *b3scale.Incarnation) { r.ModeratorPW = "other" },
			"create time":        func(r *b3scale.Incarnation) { r.CreateTime++ },
			"info":               func(r *b3scale.Incarnation) { r.Info = []byte("<other/>") },
		} {
			r := active.Incarnation
			change(&r)
			active = f.confirmed(active, r)
			f.same(what, f.meeting(f.key).Incarnation, r)
		}
	})

	run(t, open, "replaces an older room", func(f *fixture) {
		old := f.populated(f.active(f.a, "r1"))
		got := f.confirmed(old, room("r2"))
		f.same("room", got.Incarnation, room("r2"))
		f.same("generation", got.Generation, old.Generation)
		f.same("attendees", f.people(), map[string]bool{})
		back, ok, err := f.store.ConfirmMeeting(f.Context(), f.key, got.Generation, room("r1"))
		f.expect("back to the older one", ok, err, false)
		f.same("the row that stands", back, got)
		f.unchanged("older", got)
	})

	run(t, open, "keeps the info when the node gives none", func(f *fixture) {
		active := f.active(f.a, "r1")
		r := room("r1")
		r.AttendeePW, r.Info = "other", nil
		f.same("info", f.confirmed(active, r).Info, room("r1").Info)
	})

	refuse := func(name string, prepare func(f *fixture) (m b3scale.Meeting, generation int64, r b3scale.Incarnation)) {
		run(t, open, "refuses "+name, func(f *fixture) {
			m, generation, r := prepare(f)
			got, ok, err := f.store.ConfirmMeeting(f.Context(), f.key, generation, r)
			f.expect("confirm", ok, err, false)
			f.same("the row that stands", got, m)
			f.unchanged("refused", m)
		})
	}
	refuse("an older generation", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		old := f.claimed(f.a)
		return f.claimed(f.b, old.Generation), old.Generation, room("r1")
	})
	refuse("a generation that never was", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		m := f.claimed(f.a)
		return m, m.Generation + 1, room("r1")
	})
	refuse("an equal room of an older generation", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		old := f.claimed(f.a)
		m := f.confirmed(f.claimed(f.b, old.Generation), room("r1"))
		return m, old.Generation, room("r1")
	})
	refuse("an older room", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		m := f.active(f.a, "r2")
		return m, m.Generation, room("r1")
	})
	refuse("the same room with an older create time", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		m := f.active(f.a, "r1")
		r := room("r1")
		r.CreateTime--
		return m, m.Generation, r
	})
	refuse("an ended row", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		m := f.ended(f.active(f.a, "r1"))
		return m, m.Generation, room("r2")
	})
	refuse("a row that ended while it was being created", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		m := f.ended(f.claimed(f.a))
		return m, m.Generation, room("r1")
	})
	refuse("the room that ended last", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		f.ended(f.active(f.a, "r1"))
		m := f.claimed(f.a)
		return m, m.Generation, room("r1")
	})
	refuse("the room that is being ended", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		m := f.endRequested(f.active(f.a, "r1"))
		return m, m.Generation, room("r1")
	})
	refuse("a room being ended in a later generation", func(f *fixture) (b3scale.Meeting, int64, b3scale.Incarnation) {
		f.endRequested(f.active(f.a, "r1"))
		f.lose(f.a)
		m := f.claimed(f.b)
		return m, m.Generation, room("r1")
	})

	run(t, open, "takes the next room after an end", func(f *fixture) {
		f.ended(f.endRequested(f.active(f.a, "r1")))
		got := f.confirmed(f.claimed(f.a), room("r2"))
		f.same("last ended", got.LastEndedInternalID, "r1")
		f.expect("end requested", got.EndRequested(), nil, false)

		f.endRequested(got)
		got = f.confirmed(got, room("r3")) // without an end between
		f.same("room", got.InternalID, "r3")
		f.expect("end requested", got.EndRequested(), nil, false)
	})

	run(t, open, "refuses what is not there", func(f *fixture) {
		got, ok, err := f.store.ConfirmMeeting(f.Context(), f.key, 1, room("r1"))
		f.expect("no row", ok, err, false)
		f.same("row", got, b3scale.Meeting{})
		f.noMeeting(f.key)
	})

	run(t, open, "refuses a room without an id", func(f *fixture) {
		m := f.claimed(f.a)
		_, _, err := f.store.ConfirmMeeting(f.Context(), f.key, m.Generation, room(""))
		f.code("confirm", err, b3scale.InvalidArgument)
		f.unchanged("no id", m)
	})
}
