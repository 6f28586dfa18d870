package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
)

// key names a meeting of the first frontend.
func (s *callbackSite) key(id string) b3scale.MeetingKey {
	return b3scale.MeetingKey{FrontendID: s.frontend(frontendKey).ID, MeetingID: id}
}

// tells is the call of a node at the end of a meeting.
func (s *callbackSite) tells(address, encodedID string) {
	s.Helper()
	if status, body := s.knock(http.MethodGet, address+"?recordingmarks=false&meetingID="+encodedID, ""); status != http.StatusOK || body != "" {
		s.Errorf("answered %d %s, want 200", status, body)
	}
}

func TestLateEndsOfEarlierPlaces(t *testing.T) {
	t.Parallel()
	nodes := []*bbbtest.Node{node(t, bbbtest.Options{Name: "a"}), node(t, bbbtest.Options{Name: "b"})}
	s := newCallbackSite(t, nodes)
	target := []string{"meta_endCallbackUrl", s.lms.URL + "/end", "meetingEndedURL", s.lms.URL + "/ended"}
	encoded := b3scale.EncodeMeetingID(frontendKey, "class")
	if _, body := s.call("create", "name=Class&meetingID=class&meta_endCallbackUrl="+s.lms.URL+"/end&meetingEndedURL="+s.lms.URL+"/ended"); !strings.Contains(body, "SUCCESS") {
		t.Fatal(body)
	}
	first, second := nodes[0], nodes[1]
	orphan, here := first.Room(encoded)
	if !here {
		first, second = second, first
		orphan, _ = first.Room(encoded)
	}
	// The first node is lost with the room, which moves.
	first.Down()
	backend := s.Cluster().Room(s.key("class")).BackendID
	if err := s.Cluster().DeclareLost(t.Context(), backend, b3scale.Actor{}); err != nil {
		t.Fatal(err)
	}
	successor := s.creates(second, "class", target...)
	before, after := s.ticket(orphan.MeetingEndedURL), s.ticket(successor.MeetingEndedURL)
	if before.Origin.Generation >= after.Origin.Generation || after != s.ticket(s.creates(second, "class", target...).MeetingEndedURL) {
		t.Errorf("tickets %+v and %+v", before, after)
	}
	// The orphan ends, and so it says.
	late := func() {
		t.Helper()
		s.tells(orphan.Metadata.Get("endcallbackurl"), encoded)
		if status, _ := s.knock(http.MethodGet, orphan.MeetingEndedURL, ""); status != http.StatusOK {
			t.Errorf("answered %d", status)
		}
		if stored := s.stored(""); len(stored) > 2 {
			t.Errorf("stored: %+v", stored)
		}
	}
	late()
	if stored := s.stored(""); len(stored) != 0 {
		t.Errorf("stored: %+v", stored)
	}
	if r := s.Cluster().Room(s.key("class")); r == nil || r.InternalID != successor.InternalID {
		t.Errorf("the successor is %+v", r)
	}
	// Its own end counts, once.
	second.EndNow(encoded)
	s.arrives("/end", 1)
	s.arrives("/ended", 1)
	eventually(t, "the meeting is over", func() bool { return s.Cluster().Room(s.key("class")) == nil })
	s.tells(successor.Metadata.Get("endcallbackurl"), encoded)
	late()
	// And so it is for the next one, in the same place.
	again := s.creates(second, "class", target...)
	s.tells(successor.Metadata.Get("endcallbackurl"), encoded)
	if r := s.Cluster().Room(s.key("class")); r == nil || r.InternalID != again.InternalID {
		t.Errorf("the next meeting is %+v", r)
	}
	s.arrives("/end", 1)
	s.arrives("/ended", 1)
}

// A room that is adopted has the addresses of an earlier time.
func TestEndsOfAdoptedRooms(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{CallbackPauses: []time.Duration{time.Millisecond}})
	s := newCallbackSiteWith(t, cluster.Options{ListInterval: 200 * time.Millisecond}, []*bbbtest.Node{n})
	room := bbbtest.Room{ExternalID: b3scale.EncodeMeetingID(frontendKey, "class"), Name: "Class"}
	room.Metadata.Set("endcallbackurl", s.address(b3scale.CallbackTicket{
		FrontendID: s.key("").FrontendID, Target: s.lms.URL + "/end", Kind: b3scale.CallbackEnd, MeetingID: "class", Origin: b3scale.Origin{Generation: 5},
	}))
	n.AddRoom(room)
	eventually(t, "the room is adopted", func() bool { return s.Cluster().Room(s.key("class")) != nil })
	address := s.address(b3scale.CallbackTicket{
		FrontendID: s.key("").FrontendID, Target: s.lms.URL + "/end", Kind: b3scale.CallbackEnd, MeetingID: "class", Origin: b3scale.Origin{Generation: 4},
	})
	s.tells(address, room.ExternalID)
	s.arrives("/end", 0)
	s.tells(room.Metadata.Get("endcallbackurl"), room.ExternalID)
	s.arrives("/end", 1)
	if s.Cluster().Room(s.key("class")) == nil {
		t.Error("the meeting was ended by a message")
	}
}

// What was minted before a switch-over knows neither meeting nor generation.
func TestOldTokens(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	s := newCallbackSite(t, []*bbbtest.Node{n})
	room := s.creates(n, "class")
	address := s.address(b3scale.CallbackTicket{FrontendID: s.key("").FrontendID, Target: s.lms.URL + "/old?course=7&meetingID=mine"})
	s.tells(address, room.ExternalID)
	s.tells(address, room.ExternalID) // as nodes repeat it
	if got := s.arrives("/old", 1)[0]; got.url != "/old?course=7&meetingID=class&recordingmarks=false" {
		t.Errorf("got %s", got.url)
	}
	if s.Cluster().Room(s.key("class")) == nil {
		t.Error("the meeting was ended by a message")
	}
	if status, _ := s.knock(http.MethodGet, address, ""); status != http.StatusOK { // meetingEndedURL
		t.Errorf("answered %d", status)
	}
	if got := s.arrives("/old", 2)[1]; got.url != "/old?course=7&meetingID=mine" {
		t.Errorf("got %s", got.url)
	}
	n.EndNow(room.ExternalID)
	s.tells(address, b3scale.EncodeMeetingID(frontendKey, "class2"))
	s.arrives("/old", 3)
}
