package cluster

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
)

// awayDB is a database that goes away: it refuses, or it hangs until the
// store's own limit.
type awayDB struct {
	b3scale.Store
	mode *atomic.Int32
}

const (
	dbHere int32 = iota
	dbRefuses
	dbHangs
)

// dbLimit is how long a store lets a call wait for the database.
const dbLimit = 1500 * time.Millisecond

func (s awayDB) away(ctx context.Context) error {
	switch s.mode.Load() {
	case dbHere:
		return nil
	case dbHangs:
		pause(ctx, dbLimit)
	}
	return b3scale.Errorf(b3scale.Unavailable, "the store does not answer")
}

func (s awayDB) Meeting(ctx context.Context, key b3scale.MeetingKey) (b3scale.Meeting, error) {
	if err := s.away(ctx); err != nil {
		return b3scale.Meeting{}, err
	}
	return s.Store.Meeting(ctx, key)
}

func (s awayDB) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	if err := s.away(ctx); err != nil {
		return b3scale.Meeting{}, false, err
	}
	return s.Store.ClaimMeeting(ctx, c)
}

func (s awayDB) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	if err := s.away(ctx); err != nil {
		return b3scale.Meeting{}, false, err
	}
	return s.Store.ConfirmMeeting(ctx, key, generation, room)
}

func (s awayDB) EndMeeting(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	if err := s.away(ctx); err != nil {
		return false, err
	}
	return s.Store.EndMeeting(ctx, seen)
}

func (s awayDB) RequestEnd(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string) (b3scale.Meeting, bool, error) {
	if err := s.away(ctx); err != nil {
		return b3scale.Meeting{}, false, err
	}
	return s.Store.RequestEnd(ctx, key, generation, internalID)
}

func (s awayDB) SaveProbes(ctx context.Context, instance string, reached []string) error {
	if err := s.away(ctx); err != nil {
		return err
	}
	return s.Store.SaveProbes(ctx, instance, reached)
}

func (s awayDB) VersionsSince(ctx context.Context, since int64, yield func(b3scale.MeetingKey, int64)) error {
	if err := s.away(ctx); err != nil {
		return err
	}
	return s.Store.VersionsSince(ctx, since, yield)
}

// A database that is gone for a while stops nothing but new meetings.
func TestWithoutTheDatabaseMemoryAnswers(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]int32{"refuses": dbRefuses, "hangs": dbHangs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mode atomic.Int32
			p := plan{wrap: func(store b3scale.Store) b3scale.Store { return awayDB{store, &mode} }}
			inBubble(t, p, func(t *testing.T, s *site) {
				all := s.members(2)
				time.Sleep(15 * time.Second)
				s.as(all[1], func() { s.created("room") })
				s.joined("room")
				time.Sleep(15 * time.Second)
				if !s.c.StoreAnswers() {
					t.Error("the store answers, and is said not to")
				}

				mode.Store(how)
				time.Sleep(10 * time.Second)
				if s.c.StoreAnswers() {
					t.Error("the store is away, and nobody notices")
				}
				within := func(what string, limit time.Duration, do func()) {
					t.Helper()
					begin := time.Now()
					if do(); time.Since(begin) > limit {
						t.Errorf("%s took %v, want at most %v", what, time.Since(begin), limit)
					}
				}
				for range 10 {
					within("a join", rowBudget+100*time.Millisecond, func() { s.joined("room") })
				}
				within("the create of an active meeting", time.Second, func() { s.created("room") })
				if !s.c.Running(s.key("room")) || len(s.c.Meetings(s.frontend.ID)) != 1 {
					t.Error("memory has forgotten the meeting")
				}
				info := bbb.Call{Name: "getMeetingInfo", Params: params("meetingID", nodeID("room"))}
				if answer, err := s.c.Forward(s.ctx, s.key("room"), info); err != nil || !answer.Succeeded() {
					t.Errorf("getMeetingInfo: %v", err)
				}
				if s.c.Unvalidated() == 0 {
					t.Error("no join was counted as answered from memory")
				}
				for i := range 3 {
					within("a new create", 2*time.Second, func() {
						if _, err := s.create(fmt.Sprint("new-", i)); b3scale.CodeOf(err) != b3scale.Unavailable {
							t.Errorf("create without the database: %v, want %s", err, b3scale.Unavailable)
						}
					})
				}
				_, err := s.join("unknown")
				if b3scale.CodeOf(err) != b3scale.NotYet {
					t.Errorf("join of a meeting that nobody can look up: %v, want %s", err, b3scale.NotYet)
				}

				mode.Store(dbHere)
				s.created("new-0")
				time.Sleep(2*time.Second + dbLimit)
				if !s.c.StoreAnswers() {
					t.Error("the store is back, and nobody notices")
				}
				time.Sleep(20 * time.Second)
			})
		})
	}
}
