package cluster

import (
	"slices"
	"testing"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// A room is there that was made with other passwords than the row has. Nodes
// up to 2.7 answer idNotUnique unless both are given and equal.
func TestCreateWhenTheRoomHasOtherPasswords(t *testing.T) {
	t.Parallel()
	const attendee, moderator = "guest", "host"
	cases := []struct {
		name  string
		sent  []string
		key   string // of a FAILED answer
		looks int
	}{
		{name: "none", looks: 1},
		{name: "the same", sent: []string{"attendeePW", attendee, "moderatorPW", moderator}},
		{name: "one of them", sent: []string{"attendeePW", attendee}, looks: 1},
		{name: "others", sent: []string{"attendeePW", "x1", "moderatorPW", "x2"}, key: "idNotUnique", looks: 1},
		{name: "one other", sent: []string{"moderatorPW", "x2"}, key: "idNotUnique", looks: 1},
	}
	for _, version := range []string{"2.4", "2.5", "2.7", "3.0"} {
		for _, c := range cases {
			t.Run(version+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				inBubble(t, plan{nodes: 2, node: func(_ int, o *bbbtest.Options) { o.Version = version }}, func(t *testing.T, s *site) {
					s.claim(0, "class")
					room := s.nodes[0].AddRoom(bbbtest.Room{ExternalID: nodeID("class"), AttendeePW: attendee, ModeratorPW: moderator})
					answer, err := s.create("class", c.sent...)
					if err != nil {
						t.Fatal(err)
					}
					if answer.Succeeded() != (c.key == "") {
						t.Errorf("create: %s", answer.Doc.Bytes())
					}
					if c.key != "" && answer.MessageKey() != c.key {
						t.Errorf("create: FAILED %s, want %s", answer.MessageKey(), c.key)
					}
					if c.key == "" && internalIDOf(answer) != room.InternalID {
						t.Errorf("created %q, want %q", internalIDOf(answer), room.InternalID)
					}
					if got, want := s.counted("getMeetingInfo", "class"), []int{c.looks, 0}; !slices.Equal(got, want) {
						t.Errorf("looks: %v, want %v", got, want)
					}
					m, _ := s.row("class")
					if m.State != b3scale.MeetingActive || m.InternalID != room.InternalID || m.AttendeePW != attendee || m.ModeratorPW != moderator {
						t.Errorf("row is %s with room %q and passwords %q, %q; want the room's", m.State, m.InternalID, m.AttendeePW, m.ModeratorPW)
					}
					// From now on the row knows them.
					again, err := s.create("class")
					if err != nil || !again.Succeeded() || internalIDOf(again) != room.InternalID {
						t.Errorf("create without passwords afterwards: %v, error %v", again, err)
					}
				})
			})
		}
	}
}

// A repeated create is answered from getMeetingInfo where the node says
// idNotUnique. The frontend cannot tell that from the node's own answer.
func TestDuplicateAnswerIsLikeTheNodes(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2.4", "2.5", "3.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 1, node: func(_ int, o *bbbtest.Options) { o.Version = version }}, func(t *testing.T, s *site) {
				s.claim(0, "class")
				room := s.addRoom(0, "class", "Ada")
				ours, err := s.create("class")
				if err != nil {
					t.Fatal(err)
				}
				nodes, err := s.create("class", "attendeePW", room.AttendeePW, "moderatorPW", room.ModeratorPW)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := string(ours.Doc.Bytes()), string(nodes.Doc.Bytes()); got != want {
					t.Errorf("our answer is\n%s\nwant that of the node\n%s", got, want)
				}
			})
		})
	}
}

// Every create of a generation sends the same passwords, so that old nodes
// take the second one for a repetition.
func TestPasswordsStayInAGeneration(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, node: func(_ int, o *bbbtest.Options) { o.Version = "2.4" }}, func(t *testing.T, s *site) {
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerErrorAfter, Calls: []string{"create"}, Times: 2})
		if _, err := s.create("class"); codeOf(err) != b3scale.NodeFailed {
			t.Errorf("create: %v, want %q", err, b3scale.NodeFailed)
		}
		s.created("class")
		s.created("class")
		var sent []string
		for _, r := range s.nodes[0].Calls("create") {
			sent = append(sent, r.Params.Get("attendeePW")+" "+r.Params.Get("moderatorPW"))
		}
		if same := slices.Compact(slices.Clone(sent)); len(sent) != 4 || len(same) != 1 || len(same[0]) < 10 {
			t.Errorf("passwords of the creates: %q, want 4 times the same", sent)
		}
		if n := len(s.nodes[0].Calls("getMeetingInfo")); n != 0 {
			t.Errorf("%d looks were needed, want none", n)
		}
	})
}
