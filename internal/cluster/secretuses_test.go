package cluster

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
)

// lateUses counts what is stored of secrets, and fails at first.
type lateUses struct {
	b3scale.Store
	saved, fails *atomic.Int32
}

func (s lateUses) SaveSecretUses(ctx context.Context, uses map[b3scale.SecretSlot]b3scale.Micros) error {
	if s.fails.Add(-1) >= 0 {
		return errDead
	}
	s.saved.Add(1)
	return s.Store.SaveSecretUses(ctx, uses)
}

func TestSecretUses(t *testing.T) {
	t.Parallel()
	var saved, fails atomic.Int32
	p := plan{nodes: 1, wrap: func(s b3scale.Store) b3scale.Store { return lateUses{s, &saved, &fails} }}
	inBubble(t, p, func(t *testing.T, s *site) {
		check := func(what string, got map[b3scale.SecretSlot]b3scale.Micros, err error, slot b3scale.SecretSlot, want b3scale.Micros) {
			t.Helper()
			if err != nil || got[slot] != want {
				t.Errorf("%s: last used at %v, want %v (%v)", what, got[slot], want, err)
			}
		}
		first, second := b3scale.SecretSlot{OwnerID: s.frontend.ID}, b3scale.SecretSlot{OwnerID: s.frontend.ID, Secondary: true}
		node := b3scale.SecretSlot{OwnerID: s.backends[0]}
		stop := s.run()
		time.Sleep(time.Second)
		begin := b3scale.MicrosOf(time.Now())
		s.c.SecretUsed(&s.frontend, true)
		s.c.SecretUsed(&b3scale.Frontend{ID: "unknown"}, false)
		got, err := s.c.SecretUses(s.ctx)
		check("the secondary secret, at once", got, err, second, begin)
		check("the first secret", got, err, first, 0)
		if got[node] == 0 || got[b3scale.SecretSlot{OwnerID: s.backends[0], Secondary: true}] != 0 {
			t.Errorf("the secrets of the backend: %v", got)
		}
		got, err = s.store.SecretUses(s.ctx)
		check("stored at once", got, err, second, 0)
		fails.Store(1)
		time.Sleep(70 * time.Second)
		got, err = s.store.SecretUses(s.ctx)
		check("stored later, after a failure", got, err, second, begin)
		if n := saved.Load(); n != 1 {
			t.Errorf("stored %d times in 71 s, one of them failed; want once", n)
		}

		// Another instance has used it since.
		other := begin.Add(time.Hour)
		if err := s.store.SaveSecretUses(s.ctx, map[b3scale.SecretSlot]b3scale.Micros{second: other}); err != nil {
			t.Fatal(err)
		}
		got, err = s.c.SecretUses(s.ctx)
		check("used by another instance", got, err, second, other)

		last := b3scale.MicrosOf(time.Now())
		s.c.SecretUsed(&s.frontend, false)
		stop()
		got, err = s.store.SecretUses(s.ctx)
		check("stored at the stop", got, err, first, last)
	})
}

// A call that the node refuses is no use of the secret.
func TestSecretUsesOfBackends(t *testing.T) {
	t.Parallel()
	p := plan{nodes: 1, backend: func(_ int, b *b3scale.Backend) { b.Secret, b.SecondarySecret = "wrong", b.Secret }}
	inBubble(t, p, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(5 * time.Second)
		got, err := s.c.SecretUses(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if at := got[b3scale.SecretSlot{OwnerID: s.backends[0]}]; at != 0 {
			t.Errorf("the wrong secret was used at %v", at.Time())
		}
		if got[b3scale.SecretSlot{OwnerID: s.backends[0], Secondary: true}] == 0 {
			t.Error("the right secret was never used")
		}
	})
}
