package storetest

import (
	"fmt"
	"math"
	"testing"

	"b3scale"
)

func testBackends(t *testing.T, open opener) {
	run(t, open, "inserts", func(f *fixture) {
		before := f.now()
		got := f.addBackend(fullBackend())
		want := fullBackend()
		want.ID, want.CreatedAt, want.UpdatedAt, want.Version = got.ID, got.CreatedAt, got.UpdatedAt, got.Version
		f.same("saved", got, want)
		f.same("read", f.backend(got.ID), want)
		if len(got.ID) != 36 || got.CreatedAt < before || got.UpdatedAt < before || got.Version < int64(before) {
			f.Errorf("got %+v, want an id and times from %d on", got, before)
		}
	})

	run(t, open, "edits what operators set, and no facts", func(f *fixture) {
		old := f.addBackend(fullBackend())
		f.lose(old.ID)
		f.must(f.store.MarkListed(f.Context(), old.ID, 77))
		facts := f.backend(old.ID)

		change := b3scale.Backend{ID: "other", Host: "https://bbb2.example.org/", Secret: "third",
			AdminState: b3scale.AdminReady, LoadFactor: 2, Settings: b3scale.BackendSettings{MaxMeetings: 1}, AgentRef: "agent 2",
			CreatedAt: 1, UpdatedAt: 2, LostAt: 3, ListedAt: 4, Version: 5}
		got := f.editBackend(old.ID, func(b *b3scale.Backend) {
			f.same("edited", *b, facts)
			*b = change
		})
		want := change
		want.ID, want.Lost, want.LostAt, want.ListedAt, want.CreatedAt = old.ID, true, facts.LostAt, 77, old.CreatedAt
		want.UpdatedAt, want.Version = got.UpdatedAt, got.Version
		f.same("saved", got, want)
		f.same("read", f.backend(old.ID), want)
		if got.UpdatedAt < old.UpdatedAt || got.Version <= facts.Version {
			f.Errorf("got %+v, want it newer than %+v", got, facts)
		}
	})

	run(t, open, "writes nothing when an edit changes nothing or fails", func(f *fixture) {
		old := f.addBackend(fullBackend())
		entries := f.entries(b3scale.AuditQuery{})
		f.same("answer", f.editBackend(old.ID, func(b *b3scale.Backend) {
			b.ID, b.Lost, b.LostAt, b.ListedAt, b.Version = "other", true, 1, 1, 1
		}), old)
		for _, factor := range []float64{math.NaN(), math.Inf(1)} {
			_, err := f.store.EditBackend(f.Context(), old.ID, operator, func(b *b3scale.Backend) error {
				b.LoadFactor, b.Settings.Tags[0] = factor, "other"
				return nil
			})
			f.code("no number", err, b3scale.InvalidArgument)
		}
		_, err := f.store.EditBackend(f.Context(), old.ID, operator, func(b *b3scale.Backend) error {
			b.AdminState = b3scale.AdminError
			return b3scale.Errorf(b3scale.NotYet, "refused")
		})
		f.code("failed", err, b3scale.NotYet)
		f.same("read", f.backend(old.ID), old)
		f.same("audit", f.entries(b3scale.AuditQuery{}), entries)
	})

	run(t, open, "refuses a host or an agent that is taken", func(f *fixture) {
		first := f.addBackend(fullBackend())
		edit := func(change func(*b3scale.Backend)) error {
			_, err := f.store.EditBackend(f.Context(), f.a, operator, func(b *b3scale.Backend) error { change(b); return nil })
			return err
		}
		host, agent := fmt.Sprintf("the host %q is taken", first.Host), fmt.Sprintf("the agent %q belongs to another backend", first.AgentRef)
		f.refused("add, host", second(f.store.AddBackend(f.Context(), b3scale.Backend{Host: first.Host}, operator)), host)
		f.refused("edit, host", edit(func(b *b3scale.Backend) { b.Host = first.Host }), host)
		f.refused("add, agent", second(f.store.AddBackend(f.Context(), b3scale.Backend{Host: "https://x/", AgentRef: first.AgentRef}, operator)), agent)
		f.refused("edit, agent", edit(func(b *b3scale.Backend) { b.AgentRef = first.AgentRef }), agent)
		f.same("first", f.backend(first.ID), first)
		f.same("number", f.count(), 4)                                         // some of them without an agent
		f.editBackend(first.ID, func(b *b3scale.Backend) { b.LoadFactor = 3 }) // its own names are not taken
	})

	run(t, open, "refuses an id that nobody has", func(f *fixture) {
		_, err := f.store.EditBackend(f.Context(), "unknown", operator, func(*b3scale.Backend) error {
			f.Error("there was something to edit")
			return nil
		})
		f.code("edit", err, b3scale.NotFound)
		_, err = f.store.DeleteBackend(f.Context(), "unknown", operator)
		f.code("delete", err, b3scale.NotFound)
		ok, err := f.store.DeleteEmptyBackend(f.Context(), "unknown")
		f.expect("delete an empty one", ok, err, false)
		f.same("number", f.count(), 3)
	})

	run(t, open, "lists by host", func(f *fixture) {
		f.addBackend(b3scale.Backend{Host: "https://a.example.org/"})
		f.addBackend(b3scale.Backend{Host: "http://b.example.org/"})
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
		declare := func() (bool, error) { return f.store.DeclareLost(f.Context(), f.a, operator) }
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
		ok, err := f.store.DeclareLost(f.Context(), "unknown", operator)
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

func fullBackend() b3scale.Backend {
	return b3scale.Backend{
		Host: "https://bbb1.example.org/bigbluebutton/api/", Secret: "first ' secret", SecondarySecret: "second",
		AdminState: b3scale.AdminInit, LoadFactor: 1.25, AgentRef: "agent 1",
		Settings: b3scale.BackendSettings{Tags: b3scale.Tags{"big", "süß"}, MaxMeetings: 12, MaxAttendees: 345},
	}
}

func (f *fixture) count() int {
	f.Helper()
	backends, err := f.store.Backends(f.Context())
	f.must(err)
	return len(backends)
}
