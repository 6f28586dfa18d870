package cluster

import (
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
