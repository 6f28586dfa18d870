package storetest

import (
	"testing"
	"time"
)

func testLeases(t *testing.T, open opener) {
	acquire := func(f *fixture, what, name, holder string, d time.Duration, want bool) {
		f.Helper()
		f.expect(what, f.acquired(name, holder, d), nil, want)
	}
	held := func(f *fixture, want map[string]string) {
		f.Helper()
		got, err := f.store.Leases(f.Context())
		f.must(err)
		f.same("leases", got, want)
	}

	run(t, open, "belong to one holder at a time", func(f *fixture) {
		release := func(holder string, names ...string) {
			f.Helper()
			f.must(f.store.ReleaseLeases(f.Context(), names, holder))
		}
		held(f, map[string]string{})
		acquire(f, "first", "list", "one", time.Hour, true)
		acquire(f, "taken", "list", "two", time.Hour, false)
		acquire(f, "another name", "sweep", "two", time.Hour, true)
		acquire(f, "renewed", "list", "one", time.Hour, true)
		held(f, map[string]string{"list": "one", "sweep": "two"})
		release("two", "list") // not its own
		acquire(f, "still taken", "list", "two", time.Hour, false)
		release("one", "sweep", "list", "list")
		held(f, map[string]string{"sweep": "two"})
		acquire(f, "released", "list", "two", -time.Second, true)
		held(f, map[string]string{"sweep": "two"})
		acquire(f, "expired", "list", "one", time.Hour, true)
		acquire(f, "lost", "list", "two", time.Hour, false)
		release("one", "nothing")
		release("one")
	})

	run(t, open, "are taken many at once", func(f *fixture) {
		acquire(f, "one of them", "b", "two", time.Hour, true)
		got, err := f.store.AcquireLeases(f.Context(), []string{"c", "b", "a", "c"}, "one", time.Hour)
		f.must(err)
		f.same("got", got, []string{"a", "c"})
		held(f, map[string]string{"a": "one", "b": "two", "c": "one"})
		got, err = f.store.AcquireLeases(f.Context(), nil, "one", time.Hour)
		f.must(err)
		f.same("none", len(got), 0)
	})

	run(t, open, "forgets instances that have long gone", func(f *fixture) {
		acquire(f, "expired", "old", "one", -2*time.Hour, true)
		acquire(f, "just expired", "new", "one", -time.Second, true)
		acquire(f, "held", "held", "two", time.Hour, true)
		f.must(f.store.SaveProbes(f.Context(), "one", []string{f.a}))
		f.must(f.store.PurgeInstances(f.Context(), time.Hour))
		probes, err := f.store.Probes(f.Context())
		f.must(err)
		f.same("probes", len(probes), 1)
		held(f, map[string]string{"held": "two"})

		f.must(f.store.PurgeInstances(f.Context(), -24*time.Hour)) // as if all had
		probes, err = f.store.Probes(f.Context())
		f.must(err)
		f.same("probes", len(probes), 0)
		held(f, map[string]string{})
		passed, err := f.store.PassVerdict(f.Context(), f.a, 0) // its lock is no lease
		f.expect("verdict", passed, err, true)
	})

	run(t, open, "nobody can hold the lock of verdicts", func(f *fixture) {
		acquire(f, "verdict", "verdict", "one", time.Hour, false)
		f.must(f.store.ReleaseLeases(f.Context(), []string{"verdict"}, ""))
		passed, err := f.store.PassVerdict(f.Context(), f.a, 0)
		f.expect("verdict", passed, err, true)
	})
}
