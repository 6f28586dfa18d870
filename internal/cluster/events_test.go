package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/logtest"
)

// teller is an agent without a node: it tells an instance what a test likes.
type teller struct {
	s        *site
	real     bool // people are on the node, too
	c        *Cluster
	node     int
	boot     string
	sequence int64
}

func (s *site) teller(node int) *teller { return &teller{s: s, c: s.c, node: node, boot: "boot-1"} }

func (a *teller) number(events []Event) []Event {
	for i := range events {
		a.sequence++
		events[i].Sequence = a.sequence
	}
	return events
}

func (a *teller) tell(events ...Event) (int64, bool) {
	a.s.t.Helper()
	return a.c.TakeEvents(a.s.backends[a.node], Batch{Boot: a.boot, Events: a.number(events)})
}

// room is the internal id of a meeting.
func (a *teller) room(id string) string {
	a.s.t.Helper()
	r := a.c.Room(a.s.key(id))
	if r == nil {
		a.s.t.Fatalf("no meeting %s", id)
	}
	return r.InternalID
}

func (a *teller) joins(id string, people ...string) {
	a.s.t.Helper()
	for _, p := range people {
		if a.real {
			a.s.nodes[a.node].Join(nodeID(id), bbbtest.Attendee{FullName: p, UserID: p})
		}
		a.tell(arrival(a.room(id), p))
	}
}

func (a *teller) leaves(id string, people ...string) {
	a.s.t.Helper()
	for _, p := range people {
		if a.real {
			a.s.nodes[a.node].Leave(nodeID(id), p)
		}
		a.tell(Event{Kind: EventAttendeeLeft, Meeting: a.room(id), UserID: "w_" + p})
	}
}

func arrival(room, name string) Event {
	ext, viewer := logtest.Person(name), "VIEWER"
	return Event{Kind: EventAttendee, Meeting: room, UserID: "w_" + name, Joined: true, Person: PersonFacts{Name: &name, ExternalUserID: &ext, Role: &viewer}}
}

// people wants so many in a meeting, as every view of it has it.
func (s *site) people(c *Cluster, id string, want int) {
	s.t.Helper()
	r := c.Room(s.key(id))
	if r == nil {
		s.t.Errorf("%s is gone", id)
		return
	}
	xml := string(slicesJoin(c, r.Key.FrontendID))
	if r.People != want || len(r.Present()) != want || r.Running != (want > 0) || r.Crowd().Headcount().People != want ||
		strings.Count(xml, "<attendee>") != want || !strings.Contains(xml, fmt.Sprintf("<participantCount>%d</participantCount>", want)) {
		s.t.Errorf("%s has %d people, %d attendees, running %v, in %s; want %d", id, r.People, len(r.Present()), r.Running, xml, want)
	}
}

func slicesJoin(c *Cluster, frontendID string) (all []byte) {
	for _, v := range c.Meetings(frontendID) {
		for _, part := range v.Parts {
			all = append(all, part...)
		}
	}
	return all
}

func TestEvents(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.created("class")
		a := s.teller(0)
		yes, no := true, false
		a.joins("class", "Ada", "Bob", "Cyd")
		s.people(s.c, "class", 3)
		a.joins("class", "Ada") // a page reload
		s.people(s.c, "class", 3)
		a.tell(Event{Kind: EventAttendee, Meeting: a.room("class"), UserID: "w_Ada", Person: PersonFacts{Voice: &yes, Video: &yes, Presenter: &yes}},
			Event{Kind: EventAttendee, Meeting: a.room("class"), UserID: "w_Bob", Person: PersonFacts{ListeningOnly: &yes}},
			Event{Kind: EventAttendee, Meeting: a.room("class"), UserID: "w_Ada", Person: PersonFacts{Video: &no}},
			Event{Kind: EventRecording, Meeting: a.room("class"), On: &yes})
		r := s.c.Room(s.key("class"))
		if want := (b3scale.Headcount{People: 3, Listeners: 1, Voices: 1}); r.Count != want {
			t.Errorf("counted %+v, want %+v", r.Count, want)
		}
		if xml := s.shown(); !strings.Contains(xml, "<listenerCount>1</listenerCount>") || !strings.Contains(xml, "<voiceParticipantCount>1</voiceParticipantCount>") ||
			!strings.Contains(xml, "<isPresenter>true</isPresenter>") || !strings.Contains(xml, "<recording>true</recording>") || !strings.Contains(xml, "<hasUserJoined>true</hasUserJoined>") {
			t.Errorf("shown as %s", xml)
		}
		if got := s.backend(0).People(); got != 3 {
			t.Errorf("%d people on the backend, want 3", got)
		}
		a.leaves("class", "Ada", "Bob")
		s.people(s.c, "class", 1)
		s.c.flush(s.ctx)
		s.restart()
		s.people(s.c, "class", 1)
		a.c = s.c
		s.unchecked = true // the node knows of nobody
		before := s.c.Room(s.key("class")).InternalID
		a.tell(Event{Kind: EventMeetingEnded, Meeting: before})
		s.people(s.c, "class", 0)
		s.run()
		time.Sleep(3 * time.Second)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("the row is %s, want ended", got)
		}
	})
}

// The order in which events come does not matter, nor how often.
func TestEventsCommute(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.unchecked = true // the node knows of nobody
		s.created("class")
		a := s.teller(0)
		room := a.room("class")
		left := func(name string) Event { return Event{Kind: EventAttendeeLeft, Meeting: room, UserID: "w_" + name} }
		all := a.number([]Event{arrival(room, "Ada"), arrival(room, "Bob"), left("Ada"), arrival(room, "Ada"), left("Bob"), arrival(room, "Cyd"), left("Cyd")})
		orders := [][]int{{0, 1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1, 0}, {2, 3, 0, 1, 6, 5, 4}, {0, 1, 2, 3, 4, 5, 6}}
		for n, order := range orders {
			for _, i := range order {
				s.c.TakeEvents(s.backends[0], Batch{Boot: "boot-1", Events: all[i : i+1]})
			}
			s.people(s.c, "class", 1)
			if n%2 == 1 {
				s.c.flush(s.ctx)
				s.restart()
				s.people(s.c, "class", 1)
			}
		}
		// A new boot wins over the old one, whatever its numbers are.
		s.c.TakeEvents(s.backends[0], Batch{Boot: "boot-1", Events: all[3:4]})
		s.c.TakeEvents(s.backends[0], Batch{Boot: "boot-2", Events: []Event{{Sequence: 1, Kind: EventAttendeeLeft, Meeting: room, UserID: "w_Ada"}}})
		late := arrival(room, "Ada")
		late.Sequence = 99
		s.c.TakeEvents(s.backends[0], Batch{Boot: "boot-1", Events: []Event{late}})
		s.people(s.c, "class", 0)
	})
}

func TestEventsAreFenced(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.unchecked = true
		s.createdOn(0, "class")
		room := s.c.Room(s.key("class")).InternalID
		s.c.TakeEvents(s.backends[1], Batch{Boot: "b", Events: []Event{{Sequence: 1, Kind: EventMeetingEnded, Meeting: room}}})
		e := arrival(room, "Eve")
		e.Sequence = 2
		s.c.TakeEvents(s.backends[1], Batch{Boot: "b", Events: []Event{e}})
		s.people(s.c, "class", 0)
	})
}

// A list corrects what events have missed, and undoes nothing that is newer.
func TestListsAndEvents(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.created("class")
		a := s.teller(0)
		for _, p := range []string{"Ada", "Bob"} {
			s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: p, UserID: p})
		}
		s.list(0)
		s.people(s.c, "class", 2)
		a.joins("class", "Ada") // the list was faster than the event
		s.people(s.c, "class", 2)
		time.Sleep(3 * time.Second)
		s.c.flush(s.ctx)
		s.list(0)
		s.people(s.c, "class", 2)
		s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: "Cyd", UserID: "Cyd"})
		a.joins("class", "Cyd", "Dan") // of whom the node's lists will show one
		s.list(0)
		s.people(s.c, "class", 4) // too new for that
		time.Sleep(3 * time.Second)
		s.c.flush(s.ctx)
		s.list(0)
		s.people(s.c, "class", 3)
		a.leaves("class", "Cyd")
		s.list(0) // shows her still
		s.people(s.c, "class", 2)
		time.Sleep(3 * time.Second)
		s.c.flush(s.ctx)
		s.list(0)
		s.people(s.c, "class", 3)
		s.c.flush(s.ctx)
		s.restart()
		s.people(s.c, "class", 3)
	})
}

// Whatever is missing makes the backend be listed.
func TestGapsLeadToALists(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gaps int64 // that are counted: those that the agent tells of
		tell func(a *teller)
	}{
		"gap":  {1, func(a *teller) { a.tell(Event{Kind: EventGap}) }},
		"lost": {1, func(a *teller) { a.c.TakeEvents(a.s.backends[0], Batch{Boot: a.boot, Lost: 1}) }},
		"lost, told again": {1, func(a *teller) {
			a.sequence++
			for range 3 {
				a.c.TakeEvents(a.s.backends[0], Batch{Boot: a.boot, Lost: 7, Events: []Event{{Kind: EventScreenshare, Sequence: a.sequence}}})
			}
		}},
		"jump":    {0, func(a *teller) { a.sequence += 5; a.tell(Event{Kind: EventScreenshare}) }},
		"boot":    {0, func(a *teller) { a.boot, a.sequence = "boot-2", 0; a.tell(Event{Kind: EventGap}) }},
		"unknown": {0, func(a *teller) { a.tell(arrival("nobody-knows", "Ada")) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lookSite(t, 1, func(t *testing.T, s *site) {
				s.created("class")
				a := s.teller(0)
				a.tell(Event{Kind: EventScreenshare})
				time.Sleep(time.Minute)
				s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: "Ada"})
				s.nodes[0].ResetRequests()
				before := s.c.EventStats().Gaps
				c.tell(a)
				if got := s.c.EventStats().Gaps - before; got != c.gaps {
					t.Errorf("%d gaps are counted, want %d", got, c.gaps)
				}
				time.Sleep(10 * time.Second)
				if n := len(s.nodes[0].Calls("getMeetings")); n != 1 {
					t.Errorf("%d lists, want 1", n)
				}
				s.people(s.c, "class", 1)
			})
		})
	}
}

// An event may be faster than the news of its meeting.
func TestEventsWaitForTheirMeeting(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.unchecked = true
		all := s.members(2)
		time.Sleep(3 * time.Second)
		s.created("class")
		a := &teller{s: s, c: all[1].Cluster, boot: "b"}
		room := s.c.Room(s.key("class")).InternalID
		a.tell(arrival(room, "Ada"))
		time.Sleep(4 * time.Second)
		synctest.Wait()
		for _, m := range all {
			s.people(m.Cluster, "class", 1)
		}
	})
}

// Whichever instance hears an event, all know of it two seconds later.
func TestInstancesAgreeAboutPeople(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p platform) {
		dsn := p.fresh(t)
		inBubble(t, plan{nodes: 1, dsn: dsn, opts: Options{ListInterval: time.Hour}}, func(t *testing.T, s *site) {
			all := s.members(3)
			time.Sleep(3 * time.Second)
			s.created("class")
			time.Sleep(2 * time.Second)
			a := s.teller(0)
			a.real = true
			agree := func(want int) {
				t.Helper()
				time.Sleep(2 * time.Second)
				synctest.Wait()
				for _, m := range all {
					s.people(m.Cluster, "class", want)
				}
			}
			for i := range 6 { // at each instance in turn
				a.c = all[i%3].Cluster
				a.joins("class", fmt.Sprint("Guest ", i), fmt.Sprint("Fan ", i))
			}
			agree(12)
			a.c = all[1].Cluster
			a.leaves("class", "Guest 0", "Guest 1", "Guest 2")
			agree(9)
			// A departure at one instance overtakes the arrival at another.
			a.sequence += 2
			room := a.room("class")
			e, l := arrival(room, "Zoe"), Event{Kind: EventAttendeeLeft, Meeting: room, UserID: "w_Zoe", Sequence: a.sequence}
			e.Sequence = a.sequence - 1
			all[2].TakeEvents(s.backends[0], Batch{Boot: a.boot, Events: []Event{l}})
			all[0].TakeEvents(s.backends[0], Batch{Boot: a.boot, Events: []Event{e}})
			agree(9)
			s.nodes[0].EndNow(nodeID("class"))
			a.tell(Event{Kind: EventMeetingDestroyed, Meeting: room})
			time.Sleep(2 * time.Second)
			for i, m := range all {
				if r := m.Room(s.key("class")); r != nil {
					t.Errorf("instance %d still has %+v", i, r)
				}
			}
		})
	})
}

// Two instances hear of people at the same moment, and neither of the other's.
func TestLedgerCountsWhatOthersHeard(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p platform) {
		dsn := p.fresh(t)
		inBubble(t, plan{nodes: 1, dsn: dsn, opts: Options{ListInterval: time.Hour}}, func(t *testing.T, s *site) {
			all := s.members(2)
			time.Sleep(3 * time.Second)
			s.created("class")
			time.Sleep(2 * time.Second)
			a := s.teller(0)
			a.real = true
			a.joins("class", "Ada") // and both have got over the first contact
			a.c = all[1].Cluster
			a.joins("class", "Bob")
			time.Sleep(60 * time.Second)
			a.joins("class", "Cyd")
			a.c = all[0].Cluster
			a.joins("class", "Dan")
			time.Sleep(600 * time.Second)
			s.nodes[0].EndNow(nodeID("class"))
			a.tell(Event{Kind: EventMeetingEnded, Meeting: a.room("class")})
			time.Sleep(5 * time.Second)
			want := 2*660*time.Second + 2*600*time.Second
			rows := 0
			err := s.store.Sessions(s.ctx, 0, func(v b3scale.Session) {
				rows++
				if diff := (v.PeopleTime - want).Abs(); diff > want/100 || v.Peak != 4 {
					t.Errorf("the ledger has %+v, want %v", v, want)
				}
			})
			if err != nil || rows != 1 {
				t.Errorf("%d rows, error %v", rows, err)
			}
		})
	})
}

// mute is a store that an instance tells no more of people from some time on.
type mute struct {
	b3scale.Store
	dead *atomic.Bool
}

func (s mute) SaveTurnouts(ctx context.Context, backendID string, told []b3scale.Turnout) ([]b3scale.Stored, error) {
	if s.dead.Load() {
		return nil, b3scale.Errorf(b3scale.Unavailable, "dead")
	}
	return s.Store.SaveTurnouts(ctx, backendID, told)
}

// The ledger counts the time of people exactly, whoever heard of them and
// whoever died.
func TestLedger(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p platform) {
		dsn := p.fresh(t)
		dead := []*atomic.Bool{{}, {}}
		next := 0
		wrap := func(store b3scale.Store) b3scale.Store {
			if next++; next == 2 || next == 3 { // the first one is of no member
				return mute{store, dead[next-2]}
			}
			return store
		}
		inBubble(t, plan{nodes: 1, dsn: dsn, opts: Options{ListInterval: time.Hour}, wrap: wrap}, func(t *testing.T, s *site) {
			all := s.members(2)
			time.Sleep(3 * time.Second)
			s.created("class")
			begin := time.Now()
			time.Sleep(2 * time.Second)
			a := s.teller(0)
			a.real = true
			yes := true
			a.joins("class", "Ada", "Bob") // 120 s each
			s.nodes[0].Voice(nodeID("class"), "Ada", true, false)
			a.tell(Event{Kind: EventAttendee, Meeting: a.room("class"), UserID: "w_Ada", Person: PersonFacts{Voice: &yes}})
			time.Sleep(30*time.Second + 123*time.Millisecond)
			a.joins("class", "Cyd", "Dan")
			time.Sleep(10 * time.Millisecond)
			a.leaves("class", "Dan")
			time.Sleep(30*time.Second - 133*time.Millisecond)
			a.leaves("class", "Cyd") // of which the store is not told:
			dead[0].Store(true)
			all[0].stop() // the instance dies, and another one hears the rest
			a.c, s.c = all[1].Cluster, all[1].Cluster
			a.tell(Event{Kind: EventScreenshare})
			time.Sleep(30 * time.Second)
			s.nodes[0].Camera(nodeID("class"), "Bob", "cam", true)
			a.tell(Event{Kind: EventAttendee, Meeting: a.room("class"), UserID: "w_Bob", Person: PersonFacts{Video: &yes}})
			time.Sleep(30 * time.Second)
			s.nodes[0].EndNow(nodeID("class"))
			a.tell(Event{Kind: EventMeetingEnded, Meeting: a.room("class")}, Event{Kind: EventMeetingDestroyed, Meeting: a.room("class")})
			time.Sleep(5 * time.Second)
			var sessions []b3scale.Session
			if err := s.store.Sessions(s.ctx, 0, func(v b3scale.Session) { sessions = append(sessions, v) }); err != nil {
				t.Fatal(err)
			}
			if len(sessions) != 1 {
				t.Fatalf("the ledger has %+v, want one row", sessions)
			}
			v := sessions[0]
			near := func(what string, got, want time.Duration) {
				t.Helper()
				if diff := (got - want).Abs(); diff > want/100 {
					t.Errorf("%s: got %v, want %v", what, got, want)
				}
			}
			near("people", v.PeopleTime, 120*time.Second*2+29877*time.Millisecond+10*time.Millisecond)
			near("voice", v.VoiceTime, 120*time.Second)
			near("video", v.VideoTime, 30*time.Second)
			near("length", v.EndedAt.Time().Sub(v.StartedAt.Time()), 122*time.Second)
			if v.Key != s.key("class") || v.BackendID != s.backends[0] || v.Peak != 4 || v.StartedAt.Time().Sub(begin).Abs() > time.Second {
				t.Errorf("the ledger has %+v", v)
			}
		})
	})
}

func TestSilentAgentsComeSecond(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2, backend: func(i int, b *b3scale.Backend) { b.AgentRef = fmt.Sprint("agent-", i) }}, func(t *testing.T, s *site) {
		s.trustAll()
		beat := func(node int, r *AgentReport) { s.c.Heartbeat(s.backends[node], r) }
		beat(0, nil)
		beat(1, nil)
		time.Sleep(6 * time.Second)
		beat(1, nil)
		for i := range 8 {
			if at := s.placedAt(fmt.Sprint("silent-", i)); at != 1 {
				t.Errorf("node %d got a meeting, want 1", at)
			}
		}
		s.joined("silent-0")
		if why := strings.Join(s.backend(0).Reasons(time.Now()), "; "); !strings.Contains(why, "its agent has been silent for 6 s") {
			t.Errorf("the reasons are %q", why)
		}
		beat(0, nil)
		no, old := false, int64(31_000)
		for name, r := range map[string]*AgentReport{"redis": {Redis: &no}, "pong": {PongAgeMS: &old}} {
			beat(1, r)
			if at := s.placedAt(name); at != 0 {
				t.Errorf("%s: node %d got a meeting, want 0", name, at)
			}
		}
		beat(1, nil)
		time.Sleep(10 * time.Second) // both are silent now: they take meetings all the same
		s.created("last")
	})
}

// placedAt creates a meeting and tells where.
func (s *site) placedAt(id string) int {
	s.t.Helper()
	s.created(id)
	return s.nodeOf(s.c.Room(s.key(id)).BackendID)
}

// Heartbeats reach the store about once a second, and other instances.
func TestHeartbeatsAreStored(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2, backend: func(i int, b *b3scale.Backend) { b.AgentRef = fmt.Sprint("agent-", i) }}, func(t *testing.T, s *site) {
		all := s.members(2)
		for range 10 {
			time.Sleep(time.Second)
			all[0].Heartbeat(s.backends[1], &AgentReport{Version: "2"})
		}
		time.Sleep(2500 * time.Millisecond)
		b := all[1].Backend(s.backends[1])
		if ago := time.Since(b.AgentHeard().Time()); !b.AgentLive(time.Now()) || ago > 4*time.Second {
			t.Errorf("the other instance heard the agent %v ago", ago)
		}
		views, err := all[1].NodeViews(s.ctx)
		if v := views[s.backends[1]]; err != nil || v.Node == nil || v.Node.Version != "2" || v.Heartbeat == 0 {
			t.Errorf("the view is %+v, error %v", v, err)
		}
	})
}
