package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// meetingCalls are all calls about one meeting, with an operator's own one.
var meetingCalls = []string{
	"create", "join", "isMeetingRunning", "getMeetingInfo", "insertDocument", "sendChatMessage", "getPolls", "end",
}

// as sends a call of a frontend, with a body where a call takes one.
func (h *harness) as(key, secret, call, query string) reply {
	h.Helper()
	if call == "insertDocument" {
		return h.post(signedBy(key, secret, call, query), xmlType, slides)
	}
	return h.do(request{target: signedBy(key, secret, call, query)})
}

// Two frontends on one node, with the same ids, with ids that look like encoded
// ones of the other, and with internal ids of the other's rooms. Whatever the
// second one calls, it meets its own rooms only, and reads of nothing else.
func TestIsolationInEveryCall(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: extraResources("getPolls")})
	node := h.nodes[0]
	const private = "private-to-one"
	got := h.call("create", "name="+private+"&meetingID=same&meta_Course="+private+"&attendeePW="+attendeePW+"&moderatorPW="+moderatorPW)
	theirs := got.text(t, "internalMeetingID")
	node.Join(nodeID("same"), bbbtest.Attendee{UserID: "ada", FullName: person})
	before, _ := node.Room(nodeID("same"))

	encoded := nodeID("same")
	for _, id := range []string{"same", encoded, b3scale.EncodeMeetingID(keyTwo, "same"), b3scale.EncodeMeetingID(keyTwo, encoded), strings.TrimRight(encoded, "="), theirs} {
		own := b3scale.EncodeMeetingID(keyTwo, id)
		for _, call := range meetingCalls {
			h.forget()
			room, _ := node.Room(own)
			query := "name=Room&meetingID=" + url.QueryEscape(id) + "&password=" + moderatorPW + "&message=hi&role=MODERATOR&fullName=Bob"
			got := h.as(keyTwo, secretTwo, call, query)
			where := call + " of " + id
			if call == "join" {
				to, err := url.Parse(got.header.Get("Location"))
				if err != nil || to.Query().Get("meetingID") != own {
					t.Errorf("%s leads to %q", where, got.header.Get("Location"))
				}
			} else if code := got.outcome(t); code != bbb.Success && call != "getPolls" {
				t.Errorf("%s: got %v", where, got)
			}
			for _, n := range node.Requests() {
				sent := n.Params.Get("meetingID")
				if sent != own && (call != "end" || sent != room.InternalID) || n.Params.Count("meetingID") != 1 {
					t.Errorf("%s: the node was asked about %q", where, sent)
				}
			}
			if call == "isMeetingRunning" && got.text(t, "running") != "false" {
				t.Errorf("%s: somebody is there", where)
			}
			for _, secret := range []string{private, person, attendeePW, "<internalMeetingID>" + theirs} {
				if strings.Contains(got.body, secret) {
					t.Errorf("%s tells %q: %v", where, secret, got)
				}
			}
			if strings.HasPrefix(got.body, "<response>") && got.root(t).Child("meetingID").Exists() && got.text(t, "meetingID") != id {
				t.Errorf("%s: the id comes back as %q", where, got.text(t, "meetingID"))
			}
			list := h.as(keyTwo, secretTwo, "getMeetings", "")
			if strings.Contains(list.body, private) || strings.Contains(list.body, person) {
				t.Errorf("after %s: getMeetings tells of the other: %v", where, list)
			}
		}
	}
	after, alive := node.Room(nodeID("same"))
	if !alive || after.InternalID != before.InternalID || len(after.Attendees) != 1 || len(after.Messages) != 0 || after.Documents != before.Documents {
		t.Errorf("the room of the first frontend is now %+v", after)
	}
	if info := h.call("getMeetingInfo", "meetingID=same"); info.text(t, "internalMeetingID") != theirs {
		t.Errorf("the first frontend now finds %v", info)
	}
}

// A second meetingID could be looked at by one and used by the other.
func TestRepeatedMeetingID(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: extraResources("getPolls")})
	h.create("same")
	if got := h.as(keyTwo, secretTwo, "create", "name=Room&meetingID=same"); got.outcome(t) != bbb.Success {
		t.Fatalf("got %v", got)
	}
	h.forget()
	other := url.QueryEscape(nodeID("same"))
	for _, call := range meetingCalls {
		for _, ids := range []string{
			"meetingID=same&meetingID=" + other, "meetingID=" + other + "&meetingID=same", "meetingID=same&meeting%49D=" + other, "meetingID=same&meetingID", "%6deetingID=" + other + "&meetingID=",
		} {
			got := h.as(keyTwo, secretTwo, call, "name=Room&role=MODERATOR&message=hi&fullName=Bob&"+ids)
			if got.outcome(t) != "validationError" {
				t.Errorf("%s with %s: got %v", call, ids, got)
			}
			h.untouched(call + " with " + ids)
		}
		// Another case is another name, which nodes do not know.
		own := b3scale.EncodeMeetingID(keyTwo, "same")
		room, _ := h.nodes[0].Room(own)
		got := h.as(keyTwo, secretTwo, call, "name=Room&role=MODERATOR&message=hi&fullName=Bob&meetingid="+other+"&meetingID=same&MEETINGID="+other)
		if call == "join" {
			if to, err := url.Parse(got.header.Get("Location")); err != nil || to.Query().Get("meetingID") != own {
				t.Errorf("join leads to %v", got.header)
			}
		}
		for _, n := range h.nodes[0].Requests() {
			if id := n.Params.Get("meetingID"); id != own && (call != "end" || id != room.InternalID) {
				t.Errorf("%s: the node was asked about %q", call, id)
			}
		}
		h.forget()
	}
	if _, alive := h.nodes[0].Room(nodeID("same")); !alive {
		t.Error("the other's room is gone")
	}
}

// A breakout room needs a parent of its own frontend, whatever the id looks
// like and however often it is given.
func TestParentsOfOthers(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("mine")
	h.create("both")
	room, _ := h.nodes[0].Room(nodeID("mine"))
	if got := h.as(keyTwo, secretTwo, "create", "name=Room&meetingID=both"); got.outcome(t) != bbb.Success {
		t.Fatalf("got %v", got)
	}
	h.forget()
	const sub = "name=Sub&meetingID=sub&sequence=1&"
	for _, parent := range []string{"mine", nodeID("mine"), room.InternalID, b3scale.EncodeMeetingID(keyTwo, nodeID("mine"))} {
		q := url.QueryEscape(parent)
		for _, query := range []string{
			"isBreakout=true&parentMeetingID=" + q, "isBreakout=TRUE&isBreakout=false&parentMeetingID=" + q, "isBreakout=+true%00&parentMeetingID=" + q + "&parentMeetingID=both",
		} {
			if got := h.as(keyTwo, secretTwo, "create", sub+query); got.outcome(t) != "parentMeetingDoesNotExist" {
				t.Errorf("%s: got %v", query, got)
			}
			h.untouched(query)
		}
	}
	// The other way round only the first counts, at the node as well.
	q := url.QueryEscape(nodeID("mine"))
	for _, query := range []string{
		"isBreakout=true&isBreakout=false&parentMeetingID=both&parentMeetingID=" + q, "isBreakout=true&parentMeetingID=both&parentMeetingID=" + room.InternalID,
	} {
		if got := h.as(keyTwo, secretTwo, "create", sub+query); got.outcome(t) != bbb.Success {
			t.Errorf("%s: got %v", query, got)
		}
		if p := h.only().Params; p.Count("parentMeetingID") != 1 || p.Count("isBreakout") != 1 || p.Get("parentMeetingID") != b3scale.EncodeMeetingID(keyTwo, "both") {
			t.Errorf("%s: the node got %s", query, p.Encode())
		}
		h.forget()
	}
	if room, _ := h.nodes[0].Room(nodeID("mine")); len(room.Breakouts) != 0 {
		t.Errorf("the other's room has the breakout rooms %q", room.Breakouts)
	}
}

// Metadata that we own never comes from a client, in whatever spelling, and
// not from an operator by mistake.
func TestOurMetadata(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.policy(b3scale.FrontendSettings{
		CreateDefaultParams:  b3scale.Params{"meta_b3s-frontend": "fe2", "META_b3s-x": "fe2"},
		CreateOverrideParams: b3scale.Params{"meta_B3S-frontend": "fe2", "meta_b3s-y": "fe2"},
	}, b3scale.FrontendSettings{CreateBlockedParams: []string{"meta_b3s-frontend"}})
	for i, spelling := range []string{
		"meta_b3s-frontend", "META_B3S-FRONTEND", "Meta_b3S-Frontend", "m%65ta_b3s-frontend", "meta_b3s%2Dfrontend", "+meta_b3s-frontend+",
		"meta_b3s-frontend%00", "%09meta_b3s-frontend", "meta_b3%7Fs-frontend", "me%0Ata_b3s-frontend", "%C2%A0meta_b3s-frontend", "meta_b3s-", "META_b3s-anything-else",
	} {
		for _, form := range []bool{false, true} {
			id := "room" + strings.Repeat("x", i) + map[bool]string{true: "form", false: "query"}[form]
			query := "name=Room&" + spelling + "=fe2&meetingID=" + id + "&" + spelling + "&meta_ok=" + spelling
			got := h.post(apiURL(keyOne, "create"), formType, bbb.SignedQuery("create", "", secretOne)+"&"+query)
			if !form {
				h.forget()
				got = h.call("create", query)
			}
			if got.outcome(t) != bbb.Success {
				t.Fatalf("%s: got %v", spelling, got)
			}
			sent := h.only().Params
			h.forget()
			marks := 0
			for name, value := range sent.All() {
				if plain := strings.ToLower(bbb.Clean(name)); strings.Contains(plain, "meta_b3s-") {
					marks++
					if name != "meta_b3s-frontend" || value != keyOne {
						t.Errorf("%s: the node got %q=%q", spelling, name, value)
					}
				}
			}
			if marks != 1 || sent.Count("meta_ok") != 1 {
				t.Errorf("%s: the node got %s", spelling, sent.Encode())
			}
		}
	}
	// A join has no metadata; ours does not get into it either.
	sent := h.reachesJoin("META_b3s-frontend=fe2&meta_other=1")
	if len(all(sent, "meta_b3s-frontend")) != 0 || sent.Get("meta_other") != "1" {
		t.Errorf("join: the node gets %s", sent.Encode())
	}
}

// reachesJoin makes the room "there" and joins it.
func (h *harness) reachesJoin(query string) bbb.Params {
	h.Helper()
	h.create("there")
	return h.reaches("join", query)
}

// Texts of nodes may hold ids: the caller's own come back as it knows them,
// also those of its other meetings, and others' are not told.
func TestIDsInErrorTexts(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: extraResources("getPolls")})
	looksLike := b3scale.EncodeMeetingID(keyTwo, "x") // a plain id of the first frontend
	h.create("room")
	h.create(looksLike)
	message := "No [" + nodeID("room") + "], parent " + nodeID("parent & co") + ": " + b3scale.EncodeMeetingID(keyTwo, "secret-room") + "; but Wyoming WyJh " + nodeID(looksLike) + "!"
	for _, call := range []string{"create", "getMeetingInfo", "insertDocument", "sendChatMessage", "getPolls", "end"} {
		h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{call}, Key: "futureKey", Message: message})
		for id, want := range map[string]string{
			"room":    "No [room], parent parent & co: …; but Wyoming WyJh " + looksLike + "!",
			looksLike: "No [room], parent parent & co: …; but Wyoming WyJh " + looksLike + "!",
		} {
			got := h.as(keyOne, secretOne, call, "name=Room&message=hi&meetingID="+url.QueryEscape(id)+"&attendeePW="+attendeePW+"&moderatorPW="+moderatorPW)
			if got.status != http.StatusOK || got.outcome(t) != "futureKey" || got.text(t, "message") != want {
				t.Errorf("%s of %s: got %v, want %s", call, id, got, want)
			}
		}
		h.nodes[0].ClearFaults()
	}
}
