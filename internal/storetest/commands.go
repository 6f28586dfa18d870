package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
)

func testCommands(t *testing.T, open opener) {
	add := func(f *fixture, d time.Duration) b3scale.Command {
		f.Helper()
		c, err := f.store.AddCommand(f.Context(), b3scale.EndAllMeetings, []byte(`{"backend_id":"x"}`), d, operator)
		f.must(err)
		return c
	}
	read := func(f *fixture, id string) b3scale.Command {
		f.Helper()
		c, err := f.store.Command(f.Context(), id)
		f.must(err)
		return c
	}
	// taken expects the command with the id, or none when that is empty.
	taken := func(f *fixture, what, holder string, lease time.Duration, id string) b3scale.Command {
		f.Helper()
		c, found, err := f.store.TakeCommand(f.Context(), holder, lease)
		f.expect(what, found, err, id != "")
		f.same(what+": id", c.ID, id)
		if found {
			f.same(what+": read", read(f, id), c)
		}
		return c
	}
	finish := func(f *fixture, what, id, holder string, want bool) {
		f.Helper()
		ok, err := f.store.FinishCommand(f.Context(), id, holder, b3scale.CommandSuccess, []byte(`{"ended":3}`))
		f.expect(what, ok, err, want)
	}

	run(t, open, "are stored, listed and read", func(f *fixture) {
		before := f.now()
		first := add(f, time.Hour)
		want := b3scale.Command{ID: first.ID, Sequence: first.Sequence, State: b3scale.CommandRequested, Action: b3scale.EndAllMeetings,
			Params: []byte(`{"backend_id":"x"}`), CreatedAt: first.CreatedAt, Deadline: first.Deadline}
		f.same("added", first, want)
		if len(first.ID) != 36 || first.CreatedAt < before || first.Deadline < before.Add(time.Hour) || first.Deadline > f.now().Add(time.Hour) {
			f.Errorf("got %+v, want a deadline an hour after %d", first, before)
		}
		second, err := f.store.AddCommand(f.Context(), "other", nil, time.Minute, operator)
		f.must(err)
		f.same("no params", second.Params, []byte(nil))
		if second.Sequence <= first.Sequence {
			f.Errorf("got %d after %d", second.Sequence, first.Sequence)
		}
		all, err := f.store.Commands(f.Context())
		f.must(err)
		f.same("all", all, []b3scale.Command{first, second})
		f.same("one", read(f, first.ID), first)
		_, err = f.store.Command(f.Context(), "unknown")
		f.code("unknown", err, b3scale.NotFound)
	})

	run(t, open, "refuse what is no JSON and no end", func(f *fixture) {
		c := add(f, time.Hour)
		taken(f, "take", "one", time.Hour, c.ID)
		_, err := f.store.AddCommand(f.Context(), "x", []byte(`{`), time.Hour, operator)
		f.code("params", err, b3scale.InvalidArgument)
		_, err = f.store.FinishCommand(f.Context(), c.ID, "one", b3scale.CommandError, []byte{})
		f.code("result", err, b3scale.InvalidArgument)
		_, err = f.store.FinishCommand(f.Context(), c.ID, "one", b3scale.CommandRunning, nil)
		f.code("state", err, b3scale.InvalidArgument)
		finish(f, "still its own", c.ID, "one", true)
	})

	run(t, open, "are done by one holder, the oldest first", func(f *fixture) {
		taken(f, "none", "one", time.Hour, "")
		first, second := add(f, time.Hour), add(f, time.Hour)
		before := f.now()
		c := taken(f, "first", "one", time.Hour, first.ID)
		if c.State != b3scale.CommandRunning || c.StartedAt < before || c.StartedAt > f.now() {
			f.Errorf("got %+v", c)
		}
		taken(f, "second", "two", time.Hour, second.ID)
		taken(f, "no third", "one", time.Hour, "")
		finish(f, "another's", first.ID, "two", false)
		finish(f, "its own", first.ID, "one", true)
		finish(f, "again", first.ID, "one", false)
		finish(f, "unknown", "unknown", "one", false)
		done := read(f, first.ID)
		want := c
		want.State, want.Result, want.StoppedAt = b3scale.CommandSuccess, []byte(`{"ended":3}`), done.StoppedAt
		f.same("done", done, want)
		if done.StoppedAt < c.StartedAt {
			f.Errorf("stopped at %d", done.StoppedAt)
		}
		ok, err := f.store.FinishCommand(f.Context(), second.ID, "two", b3scale.CommandError, nil)
		f.expect("without a result", ok, err, true)
		if c := read(f, second.ID); c.State != b3scale.CommandError || c.Result != nil {
			f.Errorf("got %+v", c)
		}
		taken(f, "all done", "one", time.Hour, "")
	})

	run(t, open, "are taken over from a holder that has gone", func(f *fixture) {
		c := add(f, time.Hour)
		first := taken(f, "first", "one", -time.Second, c.ID)
		finish(f, "its lease ran out", c.ID, "one", false)
		second := taken(f, "second", "two", time.Hour, c.ID)
		f.same("started", second.StartedAt, first.StartedAt)
		finish(f, "taken over", c.ID, "one", false)
		finish(f, "its own", c.ID, "two", true)
	})

	run(t, open, "end when their deadline is over", func(f *fixture) {
		late, running, next := add(f, -time.Second), add(f, 300*time.Millisecond), add(f, time.Hour)
		taken(f, "running", "one", time.Hour, running.ID)
		timedOut := func(id string, started bool) {
			f.Helper()
			c := read(f, id)
			if c.State != b3scale.CommandError || string(c.Result) != `"timedout"` || c.StoppedAt < c.Deadline || c.StartedAt != 0 != started {
				f.Errorf("got %+v", c)
			}
		}
		timedOut(late.ID, false)
		for f.now() <= running.Deadline {
			time.Sleep(10 * time.Millisecond) // by the clock of the database
		}
		finish(f, "too late", running.ID, "one", false)
		taken(f, "next", "two", time.Hour, next.ID)
		timedOut(running.ID, true)
		taken(f, "none", "two", time.Hour, "")
	})

	run(t, open, "are purged by their deadline", func(f *fixture) {
		old, recent, open := add(f, -2*time.Hour), add(f, -time.Minute), add(f, time.Hour)
		f.must(f.store.PurgeCommands(f.Context(), time.Hour))
		all, err := f.store.Commands(f.Context())
		f.must(err)
		f.same("left", all, []b3scale.Command{recent, open})
		_, err = f.store.Command(f.Context(), old.ID)
		f.code("purged", err, b3scale.NotFound)
	})

	run(t, open, "are taken once by many at once", func(f *fixture) {
		for range 5 {
			add(f, time.Hour)
			add(f, -time.Second)
		}
		var got, finished atomic.Int64
		parallel(12, func(i int) {
			holder := string(rune('a' + i))
			c, found, err := f.store.TakeCommand(f.Context(), holder, time.Hour)
			if err != nil {
				f.Error(err)
			}
			if found {
				got.Add(1)
			}
			for _, id := range []string{c.ID, c.ID} {
				ok, err := f.store.FinishCommand(f.Context(), id, holder, b3scale.CommandSuccess, nil)
				if err != nil {
					f.Error(err)
				}
				if ok {
					finished.Add(1)
				}
			}
		})
		f.same("taken", got.Load(), int64(5))
		f.same("finished", finished.Load(), int64(5))
	})
}
