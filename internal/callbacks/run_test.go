package callbacks

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/internal/logtest"
)

// slow is a store whose takes take their time, and which counts purges.
type slow struct {
	Store
	take   time.Duration
	purges []time.Time
}

func (s *slow) TakeCallbacks(ctx context.Context, holder string, lease time.Duration, n, perHost, perFrontend int) (
	[]b3scale.Callback, map[b3scale.CallbackKind]int, error,
) {
	taken, expired, err := s.Store.TakeCallbacks(ctx, holder, lease, n, perHost, perFrontend)
	time.Sleep(s.take)
	return taken, expired, err
}

func (s *slow) PurgeCallbacks(ctx context.Context, ended time.Duration) error {
	s.purges = append(s.purges, time.Now())
	return s.Store.PurgeCallbacks(ctx, ended)
}

// runs gives an outbox over a slow store so much time.
func runs(t *testing.T, s *slow, opts Options, span time.Duration, then func(f b3scale.Frontend)) {
	t.Helper()
	store := newStore(t)
	f, err := store.AddFrontend(t.Context(), b3scale.Frontend{Key: "moodle"}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.AddCallback(t.Context(), b3scale.Callback{FrontendID: f.ID, Kind: b3scale.CallbackEnd, URL: "ftp://x/"}, b3scale.CallbackTerms{Tried: time.Hour}); err != nil {
		t.Fatal(err)
	}
	s.Store = store
	o := New(s, frontends{f}, logtest.Logger(), opts)
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	if err := o.Run(ctx); err != nil {
		t.Error(err)
	}
	then(f)
}

// An instance that is started anew every hour purges, too.
func TestPurgesSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, begin := &slow{}, time.Now()
		runs(t, s, Options{Keep: time.Minute}, 2*time.Hour+10*time.Minute, func(b3scale.Frontend) {
			if len(s.purges) != 3 || s.purges[0].Sub(begin) > 5*time.Minute {
				t.Errorf("purged at %v, begun at %v", s.purges, begin)
			}
			if n, err := s.Store.(b3scale.Store).Callbacks(t.Context(), b3scale.CallbackQuery{}, func(b3scale.Callback) {}); err != nil || n != 0 {
				t.Errorf("%d are left, %v", n, err)
			}
		})
	})
}

// What was taken so late that the lease could end during an attempt is left to
// the next take.
func TestTakenTooLate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		take     time.Duration
		attempts bool
	}{{5 * time.Second, true}, {25 * time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			attempts := 0
			opts := Options{Done: func(b3scale.CallbackKind, b3scale.CallbackResult) { attempts++ }}
			runs(t, &slow{take: c.take}, opts, 2*time.Minute, func(b3scale.Frontend) {
				if (attempts > 0) != c.attempts {
					t.Errorf("a take of %v led to %d attempts", c.take, attempts)
				}
			})
		})
	}
}
