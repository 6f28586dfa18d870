package storetest

import (
	"testing"
	"time"

	"b3scale"
)

func testTurnouts(t *testing.T, open opener) {
	run(t, open, "stores what events tell, whatever their order", func(f *fixture) {
		m := f.active(f.a, "r1")
		tell := func(boot string, sequence int64, at b3scale.Micros, xml string) {
			f.Helper()
			a := b3scale.Attendee{InternalUserID: "w_ann", Boot: boot, Sequence: sequence, SeenAt: at, XML: []byte(xml)}
			f.turnedOut(f.a, turnout(m, a))
		}
		is := func(what, want string) {
			f.Helper()
			f.same(what, string(f.stored(m)["w_ann"].XML), want)
		}
		tell("one", 5, 100, "<five/>")
		is("first", "<five/>")
		tell("one", 4, 101, "<four/>")
		is("an earlier event of the boot, later", "<five/>")
		tell("one", 6, 99, "-ann")
		is("a later event of the boot", "-ann")
		tell("one", 5, 102, "<five/>")
		is("the arrival, again", "-ann")
		tell("two", 1, 90, "<one/>")
		is("another boot, before that", "-ann")
		tell("two", 1, 200, "<one/>")
		is("another boot, after that", "<one/>")
		tell("one", 99, 150, "<late/>")
		is("the old boot", "<one/>")
	})

	run(t, open, "says whether others have changed the row", func(f *fixture) {
		m := f.active(f.a, "r1")
		v := turnout(m, attendee(m, "ann"))
		v.Known = m.Version
		first := f.turnedOut(f.a, v)
		now := f.meeting(m.Key)
		f.same("first", first, b3scale.Stored{Version: now.Version, Complete: true})
		if now.Version <= m.Version {
			f.Errorf("got version %d after %d", now.Version, m.Version)
		}
		second := f.turnedOut(f.a, v) // it knows nothing of the first
		f.same("second", second, b3scale.Stored{Version: f.meeting(m.Key).Version})
		v.Known, v.Info, v.Attendees, v.Forget = second.Version, []byte("<new/>"), nil, []string{"ann", "nobody"}
		f.same("third", f.turnedOut(f.a, v).Complete, true)
		f.same("info", string(f.meeting(m.Key).Info), "<new/>")
		f.same("forgotten", f.people(), map[string]bool{})
	})

	run(t, open, "drops what events tell of another room", func(f *fixture) {
		m := f.active(f.a, "r1")
		for what, change := range map[string]func(v *b3scale.Turnout){
			"generation": func(v *b3scale.Turnout) { v.Generation-- },
			"room":       func(v *b3scale.Turnout) { v.InternalID = "r0" },
			"no room":    func(v *b3scale.Turnout) { v.InternalID = "" },
			"meeting":    func(v *b3scale.Turnout) { v.Key = f.keyOf("nobody") },
		} {
			v := turnout(m, attendee(m, "eve"))
			change(&v)
			f.same(what, f.turnedOut(f.a, v), b3scale.Stored{})
		}
		f.same("backend", f.turnedOut(f.b, turnout(m, attendee(m, "eve"))), b3scale.Stored{})
		f.unchanged("late", m)
		f.ended(m)
		f.same("ended", f.turnedOut(f.a, turnout(m, attendee(m, "eve"))), b3scale.Stored{})
		f.same("people", f.people(), map[string]bool{})
	})

	run(t, open, "stores many turnouts at once, each for itself", func(f *fixture) {
		var told []b3scale.Turnout
		for _, id := range []string{"m9", "m1", "m5"} {
			f.key = f.keyOf(id)
			m := f.active(f.a, "room of "+id)
			told = append(told, turnout(m, attendee(m, "ann")))
		}
		told[1].Generation++
		stored, err := f.store.SaveTurnouts(f.Context(), f.a, told)
		f.must(err)
		f.same("refused", stored[1], b3scale.Stored{})
		f.same("people", f.people(), map[string]bool{"m9/room of m9/ann": true, "m5/room of m5/ann": true})
		none, err := f.store.SaveTurnouts(f.Context(), f.a, nil)
		f.must(err)
		f.same("nothing", len(none), 0)
	})

	run(t, open, "merges a list into what is stored", func(f *fixture) {
		m := f.active(f.a, "r1")
		f.turnedOut(f.a, turnout(m, attendee(m, "ann"), attendee(m, "bob")))
		f.sighted(f.a, b3scale.Sighting{
			Key: m.Key, Generation: m.Generation, InternalID: m.InternalID, AttendeesReplaced: true,
			Merge: func(stored []b3scale.Attendee) ([]b3scale.Attendee, b3scale.Headcount, []string) {
				f.same("stored", len(stored), 2)
				return append(stored[:1:1], attendee(m, "cid")), b3scale.Headcount{People: 2}, nil
			},
		})
		f.same("people", len(f.people()), 2)
	})

	run(t, open, "keeps what agents say of their nodes", func(f *fixture) {
		f.must(f.store.SaveAgentReports(f.Context(), nil))
		f.must(f.store.SaveAgentReports(f.Context(), map[string][]byte{f.a: []byte(`{"x":0}`)})) // never heard
		signs := func() map[string]b3scale.AgentSign {
			f.Helper()
			signs, err := f.store.Agents(f.Context())
			f.must(err)
			return signs
		}
		f.same("none", len(signs()), 0)
		f.must(f.store.SaveHeartbeats(f.Context(), []string{f.a, f.b}))
		f.must(f.store.SaveAgentReports(f.Context(), map[string][]byte{f.a: []byte(`{"x":1}`), "unknown": []byte(`{}`)}))
		f.must(f.store.SaveHeartbeats(f.Context(), []string{f.a}))
		got := signs()
		if len(got) != 2 || string(got[f.a].Report) != `{"x":1}` || len(got[f.b].Report) != 0 || got[f.a].HeardAt < got[f.b].HeardAt {
			f.Errorf("got %+v", got)
		}
		f.code("a report that is no text", f.store.SaveAgentReports(f.Context(), map[string][]byte{f.a: []byte("\x00")}), b3scale.InvalidArgument)
	})
}

func testLedger(t *testing.T, open opener) {
	sessions := func(f *fixture, since b3scale.Micros) (all []b3scale.Session) {
		f.Helper()
		f.must(f.store.Sessions(f.Context(), since, func(v b3scale.Session) { all = append(all, v) }))
		return all
	}
	one := func(f *fixture) b3scale.Session {
		f.Helper()
		all := sessions(f, 0)
		if len(all) != 1 {
			f.Fatalf("got %+v, want one session", all)
		}
		return all[0]
	}

	run(t, open, "counts the time of people", func(f *fixture) {
		m := f.active(f.a, "r1")
		v := turnout(m)
		v.Headcount, v.Peak, v.LatePeople, v.LateVoice = b3scale.Headcount{People: 2, Voices: 1}, 5, time.Hour, time.Minute
		f.turnedOut(f.a, v)
		f.turnedOut(f.a, v)
		v.Headcount, v.LatePeople, v.LateVoice, v.LateVideo = b3scale.Headcount{People: 1}, -time.Minute, 0, time.Second
		f.turnedOut(f.a, v)
		f.same("while it lasts", len(sessions(f, 0)), 0)
		m = f.ended(m)
		got := one(f)
		near := func(what string, got, want time.Duration) {
			f.Helper()
			if got < want || got > want+time.Minute/2 {
				f.Errorf("%s: got %v, want %v", what, got, want)
			}
		}
		near("people", got.PeopleTime, 2*time.Hour-time.Minute)
		near("voice", got.VoiceTime, 2*time.Minute)
		near("video", got.VideoTime, time.Second)
		f.same("peak", got.Peak, 5)
		f.same("who", b3scale.Session{Key: got.Key, BackendID: got.BackendID, InternalID: got.InternalID},
			b3scale.Session{Key: m.Key, BackendID: f.a, InternalID: "r1"})
		if got.StartedAt > got.EndedAt || got.EndedAt > f.now() || got.StartedAt == 0 {
			f.Errorf("got %+v", got)
		}
		f.same("later ones", len(sessions(f, got.EndedAt+1)), 0)
		f.same("from its end on", len(sessions(f, got.EndedAt)), 1)
	})

	run(t, open, "has one row for each room, and none for none", func(f *fixture) {
		m := f.active(f.a, "r1")
		again, err := f.store.EndMeeting(f.Context(), m)
		f.expect("end", again, err, true)
		again, err = f.store.EndMeeting(f.Context(), m)
		f.expect("end again", again, err, false)
		f.same("rows", len(sessions(f, 0)), 1)
		claimed := f.claimed(f.a)
		ended, err := f.store.EndMeeting(f.Context(), claimed)
		f.expect("end of a claim", ended, err, true)
		f.same("rows after a claim", len(sessions(f, 0)), 1)
	})

	for name, leave := range map[string]func(f *fixture, m b3scale.Meeting){
		"was replaced": func(f *fixture, m b3scale.Meeting) { f.confirmed(m, room("r2")) },
		"was left":     func(f *fixture, _ b3scale.Meeting) { f.lose(f.a); f.claimed(f.b) },
		"went with its backend": func(f *fixture, _ b3scale.Meeting) {
			_, err := f.store.DeleteBackend(f.Context(), f.a, operator)
			f.must(err)
		},
		"went with its frontend": func(f *fixture, m b3scale.Meeting) {
			_, err := f.store.DeleteFrontend(f.Context(), m.Key.FrontendID, operator)
			f.must(err)
		},
	} {
		run(t, open, "keeps a room that "+name, func(f *fixture) {
			m := f.active(f.a, "r1")
			v := turnout(m)
			v.Headcount, v.LatePeople = b3scale.Headcount{People: 3}, time.Hour
			f.turnedOut(f.a, v)
			leave(f, m)
			if got := one(f); got.InternalID != "r1" || got.BackendID != f.a || got.Peak != 3 || got.PeopleTime < time.Hour {
				f.Errorf("got %+v", got)
			}
		})
	}

	run(t, open, "goes on with a room that is back", func(f *fixture) {
		m := f.active(f.a, "r1")
		v := turnout(m)
		v.Headcount, v.LatePeople = b3scale.Headcount{People: 3}, time.Hour
		f.turnedOut(f.a, v)
		m, back, err := f.store.ActivateMeeting(f.Context(), f.ended(m), f.a, room("r1"))
		f.expect("back", back, err, true)
		v = turnout(m)
		v.Headcount, v.LatePeople = b3scale.Headcount{People: 4}, time.Hour
		f.turnedOut(f.a, v)
		f.ended(m)
		if got := one(f); got.Peak != 4 || got.PeopleTime < 2*time.Hour || got.PeopleTime > 3*time.Hour {
			f.Errorf("got %+v", got)
		}
	})
}

func turnout(m b3scale.Meeting, changed ...b3scale.Attendee) b3scale.Turnout {
	return b3scale.Turnout{Key: m.Key, Generation: m.Generation, InternalID: m.InternalID, Attendees: changed}
}

// turnedOut saves one turnout.
func (f *fixture) turnedOut(backendID string, v b3scale.Turnout) b3scale.Stored {
	f.Helper()
	stored, err := f.store.SaveTurnouts(f.Context(), backendID, []b3scale.Turnout{v})
	f.must(err)
	f.same("number of answers", len(stored), 1)
	return stored[0]
}

// stored are the rows of the people in the room of m, by id.
func (f *fixture) stored(m b3scale.Meeting) map[string]b3scale.Attendee {
	f.Helper()
	all := make(map[string]b3scale.Attendee)
	f.must(f.store.Attendees(f.Context(), func(key b3scale.MeetingKey, a b3scale.Attendee) {
		if key == m.Key {
			all[a.InternalUserID] = a
		}
	}))
	return all
}
