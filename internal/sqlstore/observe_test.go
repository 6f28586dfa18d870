package sqlstore

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"b3scale"
)

// uses are what an Observer was told.
type uses struct {
	mu  sync.Mutex
	all []use
}

type use struct {
	kind    UseKind
	failure UseFailure
}

func (u *uses) Used(kind UseKind, took time.Duration, failure UseFailure) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if took >= 0 {
		u.all = append(u.all, use{kind, failure})
	}
}

func (u *uses) take() []use {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.all
	u.all = nil
	return all
}

func TestUsesAreTold(t *testing.T) {
	t.Parallel()
	told := &uses{}
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), Options{Observer: told})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := b3scale.Frontend{Key: "fe", Secret: "secret"}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		what string
		do   func() error
		want []use
		good bool
	}{
		{"a read", func() error { _, err := s.Now(t.Context()); return err }, []use{{UseRead, ""}}, true},
		{"a long read", func() error { _, err := s.Frontends(t.Context()); return err }, []use{{UseReadLong, ""}}, true},
		{"a write", func() error { _, err := s.AddFrontend(t.Context(), f, b3scale.Actor{}); return err }, []use{{UseWrite, ""}}, true},
		{"a conflict is an answer", func() error { _, err := s.AddFrontend(t.Context(), f, b3scale.Actor{}); return err }, []use{{UseWrite, ""}}, false},
		{"nobody waits", func() error { _, err := s.Now(over); return err }, nil, false},
		{"it takes too long", func() error {
			release := hold(t, s)
			defer release()
			soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			return s.SaveProbes(soon, "instance", []string{"b"})
		}, []use{{UseWrite, UseTimeout}}, false},
		{"it cannot", func() error {
			return s.read(t.Context(), func(ctx context.Context, tx session) error { return tx.row(ctx, "NONSENSE").Scan() })
		}, []use{{UseRead, UseFailed}}, false},
		{"it is closed", func() error {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			_, err := s.Now(t.Context())
			return err
		}, nil, false},
	} {
		told.take()
		err := c.do()
		if got := told.take(); !slices.Equal(got, c.want) || (err == nil) != c.good {
			t.Errorf("%s: told %v, want %v (%v)", c.what, got, c.want, err)
		}
	}
}
