package storetest

import (
	"testing"

	"b3scale"
)

func testNodes(t *testing.T, open opener) {
	run(t, open, "stores what a list says of a meeting", func(f *fixture) {
		m := f.active(f.a, "r1")
		versions := f.sighted(f.a, sighting(m, "<new/>"))
		got := f.meeting(f.key)
		f.same("version", versions, []int64{got.Version})
		want := m
		want.Info, want.Version = []byte("<new/>"), got.Version
		f.same("row", got, want)
		if got.Version <= m.Version {
			f.Errorf("got version %d, want more than %d", got.Version, m.Version)
		}
		f.sighted(f.a)
		nothing := sighting(m, "")
		nothing.Info = nil
		f.same("version of nothing new", f.sighted(f.a, nothing), []int64{0})
		f.unchanged("nothing new", got)
	})

	run(t, open, "drops what a list says too late", func(f *fixture) {
		m := f.active(f.a, "r1")
		late := func(what, backendID string, change func(v *b3scale.Sighting)) {
			f.Helper()
			v := sighting(m, "<late/>")
			v.AttendeesReplaced = true
			v.Attendees = []b3scale.Attendee{attendee(m, "eve")}
			change(&v)
			f.same(what+": version", f.sighted(backendID, v), []int64{0})
			f.unchanged(what, m)
			f.same(what, f.people(), map[string]bool{})
		}
		late("other generation", f.a, func(v *b3scale.Sighting) { v.Generation-- })
		late("other room", f.a, func(v *b3scale.Sighting) { v.InternalID = "r0" })
		late("other backend", f.b, func(*b3scale.Sighting) {})
		late("other meeting", f.a, func(v *b3scale.Sighting) { v.Key = f.keyOf("nobody") })
		m = f.ended(m)
		late("ended", f.a, func(*b3scale.Sighting) {})
		m = f.claimed(f.a)
		late("creating", f.a, func(v *b3scale.Sighting) { v.InternalID = "" })
	})

	run(t, open, "stores many sightings at once, each for itself", func(f *fixture) {
		var seen []b3scale.Sighting
		for _, id := range []string{"m9", "m1", "m5"} {
			f.key = f.keyOf(id)
			seen = append(seen, sighting(f.active(f.a, "room of "+id), "<new id='"+id+"'/>"))
		}
		seen[1].Generation++ // this one is late
		nothing := seen[0]
		nothing.Info = nil
		versions := f.sighted(f.a, append(seen, nothing)...)
		f.same("versions", versions, []int64{f.meeting(f.keyOf("m9")).Version, 0, f.meeting(f.keyOf("m5")).Version, 0})
		f.same("order of the argument", seen[0].Key, f.keyOf("m9"))
		f.same("m9", string(f.meeting(f.keyOf("m9")).Info), "<new id='m9'/>")
		f.same("m1", f.meeting(f.keyOf("m1")).Info, room("room of m1").Info)
		f.same("m5", string(f.meeting(f.keyOf("m5")).Info), "<new id='m5'/>")
	})

	run(t, open, "replaces the attendees of one room", func(f *fixture) {
		other := f.populated(f.active(f.a, "r0"))
		f.key = f.keyOf("second")
		m := f.populated(f.active(f.a, "r1"))
		f.same("info", m.Info, room("r1").Info) // untouched
		all := func() map[string]b3scale.Attendee {
			f.Helper()
			got := make(map[string]b3scale.Attendee)
			f.must(f.store.Attendees(f.Context(), func(key b3scale.MeetingKey, a b3scale.Attendee) {
				if key == m.Key {
					got[a.InternalUserID] = a
				} else if key != other.Key || a.InternalMeetingID != "r0" {
					f.Errorf("got %+v of %s", a, key)
				}
			}))
			return got
		}
		f.same("stored", all(), map[string]b3scale.Attendee{"ann": attendee(m, "ann"), "bob": attendee(m, "bob")})

		replace := func(now ...b3scale.Attendee) {
			f.Helper()
			versions := f.sighted(f.a, b3scale.Sighting{Key: m.Key, Generation: m.Generation,
				InternalID: m.InternalID, AttendeesReplaced: true, Attendees: now})
			f.same("version", versions, []int64{f.meeting(m.Key).Version})
		}
		ann := attendee(m, "ann")
		ann.Boot, ann.Sequence, ann.XML = "other boot", 1, []byte("<attendee>é'\"</attendee>")
		replace(ann, attendee(m, "cid"))
		f.same("replaced", all(), map[string]b3scale.Attendee{"ann": ann, "cid": attendee(m, "cid")})

		before := f.meeting(m.Key)
		f.sighted(f.a, sighting(m, "<new/>"))
		f.same("info only", len(all()), 2)
		replace()
		f.same("empty", len(all()), 0)
		if got := f.meeting(m.Key); got.Version <= before.Version { // whoever polls must notice
			f.Errorf("got version %d, want more than %d", got.Version, before.Version)
		}
		f.same("other room", f.people(), map[string]bool{"room/r0/ann": true, "room/r0/bob": true})
	})

	// A room that comes back would show what was kept of it.
	forget := func(name string, body func(f *fixture, m b3scale.Meeting) b3scale.Meeting) {
		run(t, open, "forgets the attendees of a room that "+name, func(f *fixture) {
			m := body(f, f.populated(f.active(f.a, "r1")))
			if m.State != b3scale.MeetingActive || m.BackendID != f.a || m.InternalID != "r1" {
				f.Fatalf("got %+v, want r1 back", m)
			}
			f.same("attendees", f.people(), map[string]bool{})
		})
	}
	forget("ended", func(f *fixture, m b3scale.Meeting) b3scale.Meeting {
		m, _, err := f.store.ActivateMeeting(f.Context(), f.ended(m), f.a, room("r1"))
		f.must(err)
		return m
	})
	forget("was replaced by another", func(f *fixture, m b3scale.Meeting) b3scale.Meeting {
		f.ended(f.confirmed(m, room("r2")))
		return f.confirmed(f.claimed(f.a), room("r1"))
	})
	forget("was left on a lost backend", func(f *fixture, _ b3scale.Meeting) b3scale.Meeting {
		f.lose(f.a)
		f.ended(f.claimed(f.b))
		verdict, m, err := f.store.SettleOrphan(f.Context(), f.key, f.a, room("r1"), nil)
		f.expect("taken back", verdict == b3scale.OrphanTakenBack, err, true)
		return m
	})

	run(t, open, "knows who was reached when", func(f *fixture) {
		save := func(instance string, reached ...string) {
			f.Helper()
			f.must(f.store.SaveProbes(f.Context(), instance, reached))
		}
		probes := func() map[string]b3scale.Micros {
			f.Helper()
			probes, err := f.store.Probes(f.Context())
			f.must(err)
			return probes
		}
		f.same("none", probes(), map[string]b3scale.Micros{})
		save("one")
		before := f.now()
		save("one", f.b, f.a, "unknown")
		first := probes()
		f.same("reached", len(first), 2)
		if first[f.a] < before || first[f.b] < before || first[f.a] > f.now() {
			f.Errorf("got %v, want both from %d on", first, before)
		}
		middle := f.now()
		save("two", f.a, f.a)
		second := probes()
		f.same("not reached again", second[f.b], first[f.b])
		if second[f.a] < middle || second[f.a] < first[f.a] {
			f.Errorf("got %d, want %d or later", second[f.a], middle)
		}
		save("one", f.b)
		if third := probes(); third[f.a] != second[f.a] || third[f.b] <= first[f.b] {
			f.Errorf("got %v after %v", third, second)
		}
	})
}

func sighting(m b3scale.Meeting, info string) b3scale.Sighting {
	return b3scale.Sighting{Key: m.Key, Generation: m.Generation, InternalID: m.InternalID, Info: []byte(info)}
}
