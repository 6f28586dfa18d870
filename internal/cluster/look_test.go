package cluster

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// lookSite runs a cluster that lists so seldom that only looks bring news.
func lookSite(t *testing.T, nodes int, body func(t *testing.T, s *site)) {
	t.Helper()
	inBubble(t, plan{nodes: nodes, opts: Options{ListInterval: 24 * time.Hour}}, func(t *testing.T, s *site) {
		s.run()
		synctest.Wait()
		body(t, s)
	})
}

// Without an agent memory hears of people within seconds: a join announces
// them.
func TestArrivalsShowWithinSeconds(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Second, 4 * time.Second, 8 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			lookSite(t, 1, func(t *testing.T, s *site) {
				s.created("class")
				address, err := s.join("class")
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(after)
				if s.c.Running(s.key("class")) {
					t.Error("it runs before anybody came")
				}
				s.enter(address)
				begin := time.Now()
				for !s.c.Running(s.key("class")) && time.Since(begin) < time.Minute {
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("memory heard of it after %v, want within 5 s", took)
				}
				if r := s.c.Room(s.key("class")); r.People != 1 || len(r.Present()) != 1 {
					t.Errorf("memory has %d people, %d attendees, want 1 of each", r.People, len(r.Present()))
				}
			})
		})
	}
}

// Looks are few, however many people join.
func TestLooksAreBounded(t *testing.T) {
	t.Parallel()
	lookSite(t, 1, func(t *testing.T, s *site) {
		const meetings = 400
		var wg sync.WaitGroup
		for i := range meetings {
			wg.Go(func() { s.created(fmt.Sprint("class-", i)) })
		}
		wg.Wait()
		s.nodes[0].ResetRequests()
		for range 20 {
			for i := range meetings {
				if _, err := s.join(fmt.Sprint("class-", i)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		perSecond := map[int64]int{}
		for _, r := range s.nodes[0].Calls("getMeetingInfo") {
			perSecond[r.Time.Unix()]++
		}
		for second, n := range perSecond {
			if most := 4*s.c.opts.LooksPerTick + s.c.opts.LooksPerTick; n > most {
				t.Errorf("%d looks in second %d, want at most %d", n, second, most)
			}
		}
		if len(perSecond) < 10 {
			t.Errorf("there were looks in %d seconds only", len(perSecond))
		}
	})
}

// Somebody who keeps reloading the join does not make a node busy either.
func TestLooksAtOneMeetingAreBounded(t *testing.T) {
	t.Parallel()
	lookSite(t, 1, func(t *testing.T, s *site) {
		s.placed(0, "class")
		s.nodes[0].ResetRequests()
		for range 200 {
			if _, err := s.join("class"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(s.nodes[0].Calls("getMeetingInfo")); n < 3 || n > 12 {
			t.Errorf("%d looks in 20 s, want between 3 and 12", n)
		}
	})
}

func TestLooksArePlannedForSoManyMeetings(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		for i := range 2 * maxLooks {
			s.c.lookSoon(s.key(fmt.Sprint(i)), joinLooks)
		}
		if got := len(s.c.looks.due); got != maxLooks {
			t.Errorf("%d meetings are waiting for a look, want %d", got, maxLooks)
		}
	})
}

func TestLook(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		before func(*site)
		state  b3scale.MeetingState
		other  bool // another room is the meeting afterwards
	}{
		{name: "room there", before: func(*site) {}, state: b3scale.MeetingActive},
		{name: "room gone", before: func(s *site) { s.nodes[0].ForgetRooms() }, state: b3scale.MeetingEnded},
		{name: "another room", before: func(s *site) { s.nodes[0].ForgetRooms(); time.Sleep(time.Second); s.addRoom(0, "class") },
			state: b3scale.MeetingActive, other: true},
		{name: "node silent", before: func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole}) }, state: b3scale.MeetingActive},
		{name: "node off", before: func(s *site) { s.nodes[0].Down() }, state: b3scale.MeetingActive},
		{name: "500", before: func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerError}) }, state: b3scale.MeetingActive},
		{name: "wrong secret", before: func(s *site) { s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.WrongSecret}) }, state: b3scale.MeetingActive},
		{name: "FAILED otherwise", before: func(s *site) {
			s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Key: "maintenance"})
		}, state: b3scale.MeetingActive},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
				room := s.placed(0, "class")
				c.before(s)
				s.c.look(s.ctx, s.key("class"))
				m, _ := s.row("class")
				if m.State != c.state {
					t.Errorf("row is %s, want %s", m.State, c.state)
				}
				if other := m.InternalID != room.InternalID; other != c.other {
					t.Errorf("the room was %q and is %q", room.InternalID, m.InternalID)
				}
			})
		})
	}
}

// A frontend that asks for a meeting whose room is gone makes the row end.
func TestForwardedNotFoundLeadsToALook(t *testing.T) {
	t.Parallel()
	lookSite(t, 1, func(t *testing.T, s *site) {
		s.placed(0, "class")
		s.nodes[0].ForgetRooms()
		answer, err := s.c.Forward(s.ctx, s.key("class"), bbb.Call{Name: "getMeetingInfo", Params: params("meetingID", nodeID("class"))})
		if err != nil || answer.MessageKey() != "notFound" {
			t.Errorf("getMeetingInfo: %v, error %v, want notFound", answer, err)
		}
		time.Sleep(time.Second)
		if got := s.state("class"); got != b3scale.MeetingEnded {
			t.Errorf("row is %s, want ended", got)
		}
	})
}
