package cluster

import (
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// What a node should not send must not harm anybody else.

func TestBreakoutRoomWithoutAnID(t *testing.T) {
	t.Parallel()
	c := &Cluster{table: routing.NewTable(routing.LoadOptions{})}
	b := &routing.Backend{Backend: b3scale.Backend{ID: "b"}}
	doc, err := bbb.ParseXML([]byte(`<meetings><meeting><meetingID>x</meetingID><isBreakout>true</isBreakout><parentMeetingID>p-1</parentMeetingID></meeting></meetings>`))
	if err != nil {
		t.Fatal(err)
	}
	var all []*sight
	for e := range doc.Root().Children() {
		all = append(all, readRoom(doc, e))
	}
	rooms, _ := c.breakoutRooms(b, all, map[string]string{"p-1": "f"})
	c.table.SetBreakouts("b", rooms, time.Now(), time.Now())
	c.settleBreakouts(rooms)
	if len(rooms) != 0 {
		t.Errorf("%d breakout rooms, want none: nobody could tell them apart", len(rooms))
	}
}

func TestOddAttendeesAreDrawnAnew(t *testing.T) {
	t.Parallel()
	yes := true
	facts := PersonFacts{Voice: &yes}
	for _, old := range []string{`<attendee/>`, `<attendee></attendee >`, `<a/>`} {
		xml, _ := facts.draw([]byte(old))
		if _, err := bbb.ParseXML(xml); xml != nil && err != nil {
			t.Errorf("%s became %q: %v", old, xml, err)
		}
	}
}

// An operator has said who is there; then the agent speaks of them.
func TestPeopleWhomAnOperatorNamed(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1}, func(t *testing.T, s *site) {
		s.created("class")
		a := s.teller(0)
		r := s.c.Room(s.key("class"))
		ok, err := s.c.EditRoom(s.ctx, r.Key, r.Generation, r.InternalID, nil, []b3scale.Attendee{
			{InternalUserID: "w_Ada", XML: []byte("<attendee>\n<userID>Ada</userID>\n<fullName>Ada</fullName>\n<role>VIEWER</role>\n</attendee>")},
		})
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		on := true
		a.tell(Event{Kind: EventAttendee, Meeting: a.room("class"), UserID: "w_Ada", Person: PersonFacts{Voice: &on}})
		a.tell(Event{Kind: EventAttendeeLeft, Meeting: a.room("class"), UserID: "w_Ada"})
		again := arrival(a.room("class"), "Ada")
		again.UserID = "w_other"
		a.tell(again)
		if n := s.c.Room(s.key("class")).People; n != 1 {
			t.Errorf("%d people, want 1", n)
		}
		s.unchecked = true // the node knows of nobody
	})
}
