package sqlstore

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"b3scale"
)

// What each kind of work waits for while somebody else is in the middle of
// another: people who come must not stand in line behind meetings, nor meetings
// that live behind limits.
func TestLimitsHoldUpOnlyThemselves(t *testing.T) {
	t.Parallel()
	dsn := migrated(t)
	s := connect(t, dsn, PostgresOptions{Timeout: 20 * time.Second})
	hasty := connect(t, dsn, PostgresOptions{Timeout: 300 * time.Millisecond})
	m := place(t, s)
	key := b3scale.MeetingKey{FrontendID: m.Key.FrontendID, MeetingID: "new"}
	taken := b3scale.Place{Key: m.Key, Holder: "one", Arrival: "one", Hold: time.Hour, Limit: 1}
	if _, ok, err := s.TakePlace(t.Context(), taken); err != nil || !ok {
		t.Fatal(ok, err)
	}
	take := func(s *Store, holder string, limit int) func() error {
		return func() error {
			_, _, err := s.TakePlace(t.Context(), b3scale.Place{Key: m.Key, Holder: holder, Arrival: holder, Hold: time.Hour, Limit: limit, Look: true})
			return err
		}
	}
	claim := func(s *Store, key b3scale.MeetingKey, limit int) func() error {
		return func() error {
			_, _, err := s.ClaimMeeting(t.Context(), b3scale.Claim{Key: key, BackendID: m.BackendID, MaxMeetings: limit})
			return err
		}
	}
	arrive := func() error {
		_, err := s.SaveTurnouts(t.Context(), m.BackendID, []b3scale.Turnout{{Key: m.Key, Generation: m.Generation, InternalID: "r1", Arrivals: []string{"nobody"}}})
		return err
	}
	for _, c := range []struct {
		name string
		hold func(ctx context.Context, tx session) error
		free map[string]func() error
		wait map[string]func() error
	}{
		{"a meeting is written", func(ctx context.Context, tx session) error {
			_, _, err := lockedMeeting(ctx, tx, m.Key)
			return err
		}, map[string]func() error{
			"a place there": take(s, "two", 9), "a place when it is full": take(s, "three", 1), "another meeting": claim(s, key, 9),
		}, map[string]func() error{"a claim of that meeting": claim(hasty, m.Key, 0)}},
		{"a limit is counted", func(ctx context.Context, tx session) error { return holdLimitsOf(ctx, tx, m.Key.FrontendID) }, map[string]func() error{
			"a place when it is full": take(s, "four", 1), "a meeting that lives": claim(s, m.Key, 1), "an arrival": arrive,
			"a meeting without a limit": claim(s, b3scale.MeetingKey{FrontendID: m.Key.FrontendID, MeetingID: "free"}, 0),
			"a meeting when it is full": func() error {
				err := claim(s, b3scale.MeetingKey{FrontendID: m.Key.FrontendID, MeetingID: "x"}, 1)()
				if b3scale.CodeOf(err) == b3scale.LimitReached {
					return nil
				}
				return err
			},
		}, map[string]func() error{
			"a place": take(hasty, "five", 9), "a new meeting": claim(hasty, b3scale.MeetingKey{FrontendID: m.Key.FrontendID, MeetingID: "y"}, 9),
		}},
	} {
		err := s.writer.do(t.Context(), func(ctx context.Context, tx session) error {
			if err := c.hold(ctx, tx); err != nil {
				return err
			}
			for name, work := range c.free {
				if err := work(); err != nil {
					t.Errorf("while %s: %s: %v", c.name, name, err)
				}
			}
			for name, work := range c.wait {
				if err := work(); b3scale.CodeOf(err) != b3scale.Unavailable {
					t.Errorf("while %s: %s: got %v, want it to wait", c.name, name, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Joins read the rows of their meetings by the hundred. Whoever reserves a place
// must not stand in line behind them.
func TestReadersLeaveConnections(t *testing.T) {
	t.Parallel()
	s := connect(t, migrated(t), PostgresOptions{Timeout: 20 * time.Second, PoolSize: 8})
	m := place(t, s)
	reading, enough := make(chan struct{}, 100), make(chan struct{})
	var readers sync.WaitGroup
	for range 100 {
		readers.Go(func() {
			err := s.read(t.Context(), func(context.Context, session) error {
				reading <- struct{}{}
				<-enough
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range 6 {
		<-reading
	}
	for i, look := range []bool{false, true} {
		p := b3scale.Place{Key: m.Key, Holder: fmt.Sprint(i), Arrival: fmt.Sprint(i), Hold: time.Hour, Limit: 2, Look: look}
		if _, ok, err := s.TakePlace(t.Context(), p); err != nil || !ok {
			t.Errorf("a place while others read: %v, %v", ok, err)
		}
	}
	if len(reading) > 0 {
		t.Errorf("%d readers more than may read", len(reading))
	}
	close(enough)
	readers.Wait()
}
