package app_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// simulation lets people come and go, and remembers how many were where.
type simulation struct {
	nodes []*bbbtest.Node
	ids   []string
	homes map[string]*bbbtest.Node

	mu       sync.Mutex
	people   map[string][]visit // by meeting
	history  []snapshot
	arrivals int
	seconds  float64 // of those who have left
}

type visit struct {
	user  string
	since time.Time
}

type snapshot struct {
	at     time.Time // until then
	counts map[string]int
}

// churn makes about 250 arrivals and departures a second.
func (s *simulation) churn(ctx context.Context) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		id := s.ids[rand.IntN(len(s.ids))]
		node, room := s.homes[id], b3scale.EncodeMeetingID(frontendKey, id)
		s.mu.Lock()
		inside := s.people[id]
		if len(inside) > 0 && rand.IntN(50) < len(inside) {
			v := inside[0]
			s.people[id] = inside[1:]
			s.seconds += time.Since(v.since).Seconds()
			node.Leave(room, v.user)
		} else {
			s.arrivals++
			v := visit{fmt.Sprint("u", s.arrivals), time.Now()}
			s.people[id] = append(inside, v)
			node.Join(room, bbbtest.Attendee{UserID: v.user, FullName: v.user, Role: bbbtest.Viewer})
		}
		s.mu.Unlock()
		s.snapshot()
	}
}

func (s *simulation) snapshot() {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for id, people := range s.people {
		counts[id] = len(people)
	}
	s.history = append(s.history, snapshot{time.Now(), counts})
}

// was reports whether a meeting had so many people at some time since then.
func (s *simulation) was(id string, people int, since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range s.history {
		last := i == len(s.history)-1
		if (last || s.history[i+1].at.After(since)) && h.counts[id] == people {
			return true
		}
	}
	return false
}

func (s *simulation) now(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.people[id])
}

func (s *simulation) leaveAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, people := range s.people {
		for _, v := range people {
			s.seconds += time.Since(v.since).Seconds()
			s.homes[id].Leave(b3scale.EncodeMeetingID(frontendKey, id), v.user)
		}
		delete(s.people, id)
	}
}

func (s *simulation) personSeconds() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seconds
}
