package storetest

import (
	"strings"
	"testing"

	"b3scale"
)

// testOrigins is about the create that made a room.
func testOrigins(t *testing.T, open opener) {
	origin := b3scale.Origin{Generation: 5, Create: "five"}
	made := func(internalID string, o b3scale.Origin) b3scale.Incarnation {
		r := room(internalID)
		r.Origin = o
		return r
	}
	is := func(f *fixture, what string, want b3scale.Origin) b3scale.Meeting {
		f.Helper()
		m := f.meeting(f.key)
		f.same(what, m.Origin, want)
		return m
	}

	run(t, open, "are known until a room takes another's place", func(f *fixture) {
		m := f.confirmed(f.claimed(f.a), made("r1", origin))
		f.same("confirmed", m.Origin, origin)
		f.ended(m)
		is(f, "ended", origin)
		f.claimed(f.b)
		is(f, "claimed anew", b3scale.Origin{})
	})

	run(t, open, "stay when the same room tells nothing", func(f *fixture) {
		m := f.confirmed(f.claimed(f.a), made("r1", origin))
		r := room("r1")
		r.Info = []byte("<other/>")
		f.confirmed(m, r)
		is(f, "the same room", origin)
		f.confirmed(m, room("r2"))
		is(f, "another room", b3scale.Origin{})
	})

	run(t, open, "come with rooms that are found", func(f *fixture) {
		m, ok, err := f.store.AdoptMeeting(f.Context(), f.key, f.a, made("r1", origin), 0)
		f.expect("adopt", ok, err, true)
		f.same("adopted", m.Origin, origin)
		m = f.ended(m)
		other := b3scale.Origin{Generation: 6, Create: "six"}
		m, ok, err = f.store.ActivateMeeting(f.Context(), m, f.a, made("r2", other))
		f.expect("activate", ok, err, true)
		f.same("activated", m.Origin, other)
		f.ended(m)
		f.book(f.b, "x")
		_, m, err = f.store.SettleOrphan(f.Context(), f.key, f.b, made("x", origin), nil)
		f.must(err)
		if m.BackendID != f.b || m.Generation <= other.Generation {
			f.Errorf("got %+v, want it taken back", m)
		}
		f.same("taken back", m.Origin, origin)
		f.ended(m)
		is(f, "ended", origin)
	})

	run(t, open, "are learnt from lists", func(f *fixture) {
		m := f.active(f.a, "r1")
		seen := b3scale.Sighting{Key: f.key, Generation: m.Generation, InternalID: "r1", Info: []byte("<one/>"), Origin: origin}
		f.sighted(f.a, seen)
		is(f, "told", origin)
		seen.Info, seen.Origin = []byte("<two/>"), b3scale.Origin{}
		f.sighted(f.a, seen)
		is(f, "not told", origin)
		seen.InternalID, seen.Origin = "r0", b3scale.Origin{Generation: 7}
		f.sighted(f.a, seen)
		is(f, "of another room", origin)
	})

	run(t, open, "are nothing when they cannot be stored", func(f *fixture) {
		for id, bad := range map[string]string{"r1": "\x00", "r2": "\xff", "r3": strings.Repeat("x", 5000)} {
			f.confirmed(f.claimed(f.a), made(id, b3scale.Origin{Generation: 5, Create: bad}))
			m := is(f, "stored", b3scale.Origin{})
			f.sighted(f.a, b3scale.Sighting{Key: f.key, Generation: m.Generation, InternalID: id, Info: []byte("<one/>"), Origin: b3scale.Origin{Generation: 5, Create: bad}})
			f.ended(is(f, "seen", b3scale.Origin{}))
		}
	})
}
