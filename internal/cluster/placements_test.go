package cluster

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// callNotes are what Calls was told.
type callNotes struct {
	mu  sync.Mutex
	all []callNote
}

type callNote struct {
	backendID, resource string
	failure             CallFailure
}

func (n *callNotes) Called(backendID, resource string, took time.Duration, failure CallFailure) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if took >= 0 {
		n.all = append(n.all, callNote{backendID, resource, failure})
	}
}

func (n *callNotes) take() []callNote {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.all
	n.all = nil
	return all
}

func TestCallsAreTold(t *testing.T) {
	t.Parallel()
	for fault, want := range map[bbbtest.Kind]CallFailure{
		"":                  "",
		bbbtest.FailWith:    "",
		bbbtest.BlackHole:   CallTimeout,
		bbbtest.HangUp:      CallBroken,
		bbbtest.CutOff:      CallBroken,
		bbbtest.ServerError: CallStatus,
		bbbtest.HTMLPage:    CallMalformed,
		bbbtest.WrongSecret: CallSecret,
		"down":              CallRefused,
	} {
		notes := &callNotes{}
		inBubble(t, plan{nodes: 1, opts: Options{Calls: notes}}, func(t *testing.T, s *site) {
			s.unchecked = true
			switch fault {
			case "":
			case "down":
				s.nodes[0].Down()
			default:
				s.nodes[0].SetFault(bbbtest.Fault{Kind: fault, Key: "someKey"})
			}
			notes.take()
			_ = s.c.Ask(s.ctx, s.backends[0])
			got := notes.take()
			if len(got) != 1 || got[0] != (callNote{s.backends[0], "isMeetingRunning", want}) {
				t.Errorf("%q: got %v, want failure %q", fault, got, want)
			}
		})
	}
}

// A node that keeps a request until its deadline is counted, a client that goes
// away is not.
func TestCallsThatAreGivenUp(t *testing.T) {
	t.Parallel()
	notes := &callNotes{}
	inBubble(t, plan{nodes: 1, opts: Options{Calls: notes}}, func(t *testing.T, s *site) {
		s.unchecked = true
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		notes.take()
		ctx, cancel := context.WithCancel(s.ctx)
		time.AfterFunc(time.Second, cancel)
		_ = s.c.Ask(ctx, s.backends[0])
		if got := notes.take(); len(got) != 0 {
			t.Errorf("the client went away: got %v, want nothing", got)
		}
		ctx, cancel = context.WithTimeout(s.ctx, time.Second)
		defer cancel()
		_ = s.c.Ask(ctx, s.backends[0])
		if got, want := notes.take(), (callNote{s.backends[0], "isMeetingRunning", CallTimeout}); len(got) != 1 || got[0] != want {
			t.Errorf("the request was out of time: got %v, want %v", got, want)
		}
	})
}

func TestPlacementStats(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		for node := range s.nodes {
			s.list(node) // what was booked before does not count
		}
		s.prefer(0)
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.HangUp, Calls: []string{"create"}})
		s.created("moves") // node 0 may have executed it
		s.nodes[0].ClearFaults()
		s.created("moves") // it lives: that is no placement
		s.prefer(1)
		s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.ServerError, Calls: []string{"create"}, Times: 1})
		s.created("again")
		s.admin(0, b3scale.AdminStopped)
		s.admin(1, b3scale.AdminStopped)
		if _, err := s.create("nowhere"); b3scale.CodeOf(err) != b3scale.NoBackend {
			t.Errorf("got %v", err)
		}
		s.book(0, "again")
		before := s.c.PlacementStats()
		if before.OrphansBooked != 0 || before.OrphansOpen != 0 {
			t.Errorf("orphans are known before a list shows them: %+v", before)
		}
		s.list(0)
		got := s.c.PlacementStats()
		if got.Placed != 2 || got.Retries != 2 || got.FailOvers != 1 || len(got.Failures) != 1 || got.Failures[b3scale.NoBackend] != 1 {
			t.Errorf("got %+v", got)
		}
		if got.OrphansBooked != 2 || got.OrphansOpen != 2 {
			t.Errorf("%d orphans booked and %d open, want 2 each", got.OrphansBooked, got.OrphansOpen)
		}
		s.lists(2) // the list has deleted them, since there are no rooms
		if again := s.c.PlacementStats(); again.OrphansBooked != 2 || again.OrphansOpen != 0 {
			t.Errorf("later %d orphans booked and %d open, want 2 and none", again.OrphansBooked, again.OrphansOpen)
		}
	})
}

// What a frontend does wrong is no failure to place meetings, and limits are
// counted as such.
func TestFailuresByPolicy(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		ask := func(id string, wish b3scale.TagWish, pairs ...string) {
			t.Helper()
			p := params("name", "Meeting "+id, "meetingID", nodeID(id))
			p.Append(params(pairs...))
			_, err := s.c.Create(s.ctx, CreateRequest{Frontend: s.c.Frontend(frontendKey), MeetingID: id, Params: p, Tags: wish})
			if err == nil {
				t.Errorf("%s was created", id)
			}
		}
		ask("tagged", b3scale.TagWish{Refused: b3scale.Tags{"large"}, Required: true})
		ask("breakout", b3scale.TagWish{}, "isBreakout", "true", "parentMeetingID", nodeID("nowhere"))
		ask("orphan", b3scale.TagWish{}, "isBreakout", "true")
		ask("unmet", b3scale.TagWish{AnyOf: b3scale.Tags{"large"}, Refused: b3scale.Tags{"huge"}, Required: true})
		s.placed(0, "other")
		s.limited(meetings(1))
		ask("limited", b3scale.TagWish{})
		want := map[b3scale.Code]int64{ByPolicy: 3, b3scale.NoBackend: 1, b3scale.LimitReached: 1}
		if got := s.c.PlacementStats().Failures; !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Memory is about as old as the last poll, however little there was to read.
func TestFeedLag(t *testing.T) {
	t.Parallel()
	var mode atomic.Int32
	p := plan{wrap: func(store b3scale.Store) b3scale.Store { return awayDB(store, &mode) }}
	inBubble(t, p, func(t *testing.T, s *site) {
		if lag := s.c.FeedLag(); lag != 0 {
			t.Errorf("alone it lags by %v", lag)
		}
		c := s.members(2)[0]
		time.Sleep(10 * time.Second)
		if lag := c.FeedLag(); lag > 2*time.Second {
			t.Errorf("it lags by %v while it polls", lag)
		}
		mode.Store(dbRefuses)
		time.Sleep(30 * time.Second)
		if lag := c.FeedLag(); lag < 28*time.Second || lag > 32*time.Second {
			t.Errorf("it lags by %v, 30 s after the database went away", lag)
		}
		mode.Store(dbHere)
		time.Sleep(5 * time.Second)
		if lag := c.FeedLag(); lag > 2*time.Second {
			t.Errorf("it lags by %v when all is well again", lag)
		}
	})
}
