package app_test

import (
	"net/http"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
)

// overFor ends the row of a meeting before its node has told of the end.
func (s *callbackSite) overFor(id string) {
	s.Helper()
	r := s.Cluster().Room(s.key(id))
	if r == nil {
		s.Fatalf("there is no meeting %q", id)
	}
	if ended, err := s.Cluster().RemoveMeeting(s.Context(), r.Key, r.InternalID); err != nil || !ended {
		s.Fatalf("not ended: %v", err)
	}
}

// foreign is a room that was created in another generation than it is adopted
// in. It tells so, unless it has no more than a meetingEndedURL.
func (s *callbackSite) foreign(id string, generation int64, tells bool) (room bbbtest.Room, address string) {
	ticket := b3scale.CallbackTicket{
		FrontendID: s.key("").FrontendID, Target: s.lms.URL + "/end", Kind: b3scale.CallbackEnd, MeetingID: id, Origin: b3scale.Origin{Generation: generation},
	}
	if !tells {
		ticket.Kind = b3scale.CallbackMeetingEnded
	}
	address = s.address(ticket)
	room = bbbtest.Room{ExternalID: b3scale.EncodeMeetingID(frontendKey, id), Name: "Class"}
	if tells {
		room.Metadata.Set("endcallbackurl", address)
	}
	return room, address
}

// The end of a room is told of although its row has ended before the call came,
// and was never of the generation that the room was created in.
func TestEndsOfAdoptedRoomsThatAreOver(t *testing.T) {
	t.Parallel()
	for name, tells := range map[string]bool{"the room tells": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := node(t, bbbtest.Options{CallbackPauses: []time.Duration{time.Millisecond}})
			s := newCallbackSiteWith(t, cluster.Options{ListInterval: 200 * time.Millisecond}, []*bbbtest.Node{n})
			room, address := s.foreign("class", 5, tells)
			n.AddRoom(room)
			eventually(t, "the room is adopted", func() bool { return s.Cluster().Room(s.key("class")) != nil })
			if got := s.Cluster().Room(s.key("class")); got.Generation == 5 || tells && got.Origin.Generation != 5 {
				t.Errorf("adopted as %+v", got.Meeting)
			}
			n.ForgetRooms()
			s.overFor("class")
			s.tells(address, room.ExternalID)
			s.tells(address, room.ExternalID) // as nodes repeat it
			s.arrives("/end", 1)
			_, earlier := s.foreign("class", 4, tells)
			s.tells(earlier, room.ExternalID)
			want := 1
			if !tells {
				want = 2 // nobody knows that it was another
			}
			s.arrives("/end", want)
		})
	}
}

// A room ends on its node, and the frontend creates the meeting again before
// anybody has noticed. Each is told of once, however often and however late the
// node says so.
func TestEndsOfTwoRoomsOfOneGeneration(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{CallbackPauses: []time.Duration{time.Millisecond}})
	s := newCallbackSiteWith(t, cluster.Options{ListInterval: time.Hour}, []*bbbtest.Node{n})
	target := []string{"meta_endCallbackUrl", s.lms.URL + "/end", "meetingEndedURL", s.lms.URL + "/ended"}
	first := s.creates(n, "class", target...)
	generation := s.Cluster().Room(s.key("class")).Generation
	n.ForgetRooms() // which tells nobody
	second := s.creates(n, "class", target...)
	if r := s.Cluster().Room(s.key("class")); r.Generation != generation || r.InternalID != second.InternalID || first.InternalID == second.InternalID {
		t.Fatalf("the meeting is %+v", r.Meeting)
	}
	told := func(room bbbtest.Room, want int) {
		t.Helper()
		for range 2 { // as nodes repeat it
			s.tells(room.Metadata.Get("endcallbackurl"), room.ExternalID)
			if status, _ := s.knock(http.MethodGet, room.MeetingEndedURL, ""); status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
		}
		s.arrives("/end", want)
		s.arrives("/ended", want)
	}
	told(first, 1)
	if r := s.Cluster().Room(s.key("class")); r == nil || r.InternalID != second.InternalID {
		t.Errorf("the second room is %+v", r)
	}
	n.ForgetRooms()
	told(second, 2)
	eventually(t, "the meeting is over", func() bool { return s.Cluster().Room(s.key("class")) == nil })
	told(first, 2)
	told(second, 2)
	keys := map[string]bool{}
	for _, m := range s.lms.messages("") {
		keys[m.header.Get("Idempotency-Key")] = true
	}
	if len(keys) != 4 {
		t.Errorf("%d keys, want 4", len(keys))
	}
}
