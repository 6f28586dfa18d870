package storetest

import (
	"testing"
	"time"

	"b3scale"
)

func testVerdict(t *testing.T, open opener) {
	const silent = time.Hour
	pass := func(f *fixture, id string, want bool) {
		f.Helper()
		passed, err := f.store.PassVerdict(f.Context(), id, silent)
		f.expect("pass the verdict", passed, err, want)
		if f.backend(id).Lost != want {
			f.Errorf("lost is %v, want %v", !want, want)
		}
	}
	run(t, open, "silent for everybody", func(f *fixture) {
		pass(f, f.a, true)
		again, err := f.store.PassVerdict(f.Context(), f.a, silent)
		f.expect("pass it again", again, err, false)
	})
	run(t, open, "a good probe of any instance is a veto", func(f *fixture) {
		f.must(f.store.SaveProbes(f.Context(), "other", []string{f.a}))
		pass(f, f.a, false)
		passed, err := f.store.PassVerdict(f.Context(), f.a, 0)
		f.expect("a probe before the silence is none", passed, err, true)
	})
	run(t, open, "a sign of its agent is a veto", func(f *fixture) {
		f.must(f.store.SaveHeartbeats(f.Context(), []string{f.b, f.a, "unknown", f.a}))
		pass(f, f.a, false)
		pass(f, f.b, false)
		f.must(f.store.SaveHeartbeats(f.Context(), nil))
		passed, err := f.store.PassVerdict(f.Context(), f.a, 0)
		f.expect("a sign before the silence is none", passed, err, true)
		f.must(f.store.SaveHeartbeats(f.Context(), []string{f.b})) // again
		pass(f, f.b, false)
	})
	run(t, open, "knows which agents were heard when", func(f *fixture) {
		heard := func() map[string]b3scale.Micros {
			f.Helper()
			heard, err := f.store.Heartbeats(f.Context())
			f.must(err)
			return heard
		}
		f.same("none", heard(), map[string]b3scale.Micros{})
		before := f.now()
		f.must(f.store.SaveHeartbeats(f.Context(), []string{f.a, f.b}))
		first := heard()
		f.same("number", len(first), 2)
		if first[f.a] < before || first[f.b] < before || first[f.a] > f.now() {
			f.Errorf("got %v, want both from %d on", first, before)
		}
		middle := f.now()
		f.must(f.store.SaveHeartbeats(f.Context(), []string{f.a}))
		if second := heard(); second[f.a] < middle || second[f.b] != first[f.b] {
			f.Errorf("got %v after %v", second, first)
		}
	})
	run(t, open, "what another backend answers is none", func(f *fixture) {
		f.must(f.store.SaveHeartbeats(f.Context(), []string{f.b}))
		f.must(f.store.SaveProbes(f.Context(), "other", []string{f.c}))
		pass(f, f.a, true)
	})
	run(t, open, "of three ready backends one may be lost", func(f *fixture) {
		pass(f, f.a, true)
		pass(f, f.b, false)
	})
	run(t, open, "a verdict counts for a while after it was taken back", func(f *fixture) {
		pass(f, f.a, true)
		cleared, err := f.store.ClearLost(f.Context(), f.a)
		f.expect("clear", cleared, err, true)
		pass(f, f.b, false)
		pass(f, f.a, true) // its own does not count against it
	})
	run(t, open, "of five two may be lost, and those that are not ready do not count", func(f *fixture) {
		for _, host := range []string{"https://d/", "https://e/"} {
			f.addBackend(b3scale.Backend{Host: host, AdminState: b3scale.AdminReady})
		}
		for _, host := range []string{"https://f/", "https://g/"} {
			f.addBackend(b3scale.Backend{Host: host, AdminState: b3scale.AdminStopped})
		}
		pass(f, f.a, true)
		pass(f, f.b, true)
		pass(f, f.c, false)
	})
	run(t, open, "an unknown backend", func(f *fixture) {
		passed, err := f.store.PassVerdict(f.Context(), b3scale.NewID(), silent)
		f.expect("pass the verdict", passed, err, false)
	})
}
