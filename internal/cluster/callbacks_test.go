package cluster

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/callbacks"
)

func testRelay() *callbacks.Relay {
	return callbacks.NewRelay("https://b3scale.example.org", auth.NewKeys("the-secret-of-the-api-0123456789", ""))
}

// madeBy tells of which create the room of a meeting comes.
func (s *site) madeBy(id string, origin func(m *b3scale.Meeting) b3scale.Origin) b3scale.Origin {
	s.t.Helper()
	m, _ := s.row(id)
	o := origin(&m)
	_, err := s.store.SaveSightings(s.ctx, m.BackendID, []b3scale.Sighting{{
		Key: m.Key, Generation: m.Generation, InternalID: m.InternalID, Info: []byte("<meetingName>Class</meetingName>"), Origin: o,
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func byItsOwn(m *b3scale.Meeting) b3scale.Origin {
	return b3scale.Origin{Generation: m.Generation, Create: "one"}
}

// People are still counted where a room has gone. Alone that proves nothing,
// with the word of the node it does, unless it is about an earlier room.
func TestEndsThatNodesTellOf(t *testing.T) {
	t.Parallel()
	for _, about := range []string{"the room", "another", "nothing"} {
		told := about == "the room"
		inBubble(t, plan{nodes: 1, opts: Options{ListInterval: 24 * time.Hour, Relay: testRelay()}}, func(t *testing.T, s *site) {
			s.run()
			synctest.Wait()
			s.placed(0, "class", "Ada")
			s.list(0)
			origin := s.madeBy("class", byItsOwn)
			s.nodes[0].ForgetRooms()
			if about != "nothing" {
				if !told {
					origin.Create = "another"
				}
				superseded, err := s.c.MeetingMayHaveEnded(t.Context(), s.key("class"), origin)
				if err != nil || superseded {
					t.Errorf("got %v, %v", superseded, err)
				}
			} else {
				s.c.lookSoon(s.key("class"), overLooks)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if gone := s.c.Room(s.key("class")) == nil; gone != told {
				t.Errorf("told of %s: the meeting is over %v", about, gone)
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
		s.madeBy("class", byItsOwn)
		row := s.c.Room(s.key("class"))
		for _, c := range []struct {
			generation int64
			superseded bool
		}{{row.Generation, false}, {row.Generation + 1, false}, {0, false}, {row.Generation - 1, true}, {1, true}} {
			superseded, err := s.c.MeetingMayHaveEnded(t.Context(), s.key("class"), b3scale.Origin{Generation: c.generation})
			if err != nil || superseded != c.superseded {
				t.Errorf("generation %d of %d: %v, %v", c.generation, row.Generation, superseded, err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if r := s.c.Room(s.key("class")); r == nil || r.InternalID != row.InternalID {
			t.Errorf("the meeting is %+v", r)
		}
		s.endRow("class")
		for generation, want := range map[int64]bool{row.Generation: false, row.Generation - 1: true, 0: false} {
			superseded, err := s.c.MeetingMayHaveEnded(t.Context(), s.key("class"), b3scale.Origin{Generation: generation})
			if err != nil || superseded != want {
				t.Errorf("after the end, %d: %v, %v", generation, superseded, err)
			}
		}
		if superseded, err := s.c.MeetingMayHaveEnded(t.Context(), s.key("unknown"), b3scale.Origin{Generation: 7}); err != nil || superseded {
			t.Errorf("unknown: %v, %v", superseded, err)
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
		for range 2 {
			if answer, err := s.create("class", more...); err != nil || !answer.Succeeded() {
				t.Fatal(answer, err)
			}
		}
		calls := s.nodes[0].Calls("create")
		if len(calls) != 2 || calls[0].Method != "POST" {
			t.Fatalf("the node got %+v", calls)
		}
		first, _ := relay.Ticket(calls[0].Params.Get("meetingEndedURL"))
		again, _ := relay.Ticket(calls[1].Params.Get("meetingEndedURL"))
		if first.Origin.Generation != again.Origin.Generation || first.Origin.Create == "" || first.Origin.Create == again.Origin.Create {
			t.Errorf("tickets %+v and %+v: two creates, one generation", first, again)
		}
		parent, _ := s.nodes[0].Room(nodeID("class"))
		if row, err := s.store.Meeting(t.Context(), s.key("class")); err != nil || row.Origin != first.Origin {
			t.Errorf("the row says %+v, %v, want %+v", row.Origin, err, first.Origin)
		}
		if ticket, ours := relay.Ticket(parent.Metadata.Get("endcallbackurl")); !ours || ticket.Target != long || ticket.Origin.Generation == 0 {
			t.Errorf("got %+v, %v", ticket, ours)
		}
		answer, err := s.create("part", "isBreakout", "true", "parentMeetingID", nodeID("class"), "sequence", "1", "meta_endCallbackUrl", long)
		if err != nil || !answer.Succeeded() {
			t.Fatal(answer, err)
		}
		sent := s.nodes[0].Calls("create")[2].Params
		if ticket, ours := relay.Ticket(sent.Get("meta_endCallbackUrl")); !ours || ticket.Origin.Generation != 0 || ticket.MeetingID != "part" || sent.Get("meetingEndedURL") != "" {
			t.Errorf("got %+v, %v, meetingEndedURL %q", ticket, ours, sent.Get("meetingEndedURL"))
		}
	})
}

// With a body of XML everything must fit into the address: the create goes to
// the node with as many of our addresses as do, the end's rather than others.
func TestRelayedCreatesWithXML(t *testing.T) {
	t.Parallel()
	relay := testRelay()
	inBubble(t, plan{nodes: 1, opts: Options{Relay: relay}}, func(t *testing.T, s *site) {
		for id, c := range map[string]struct {
			filler int
			want   string // the parameters with addresses of ours
		}{
			"short": {100, "meta_analytics-callback-url meta_bbb-recording-ready-url meta_endCallbackUrl meetingEndedURL"},
			"long":  {6300, "meta_bbb-recording-ready-url meta_endCallbackUrl"},
			"full":  {7900, ""},
		} {
			x := "https://lms.example.org/x"
			params := bbb.ParseParams("meetingID=" + nodeID(id) + "&name=Class&meta_filler=" + strings.Repeat("y", c.filler) +
				"&meta_analytics-callback-url=" + x + "&meta_bbb-recording-ready-url=" + x + "&meta_endCallbackUrl=" + x)
			answer, err := s.c.Create(t.Context(), CreateRequest{
				Frontend: s.c.FrontendByID(s.key(id).FrontendID), MeetingID: id, Params: params, Body: []byte("<modules/>"),
			})
			if err != nil || !answer.Succeeded() {
				t.Fatal(id, answer, err)
			}
			calls := s.nodes[0].Calls("create")
			sent := calls[len(calls)-1].Params
			var got []string
			for name, value := range sent.All() {
				if _, ours := relay.Ticket(value); ours {
					got = append(got, name)
				}
			}
			if names := strings.Join(got, " "); names != c.want || c.want != "" && len(sent.Encode()) > longestQuery+100 { // and the checksum
				t.Errorf("%s: the node got %q in %d bytes, want %q", id, names, len(sent.Encode()), c.want)
			}
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
