package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// A store that does not answer keeps nobody out, and nobody waiting: not even
// behind those who create.
func TestJoinWithoutAReservation(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]int32{"refuses": dbRefuses, "hangs": dbHangs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mode atomic.Int32
			p := plan{nodes: 1, wrap: func(store b3scale.Store) b3scale.Store { return awayDB(store, &mode) }}
			inBubble(t, p, func(t *testing.T, s *site) {
				s.limited(func(v *b3scale.FrontendSettings) {
					attendees(1, "")(v)
					meetings(100)(v)
				})
				all := s.members(2)
				time.Sleep(15 * time.Second)
				s.created("class")
				s.admits(true, "class", "userID", "ann")
				mode.Store(how)
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() { _, _ = s.create(fmt.Sprint("new-", i)) })
				}
				begin := time.Now()
				var joins sync.WaitGroup
				for i := range 50 {
					joins.Go(func() { s.admits(true, "class", "userID", fmt.Sprint("user-", i)) })
				}
				joins.Wait()
				if took := time.Since(begin); took > rowBudget+doubtFor+2*lookAtStore {
					t.Errorf("they were let in after %v", took)
				}
				if got := all[0].Unreserved(); got != 50 {
					t.Errorf("%d people are said to have no reservation, want 50", got)
				}
				begin = time.Now()
				s.admits(true, "class", "userID", "later")
				if took := time.Since(begin); took > rowBudget {
					t.Errorf("with a store that is known to be silent it took %v", took)
				}
				wg.Wait()
				mode.Store(dbHere)
				time.Sleep(5 * time.Second)
				s.admits(false, "class", "userID", "bob")
				ctx, cancel := context.WithCancel(s.ctx)
				cancel()
				_, _ = s.c.Join(ctx, s.key("class"), params("meetingID", nodeID("class"), "userID", "gone"))
				if got := all[0].Unreserved(); got != 51 {
					t.Errorf("a client that left was counted")
				}
				time.Sleep(time.Minute) // nothing of the creates is left
			})
		})
	}
}

// Two instances that count at the same time hold each other up. That is no
// reason to let anybody in.
func TestLimitsHoldWhileTheStoreIsBusy(t *testing.T) {
	t.Parallel()
	const people, limit = 40, 5
	p := plan{nodes: 1, wrap: func(store b3scale.Store) b3scale.Store {
		return tapped{store, func(ctx context.Context, method string, call func() error) error {
			if method == "TakePlace" {
				if pause(ctx, 2*rowBudget); ctx.Err() != nil {
					return b3scale.Errorf(b3scale.Unavailable, "the store did not answer in time")
				}
			}
			return call()
		}}
	}}
	inBubble(t, p, func(t *testing.T, s *site) {
		s.limited(attendees(limit, ""))
		all := s.members(2)
		time.Sleep(15 * time.Second)
		s.created("class")
		time.Sleep(2 * time.Second)
		var admitted, waited atomic.Int64
		var wg sync.WaitGroup
		for i := range people {
			wg.Go(func() {
				for {
					begin := time.Now()
					_, err := all[i%2].Join(s.ctx, s.key("class"), params("meetingID", nodeID("class"), "userID", fmt.Sprint("user-", i)))
					if took := time.Since(begin); took > all[0].opts.PlaceWait+rowBudget {
						t.Errorf("somebody waited %v", took)
					}
					if codeOf(err) == b3scale.NotYet {
						waited.Add(1)
						time.Sleep(3 * time.Second)
						continue
					}
					if err == nil {
						admitted.Add(1)
					} else {
						s.refusal("join", err, "attendeesLimitReached")
					}
					return
				}
			})
		}
		wg.Wait()
		if admitted.Load() != limit || waited.Load() == 0 {
			t.Errorf("%d were let in, %d had to wait, want %d and some", admitted.Load(), waited.Load(), limit)
		}
		if got := all[0].Unreserved() + all[1].Unreserved(); got != 0 {
			t.Errorf("%d people have no reservation", got)
		}
	})
}

// held is a store in which somebody holds the limits of one frontend.
type held struct {
	b3scale.Store
	of *atomic.Value
}

func (h held) TakePlace(ctx context.Context, p b3scale.Place) (int, bool, error) {
	if h.of.Load() == p.Key.FrontendID {
		pause(ctx, dbLimit)
		return 0, false, b3scale.Errorf(b3scale.Unavailable, "the store did not answer in time")
	}
	return h.Store.TakePlace(ctx, p)
}

func TestHeldLimitsOpenNone(t *testing.T) {
	t.Parallel()
	var of atomic.Value
	p := plan{nodes: 1, wrap: func(store b3scale.Store) b3scale.Store { return held{store, &of} }}
	inBubble(t, p, func(t *testing.T, s *site) {
		s.unchecked = true // two frontends have meetings
		s.limited(attendees(1, ""))
		other, err := s.c.AddFrontend(s.ctx, b3scale.Frontend{Key: "other", Secret: "x", Active: true,
			Settings: b3scale.FrontendSettings{AttendeesLimit: &b3scale.AttendeesLimit{Limit: 1}}}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		s.members(2)
		time.Sleep(15 * time.Second)
		s.created("class")
		id := b3scale.EncodeMeetingID("other", "room")
		if _, err := s.c.Create(s.ctx, CreateRequest{Frontend: s.c.Frontend("other"), MeetingID: "room", Params: params("name", "room", "meetingID", id)}); err != nil {
			t.Fatal(err)
		}
		of.Store(other.ID)
		joinOther := func() error {
			_, err := s.c.Join(s.ctx, b3scale.MeetingKey{FrontendID: other.ID, MeetingID: "room"}, params("meetingID", id, "userID", "x"))
			return err
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := joinOther(); codeOf(err) != b3scale.NotYet {
					t.Errorf("the frontend itself: %v, want %s", err, b3scale.NotYet)
				}
			})
		}
		for i := range 20 {
			s.admits(i == 0, "class", "userID", fmt.Sprint("user-", i))
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
		if !s.c.StoreAnswers() || s.c.Unreserved() != 0 {
			t.Errorf("the store is said to answer: %v; %d people have no reservation", s.c.StoreAnswers(), s.c.Unreserved())
		}
		of.Store("")
		if err := joinOther(); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// A store that reads and does not write keeps nobody out for long.
func TestJoinWhileTheStoreTakesNoWrites(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	p := plan{nodes: 1, wrap: func(store b3scale.Store) b3scale.Store {
		return tapped{store, func(_ context.Context, method string, call func() error) error {
			if full.Load() && (method == "TakePlace" || method == "SaveProbes") {
				return b3scale.Errorf(b3scale.Unavailable, "the store could not commit")
			}
			return call()
		}}
	}}
	inBubble(t, p, func(t *testing.T, s *site) {
		s.limited(attendees(1, ""))
		s.members(2)
		time.Sleep(15 * time.Second)
		s.created("class")
		s.admits(true, "class", "userID", "ann")
		full.Store(true)
		if _, err := s.joinAs("class", "userID", "bob"); codeOf(err) != b3scale.NotYet {
			t.Errorf("at first: %v, want %s", err, b3scale.NotYet)
		}
		time.Sleep(10 * time.Second)
		s.admits(true, "class", "userID", "bob")
		if got := s.c.Unreserved(); got != 1 {
			t.Errorf("%d people are said to have no reservation, want 1", got)
		}
		full.Store(false)
		time.Sleep(5 * time.Second)
		s.admits(false, "class", "userID", "cyd")
	})
}

// Breakout rooms of API clients are no way around the limits. Those that
// moderators open never pass us.
func TestBreakoutRoomsAreLimited(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.limited(func(v *b3scale.FrontendSettings) {
			attendees(3, "")(v)
			meetings(3)(v)
		})
		s.created("class")
		var opened atomic.Int64
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				answer, err := s.createBreakout(fmt.Sprint("group-", i), nodeID("class"), "sequence", fmt.Sprint(i+1))
				if err != nil {
					s.refusal("a breakout room", err, "meetingsLimitReached")
				} else if answer.Succeeded() {
					opened.Add(1)
				}
			})
		}
		wg.Wait()
		if opened.Load() != 2 {
			t.Fatalf("%d breakout rooms were opened beside a meeting, want 2", opened.Load())
		}
		var groups []string
		for _, r := range s.c.table.MeetingsOf(s.frontend.ID) {
			if r.Breakout {
				groups = append(groups, r.Key.MeetingID)
			}
		}
		if _, err := s.createBreakout(groups[0], nodeID("class")); codeOf(err) == b3scale.LimitReached {
			t.Error("one that is there is refused")
		}
		s.admits(true, "class", "userID", "ann")
		s.admits(true, groups[0], "userID", "bob")
		s.admits(true, groups[1], "userID", "cyd")
		s.admits(false, groups[1], "userID", "dan")
		s.admits(false, "class", "userID", "dan")
		time.Sleep(s.c.opts.PlaceHold + time.Second)

		// Two are in a breakout room, and one of them in the meeting.
		for _, name := range []string{"Ann", "Bob"} {
			s.nodes[0].Join(nodeID(groups[0]), bbbtest.Attendee{FullName: name})
		}
		s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: "Ann"})
		s.list(0)
		if got := s.c.table.FrontendCount(s.frontend.ID); got.Meetings != 1 || got.Breakouts.Rooms != 2 || got.Breakouts.People != 2 {
			t.Errorf("memory counts %+v", got)
		}
		s.admits(false, groups[0], "userID", "cyd")
		s.admits(true, "class", "userID", "cyd") // there only those count who are in meetings
	})
}
