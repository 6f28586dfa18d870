package cluster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
)

// forgetful is a store that sometimes cannot tell its backends.
type forgetful struct {
	b3scale.Store
	fails atomic.Int32
}

func (f *forgetful) Backends(ctx context.Context) ([]b3scale.Backend, error) {
	if f.fails.Add(-1) >= 0 {
		return nil, errors.New("not now")
	}
	return f.Store.Backends(ctx)
}

// What changed in the store is told once, so a configuration that could not be
// read is read later.
func TestConfigurationIsReadAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	store := &forgetful{}
	wrap := func(s b3scale.Store) b3scale.Store { store.Store = s; return store }
	inBubble(t, plan{nodes: 1, wrap: wrap}, func(t *testing.T, s *site) {
		s.run()
		if _, err := s.store.EditBackend(s.ctx, s.backends[0], b3scale.Actor{}, toState(b3scale.AdminStopped)); err != nil {
			t.Fatal(err)
		}
		store.fails.Store(2)
		s.c.reloadSoon()
		time.Sleep(5 * time.Second)
		if got := s.backend(0).AdminState; got != b3scale.AdminStopped {
			t.Errorf("the backend is %s in memory, want %s", got, b3scale.AdminStopped)
		}
	})
}

// Two change the defaults at the same time, and the first one hears of it last.
func TestDefaultsInMemoryAreTheLast(t *testing.T) {
	t.Parallel()
	var edits atomic.Int32
	late := make(chan struct{})
	p := plan{nodes: 1, wrap: func(store b3scale.Store) b3scale.Store {
		return tapped{store, func(_ context.Context, method string, call func() error) error {
			err := call()
			if method == "EditFrontendDefaults" && edits.Add(1) == 1 {
				<-late
			}
			return err
		}}
	}}
	s := newSite(t, p)
	set := func(limit int) {
		_, err := s.c.EditFrontendDefaults(s.ctx, b3scale.Actor{}, func(d *b3scale.FrontendSettings) error {
			d.MeetingsLimit = &b3scale.MeetingsLimit{Limit: limit}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { set(1) })
	for edits.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	set(2)
	close(late)
	wg.Wait()
	if got := s.c.table.FrontendDefaults().MeetingsLimit.Limit; got != 2 {
		t.Errorf("memory has a limit of %d, want the last one, 2", got)
	}
}
