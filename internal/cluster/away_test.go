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

const (
	dbHere int32 = iota
	dbRefuses
	dbHangs
)

// dbLimit is how long a store lets a call wait for the database.
const dbLimit = 1500 * time.Millisecond

// awayDB is a database that goes away: it refuses, or it hangs until the
// store's own limit.
func awayDB(store b3scale.Store, mode *atomic.Int32) b3scale.Store {
	return tapped{store: store, around: func(ctx context.Context, _ string, call func() error) error {
		switch mode.Load() {
		case dbHere:
			return call()
		case dbHangs:
			pause(ctx, dbLimit)
		}
		return b3scale.Errorf(b3scale.Unavailable, "the store does not answer")
	}}
}

// A database that is gone for a while stops nothing but new meetings.
func TestWithoutTheDatabaseMemoryAnswers(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]int32{"refuses": dbRefuses, "hangs": dbHangs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mode atomic.Int32
			p := plan{wrap: func(store b3scale.Store) b3scale.Store { return awayDB(store, &mode) }}
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

// Somebody who waits for the moderator asks isMeetingRunning, again and again.
func TestWithoutTheDatabaseMeetingsBegin(t *testing.T) {
	t.Parallel()
	var mode atomic.Int32
	p := plan{wrap: func(store b3scale.Store) b3scale.Store { return awayDB(store, &mode) }}
	inBubble(t, p, func(t *testing.T, s *site) {
		s.members(2)
		time.Sleep(15 * time.Second)
		s.created("room")
		time.Sleep(15 * time.Second)
		mode.Store(dbRefuses)
		time.Sleep(5 * time.Second)
		s.joined("room")
		time.Sleep(10 * time.Second)
		if !s.c.Running(s.key("room")) {
			t.Error("somebody is in the room, and nobody says so")
		}
		mode.Store(dbHere)
		time.Sleep(30 * time.Second)
		if m, _ := s.row("room"); !s.c.Running(s.key("room")) || len(m.Info) == 0 {
			t.Errorf("with the database back: running %v, stored %q", s.c.Running(s.key("room")), m.Info)
		}
	})
}
