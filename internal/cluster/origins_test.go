package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/callbacks"
)

// What is superseded is told to nobody; in doubt it is not.
func TestSupersededRooms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what       string
		told, room int64 // generations; that of the row is 10
		state      b3scale.MeetingState
		want       bool
	}{
		{"the row's own", 10, 10, b3scale.MeetingActive, false},
		{"from before", 9, 10, b3scale.MeetingActive, true},
		{"from before, and it has ended", 9, 10, b3scale.MeetingEnded, true},
		{"of a row that is not there yet", 11, 10, b3scale.MeetingActive, false},
		{"adopted", 5, 5, b3scale.MeetingActive, false},
		{"adopted, and it has ended", 5, 5, b3scale.MeetingEnded, false},
		{"before one that was adopted", 4, 5, b3scale.MeetingActive, true},
		{"before one that tells nothing", 9, 0, b3scale.MeetingActive, false},
		{"before one that told nothing", 9, 0, b3scale.MeetingEnded, false},
		{"before one that is being created", 9, 0, b3scale.MeetingCreating, true},
		{"of nobody knows when", 0, 10, b3scale.MeetingActive, false},
	} {
		m := b3scale.Meeting{Generation: 10, State: c.state, Incarnation: b3scale.Incarnation{Origin: b3scale.Origin{Generation: c.room}}}
		if got := isSuperseded(b3scale.Origin{Generation: c.told}, &m); got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}

// A room that is found tells of which create it is, whatever becomes of it.
func TestOriginsOfFoundRooms(t *testing.T) {
	t.Parallel()
	relay := testRelay()
	keys := auth.NewKeys("the-secret-of-the-api-0123456789", "")
	origin := b3scale.Origin{Generation: 5, Create: "five"}
	for _, way := range []string{"adopted", "seen in place of another", "taken back"} {
		inBubble(t, plan{nodes: 2, opts: Options{Relay: relay, ListInterval: 24 * time.Hour}}, func(t *testing.T, s *site) {
			s.run()
			synctest.Wait()
			key := s.key("class")
			token, err := keys.MintCallback(b3scale.CallbackTicket{
				FrontendID: key.FrontendID, Target: "https://lms.example.org", Kind: b3scale.CallbackEnd, MeetingID: "class", Origin: origin,
			})
			if err != nil {
				t.Fatal(err)
			}
			room := bbbtest.Room{ExternalID: nodeID("class"), Name: "Class"}
			room.Metadata.Set("endcallbackurl", "https://b3scale.example.org"+callbacks.Path+token)
			switch way {
			case "seen in place of another":
				s.placed(0, "class")
				s.nodes[0].ForgetRooms()
				time.Sleep(time.Second) // it was created later
			case "taken back":
				s.placed(1, "class")
				if booked, err := s.store.BookOrphan(s.ctx, key, s.backends[0], "x"); err != nil || !booked {
					t.Fatal(booked, err)
				}
				s.nodes[1].ForgetRooms()
				s.endRow("class")
			}
			s.nodes[0].AddRoom(room)
			s.list(0)
			s.list(0)
			if m, err := s.store.Meeting(s.ctx, key); err != nil || m.State != b3scale.MeetingActive || m.BackendID != s.backends[0] || m.Origin != origin {
				t.Errorf("%s: got %+v, %v", way, m, err)
			}
		})
	}
}
