package storetest

import (
	"fmt"
	"testing"
	"time"

	"b3scale"
)

// testCallbackTerms is about which messages are taken in.
func testCallbackTerms(t *testing.T, open opener) {
	add := func(f *fixture, dedup string, terms b3scale.CallbackTerms, want bool) b3scale.Callback {
		f.Helper()
		terms.Tried = time.Hour
		c, added, err := f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: f.frontend, Kind: "end", Host: "h", Dedup: dedup}, terms)
		f.expect("add", added, err, want)
		return c
	}

	run(t, open, "repeats are known for a time", func(f *fixture) {
		long, short := b3scale.CallbackTerms{Repeats: time.Hour}, b3scale.CallbackTerms{Repeats: time.Microsecond}
		first := add(f, "x", long, true)
		f.same("a repeat", add(f, "x", long, false).ID, first.ID)
		f.same("a repeat of what is stored", add(f, "x", b3scale.CallbackTerms{}, false).ID, first.ID)
		second := add(f, "x", short, true)
		f.same("a repeat of the second", add(f, "x", long, false).ID, second.ID)
		old, err := f.store.Callback(f.Context(), first.ID)
		f.must(err)
		f.same("the first still waits", old.State, b3scale.CallbackWaiting)
		add(f, "", short, true)
		add(f, "", short, true)
	})

	run(t, open, "what was tried in vain takes repeats along", func(f *fixture) {
		terms := b3scale.CallbackTerms{UntilTaken: true}
		first := add(f, "x", terms, true)
		second := add(f, "x", terms, true) // nobody has tried the first: it may be under way any moment
		take := f.takesCallbacks("one", time.Hour, 10, 10, first.ID, second.ID)
		third := add(f, "x", terms, true) // they are under way
		for _, id := range []string{first.ID, second.ID} {
			f.finishesCallback(id, take, b3scale.CallbackResult{State: b3scale.CallbackDelivered}, 0, true)
		}
		take = f.takesCallbacks("one", time.Hour, 10, 10, third.ID)
		f.finishesCallback(third.ID, take, b3scale.CallbackResult{State: b3scale.CallbackWaiting}, time.Hour, true)
		f.same("a repeat", add(f, "x", terms, false).ID, third.ID)
		_, err := f.store.DropCallback(f.Context(), third.ID, operator)
		f.must(err)
		add(f, "x", terms, true)
	})

	run(t, open, "so many wait for a frontend", func(f *fixture) {
		terms := b3scale.CallbackTerms{Tried: time.Hour, Most: 3}
		for i := range 3 {
			add(f, fmt.Sprint(i), terms, true)
		}
		for _, dedup := range []string{"", "new"} {
			_, _, err := f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: f.frontend, Kind: "end", Dedup: dedup}, terms)
			f.code("one too many", err, b3scale.LimitReached)
		}
		again := add(f, "2", terms, false) // a repeat takes no room
		_, _, err := f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: "unknown", Kind: "end"}, terms)
		f.code("of nobody", err, b3scale.NotFound)
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		_, added, err := f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: other, Kind: "end"}, terms)
		f.expect("for another frontend", added, err, true)
		_, err = f.store.DropCallback(f.Context(), again.ID, operator)
		f.must(err)
		add(f, "new", terms, true)
	})

	run(t, open, "lists are without payloads", func(f *fixture) {
		c := f.callback(b3scale.Callback{Kind: "analytics", Payload: []byte(`{"a":1}`)}, true)
		_, err := f.store.Callbacks(f.Context(), b3scale.CallbackQuery{}, func(got b3scale.Callback) {
			if got.ID != c.ID || got.Payload != nil {
				f.Errorf("got %+v", got)
			}
		})
		f.must(err)
		got, err := f.store.Callback(f.Context(), c.ID)
		f.must(err)
		f.same("payload", string(got.Payload), `{"a":1}`)
	})

	run(t, open, "many are purged and expire", func(f *fixture) {
		const many = 520 // more than one transaction has
		for range many {
			_, _, err := f.store.AddCallback(f.Context(), b3scale.Callback{FrontendID: f.frontend, Kind: "end"}, b3scale.CallbackTerms{Tried: -time.Second})
			f.must(err)
		}
		expired := 0
		for range 2 {
			_, n, err := f.store.TakeCallbacks(f.Context(), "one", time.Hour, 1, 1, 1)
			f.must(err)
			expired += n[b3scale.CallbackEnd]
		}
		f.same("expired", expired, many)
		f.must(f.store.PurgeCallbacks(f.Context(), -time.Second))
		total, err := f.store.Callbacks(f.Context(), b3scale.CallbackQuery{}, func(b3scale.Callback) {})
		f.must(err)
		f.same("left", total, 0)
	})
}
