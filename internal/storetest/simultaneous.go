package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"b3scale"
)

func testSimultaneous(t *testing.T, open opener) {
	run(t, open, "claims of one key have one winner", func(f *fixture) {
		candidates := []string{f.a, f.b, f.c}
		rows := make([]b3scale.Meeting, 16)
		parallel(len(rows), func(i int) {
			m, fit, err := f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: f.key, BackendID: candidates[i%3], AttendeePW: fmt.Sprint(i)})
			if err != nil || !fit {
				f.Errorf("claim %d: got %v, %v", i, fit, err)
			}
			rows[i] = m
		})
		for _, m := range rows {
			f.same("row", m, f.meeting(f.key))
		}
	})

	run(t, open, "claims of an ended key have one winner", func(f *fixture) {
		old := f.ended(f.active(f.c, "r1"))
		candidates := []string{f.a, f.b}
		parallel(16, func(i int) {
			_, fit, err := f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: f.key, BackendID: candidates[i%2]})
			if err != nil || !fit {
				f.Errorf("claim %d: got %v, %v", i, fit, err)
			}
		})
		if m := f.meeting(f.key); m.Generation <= old.Generation || m.State != b3scale.MeetingCreating {
			f.Errorf("got %+v", m)
		}
		f.orphan(f.c)
		f.noOrphan(f.a)
		f.noOrphan(f.b)
	})

	run(t, open, "claims of 200 keys do not hinder each other", func(f *fixture) {
		candidates := []string{f.a, f.b, f.c}
		parallel(200, func(i int) {
			key := f.keyOf(fmt.Sprint("room ", i))
			m, fit, err := f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: key, BackendID: candidates[i%3]})
			if err != nil || !fit || m.BackendID != candidates[i%3] || m.Key != key {
				f.Errorf("claim %d: got %+v, %v, %v", i, m, fit, err)
			}
			_, ok, err := f.store.ConfirmMeeting(f.Context(), key, m.Generation, room(fmt.Sprint("r", i)))
			if err != nil || !ok {
				f.Errorf("confirm %d: got %v, %v", i, ok, err)
			}
		})
		live := f.live()
		f.same("live", len(live), 200)
		for key, m := range live {
			if m.State != b3scale.MeetingActive || m.Key != key {
				f.Errorf("got %+v", m)
			}
		}
	})

	run(t, open, "facts about one row: one is true", func(f *fixture) {
		m := f.active(f.a, "r1")
		var mu sync.Mutex
		ended := 0
		parallel(16, func(int) {
			ok, err := f.store.EndMeeting(f.Context(), m)
			if err != nil {
				f.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				ended++
			}
		})
		f.same("ended", ended, 1)
	})

	run(t, open, "confirmations of one generation agree on the newest room", func(f *fixture) {
		m := f.claimed(f.a)
		parallel(9, func(i int) {
			_, _, err := f.store.ConfirmMeeting(f.Context(), f.key, m.Generation, room(fmt.Sprint("r", i)))
			if err != nil {
				f.Error(err)
			}
		})
		f.same("room", f.meeting(f.key).Incarnation, room("r8"))
	})

	run(t, open, "leases have one holder", func(f *fixture) {
		var mu sync.Mutex
		holders := 0
		parallel(16, func(i int) {
			names := []string{"job", "list", "sweep", "purge"}
			if i%2 == 0 {
				slices.Reverse(names)
			}
			got, err := f.store.AcquireLeases(f.Context(), names, fmt.Sprint(i), time.Hour)
			if err != nil {
				f.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			holders += len(got)
		})
		f.same("holders", holders, 4)
	})
}

// parallel calls f(0) to f(n-1) at once and waits for all.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-start; f(i) })
	}
	close(start)
	wg.Wait()
}
