package gateway_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
)

func TestUnknownMeetings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: extraResources("getPolls")})
	for call, want := range map[string]string{
		"isMeetingRunning": bbb.Success, "getMeetingInfo": "notFound", "end": "notFound", "join": "notFound",
		"insertDocument": "notFound", "sendChatMessage": "notFound", "getPolls": "notFound",
	} {
		got := h.call(call, "meetingID=unknown&message=hi&role=VIEWER&fullName="+personQuery)
		if got.status != http.StatusOK || got.outcome(t) != want {
			t.Errorf("%s: got %v, want %s", call, got, want)
		}
		if call == "isMeetingRunning" && got.body != string(bbb.RunningAnswer(false)) {
			t.Errorf("isMeetingRunning: got %v", got)
		}
		h.untouched(call)
	}
}

func TestCreateWithoutBackends(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: noNodes})
	got := h.call("create", "name=Room&meetingID=room")
	if got.status != http.StatusOK || got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != "no free backend available for meeting" {
		t.Errorf("got %v", got)
	}
	h.untouched("create without backends")
	if !strings.Contains(h.log.String(), "of 0 backends") {
		t.Errorf("the log does not say why: %s", h.log)
	}
}

// The list has one entry for each meeting of the frontend and none of others.
func TestGetMeetings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: []bbbtest.Options{{}, {}}})
	empty := h.call("getMeetings", "")
	if empty.body != string(bbb.NoMeetingsAnswer()) || !strings.Contains(empty.body, "<meetings/>") {
		t.Errorf("without meetings: got %v", empty)
	}
	var want []string
	for i := range 20 {
		id := "room-" + strconv.Itoa(i)
		want = append(want, id)
		h.create(id)
		if got := h.do(request{target: signedBy(keyTwo, secretTwo, "create", "name=Other&meetingID="+id)}); got.outcome(t) != bbb.Success {
			t.Fatalf("got %v", got)
		}
	}
	h.forget()
	for _, target := range []string{signed("getMeetings", ""), signed("getMeetings", "meetingID=room-1")} {
		var ids []string
		for m := range h.do(request{target: target}).root(t).Child("meetings").Children() {
			ids = append(ids, m.Child("meetingID").Text())
			if name := m.Child("meetingName").Text(); name != "Room" {
				t.Errorf("a meeting of another frontend is listed: %s", name)
			}
		}
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			t.Errorf("got %q, want %q", ids, want)
		}
	}
	h.untouched("getMeetings")
}

func TestRepeatedCreate(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{nodes: []bbbtest.Options{{Version: version}}})
			first := h.call("create", "name=Room&meetingID=room") // also without passwords
			again := h.call("create", "name=Room&meetingID=room")
			if first.outcome(t) != bbb.Success || again.text(t, "messageKey") != "duplicateWarning" {
				t.Fatalf("got %v, then %v", first, again)
			}
			for _, name := range []string{"internalMeetingID", "attendeePW", "moderatorPW", "createTime"} {
				if got, want := again.text(t, name), first.text(t, name); got != want || got == "" {
					t.Errorf("%s is %q, was %q", name, got, want)
				}
			}
		})
	}
}

func TestForwardedCalls(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: extraResources("getSessions", "create", "getPolls")})
	h.create("room")
	if got := h.call("sendChatMessage", "meetingID=room&message=Hello+%F0%9F%91%8B&userName=bot"); got.outcome(t) != bbb.Success {
		t.Errorf("sendChatMessage: got %v", got)
	}
	if room, _ := h.nodes[0].Room(nodeID("room")); !slices.Equal(room.Messages, []string{"Hello 👋"}) {
		t.Errorf("messages are %q", room.Messages)
	}
	h.forget()
	if got := h.call("getSessions", "meetingID=room"); got.outcome(t) != bbb.Success {
		t.Errorf("an extra resource: got %v", got)
	}
	if id := h.sentParam("meetingID"); id != nodeID("room") {
		t.Errorf("an extra resource: the node got %q", id)
	}
	h.forget()
	if got := h.call("getSessions", ""); got.outcome(t) != "missingParamMeetingID" {
		t.Errorf("an extra resource without a meeting: got %v", got)
	}
	if got := h.call("getSession", "meetingID=room"); got.outcome(t) != "unsupportedRequest" {
		t.Errorf("another resource: got %v", got)
	}
	h.untouched("refused resources")
	if got := h.call("getPolls", "meetingID=room"); got.outcome(t) != "b3scaleGatewayError" {
		t.Errorf("an extra resource that the node does not know: got %v", got)
	}
	if got := h.call("create", "meetingID=room&name=Room&attendeePW="+attendeePW+"&moderatorPW="+moderatorPW); got.text(t, "messageKey") != "duplicateWarning" {
		t.Errorf("a call that is no extra resource: got %v", got)
	}
}

// An end names the room by its internal id, and the meeting is gone a moment
// later.
func TestEnd(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{watch: true, cluster: cluster.Options{}})
	h.create("room")
	room, _ := h.nodes[0].Room(nodeID("room"))
	got := h.call("end", "meetingID=room&password="+moderatorPW)
	if got.outcome(t) != bbb.Success || got.text(t, "messageKey") != "sentEndMeetingRequest" {
		t.Fatalf("got %v", got)
	}
	ends := h.nodes[0].Calls("end")
	if len(ends) != 1 || ends[0].Params.Get("meetingID") != room.InternalID || ends[0].Params.Get("password") != moderatorPW {
		t.Errorf("the node got %+v", ends)
	}
	h.eventually("the meeting is not listed any more", func() bool {
		return h.call("getMeetings", "").text(t, "messageKey") == "noMeetings"
	})
	if got := h.call("getMeetingInfo", "meetingID=room"); got.outcome(t) != "notFound" {
		t.Errorf("getMeetingInfo: got %v", got)
	}
	if got := h.call("end", "meetingID=room"); got.outcome(t) != "notFound" {
		t.Errorf("a second end: got %v", got)
	}
}

// Breakout rooms go to their parent's node, and a parent of another frontend
// does not exist.
func TestBreakouts(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: []bbbtest.Options{{}, {}, {}}})
	h.create("parent")
	home := h.homeOf("parent")
	parent, _ := home.Room(nodeID("parent"))
	breakout := "name=Group&isBreakout=true&sequence=1&freeJoin=true&parentMeetingID="
	for i, id := range []string{"parent", parent.InternalID} {
		got := h.call("create", "meetingID=group-"+strconv.Itoa(i)+"&"+breakout+id)
		if got.outcome(t) != bbb.Success || got.text(t, "parentMeetingID") != parent.InternalID {
			t.Errorf("below %q: got %v", id, got)
		}
		sent := h.only()
		if len(home.Requests()) != 1 {
			t.Errorf("below %q: the create went to another node", id)
		}
		if got := sent.Params.Get("parentMeetingID"); got != nodeID("parent") && got != parent.InternalID {
			t.Errorf("below %q: the node got the parent %q", id, got)
		}
		h.forget()
		if got := h.call("join", "meetingID=group-"+strconv.Itoa(i)+"&role=VIEWER&fullName="+personQuery); !strings.HasPrefix(got.header.Get("Location"), home.BaseURL()) {
			t.Errorf("join of a breakout room: got %v", got)
		}
		h.forget()
		if got := h.call("getMeetingInfo", "meetingID=group-"+strconv.Itoa(i)); got.outcome(t) != bbb.Success || got.text(t, "isBreakout") != "true" {
			t.Errorf("getMeetingInfo of a breakout room: got %v", got)
		}
		h.forget()
	}
	for _, id := range []string{"unknown", nodeID("parent"), strings.Repeat("0", 40) + "-1"} {
		if got := h.call("create", "meetingID=group&"+breakout+id); got.outcome(t) != "parentMeetingDoesNotExist" {
			t.Errorf("below %q: got %v", id, got)
		}
	}
	if got := h.call("create", "meetingID=group&"+breakout); got.outcome(t) != "parentMeetingIDMissing" {
		t.Errorf("below nothing: got %v", got)
	}
	for _, id := range []string{"parent", nodeID("parent"), parent.InternalID} {
		got := h.do(request{target: signedBy(keyTwo, secretTwo, "create", "meetingID=group&"+breakout+id)})
		if got.outcome(t) != "parentMeetingDoesNotExist" {
			t.Errorf("below another frontend's %q: got %v", id, got)
		}
	}
	// Nodes strip control characters, and so read true here.
	spelled := "meetingID=group&name=Group&sequence=1&isBreakout=tr%01ue&parentMeetingID=" + parent.InternalID
	if got := h.do(request{target: signedBy(keyTwo, secretTwo, "create", spelled)}); got.outcome(t) != "parentMeetingDoesNotExist" {
		t.Errorf("a breakout in another spelling: got %v", got)
	}
	h.untouched("breakouts that are refused")
}

// homeOf is the node that has a meeting's room.
func (h *harness) homeOf(meetingID string) *bbbtest.Node {
	h.Helper()
	for _, n := range h.nodes {
		if _, ok := n.Room(nodeID(meetingID)); ok {
			return n
		}
	}
	h.Fatalf("no node has %q", meetingID)
	return nil
}
