package cluster

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/callbacks"
)

func testRelay() *callbacks.Relay {
	return callbacks.NewRelay("https://b3scale.example.org", auth.NewKeys("the-secret-of-the-api-0123456789", ""))
}

// People are still counted where a room has gone. Alone that proves nothing,
// with the word of the node it does.
func TestEndsThatNodesTellOf(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		inBubble(t, plan{nodes: 1, opts: Options{ListInterval: 24 * time.Hour}}, func(t *testing.T, s *site) {
			s.run()
			synctest.Wait()
			s.placed(0, "class", "Ada")
			s.list(0)
			row := s.c.Room(s.key("class"))
			s.nodes[0].ForgetRooms()
			if told {
				superseded, room, err := s.c.MeetingMayHaveEnded(t.Context(), s.key("class"), row.Generation)
				if err != nil || superseded || room != row.InternalID {
					t.Errorf("got %v, %q, %v", superseded, room, err)
				}
			} else {
				s.c.lookSoon(s.key("class"), overLooks)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if gone := s.c.Room(s.key("class")) == nil; gone != told {
				t.Errorf("told %v: the meeting is over %v", told, gone)
			}
			s.unchecked = true // what was not told is for two lists
		})
	}
}

// What a node tells is no proof either: the room is still there.
func TestEndsThatAreNone(t *testing.T) {
	t.Parallel()
	lookSite(t, 1, func(t *testing.T, s *site) {
		s.placed(0, "class", "Ada")
		row := s.c.Room(s.key("class"))
		for _, c := range []struct {
			generation int64
			superseded bool
		}{{row.Generation, false}, {row.Generation + 1, false}, {0, false}, {row.Generation - 1, true}, {1, true}} {
			superseded, room, err := s.c.MeetingMayHaveEnded(t.Context(), s.key("class"), c.generation)
			if err != nil || superseded != c.superseded || (room == "") != c.superseded {
				t.Errorf("generation %d of %d: %v, %q, %v", c.generation, row.Generation, superseded, room, err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if r := s.c.Room(s.key("class")); r == nil || r.InternalID != row.InternalID {
			t.Errorf("the meeting is %+v", r)
		}
		s.endRow("class")
		for generation, want := range map[int64]bool{row.Generation: false, row.Generation - 1: true, 0: false} {
			superseded, room, err := s.c.MeetingMayHaveEnded(t.Context(), s.key("class"), generation)
			if err != nil || superseded != want || !superseded && room != row.InternalID {
				t.Errorf("after the end, %d: %v, %q, %v", generation, superseded, room, err)
			}
		}
		if superseded, room, err := s.c.MeetingMayHaveEnded(t.Context(), s.key("unknown"), 7); err != nil || superseded || room != "" {
			t.Errorf("unknown: %v, %q, %v", superseded, room, err)
		}
		s.unchecked = true // the room is still there
	})
}

func TestSecretsOfNodes(t *testing.T) {
	t.Parallel()
	lookSite(t, 2, func(t *testing.T, s *site) {
		s.placed(1, "class")
		row := s.c.Room(s.key("class"))
		for _, c := range []struct {
			id         string
			generation int64
			want       string
		}{
			{"class", row.Generation, "secret-of-1"},
			{"class", row.Generation - 1, "secret-of-0 secret-of-1"},
			{"class", 0, "secret-of-0 secret-of-1"},
			{"unknown", 1, "secret-of-0 secret-of-1"},
			{"", 0, "secret-of-0 secret-of-1"},
		} {
			secrets, err := s.c.NodeSecrets(t.Context(), s.key(c.id), c.generation)
			var known []string
			for _, secret := range secrets {
				if secret != "" {
					known = append(known, secret.Reveal())
				}
			}
			if got := strings.Join(known, " "); err != nil || len(known) != strings.Count(c.want, " ")+1 || !strings.Contains(got, "secret-of-1") {
				t.Errorf("%q, %d: %q, %v, want %q", c.id, c.generation, got, err, c.want)
			}
		}
	})
}

// Our addresses are longer than those of frontends: what would get too long for
// an address goes as a form. Breakout rooms have no generation, and nobody waits
// for their end.
func TestRelayedCreates(t *testing.T) {
	t.Parallel()
	relay := testRelay()
	inBubble(t, plan{nodes: 1, opts: Options{Relay: relay}}, func(t *testing.T, s *site) {
		long := "https://lms.example.org/" + strings.Repeat("x", 1200)
		more := []string{"meta_a", strings.Repeat("y", 3000), "meta_endCallbackUrl", long, "meta_analytics-callback-url", long, "meta_bbb-recording-ready-url", long}
		for range 2 { // a repeated create is the same
			if answer, err := s.create("class", more...); err != nil || !answer.Succeeded() {
				t.Fatal(answer, err)
			}
		}
		calls := s.nodes[0].Calls("create")
		if len(calls) != 2 || calls[0].Method != "POST" || calls[0].Params.Encode() != calls[1].Params.Encode() {
			t.Errorf("the node got %+v", calls)
		}
		parent, _ := s.nodes[0].Room(nodeID("class"))
		if ticket, ours := relay.Ticket(parent.Metadata.Get("endcallbackurl")); !ours || ticket.Target != long || ticket.Generation == 0 {
			t.Errorf("got %+v, %v", ticket, ours)
		}
		answer, err := s.create("part", "isBreakout", "true", "parentMeetingID", nodeID("class"), "sequence", "1", "meta_endCallbackUrl", long)
		if err != nil || !answer.Succeeded() {
			t.Fatal(answer, err)
		}
		sent := s.nodes[0].Calls("create")[2].Params
		if ticket, ours := relay.Ticket(sent.Get("meta_endCallbackUrl")); !ours || ticket.Generation != 0 || ticket.MeetingID != "part" || sent.Get("meetingEndedURL") != "" {
			t.Errorf("got %+v, %v, meetingEndedURL %q", ticket, ours, sent.Get("meetingEndedURL"))
		}
	})
}

// What nobody can tell of is left out.
func TestAddressesInViews(t *testing.T) {
	t.Parallel()
	relay := testRelay()
	inBubble(t, plan{nodes: 1, opts: Options{Relay: relay}}, func(t *testing.T, s *site) {
		other, err := auth.NewKeys("the-secret-of-the-api-0123456789", "").MintCallback(b3scale.CallbackTicket{FrontendID: "another", Target: "https://s3cret.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		room := bbbtest.Room{ExternalID: nodeID("class"), Name: "Class"}
		room.Metadata.Set("endcallbackurl", "https://old.example.org"+callbacks.Path+other)
		room.Metadata.Set("foreign", "https://b3scale.other.org"+callbacks.Path+"eyJ.not.ours")
		room.Metadata.Set("broken", "https://b3scale.example.org"+callbacks.Path+"eyJ.not.ours")
		s.nodes[0].AddRoom(room)
		s.list(0)
		list := s.shown()
		if strings.Contains(list, "s3cret") || strings.Contains(list, other) || strings.Contains(list, "broken") || !strings.Contains(list, "<foreign>https://b3scale.other.org") {
			t.Errorf("got %s", list)
		}
	})
}
