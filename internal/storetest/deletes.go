package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"b3scale"
)

func testDeletes(t *testing.T, open opener) {
	run(t, open, "a backend goes with all meetings there", func(f *fixture) {
		f.populated(f.active(f.a, "r1"))
		f.book(f.b, "stray of r1")
		f.key = f.keyOf("ended")
		f.ended(f.active(f.a, "r2"))
		f.key = f.keyOf("stays")
		stays := f.populated(f.active(f.b, "r3"))
		f.book(f.a, "stray of r3")
		f.must(f.store.SaveProbes(f.Context(), "one", []string{f.a, f.b}))
		f.must(f.store.SaveHeartbeats(f.Context(), []string{f.a, f.b}))
		f.must(f.store.SaveReport(f.Context(), f.a, []byte("report")))
		f.must(f.store.SaveSecretUses(f.Context(), map[b3scale.SecretSlot]b3scale.Micros{{OwnerID: f.a}: 1, {OwnerID: f.b}: 2}))
		was, config := f.backend(f.a), f.configVersion()

		got, err := f.store.DeleteBackend(f.Context(), f.a, operator)
		f.must(err)
		f.same("deleted", got, was)
		f.same("backends", f.count(), 2)
		f.noMeeting(f.keyOf("room"))
		f.noMeeting(f.keyOf("ended"))
		f.unchanged("another backend", stays)
		f.noOrphan(f.a)
		f.orphan(f.b) // its room may still be there
		f.same("people", f.people(), map[string]bool{"stays/r3/ann": true, "stays/r3/bob": true})
		f.same("uses", f.secretUses(), map[b3scale.SecretSlot]b3scale.Micros{{OwnerID: f.b}: 2})
		for what, read := range map[string]func() (map[string]b3scale.Micros, error){
			"probes":     func() (map[string]b3scale.Micros, error) { return f.store.Probes(f.Context()) },
			"heartbeats": func() (map[string]b3scale.Micros, error) { return f.store.Heartbeats(f.Context()) },
		} {
			times, err := read()
			f.must(err)
			f.same(what, len(times), 1)
		}
		if f.configVersion() == config {
			f.Error("nobody would notice")
		}
		_, err = f.store.DeleteBackend(f.Context(), f.a, operator)
		f.code("again", err, b3scale.NotFound)
		_, fit := f.claim(f.a)
		f.expect("claim", fit, nil, true) // it lives on f.b
		f.key = f.keyOf("new")
		_, fit = f.claim(f.a)
		f.expect("claim there", fit, nil, false)
	})

	run(t, open, "a frontend goes with all its meetings", func(f *fixture) {
		first := f.frontend
		f.populated(f.active(f.a, "r1"))
		f.book(f.b, "stray")
		f.frontend = f.addFrontend(b3scale.Frontend{Key: "moodle"}).ID
		f.key = f.keyOf("room")
		stays := f.populated(f.active(f.a, "r2"))
		f.book(f.c, "stray")
		f.must(f.store.SaveSecretUses(f.Context(), map[b3scale.SecretSlot]b3scale.Micros{{OwnerID: first, Secondary: true}: 1, {OwnerID: f.frontend}: 2}))
		config := f.configVersion()

		got, err := f.store.DeleteFrontend(f.Context(), first, operator)
		f.must(err)
		f.same("deleted", got.Key, "greenlight")
		f.same("frontends", len(f.frontends()), 1)
		f.noMeeting(b3scale.MeetingKey{FrontendID: first, MeetingID: "room"})
		f.unchanged("another frontend", stays)
		f.noOrphan(f.b)
		f.orphan(f.c)
		f.same("people", f.people(), map[string]bool{"room/r2/ann": true, "room/r2/bob": true})
		f.same("uses", f.secretUses(), map[b3scale.SecretSlot]b3scale.Micros{{OwnerID: f.frontend}: 2})
		if f.configVersion() == config {
			f.Error("nobody would notice")
		}
		_, _, err = f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: b3scale.MeetingKey{FrontendID: first, MeetingID: "x"}, BackendID: f.a})
		f.code("claim", err, b3scale.NotFound)
	})

	run(t, open, "only an empty, decommissioned backend goes by itself", func(f *fixture) {
		try := func(what string, want bool) {
			f.Helper()
			deleted, err := f.store.DeleteEmptyBackend(f.Context(), f.a)
			f.expect(what, deleted, err, want)
		}
		m := f.claimed(f.a)
		for _, state := range []b3scale.AdminState{b3scale.AdminReady, b3scale.AdminStopped, b3scale.AdminInit, b3scale.AdminError} {
			f.setState(f.a, state)
			try(string(state), false)
		}
		f.setState(f.a, b3scale.AdminDecommissioned)
		try("creating", false)
		m = f.confirmed(m, room("r1"))
		try("active", false)
		f.ended(m)
		f.book(f.a, "r1")
		try("orphan", false)
		f.dropOrphans(f.a)
		f.same("backends", f.count(), 3)
		try("empty", true)
		f.same("backends left", f.count(), 2)
		f.noMeeting(f.key)
		try("again", false)
	})

	run(t, open, "claims that race with a delete end well", func(f *fixture) {
		ids := []string{f.a, f.b, f.c}
		for i := range 60 { // some rows have lived before, some elsewhere
			f.key = f.keyOf(fmt.Sprint("room ", i))
			f.ended(f.active(ids[i%3], fmt.Sprint("r", i)))
		}
		var gone atomic.Bool
		begun := make(chan struct{})
		begin := sync.OnceFunc(func() { close(begun) })
		parallel(9, func(i int) {
			if i == 0 {
				<-begun // some claims come first
				if _, err := f.store.DeleteBackend(f.Context(), f.a, operator); err != nil {
					f.Error(err)
				}
				gone.Store(true)
				return
			}
			for n := range 20 {
				late := gone.Load()
				key := f.keyOf(fmt.Sprint("room ", (i*20+n)%120))
				m, fit, err := f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: key, BackendID: f.a})
				begin()
				if err != nil {
					f.Errorf("claim: %v", err)
				}
				if late && fit {
					f.Errorf("claimed %+v on a backend that is gone", m)
				}
				if fit {
					_, _, err = f.store.ConfirmMeeting(f.Context(), key, m.Generation, room(fmt.Sprint("r", i)))
					if err != nil {
						f.Errorf("confirm: %v", err)
					}
				}
				if _, err := f.store.BookOrphan(f.Context(), key, f.a, "r"); err != nil && b3scale.CodeOf(err) != b3scale.NotFound {
					f.Errorf("book: %v", err)
				}
			}
		})
		f.same("backends", f.count(), 2)
		for _, m := range f.live() {
			f.Errorf("got %+v", m)
		}
		f.noOrphan(f.a)
	})

	run(t, open, "claims that race with the delete of their frontend end well", func(f *fixture) {
		parallel(6, func(i int) {
			if i == 0 {
				if _, err := f.store.DeleteFrontend(f.Context(), f.frontend, operator); err != nil {
					f.Error(err)
				}
				return
			}
			for n := range 20 {
				key := f.keyOf(fmt.Sprint("room ", n))
				_, _, err := f.store.ClaimMeeting(f.Context(), b3scale.Claim{Key: key, BackendID: []string{f.a, f.b}[i%2]})
				if err != nil && b3scale.CodeOf(err) != b3scale.NotFound {
					f.Errorf("claim: %v", err)
				}
			}
		})
		f.same("frontends", len(f.frontends()), 0)
		f.same("live", len(f.live()), 0)
	})

	run(t, open, "deletes of one backend and one frontend at once", func(f *fixture) {
		for i := range 40 {
			f.key = f.keyOf(fmt.Sprint("room ", i))
			f.claimed(f.a)
			f.book(f.b, "stray")
		}
		parallel(3, func(i int) {
			var err error
			switch i {
			case 0:
				_, err = f.store.DeleteBackend(f.Context(), f.a, operator)
			case 1:
				_, err = f.store.DeleteBackend(f.Context(), f.b, operator)
			case 2:
				_, err = f.store.DeleteFrontend(f.Context(), f.frontend, operator)
			}
			if err != nil {
				f.Errorf("delete %d: %v", i, err)
			}
		})
		f.same("backends", f.count(), 1)
		f.same("frontends", len(f.frontends()), 0)
	})
}

func (f *fixture) configVersion() string {
	f.Helper()
	version, err := f.store.ConfigVersion(f.Context())
	f.must(err)
	return version
}
