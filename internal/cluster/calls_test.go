package cluster

import (
	"errors"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/logtest"
)

// create asks for a meeting as a frontend does; pairs are further parameters.
func (s *site) create(id string, pairs ...string) (*bbb.Answer, error) {
	p := params("name", "Meeting "+id, "meetingID", nodeID(id))
	p.Append(params(pairs...))
	return s.c.Create(s.ctx, CreateRequest{Frontend: s.c.Frontend(frontendKey), MeetingID: id, Params: p})
}

// created creates a meeting, which must succeed, and returns its internal id.
func (s *site) created(id string, pairs ...string) string {
	s.t.Helper()
	answer, err := s.create(id, pairs...)
	if err != nil {
		s.t.Fatalf("create %s: %v", id, err)
	}
	if !answer.Succeeded() {
		s.t.Fatalf("create %s: FAILED %s", id, answer.MessageKey())
	}
	time.Sleep(time.Microsecond) // a list from now on begins later than the row
	return internalIDOf(answer)
}

func internalIDOf(answer *bbb.Answer) string {
	return answer.Root().Child("internalMeetingID").Text()
}

// createdOn is created with the node chosen.
func (s *site) createdOn(node int, id string, pairs ...string) string {
	s.t.Helper()
	s.prefer(node)
	internal := s.created(id, pairs...)
	s.livesOn(node, id)
	return internal
}

// end asks for the end of a meeting.
func (s *site) end(id string, pairs ...string) (*bbb.Answer, error) {
	return s.c.End(s.ctx, s.key(id), params(append([]string{"meetingID", nodeID(id)}, pairs...)...))
}

// ended ends a meeting, which must succeed.
func (s *site) ended(id string, pairs ...string) {
	s.t.Helper()
	answer, err := s.end(id, pairs...)
	if err != nil {
		s.t.Fatalf("end %s: %v", id, err)
	}
	if !answer.Succeeded() {
		s.t.Fatalf("end %s: FAILED %s", id, answer.MessageKey())
	}
}

// join asks for the address of a meeting.
func (s *site) join(id string) (string, error) {
	return s.c.Join(s.ctx, s.key(id), params("meetingID", nodeID(id), "fullName", logtest.Person("Ada"), "role", "VIEWER"))
}

// list takes in one list of a node, as the n-th in a row that the test asked
// for.
func (s *site) list(node int) {
	s.t.Helper()
	if err := s.c.reconcile(s.ctx, s.backend(node), s.seen[node]); err != nil {
		s.t.Fatalf("list node %d: %v", node, err)
	}
	s.settleConfig()
	time.Sleep(time.Microsecond) // what follows is later, in fake time as in real
}

// lists takes in n lists of every node, with the usual interval between them.
func (s *site) lists(n int) {
	s.t.Helper()
	for range n {
		for i := range s.nodes {
			s.list(i)
		}
		time.Sleep(s.c.opts.OrphanLease + time.Second)
	}
}

// claim writes a row that was never confirmed, as a request leaves it that
// died before the node was asked.
func (s *site) claim(node int, id string) b3scale.Meeting {
	s.t.Helper()
	m, fit, err := s.store.ClaimMeeting(s.ctx, b3scale.Claim{
		Key: s.key(id), BackendID: s.backends[node], AttendeePW: "attendee-of-" + id, ModeratorPW: "moderator-of-" + id, Size: 15,
	})
	if err != nil || !fit {
		s.t.Fatalf("claim %s on node %d: fit is %v, error is %v", id, node, fit, err)
	}
	s.c.table.Apply(m, time.Now())
	return m
}

// addRoom puts a room of a meeting on a node behind the cluster's back.
func (s *site) addRoom(node int, id string, people ...string) bbbtest.Room {
	r := bbbtest.Room{ExternalID: nodeID(id)}
	for _, name := range people {
		r.Attendees = append(r.Attendees, bbbtest.Attendee{FullName: name})
	}
	return s.nodes[node].AddRoom(r)
}

// placed gives a room on a node its active row, as if it had been created.
func (s *site) placed(node int, id string, people ...string) bbbtest.Room {
	s.t.Helper()
	r := s.addRoom(node, id, people...)
	m, ok, err := s.store.AdoptMeeting(s.ctx, s.key(id), s.backends[node], incarnationOf(r), 15)
	if err != nil || !ok {
		s.t.Fatalf("adopt %s on node %d: adopted is %v, error is %v", id, node, ok, err)
	}
	s.c.table.Apply(m, time.Now())
	time.Sleep(time.Microsecond) // a list from now on begins later than the row
	return r
}

func incarnationOf(r bbbtest.Room) b3scale.Incarnation {
	return b3scale.Incarnation{InternalID: r.InternalID, CreateTime: r.CreateTime, AttendeePW: r.AttendeePW, ModeratorPW: r.ModeratorPW}
}

// endRow ends a row, as if its room had been seen to be gone.
func (s *site) endRow(id string) {
	s.t.Helper()
	m, _ := s.row(id)
	if err := s.c.end(s.ctx, m); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(time.Microsecond)
}

// book books an orphan.
func (s *site) book(node int, id string) {
	s.t.Helper()
	booked, err := s.store.BookOrphan(s.ctx, s.key(id), s.backends[node], "")
	if err != nil || !booked {
		s.t.Fatalf("book %s on node %d: booked is %v, error is %v", id, node, booked, err)
	}
	time.Sleep(time.Microsecond)
}

// row reads the row of a meeting.
func (s *site) row(id string) (b3scale.Meeting, bool) {
	s.t.Helper()
	m, err := s.store.Meeting(s.ctx, s.key(id))
	if b3scale.CodeOf(err) == b3scale.NotFound {
		return m, false
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return m, true
}

// state is the state of a meeting's row, "" without one.
func (s *site) state(id string) b3scale.MeetingState {
	s.t.Helper()
	m, _ := s.row(id)
	return m.State
}

// room finds a meeting's room on a node; its internal id is empty when there
// is none.
func (s *site) room(node int, id string) bbbtest.Room {
	r, _ := s.nodes[node].Room(nodeID(id))
	return r
}

// orphans are the nodes on which a meeting is booked as orphan.
func (s *site) orphans(id string) []int {
	s.t.Helper()
	var nodes []int
	for i, backend := range s.backends {
		booked, err := s.store.Orphans(s.ctx, backend)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, o := range booked {
			if o.Key == s.key(id) {
				nodes = append(nodes, i)
			}
		}
	}
	return nodes
}

// counted is how often each node was called for a meeting.
func (s *site) counted(call, id string) []int {
	counts := make([]int, len(s.nodes))
	for i, n := range s.nodes {
		for _, r := range n.Calls(call) {
			if r.Params.Get("meetingID") == nodeID(id) {
				counts[i]++
			}
		}
	}
	return counts
}

// codeOf is the code of an error, or its text when it has none.
func codeOf(err error) b3scale.Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*b3scale.Error](err); ok {
		return e.Code
	}
	return b3scale.Code(err.Error())
}
