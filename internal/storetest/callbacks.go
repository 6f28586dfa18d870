package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
)

func testCallbacks(t *testing.T, open opener) {
	run(t, open, "are stored as they came", func(f *fixture) {
		before := f.now()
		want := b3scale.Callback{
			FrontendID: f.frontend, Kind: b3scale.CallbackRecordingReady, MeetingID: "Küche 'x'", URL: "https://lms.example.org/ready?a=b&c",
			Host: "lms.example.org", Payload: []byte(`{"record_id":"r"}`), Dedup: "d",
		}
		got := f.callback(want, true)
		want.ID, want.State, want.CreatedAt, want.NextAt, want.ExpiresAt = got.ID, b3scale.CallbackWaiting, got.CreatedAt, got.NextAt, got.ExpiresAt
		f.same("added", got, want)
		if len(got.ID) != 36 || got.CreatedAt < before || got.NextAt < before || got.ExpiresAt < before.Add(time.Hour) {
			f.Errorf("got %+v, want times from %d on", got, before)
		}
		read, err := f.store.Callback(f.Context(), got.ID)
		f.must(err)
		f.same("read", read, want)
		_, err = f.store.Callback(f.Context(), "unknown")
		f.code("unknown", err, b3scale.NotFound)
		_, _, err = f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: "unknown", Kind: "end"}, b3scale.CallbackTerms{Tried: time.Hour})
		f.code("of nobody", err, b3scale.NotFound)
		_, _, err = f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: f.frontend, Kind: "end", Payload: []byte("{")}, b3scale.CallbackTerms{Tried: time.Hour})
		f.code("no JSON", err, b3scale.InvalidArgument)
	})

	run(t, open, "are stored once when a node repeats them", func(f *fixture) {
		first := f.callback(b3scale.Callback{Kind: "end", Dedup: "x", Host: "a"}, true)
		again := f.callback(b3scale.Callback{Kind: "end", Dedup: "x", Host: "b"}, false)
		f.same("again", again, first)
		f.callback(b3scale.Callback{Kind: "end", Dedup: "y"}, true)
		f.callback(b3scale.Callback{Kind: "end"}, true)
		f.callback(b3scale.Callback{Kind: "end"}, true)
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		f.callback(b3scale.Callback{FrontendID: other, Kind: "end", Dedup: "x"}, true)
	})

	run(t, open, "are tried until they are over", func(f *fixture) {
		c := f.callback(b3scale.Callback{Kind: "end", Host: "h"}, true)
		one := f.takesCallbacks("one", time.Hour, 10, 10, c.ID)
		f.takesCallbacks("two", time.Hour, 10, 10)
		f.finishesCallback(c.ID, "two", b3scale.CallbackResult{State: b3scale.CallbackDelivered}, 0, false)
		f.finishesCallback(c.ID, one, b3scale.CallbackResult{State: b3scale.CallbackWaiting, Status: 503, Error: "busy"}, time.Hour, true)
		got, err := f.store.Callback(f.Context(), c.ID)
		f.must(err)
		if got.State != b3scale.CallbackWaiting || got.Attempts != 1 || got.LastStatus != 503 || got.LastError != "busy" || got.NextAt < f.now().Add(59*time.Minute) || got.DoneAt != 0 {
			f.Errorf("got %+v", got)
		}
		f.takesCallbacks("one", time.Hour, 10, 10)
		got, err = f.store.ReplayCallback(f.Context(), c.ID, time.Hour, operator)
		f.must(err)
		f.same("attempts", got.Attempts, 0)
		one = f.takesCallbacks("one", -time.Second, 10, 10, c.ID)
		two := f.takesCallbacks("two", time.Hour, 10, 10, c.ID) // its lease was over
		f.finishesCallback(c.ID, one, b3scale.CallbackResult{State: b3scale.CallbackDelivered}, 0, false)
		f.finishesCallback(c.ID, two, b3scale.CallbackResult{State: b3scale.CallbackDelivered, Status: 204}, 0, true)
		f.finishesCallback(c.ID, two, b3scale.CallbackResult{State: b3scale.CallbackWaiting}, 0, false)
		f.takesCallbacks("one", time.Hour, 10, 10)
		if got, err = f.store.Callback(f.Context(), c.ID); err != nil || got.State != b3scale.CallbackDelivered || got.DoneAt == 0 || got.LastError != "" {
			f.Errorf("got %+v, %v", got, err)
		}
		_, err = f.store.DropCallback(f.Context(), c.ID, operator)
		f.code("drop what is over", err, b3scale.Conflict)
	})

	run(t, open, "are finished by the last take alone", func(f *fixture) {
		c := f.callback(b3scale.Callback{Kind: "end", Host: "h"}, true)
		before := f.takesCallbacks("one", time.Hour, 10, 10, c.ID)
		_, err := f.store.ReplayCallback(f.Context(), c.ID, time.Hour, operator)
		f.must(err)
		after := f.takesCallbacks("one", time.Hour, 10, 10, c.ID) // the same instance, while its first attempt is under way
		f.finishesCallback(c.ID, before, b3scale.CallbackResult{State: b3scale.CallbackRefused}, 0, false)
		f.finishesCallback(c.ID, "", b3scale.CallbackResult{State: b3scale.CallbackRefused}, 0, false)
		f.finishesCallback(c.ID, after, b3scale.CallbackResult{State: b3scale.CallbackDelivered}, 0, true)
	})

	run(t, open, "expire", func(f *fixture) {
		c, _, err := f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: f.frontend, Kind: "end"}, b3scale.CallbackTerms{Tried: -time.Second})
		f.must(err)
		for _, kind := range []b3scale.CallbackKind{b3scale.CallbackEnd, b3scale.CallbackAnalytics} {
			_, _, err := f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: f.frontend, Kind: kind}, b3scale.CallbackTerms{Tried: -time.Second})
			f.must(err)
		}
		fresh := f.callback(b3scale.Callback{Kind: "end", Host: "fresh"}, true)
		for _, want := range []map[b3scale.CallbackKind]int{{b3scale.CallbackEnd: 2, b3scale.CallbackAnalytics: 1}, nil} {
			_, expired, err := f.store.TakeCallbacks(f.Context(), "one", -time.Second, 10, 10, 10)
			f.must(err)
			f.same("expired", expired, want)
		}
		_, err = f.store.DropCallback(f.Context(), fresh.ID, operator)
		f.must(err)
		if c, err = f.store.Callback(f.Context(), c.ID); err != nil || c.State != b3scale.CallbackExpired || c.DoneAt == 0 {
			f.Errorf("got %+v, %v", c, err)
		}
		c, err = f.store.ReplayCallback(f.Context(), c.ID, time.Hour, operator)
		f.must(err)
		one := f.takesCallbacks("one", time.Hour, 10, 10, c.ID)
		_, err = f.store.DropCallback(f.Context(), c.ID, operator)
		f.must(err)
		f.finishesCallback(c.ID, one, b3scale.CallbackResult{State: b3scale.CallbackDelivered}, 0, false)
		f.takesCallbacks("one", time.Hour, 10, 10)
	})

	run(t, open, "of a slow host keep nobody else waiting", func(f *fixture) {
		var slow []string
		for range 8 {
			slow = append(slow, f.callback(b3scale.Callback{Kind: "end", Host: "slow"}, true).ID)
		}
		quick := f.callback(b3scale.Callback{Kind: "end", Host: "quick"}, true).ID
		one := f.takesCallbacks("one", time.Hour, 4, 2, slow[0], slow[1], quick)
		f.takesCallbacks("two", time.Hour, 4, 2)
		f.finishesCallback(slow[0], one, b3scale.CallbackResult{State: b3scale.CallbackDelivered}, 0, true)
		f.takesCallbacks("two", time.Hour, 4, 2, slow[2])
	})

	run(t, open, "of a frontend with many slow hosts keep no other frontend waiting", func(f *fixture) {
		var slow []string
		for i := range 8 {
			slow = append(slow, f.callback(b3scale.Callback{Kind: "end", Host: fmt.Sprint("slow", i)}, true).ID)
		}
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		var quick []string
		for range 3 {
			quick = append(quick, f.callback(b3scale.Callback{FrontendID: other, Kind: "end", Host: "quick"}, true).ID)
		}
		take := func(n int, want ...string) string {
			f.Helper()
			taken, _, err := f.store.TakeCallbacks(f.Context(), "one", time.Hour, n, 3, 3)
			f.must(err)
			f.same("taken", slices.Sorted(slices.Values(idsOf(taken))), slices.Sorted(slices.Values(want)))
			if len(taken) == 0 {
				return ""
			}
			return taken[0].Holder
		}
		first := take(3, slow[0], quick[0], slow[1]) // in turn
		take(8, quick[1], slow[2], quick[2])         // what is under way counts
		f.finishesCallback(slow[0], first, b3scale.CallbackResult{State: b3scale.CallbackDelivered}, 0, true)
		take(8, slow[3])
	})

	run(t, open, "are each taken by one of many", func(f *fixture) {
		const all = 40
		for i := range all {
			f.callback(b3scale.Callback{Kind: "end", Host: fmt.Sprint(i)}, true)
		}
		var wg sync.WaitGroup
		var taken atomic.Int64
		for i := range 4 {
			wg.Go(func() {
				for taken.Load() < all && f.Context().Err() == nil {
					got, _, err := f.store.TakeCallbacks(f.Context(), fmt.Sprint(i), time.Hour, 5, 1, all)
					if err != nil {
						f.Error(err)
						return
					}
					taken.Add(int64(len(got)))
				}
			})
		}
		wg.Wait()
		f.same("taken", taken.Load(), int64(all))
	})

	run(t, open, "are found, counted and purged", func(f *fixture) {
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		first := f.callback(b3scale.Callback{Kind: "end", MeetingID: "m"}, true)
		second := f.callback(b3scale.Callback{Kind: "analytics", MeetingID: "m"}, true)
		third := f.callback(b3scale.Callback{FrontendID: other, Kind: "end", MeetingID: "m"}, true)
		find := func(what string, q b3scale.CallbackQuery, total int, want ...string) {
			f.Helper()
			var got []string
			n, err := f.store.Callbacks(f.Context(), q, func(c b3scale.Callback) { got = append(got, c.ID) })
			f.must(err)
			f.same(what, got, want)
			f.same(what+": total", n, total)
		}
		find("all", b3scale.CallbackQuery{}, 3, third.ID, second.ID, first.ID)
		find("a page", b3scale.CallbackQuery{Limit: 1, Offset: 1}, 3, second.ID)
		find("of one frontend", b3scale.CallbackQuery{FrontendID: f.frontend, MeetingID: "m"}, 2, second.ID, first.ID)
		find("of a kind", b3scale.CallbackQuery{Kind: "end"}, 2, third.ID, first.ID)
		queues, err := f.store.CallbackQueues(f.Context())
		f.must(err)
		f.same("queues", len(queues), 2)
		for _, q := range queues {
			if want := map[string]b3scale.CallbackQueue{
				f.frontend: {FrontendID: f.frontend, Waiting: 2, Oldest: first.CreatedAt}, other: {FrontendID: other, Waiting: 1, Oldest: third.CreatedAt},
			}[q.FrontendID]; q != want {
				f.Errorf("got %+v, want %+v", q, want)
			}
		}
		_, err = f.store.DropCallback(f.Context(), second.ID, operator)
		f.must(err)
		find("dropped", b3scale.CallbackQuery{State: b3scale.CallbackDropped}, 1, second.ID)
		f.must(f.store.PurgeCallbacks(f.Context(), time.Hour))
		find("too young to purge", b3scale.CallbackQuery{}, 3, third.ID, second.ID, first.ID)
		f.must(f.store.PurgeCallbacks(f.Context(), -time.Second))
		find("purged", b3scale.CallbackQuery{}, 2, third.ID, first.ID)
		_, err = f.store.DeleteFrontend(f.Context(), other, operator)
		f.must(err)
		find("gone with the frontend", b3scale.CallbackQuery{}, 1, first.ID)
	})
}

// callback adds one of the fixture's frontend, unless it names another.
func (f *fixture) callback(c b3scale.Callback, added bool) b3scale.Callback {
	f.Helper()
	if c.FrontendID == "" {
		c.FrontendID = f.frontend
	}
	got, ok, err := f.store.AddCallback(f.Context(), c, b3scale.CallbackTerms{Tried: time.Hour})
	f.expect("add a callback", ok, err, added)
	return got
}

// takesCallbacks tells the name of the take, if it took any.
func (f *fixture) takesCallbacks(holder string, lease time.Duration, n, perHost int, want ...string) (take string) {
	f.Helper()
	taken, _, err := f.store.TakeCallbacks(f.Context(), holder, lease, n, perHost, 100)
	f.must(err)
	f.same("taken by "+holder, idsOf(taken), want)
	for _, c := range taken {
		take = c.Holder
	}
	return take
}

func idsOf(callbacks []b3scale.Callback) (ids []string) {
	for _, c := range callbacks {
		ids = append(ids, c.ID)
	}
	return ids
}

func (f *fixture) finishesCallback(id, holder string, r b3scale.CallbackResult, again time.Duration, want bool) {
	f.Helper()
	ok, err := f.store.FinishCallback(f.Context(), id, holder, r, again)
	f.expect("finish "+string(r.State)+" by "+holder, ok, err, want)
}
