package cluster

import (
	"time"

	"b3scale"
)

// check compares rows, memory and rooms: what must hold whenever nothing is
// under way, whatever happened before.
func (s *site) check() {
	s.t.Helper()
	rows := map[b3scale.MeetingKey]b3scale.Meeting{}
	err := s.store.LiveMeetings(s.ctx, func(m b3scale.Meeting) { rows[m.Key] = m })
	if err != nil {
		s.t.Fatal(err)
	}
	s.checkMemory(rows)
	orphans := s.allOrphans()
	for key, m := range rows {
		if orphans[place{key, m.BackendID}] {
			s.t.Errorf("%s is %s on node %d, where it is booked as orphan", key, m.State, s.nodeOf(m.BackendID))
		}
	}
	s.checkHomes(rows, orphans)
}

// checkMemory: memory knows exactly the live rows.
func (s *site) checkMemory(rows map[b3scale.MeetingKey]b3scale.Meeting) {
	s.t.Helper()
	known := map[b3scale.MeetingKey]bool{}
	for _, r := range s.c.table.MeetingsOf(s.frontend.ID) {
		if r.Breakout {
			continue
		}
		known[r.Key] = true
		m, ok := rows[r.Key]
		if !ok || m.Generation != r.Generation || m.BackendID != r.BackendID || m.State != r.State || m.InternalID != r.InternalID {
			s.t.Errorf("memory has %s as %s on node %d, generation %d, room %q; its row is %q on node %d, generation %d, room %q",
				r.Key, r.State, s.nodeOf(r.BackendID), r.Generation, r.InternalID, m.State, s.nodeOf(m.BackendID), m.Generation, m.InternalID)
		}
	}
	for key, m := range rows {
		if !known[key] {
			s.t.Errorf("memory does not know %s, which is %s on node %d", key, m.State, s.nodeOf(m.BackendID))
		}
	}
}

// checkHomes: a room beside the one that its row calls the meeting's is booked.
func (s *site) checkHomes(rows map[b3scale.MeetingKey]b3scale.Meeting, orphans map[place]bool) {
	s.t.Helper()
	homes := map[b3scale.MeetingKey][]int{}
	for i, n := range s.nodes {
		for _, r := range n.Rooms() {
			if key, ours := s.c.keyOf(r.ExternalID); ours {
				homes[key] = append(homes[key], i)
			}
		}
	}
	for key, nodes := range homes {
		if len(nodes) < 2 {
			continue
		}
		for _, i := range nodes {
			if rows[key].BackendID != s.backends[i] && !orphans[place{key, s.backends[i]}] {
				s.t.Errorf("%s has rooms on nodes %v; it is not booked on node %d", key, nodes, i)
			}
		}
	}
}

func (s *site) allOrphans() map[place]bool {
	s.t.Helper()
	all := map[place]bool{}
	for _, backend := range s.backends {
		orphans, err := s.store.Orphans(s.ctx, backend)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, o := range orphans {
			all[place{o.Key, o.BackendID}] = true
		}
	}
	return all
}

// livesOn checks that a meeting is active on a node, where its room is.
func (s *site) livesOn(node int, id string) {
	s.t.Helper()
	m, _ := s.row(id)
	if m.State != b3scale.MeetingActive || m.BackendID != s.backends[node] {
		s.t.Errorf("%s is %q on node %d, want it active on node %d", id, m.State, s.nodeOf(m.BackendID), node)
	}
	if got := s.room(node, id).InternalID; got != m.InternalID {
		s.t.Errorf("node %d has the room %q of %s, its row says %q", node, got, id, m.InternalID)
	}
}

// heals puts everything in order again. Then the meeting can be created, and
// after a few lists it has one room and nothing is booked.
func (s *site) heals(id string) {
	s.t.Helper()
	for _, n := range s.nodes {
		n.ClearFaults()
		if err := n.Up(); err != nil {
			s.t.Fatal(err)
		}
		s.network.Heal(n)
	}
	time.Sleep(30 * time.Second) // what the nodes still have to do
	s.created(id)
	s.lists(4)
	s.oneRoom(id)
}

// oneRoom checks that a meeting has its room, nothing else, and no orphan.
func (s *site) oneRoom(id string) {
	s.t.Helper()
	m, _ := s.row(id)
	s.livesOn(s.nodeOf(m.BackendID), id)
	for i := range s.nodes {
		if r := s.room(i, id); r.InternalID != "" && s.backends[i] != m.BackendID {
			s.t.Errorf("%s has a room on node %d too", id, i)
		}
	}
	if got := s.orphans(id); len(got) > 0 {
		s.t.Errorf("%s is still booked on nodes %v", id, got)
	}
}
