package storetest

import (
	"fmt"
	"testing"

	"b3scale"
)

func testVersions(t *testing.T, open opener) {
	type versions map[b3scale.MeetingKey]int64
	since := func(f *fixture, version int64) versions {
		f.Helper()
		got := make(versions)
		f.must(f.store.VersionsSince(f.Context(), version, func(key b3scale.MeetingKey, v int64) { got[key] = v }))
		return got
	}

	run(t, open, "of live rows, and of all from one on", func(f *fixture) {
		live := func() versions {
			f.Helper()
			got := make(versions)
			f.must(f.store.LiveVersions(f.Context(), func(key b3scale.MeetingKey, v int64) { got[key] = v }))
			return got
		}
		f.same("none", live(), versions{})
		f.same("none", since(f, 0), versions{})
		active := f.active(f.a, "r1")
		f.key = f.keyOf("creating")
		creating := f.claimed(f.b)
		f.key = f.keyOf("ended")
		ended := f.ended(f.active(f.a, "r2"))
		f.same("live", live(), versions{active.Key: active.Version, creating.Key: creating.Version})
		f.same("all", since(f, 0), versions{active.Key: active.Version, creating.Key: creating.Version, ended.Key: ended.Version})
		f.same("from one on", since(f, ended.Version), versions{ended.Key: ended.Version})
		f.same("later", since(f, ended.Version+1), versions{})
	})

	run(t, open, "change with whatever others must read", func(f *fixture) {
		m := f.claimed(f.a)
		next := func(what string, now b3scale.Meeting) {
			f.Helper()
			f.same(what, since(f, m.Version+1), versions{f.key: now.Version})
			m = now
		}
		next("confirmed", f.confirmed(m, room("r1")))
		next("populated", f.populated(m))
		next("end requested", f.endRequested(m))
		next("ended", f.ended(m))
		next("moved", f.claimed(f.b))
	})

	run(t, open, "reads many rows with their people", func(f *fixture) {
		const n = 150 // several groups of a statement
		want := make(map[b3scale.MeetingKey]b3scale.Meeting)
		keys := []b3scale.MeetingKey{f.keyOf("nobody")}
		for i := range n {
			f.key = f.keyOf(fmt.Sprint("room ", i))
			m := f.claimed(f.a)
			if i%3 > 0 {
				m = f.populated(f.confirmed(m, room(fmt.Sprint("r", i))))
			}
			if i%3 == 2 {
				m = f.ended(m)
			}
			want[f.key] = m
			keys = append(keys, f.key)
		}
		keys = append(keys, f.keyOf("nobody else"))
		got := make(map[b3scale.MeetingKey]b3scale.Meeting)
		f.must(f.store.ReadMeetings(f.Context(), keys, func(m b3scale.Meeting, people []b3scale.Attendee) {
			if _, twice := got[m.Key]; twice {
				f.Errorf("%s came twice", m.Key)
			}
			got[m.Key] = m
			ids := make(map[string]b3scale.Attendee)
			for _, a := range people {
				ids[a.InternalUserID] = a
			}
			present := make(map[string]b3scale.Attendee)
			if m.State == b3scale.MeetingActive {
				present["ann"], present["bob"] = attendee(m, "ann"), attendee(m, "bob")
			}
			f.same("people of "+m.Key.MeetingID, ids, present)
		}))
		f.same("rows", got, want)
		f.must(f.store.ReadMeetings(f.Context(), nil, func(b3scale.Meeting, []b3scale.Attendee) { f.Error("nobody asked") }))
		f.must(f.store.ReadMeetings(f.Context(), keys[:1], func(b3scale.Meeting, []b3scale.Attendee) { f.Error("nobody is there") }))
	})

	run(t, open, "reads as many rows as asked for", func(f *fixture) {
		var keys []b3scale.MeetingKey
		for i := range 10 {
			keys = append(keys, f.keyOf(fmt.Sprint("room ", i)))
			f.key = keys[i]
			f.claimed(f.a)
		}
		for n := range keys {
			got := 0
			f.must(f.store.ReadMeetings(f.Context(), keys[:n], func(b3scale.Meeting, []b3scale.Attendee) { got++ }))
			f.same("rows", got, n)
		}
	})

	run(t, open, "reads a row with the people of its own room", func(f *fixture) {
		f.populated(f.active(f.a, "r1"))
		f.lose(f.a)
		m := f.active(f.b, "r2")
		read := func(want ...b3scale.Attendee) {
			f.Helper()
			f.must(f.store.ReadMeetings(f.Context(), []b3scale.MeetingKey{f.key, f.key}, func(got b3scale.Meeting, people []b3scale.Attendee) {
				f.same("row", got, m)
				f.same("people", people, want)
			}))
		}
		read()
		f.sighted(f.b, b3scale.Sighting{Key: f.key, Generation: m.Generation, InternalID: "r2",
			AttendeesReplaced: true, Attendees: []b3scale.Attendee{attendee(m, "cid")}})
		m = f.meeting(f.key)
		read(attendee(m, "cid"))
		m = f.ended(m)
		read()
	})

	run(t, open, "the people of the next room are not those of the row", func(f *fixture) {
		m := f.populated(f.active(f.a, "r1"))
		seen := 0
		f.must(f.store.ReadMeetings(f.Context(), []b3scale.MeetingKey{f.key}, func(got b3scale.Meeting, people []b3scale.Attendee) {
			seen++
			for _, a := range people {
				if a.BackendID != got.BackendID || a.InternalMeetingID != got.InternalID {
					f.Errorf("got %+v in %+v", a, got)
				}
			}
			f.same("people", len(people), 2)
		}))
		f.same("rows", seen, 1)

		// While somebody else goes from room to room, whoever reads sees pairs.
		stop := make(chan struct{})
		parallel(2, func(i int) {
			if i == 0 {
				defer close(stop)
				for n := 2; n <= 9; n++ {
					m = f.populated(f.confirmed(m, room(fmt.Sprint("r", n))))
				}
				return
			}
			for done := false; !done; {
				select {
				case <-stop:
					done = true // once more, after all of it
				default:
				}
				f.must(f.store.ReadMeetings(f.Context(), []b3scale.MeetingKey{f.key}, func(got b3scale.Meeting, people []b3scale.Attendee) {
					for _, a := range people {
						if a.InternalMeetingID != got.InternalID {
							f.Errorf("got somebody of %s in %s", a.InternalMeetingID, got.InternalID)
						}
					}
				}))
			}
		})
	})

	run(t, open, "of the configuration", func(f *fixture) {
		last := ""
		version := func(what string, changes bool) {
			f.Helper()
			got, err := f.store.ConfigVersion(f.Context())
			f.must(err)
			if (got != last) != changes {
				f.Errorf("%s: got %q after %q", what, got, last)
			}
			last = got
		}
		version("first", true)
		version("unchanged", false)
		f.setState(f.a, b3scale.AdminStopped)
		version("overwritten backend", true)
		b := f.addBackend(b3scale.Backend{Host: "https://new.example.org/"})
		version("new backend", true)
		fe := f.addFrontend(b3scale.Frontend{Key: "new"})
		version("new frontend", true)
		f.editFrontend(fe.ID, func(v *b3scale.Frontend) { v.Active = true })
		version("overwritten frontend", true)
		f.lose(b.ID)
		version("lost", true)
		_, err := f.store.ClearLost(f.Context(), b.ID)
		f.must(err)
		version("found", true)
		f.must(f.store.MarkListed(f.Context(), b.ID, 77))
		version("listed", true)
		f.must(f.store.MarkListed(f.Context(), b.ID, 77))
		f.active(f.b, "r1")
		f.must(f.store.SaveProbes(f.Context(), "one", []string{f.b}))
		version("nothing of that", false)
	})
}
