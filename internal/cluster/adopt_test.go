package cluster

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// An empty database beside a running cluster: everything of ours is adopted
// and nothing is ended, while frontends go on creating and joining.
func TestEmptyDatabaseAdoptsRunningRooms(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"creates first", "lists first"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 6, unlisted: true}, func(t *testing.T, s *site) {
				const meetings = 48
				rooms := make([]bbbtest.Room, meetings)
				for i := range meetings {
					rooms[i] = s.addRoom(i%6, fmt.Sprint("class-", i), "Ada", "Bob")
				}
				s.run()
				if mode == "lists first" {
					synctest.Wait()
				}
				var wg sync.WaitGroup
				for i, room := range rooms {
					wg.Go(func() {
						sent := []string{"attendeePW", room.AttendeePW, "moderatorPW", room.ModeratorPW}
						if i%3 == 0 {
							sent = nil
						}
						answer, err := s.create(fmt.Sprint("class-", i), sent...)
						if err != nil || !answer.Succeeded() || internalIDOf(answer) != room.InternalID {
							t.Errorf("create class-%d: %v, error %v; want the room %q", i, answer, err, room.InternalID)
						}
					})
				}
				wg.Wait()
				time.Sleep(time.Minute)
				for i, room := range rooms {
					id := fmt.Sprint("class-", i)
					s.livesOn(i%6, id)
					if got := s.room(i%6, id); got.InternalID != room.InternalID || len(got.Attendees) != 2 {
						t.Errorf("the room of %s is %q with %d people, want %q with 2", id, got.InternalID, len(got.Attendees), room.InternalID)
					}
					if r := s.c.Room(s.key(id)); r == nil || r.People != 2 || !r.Running {
						t.Errorf("memory has %+v of %s, want 2 people", r, id)
					}
				}
				for i, n := range s.nodes {
					if ends := n.Calls("end"); len(ends) > 0 {
						t.Errorf("node %d was asked for %d ends", i, len(ends))
					}
				}
			})
		})
	}
}

// Rooms of others on our nodes are never touched.
func TestForeignRoomsAreNotOurs(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, unlisted: true}, func(t *testing.T, s *site) {
		foreign := []string{
			"somebody-elses",
			b3scale.EncodeMeetingID("unknown", "class"),
			"WyJzY2hvb2wiLCAiY2xhc3MiLCAiYjNzY2wiXQ==", // ours, but spelt differently
		}
		for _, id := range foreign {
			s.nodes[0].AddRoom(bbbtest.Room{ExternalID: id, Attendees: []bbbtest.Attendee{{FullName: "Ada"}, {FullName: "Bob"}}})
		}
		s.placed(0, "class")
		s.run()
		time.Sleep(2 * time.Minute)
		for _, r := range s.nodes[0].Requests() {
			if r.Call != "getMeetings" && r.Call != "isMeetingRunning" {
				t.Errorf("the node was asked for %s", r.Call)
			}
		}
		if n := s.backend(0).Meetings(); n != 1 {
			t.Errorf("%d meetings count as ours, want 1", n)
		}
		// Their people are a load, though: 6 of them, and 15 expected in ours.
		if got := s.backend(0).Score(); got != 21 {
			t.Errorf("load is %v, want 21", got)
		}
		live := 0
		if err := s.store.LiveMeetings(s.ctx, func(b3scale.Meeting) { live++ }); err != nil {
			t.Fatal(err)
		}
		if live != 1 {
			t.Errorf("%d rows are live, want 1", live)
		}
	})
}

// A meeting that is booked as orphan somewhere is not adopted there.
func TestOrphansAreNotAdopted(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.placed(1, "class", "Ada")
		s.book(0, "class")
		room := s.addRoom(0, "class")
		x := &sight{Incarnation: incarnationOf(room), NodeID: nodeID("class")}
		s.c.adopt(s.ctx, s.key("class"), s.backend(0), x)
		s.livesOn(1, "class")
	})
}
