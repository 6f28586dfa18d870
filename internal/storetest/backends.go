package storetest

import (
	"testing"

	"b3scale"
)

func testBackends(t *testing.T, open opener) {
	full := b3scale.Backend{
		Host: "https://bbb1.example.org/bigbluebutton/api/", Secret: "first ' secret", SecondarySecret: "second",
		AdminState: b3scale.AdminInit, LoadFactor: 1.25,
		Settings: b3scale.BackendSettings{Tags: b3scale.Tags{"big", "süß"}, MaxMeetings: 12, MaxAttendees: 345},
	}

	run(t, open, "inserts", func(f *fixture) {
		before := f.now()
		got := f.saveBackend(full)
		want := full
		want.ID, want.CreatedAt, want.UpdatedAt, want.Version = got.ID, got.CreatedAt, got.UpdatedAt, got.Version
		f.same("saved", got, want)
		f.same("read", f.backend(got.ID), want)
		if len(got.ID) != 36 || got.CreatedAt < before || got.UpdatedAt < before || got.Version < int64(before) {
			f.Errorf("got %+v, want an id and times from %d on", got, before)
		}
	})

	run(t, open, "overwrites what operators set, and no facts", func(f *fixture) {
		old := f.saveBackend(full)
		f.lose(old.ID)
		f.must(f.store.MarkListed(f.Context(), old.ID, 77))
		facts := f.backend(old.ID)

		change := b3scale.Backend{ID: old.ID, Host: "https://bbb2.example.org/", Secret: "third",
			AdminState: b3scale.AdminReady, LoadFactor: 2, Settings: b3scale.BackendSettings{MaxMeetings: 1},
			CreatedAt: 1, UpdatedAt: 2, LostAt: 3, ListedAt: 4, Version: 5}
		got := f.saveBackend(change)
		want := change
		want.Lost, want.LostAt, want.ListedAt, want.CreatedAt = true, facts.LostAt, 77, old.CreatedAt
		want.UpdatedAt, want.Version = got.UpdatedAt, got.Version
		f.same("saved", got, want)
		f.same("read", f.backend(old.ID), want)
		if got.UpdatedAt < old.UpdatedAt || got.Version <= facts.Version {
			f.Errorf("got %+v, want it newer than %+v", got, facts)
		}
	})

	run(t, open, "refuses a host that is taken", func(f *fixture) {
		first := f.saveBackend(full)
		_, err := f.store.SaveBackend(f.Context(), b3scale.Backend{Host: full.Host})
		f.code("insert", err, b3scale.Conflict)
		second := f.backend(f.a)
		second.Host = full.Host
		_, err = f.store.SaveBackend(f.Context(), second)
		f.code("overwrite", err, b3scale.Conflict)
		f.same("first", f.backend(first.ID), first)
		f.same("number", f.count(), 4)
		f.saveBackend(first) // its own host is not taken
	})

	run(t, open, "refuses an id that nobody has", func(f *fixture) {
		_, err := f.store.SaveBackend(f.Context(), b3scale.Backend{ID: "unknown", Host: "https://other.example.org/"})
		f.code("save", err, b3scale.NotFound)
		f.same("number", f.count(), 3)
	})

	run(t, open, "lists by host", func(f *fixture) {
		f.saveBackend(b3scale.Backend{Host: "https://a.example.org/"})
		f.saveBackend(b3scale.Backend{Host: "http://b.example.org/"})
		backends, err := f.store.Backends(f.Context())
		f.must(err)
		f.same("first", backends[0].Host, "http://b.example.org/")
		for i := 1; i < len(backends); i++ {
			if backends[i-1].Host >= backends[i].Host {
				f.Errorf("%s comes before %s", backends[i-1].Host, backends[i].Host)
			}
		}
	})

	run(t, open, "keeps the verdict", func(f *fixture) {
		fresh := f.backend(f.a)
		change := func(what string, set func() (bool, error), want bool) b3scale.Backend {
			f.Helper()
			ok, err := set()
			f.expect(what, ok, err, want)
			return f.backend(f.a)
		}
		declare := func() (bool, error) { return f.store.DeclareLost(f.Context(), f.a) }
		found := func() (bool, error) { return f.store.ClearLost(f.Context(), f.a) }
		f.same("nothing to clear", change("clear", found, false), fresh)
		lost := change("declare", declare, true)
		if !lost.Lost || lost.LostAt < fresh.CreatedAt || lost.Version <= fresh.Version {
			f.Errorf("got %+v, want it lost now", lost)
		}
		f.same("declared again", change("declare again", declare, false), lost)
		cleared := change("clear", found, true)
		if cleared.Lost || cleared.LostAt != lost.LostAt || cleared.Version <= lost.Version {
			f.Errorf("got %+v, want it cleared, and when it was lost", cleared)
		}
		f.expect("others lost", f.backend(f.b).Lost, nil, false)
		ok, err := f.store.DeclareLost(f.Context(), "unknown")
		f.expect("unknown", ok, err, false)
	})

	run(t, open, "knows when it was listed", func(f *fixture) {
		f.same("never", f.backend(f.a).ListedAt, b3scale.Micros(0))
		for _, c := range []struct{ t0, want b3scale.Micros }{{100, 100}, {50, 100}, {101, 101}} {
			f.must(f.store.MarkListed(f.Context(), f.a, c.t0))
			f.same("listed at", f.backend(f.a).ListedAt, c.want)
		}
		f.must(f.store.MarkListed(f.Context(), "unknown", 1))
		f.same("another", f.backend(f.b).ListedAt, b3scale.Micros(0))
	})
}

func (f *fixture) count() int {
	f.Helper()
	backends, err := f.store.Backends(f.Context())
	f.must(err)
	return len(backends)
}
