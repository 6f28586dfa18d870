package cluster

import (
	"fmt"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// Whoever comes gives the reservation back, and whoever goes the place. Without
// an agent lists tell of it, with one events do.
func TestPlacesReturn(t *testing.T) {
	t.Parallel()
	for name, withAgent := range map[string]bool{"told by an agent": true, "shown by lists": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
				s.limited(attendees(3, b3scale.LimitBlocksJoin))
				s.created("class")
				a := s.teller(0)
				settle := func() {
					if withAgent {
						s.c.flush(s.ctx)
					} else {
						s.list(0)
					}
				}
				people := 0
				comes := func(userID, name string) (id string) {
					t.Helper()
					s.admits(true, "class", "userID", userID, "fullName", " "+name+" ")
					people++
					id = fmt.Sprintf("w_%012d", people)
					if userID == "" {
						userID = id // as nodes do
					}
					s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{InternalID: id, UserID: userID, FullName: name})
					if withAgent {
						e := arrival(a.room("class"), name)
						e.UserID, e.Person.ExternalUserID = id, &userID
						a.tell(e)
					}
					settle()
					return id
				}
				ann := comes("ann", "Ann")
				guest := comes("", "Guest")
				comes("", "Guest") // another one: both are people now, and nothing else
				s.admits(false, "class", "userID", "bob", "fullName", "Bob")
				settle()
				s.admits(false, "class", "userID", "bob", "fullName", "Bob")
				for _, gone := range []string{ann, guest} {
					s.nodes[0].Leave(nodeID("class"), gone)
					if withAgent {
						a.tell(Event{Kind: EventAttendeeLeft, Meeting: a.room("class"), UserID: gone})
					}
				}
				settle()
				s.admits(true, "class", "userID", "bob", "fullName", "Bob")
				s.admits(true, "class", "userID", "cyd", "fullName", "Cyd")
				s.admits(false, "class", "userID", "dan", "fullName", "Dan")
				s.ended("class")
				s.c.look(s.ctx, s.key("class"))
				s.created("another")
				s.admits(true, "another", "userID", "dan", "fullName", "Dan") // the two reservations hold, the people are gone
				s.admits(false, "another", "userID", "eve", "fullName", "Eve")
			})
		})
	}
}

// Whom a list has shown before the agent could tell came once: the place of
// somebody else of that name is not given back for it.
func TestPeopleArriveOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.limited(attendees(3, ""))
		s.created("class")
		s.admits(true, "class", "fullName", "Guest", "role", "VIEWER")
		s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{InternalID: "w_000000000001", UserID: "w_000000000001", FullName: "Guest"})
		s.list(0)
		s.admits(true, "class", "fullName", "Guest", "role", "VIEWER", "userdata-x", "1")
		a := s.teller(0)
		e := arrival(a.room("class"), "Guest")
		e.UserID, e.Person.ExternalUserID = "w_000000000001", new("w_000000000001")
		a.tell(e, e)
		s.c.flush(s.ctx)
		s.list(0)
		s.people(s.c, "class", 1)
		s.admits(true, "class", "userID", "ann")
		s.admits(false, "class", "userID", "bob")
	})
}

// Names cannot be told from the keys, and no two people have the same ones.
func TestPlaceKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for i, p := range []bbb.Params{
		params("userID", "ann", "fullName", "Ann"), params("fullName", "Ann"), params("fullName", "ann"), params("userID", "Ann"),
		params("fullName", "Ann", "role", "VIEWER"), params("fullName", "An", "nrole", "VIEWER"), params("firstName", "Ann"), params("userID", "w_abcdefghij01", "fullName", "Eve"),
	} {
		for _, meeting := range []string{"one", "two"} {
			key := holderKey(meeting, &p)
			if other, found := seen[key]; found {
				t.Errorf("%d and %d have the same key", i, other)
			}
			if seen[key] = i; len(key) != 64 {
				t.Errorf("%d: odd key %s", i, key)
			}
		}
	}
	join, same := params("fullName", "Ann", "role", "VIEWER", "checksum", "1"), params("role", "VIEWER", "checksum", "2", "fullName", "Ann")
	if holderKey("one", &join) != holderKey("one", &same) {
		t.Error("a repeat has another key")
	}
	named, put := params("fullName", " Ann\x01 Lee "), params("firstName", "Ann", "lastName", "Lee")
	if joinArrivalKey("one", &named) != arrivalKey("one", "", "Ann Lee") || joinArrivalKey("one", &put) != arrivalKey("one", "w_0123456789ab", "Ann Lee") {
		t.Error("somebody without a userID is not recognised by the name")
	}
}
