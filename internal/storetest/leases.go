package storetest

import (
	"testing"
	"time"
)

func testLeases(t *testing.T, open opener) {
	run(t, open, "belong to one holder at a time", func(f *fixture) {
		acquire := func(what, name, holder string, d time.Duration, want bool) {
			f.Helper()
			ok, err := f.store.AcquireLease(f.Context(), name, holder, d)
			f.expect(what, ok, err, want)
		}
		release := func(name, holder string) {
			f.Helper()
			f.must(f.store.ReleaseLease(f.Context(), name, holder))
		}
		acquire("first", "list", "one", time.Hour, true)
		acquire("taken", "list", "two", time.Hour, false)
		acquire("another name", "sweep", "two", time.Hour, true)
		acquire("renewed", "list", "one", time.Hour, true)
		release("list", "two") // not its own
		acquire("still taken", "list", "two", time.Hour, false)
		release("list", "one")
		acquire("released", "list", "two", -time.Second, true)
		acquire("expired", "list", "one", time.Hour, true)
		acquire("lost", "list", "two", time.Hour, false)
		release("nothing", "one")
	})
}
