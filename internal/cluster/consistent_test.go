package cluster

import (
	"fmt"
	"time"

	"b3scale"
)

// place is where a meeting may have a room.
type place struct {
	key       b3scale.MeetingKey
	backendID string
}

// check reports what does not fit together now.
func (s *site) check() {
	s.t.Helper()
	for _, p := range s.contradictions() {
		s.t.Error(p)
	}
}

// contradictions compares rows, memory and rooms: what must hold whenever
// nothing is under way, whatever happened before.
func (s *site) contradictions() []string {
	s.t.Helper()
	rows := s.rows()
	found := s.memoryErrors(rows)
	orphans := s.allOrphans()
	for key, m := range rows {
		if orphans[place{key, m.BackendID}] {
			found = append(found, fmt.Sprintf("%s is %s on node %d, where it is booked as orphan", key, m.State, s.nodeOf(m.BackendID)))
		}
	}
	for key, nodes := range s.homes() {
		if len(nodes) < 2 {
			continue
		}
		for _, i := range nodes { // a room beside the one that the row calls the meeting's is booked
			if rows[key].BackendID != s.backends[i] && !orphans[place{key, s.backends[i]}] {
				found = append(found, fmt.Sprintf("%s has rooms on nodes %v; it is not booked on node %d", key, nodes, i))
			}
		}
	}
	return found
}

// rows are the live ones.
func (s *site) rows() map[b3scale.MeetingKey]b3scale.Meeting {
	s.t.Helper()
	rows := map[b3scale.MeetingKey]b3scale.Meeting{}
	err := s.store.LiveMeetings(s.ctx, func(m b3scale.Meeting) { rows[m.Key] = m })
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

// homes are the nodes on which each meeting has a room.
func (s *site) homes() map[b3scale.MeetingKey][]int {
	homes := map[b3scale.MeetingKey][]int{}
	for i, n := range s.nodes {
		for _, r := range n.Rooms() {
			if key, ours := s.c.keyOf(r.ExternalID); ours {
				homes[key] = append(homes[key], i)
			}
		}
	}
	return homes
}

// memoryErrors: memory knows exactly the live rows.
func (s *site) memoryErrors(rows map[b3scale.MeetingKey]b3scale.Meeting) []string {
	var found []string
	known := map[b3scale.MeetingKey]bool{}
	for _, r := range s.c.table.MeetingsOf(s.frontend.ID) {
		if r.Breakout {
			continue
		}
		known[r.Key] = true
		m, ok := rows[r.Key]
		if !ok || m.Generation != r.Generation || m.BackendID != r.BackendID || m.State != r.State || m.InternalID != r.InternalID {
			found = append(found, fmt.Sprintf("memory has %s as %s on node %d, generation %d, room %q; its row is %q on node %d, generation %d, room %q",
				r.Key, r.State, s.nodeOf(r.BackendID), r.Generation, r.InternalID, m.State, s.nodeOf(m.BackendID), m.Generation, m.InternalID))
		}
	}
	for key, m := range rows {
		if !known[key] {
			found = append(found, fmt.Sprintf("memory does not know %s, which is %s on node %d", key, m.State, s.nodeOf(m.BackendID)))
		}
	}
	return found
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

// unsettled is what I8 forbids once the faults are over and all backends were
// listed a few times.
func (s *site) unsettled() []string {
	s.t.Helper()
	found := s.contradictions()
	rows, homes := s.rows(), s.homes()
	for key, m := range rows {
		i := s.nodeOf(m.BackendID)
		room, _ := s.nodes[i].Room(nodeID(key.MeetingID))
		if m.State == b3scale.MeetingCreating {
			found = append(found, fmt.Sprintf("%s is stuck in creating on node %d", key, i))
		} else if room.InternalID != m.InternalID {
			found = append(found, fmt.Sprintf("%s is active on node %d with the room %q, where %q is", key, i, m.InternalID, room.InternalID))
		}
	}
	for key, nodes := range homes {
		if m, live := rows[key]; !live || len(nodes) > 1 {
			found = append(found, fmt.Sprintf("%s has rooms on nodes %v, its row is %q on node %d", key, nodes, m.State, s.nodeOf(m.BackendID)))
		}
	}
	for o := range s.allOrphans() {
		found = append(found, fmt.Sprintf("%s is still booked on node %d", o.key, s.nodeOf(o.backendID)))
	}
	for i := range s.nodes {
		if s.backend(i).Lost {
			found = append(found, fmt.Sprintf("node %d is still lost", i))
		}
	}
	return found
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
	s.repair()
	time.Sleep(30 * time.Second) // what the nodes still have to do
	s.created(id)
	s.lists(4)
	s.oneRoom(id)
}

// repair ends all faults of the nodes and the network.
func (s *site) repair() {
	s.t.Helper()
	for _, n := range s.nodes {
		n.ClearFaults()
		if err := n.Up(); err != nil {
			s.t.Fatal(err)
		}
		s.network.Heal(n)
	}
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
