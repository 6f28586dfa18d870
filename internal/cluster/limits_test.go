package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// limited gives the frontend settings.
func (s *site) limited(change func(*b3scale.FrontendSettings)) {
	s.t.Helper()
	_, err := s.c.EditFrontend(s.ctx, s.frontend.ID, b3scale.Actor{}, func(f *b3scale.Frontend) error { change(&f.Settings); return nil })
	if err != nil {
		s.t.Fatal(err)
	}
}

func attendees(limit int, mode b3scale.AttendeesLimitMode) func(*b3scale.FrontendSettings) {
	return func(v *b3scale.FrontendSettings) {
		v.AttendeesLimit = &b3scale.AttendeesLimit{Limit: limit, Mode: mode}
	}
}

func meetings(limit int) func(*b3scale.FrontendSettings) {
	return func(v *b3scale.FrontendSettings) { v.MeetingsLimit = &b3scale.MeetingsLimit{Limit: limit} }
}

// joinAs asks for the address of a meeting with parameters of one's own.
func (s *site) joinAs(id string, pairs ...string) (string, error) {
	p := params("meetingID", nodeID(id))
	p.Append(params(pairs...))
	return s.c.Join(s.ctx, s.key(id), p)
}

// admits wants a join to be let in, or refused because of the limit.
func (s *site) admits(want bool, id string, pairs ...string) {
	s.t.Helper()
	_, err := s.joinAs(id, pairs...)
	switch {
	case want && err != nil:
		s.t.Errorf("join of %v: %v, want it let in", pairs, err)
	case !want:
		s.refusal(fmt.Sprint("join of ", pairs), err, "attendeesLimitReached")
	}
}

func (s *site) refusal(what string, err error, key string) {
	s.t.Helper()
	f, told := errors.AsType[*bbb.Failure](err)
	if codeOf(err) != b3scale.LimitReached || !told || f.Key != key {
		s.t.Errorf("%s: got %v, want %s", what, err, key)
	}
}

func (s *site) hits(limit Limit) int64 { return s.c.LimitHits()[LimitHit{s.frontend.ID, limit}] }

func TestAttendeesLimit(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.created("class")
		s.created("other")
		s.admits(true, "class", "userID", "ann", "fullName", "Ann") // before there is a limit
		s.limited(attendees(3, ""))
		s.admits(true, "class", "userID", "ann", "fullName", "Ann")
		s.admits(true, "other", "userID", "ann", "fullName", "Ann") // a place in each
		s.admits(true, "class", "fullName", "Guest", "role", "VIEWER")
		s.admits(false, "class", "userID", "bob", "fullName", "Bob", "role", "MODERATOR")
		s.admits(false, "class", "fullName", "Guest", "role", "VIEWER", "password", "x") // another one of that name
		time.Sleep(40 * time.Second)
		s.admits(true, "class", "userID", "ann", "fullName", "Anna", "userdata-x", "1") // the same person
		s.admits(true, "class", "role", "VIEWER", "fullName", "Guest")                  // the same join
		s.admits(false, "class", "userID", "bob", "fullName", "Bob")
		time.Sleep(30 * time.Second) // the place in the other class has lapsed, those that were renewed have not
		s.admits(true, "class", "userID", "bob", "fullName", "Bob")
		s.admits(false, "other", "userID", "cyd", "fullName", "Cyd")
		if got := s.hits(LimitAttendees); got != 4 {
			t.Errorf("%d hits were counted, want 4", got)
		}
		if _, err := s.joinAs("nobody", "userID", "cyd"); codeOf(err) != b3scale.NotFound {
			t.Errorf("join of no meeting: %v", err)
		}
		s.limited(attendees(0, ""))
		s.admits(true, "other", "userID", "cyd", "fullName", "Cyd")
		if got := s.c.Unreserved(); got != 0 {
			t.Errorf("%d people have no reservation", got)
		}
	})
}

func TestModeratorsAreExempt(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.created("class", "attendeePW", "ap", "moderatorPW", "mp")
		s.limited(func(v *b3scale.FrontendSettings) {
			v.AttendeesLimit = &b3scale.AttendeesLimit{Limit: 1, ModeratorsExempt: true}
		})
		for i := range 3 {
			s.admits(true, "class", "userID", fmt.Sprint(i), "role", "moderator", "password", "ap")
			s.admits(true, "class", "userID", fmt.Sprint(i), "role", "", "password", "mp")
			s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: fmt.Sprint("Teacher ", i), Role: bbbtest.Moderator})
		}
		s.list(0)
		s.admits(true, "class", "userID", "ann", "role", "VIEWER", "password", "mp")
		s.admits(false, "class", "userID", "bob", "role", "VIEWER", "password", "mp")
		s.admits(false, "class", "userID", "bob", "password", "ap")
		s.admits(true, "class", "userID", "bob", "password", "mp")
		if got := s.c.table.FrontendCount(s.frontend.ID); got.People != 3 || got.Moderators != 3 || got.Meetings != 1 {
			t.Errorf("memory counts %+v", got)
		}
	})
}

func TestOtherModesOfTheAttendeesLimit(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.trustAll()
		s.createdOn(0, "class")
		for i := range 2 {
			s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: fmt.Sprint("Guest ", i)})
		}
		s.list(0)
		s.limited(attendees(2, b3scale.LimitWarns))
		s.admits(true, "class", "fullName", "Zoe")
		s.createdOn(1, "second")
		if got := s.hits(LimitWarning); got != 1 {
			t.Errorf("%d warnings were counted, want 1", got)
		}
		s.limited(attendees(3, b3scale.LimitWarns))
		s.admits(true, "class", "fullName", "Zoe")
		if got := s.hits(LimitWarning); got != 1 {
			t.Errorf("%d warnings were counted, want 1", got)
		}

		s.limited(attendees(2, b3scale.LimitBlocksCreate))
		s.admits(true, "class", "fullName", "Zoe")
		_, err := s.create("third")
		s.refusal("a third meeting", err, "attendeesLimitReached")
		s.created("second") // it lives
		s.prefer(0)
		s.lose(1)
		s.created("second") // and moves
		s.livesOn(0, "second")
		if got := s.hits(LimitCreate); got != 1 {
			t.Errorf("%d refused creates were counted, want 1", got)
		}
		s.limited(attendees(3, b3scale.LimitBlocksCreate))
		s.created("third")
		s.find(1)
	})
}

func TestMeetingsLimit(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.trustAll()
		s.limited(meetings(2))
		s.created("one")
		s.created("two")
		_, err := s.create("three")
		s.refusal("a third meeting", err, "meetingsLimitReached")
		if got := s.state("three"); got != "" {
			t.Errorf("its row is %s", got)
		}
		s.created("one")
		s.limited(meetings(1)) // what lives may stay
		s.created("two")
		s.lose(s.nodeOf(s.c.Room(s.key("two")).BackendID))
		s.created("two") // and move
		_, err = s.create("three")
		s.refusal("a third meeting", err, "meetingsLimitReached")
		if got := s.hits(LimitMeetings); got != 2 {
			t.Errorf("%d refused creates were counted, want 2", got)
		}
		s.limited(meetings(3))
		s.created("three")
		for i := range s.nodes {
			s.find(i)
		}
	})
}

// A place of a meeting that the node refuses is free again.
func TestRefusedMeetingsLeaveNoPlace(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.limited(meetings(1))
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"create"}, Key: "no"})
		for i := range 3 {
			if answer, err := s.create(fmt.Sprint("room-", i)); err != nil || answer.MessageKey() != "no" {
				t.Fatal(err)
			}
		}
		s.nodes[0].ClearFaults()
		s.created("room-3")
	})
}

// Instances on one store admit together what one would admit.
func TestLimitsHoldAcrossInstances(t *testing.T) {
	t.Parallel()
	const people, rooms = 20, 5
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.limited(func(v *b3scale.FrontendSettings) {
			attendees(people, "")(v)
			meetings(rooms)(v)
		})
		all := s.members(3)
		time.Sleep(15 * time.Second)
		s.created("class")
		var joined, created atomic.Int64
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				c := all[i%3].Cluster
				if _, err := c.Join(s.ctx, s.key("class"), params("meetingID", nodeID("class"), "userID", fmt.Sprint("user-", i))); err == nil {
					joined.Add(1)
				} else {
					s.refusal("join", err, "attendeesLimitReached")
				}
				id := fmt.Sprint("room-", i)
				_, err := c.Create(s.ctx, CreateRequest{Frontend: c.Frontend(frontendKey), MeetingID: id, Params: params("name", id, "meetingID", nodeID(id))})
				if err == nil {
					created.Add(1)
				} else {
					s.refusal("create", err, "meetingsLimitReached")
				}
			})
		}
		wg.Wait()
		if joined.Load() != people || created.Load() != rooms-1 {
			t.Errorf("%d people were let in, %d meetings created, want %d and %d", joined.Load(), created.Load(), people, rooms-1)
		}
		var unreserved int64
		for _, m := range all {
			unreserved += m.Unreserved()
		}
		if unreserved != 0 {
			t.Errorf("%d people have no reservation", unreserved)
		}
		time.Sleep(5 * time.Second) // all of them know all meetings
	})
}

func TestObservingRefusesNobody(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, opts: Options{Observe: true}}, func(t *testing.T, s *site) {
		s.limited(attendees(1, ""))
		s.placed(0, "class", "Ada", "Bob")
		s.list(0)
		s.admits(true, "class", "userID", "cyd")
	})
}

// The log tells of the first refusal, and once a minute how many there were.
func TestLimitsAreTold(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		var log bytes.Buffer
		s.c.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		s.limited(attendees(1, ""))
		s.created("class")
		s.admits(true, "class", "userID", "ann", "fullName", "Ann")
		for range 5 {
			s.admits(false, "class", "userID", "bob", "fullName", "Robert")
		}
		time.Sleep(tellEvery)
		s.admits(true, "class", "userID", "ann", "fullName", "Ann")
		s.admits(false, "class", "userID", "bob", "fullName", "Robert")
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "others_since=0") || !strings.Contains(lines[1], "others_since=4") ||
			!strings.Contains(lines[1], "frontend="+frontendKey+" limit=attendees") || strings.Contains(log.String(), "Robert") {
			t.Errorf("the log says\n%s", &log)
		}
		if _, err := s.c.DeleteFrontend(s.ctx, s.frontend.ID, b3scale.Actor{}); err != nil {
			t.Fatal(err)
		}
		s.c.purge(s.ctx)
		if left := s.c.LimitHits(); len(left) > 0 {
			t.Errorf("what is remembered of a frontend that is gone: %v", left)
		}
		synctest.Wait()
		s.unchecked = true // its rooms belong to nobody
	})
}
