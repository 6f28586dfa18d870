package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
)

var versions = []string{"2.4", "2.5", "2.6", "2.7", "3.0"}

// unknown is what a BBB of the future may say.
const unknown = `<future kind="a &amp; b" x='1'>ä &lt; <![CDATA[<raw> & ]]><deep><deeper/></deep>
  two lines </future>
<x:other xmlns:x="urn:x"/>`

// What nobody here knows reaches the node as it was sent: names, order, raw
// bytes.
func TestParametersReachTheNodeAsTheyAre(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	const passwords = "&attendeePW=" + attendeePW + "&moderatorPW=" + moderatorPW
	for _, c := range []struct{ call, query, want string }{
		{"create", "name=Room&meetingID=room" + passwords, "name=Room&meetingID=ID" + passwords + "&meta_b3s-frontend=fe1"},
		{
			"create", "z;z=%c3%bc&a=%C3%BC+%20&=&x&name=R%6fom&&y==;&" + passwords[1:] + "&meetingID=room&a=2&%41=%zz%2&ü=ß",
			"z;z=%c3%bc&a=%C3%BC+%20&=&x&name=R%6fom&y==;&" + passwords[1:] + "&meetingID=ID&a=2&%41=%zz%2&%C3%BC=%C3%9F&meta_b3s-frontend=fe1",
		},
		{"sendChatMessage", "message=a%0Ab;c&future=%7b%22a%22%3A1%7d&meetingID=room&meta_b3s-frontend=x", "message=a%0Ab;c&future=%7b%22a%22%3A1%7d&meetingID=ID&meta_b3s-frontend=x"},
		{"getMeetingInfo", "%6deetingID=%72oom&x", "meetingID=ID&x"},
	} {
		if got := h.call(c.call, c.query); got.outcome(t) != bbb.Success {
			t.Errorf("%s?%s: got %v", c.call, c.query, got)
			continue
		}
		sent := h.only()
		query, _, _ := bbb.SplitChecksum(sent.RawQuery)
		if got := strings.ReplaceAll(query, url.QueryEscape(nodeID("room")), "ID"); got != c.want {
			t.Errorf("%s?%s: the node got\n%s, want\n%s", c.call, c.query, got, c.want)
		}
		if sent.Method != http.MethodGet {
			t.Errorf("%s: the node got a %s", c.call, sent.Method)
		}
		h.forget()
	}
}

// Parameters of a form, which may be too long for a URL, go on as a form.
func TestFormsReachTheNodeAsForms(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	long := strings.Repeat("w", 100_000)
	form := bbb.SignedQuery("create", "", secretOne) + "&name=Room&meetingID=room&welcome=" + long + "&META_b3s-frontend=x&meta_b3s-Frontend=x"
	if got := h.post(apiURL(keyOne, "create"), formType, form); got.outcome(t) != bbb.Success {
		t.Fatalf("got %v", got)
	}
	sent := h.only()
	if sent.Method != http.MethodPost || sent.ContentType != formType || len(sent.RawQuery) > 100 {
		t.Errorf("the node got a %s of %s with %q", sent.Method, sent.ContentType, sent.RawQuery)
	}
	if sent.Params.Get("welcome") != long || sent.Params.Get("meta_b3s-frontend") != keyOne {
		t.Errorf("the node got other parameters: %.200s", sent.Body)
	}
}

// The mark by which recordings find their frontend cannot be forged, in
// whatever spelling or place.
func TestFrontendMarkCannotBeForged(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	forged := "meta_b3s-frontend=fe2&META_B3S-FRONTEND=fe2&meta_B3S-Frontend=fe2&meta_b3s%2dfrontend=fe2&m%65ta_b3s-frontend=fe2&meta_b3s-frontend"
	for i, query := range []string{"name=Room&meetingID=room&" + forged, forged + "&name=Room&meetingID=room"} {
		for _, form := range []bool{false, true} {
			id := strings.Repeat("x", i+1) + map[bool]string{true: "form", false: "query"}[form]
			q := strings.Replace(query, "=room", "="+id, 1)
			var got reply
			if form {
				got = h.post(apiURL(keyOne, "create"), formType, bbb.SignedQuery("create", "", secretOne)+"&"+q)
			} else {
				got = h.call("create", q)
			}
			if got.outcome(t) != bbb.Success {
				t.Fatalf("got %v", got)
			}
			sent := h.only()
			marks := 0
			for name, value := range sent.Params.All() {
				if strings.EqualFold(name, "meta_b3s-frontend") {
					marks++
					if value != keyOne {
						t.Errorf("the node got %s=%s", name, value)
					}
				}
			}
			room, _ := h.nodes[0].Room(nodeID(id))
			if mark := room.Metadata.Get("b3s-frontend"); marks != 1 || mark != keyOne {
				t.Errorf("the node got %d marks, the room has %q", marks, mark)
			}
			h.forget()
		}
	}
}

// Answers of every version come back byte for byte, but for the ids.
func TestAnswersAreThoseOfTheNode(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{nodes: []bbbtest.Options{{Version: version, ExtraElements: unknown}}})
			node := h.nodes[0]
			query := "name=A+%26+%22B%22&meetingID=room&attendeePW=" + attendeePW + "&moderatorPW=" + moderatorPW + "&record=true&meta_Course-1=%3C1%3E&maxParticipants=2000"
			first := h.call("create", query)
			if !strings.Contains(first.body, unknown) {
				t.Errorf("create: what is unknown does not come back: %v", first)
			}
			node.Join(nodeID("room"), bbbtest.Attendee{UserID: "u1", FullName: person, Userdata: bbb.ParseParams("a=1&b=%3C2%3E")})
			node.Join(nodeID("room"), bbbtest.Attendee{UserID: "u2", Role: bbbtest.Moderator, ClientType: "dial-in-user"})
			node.OpenBreakouts(nodeID("room"), 2)
			client := bbb.NewClient(bbb.ClientOptions{Transport: h.network})
			for _, c := range []struct{ call, query string }{{"create", query}, {"getMeetingInfo", "meetingID=room"}} {
				want, err := client.Do(t.Context(), node.API(), bbb.Call{
					Name: c.call, Params: bbb.ParseParams(strings.Replace(c.query, "=room", "="+url.QueryEscape(nodeID("room")), 1)),
				})
				if err != nil {
					t.Fatal(err)
				}
				if got, want := h.call(c.call, c.query).body, strings.ReplaceAll(string(want.Doc.Bytes()), nodeID("room"), "room"); got != want {
					t.Errorf("%s: got\n%s\nwant\n%s", c.call, got, want)
				}
			}
		})
	}
}

// A list comes from memory, and is the node's own nevertheless.
func TestListsAreThoseOfTheNode(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2.4", "3.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{
				nodes:   []bbbtest.Options{{Version: version, ExtraElements: unknown}},
				cluster: cluster.Options{ListInterval: 20 * time.Millisecond},
				watch:   true,
			})
			h.create("room")
			node := h.nodes[0]
			if got := h.call("getMeetings", ""); !strings.Contains(got.body, unknown) || strings.Contains(got.body, nodeID("room")) {
				t.Errorf("before the first list: got %v", got)
			}
			if got := h.do(request{target: signedBy(keyTwo, secretTwo, "getMeetings", "")}); got.body != string(bbb.NoMeetingsAnswer()) {
				t.Errorf("the other frontend: got %v", got)
			}
			for i := range 3 {
				node.Join(nodeID("room"), bbbtest.Attendee{UserID: "u" + string(rune('0'+i)), FullName: person + " <&>", Userdata: bbb.ParseParams("a=1")})
			}
			answer, err := bbb.NewClient(bbb.ClientOptions{Transport: h.network}).Do(t.Context(), node.API(), bbb.Call{Name: "getMeetings"})
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(string(answer.Doc.Bytes()), nodeID("room"), "room")
			var got reply
			h.eventually("the list shows three people", func() bool {
				got = h.call("getMeetings", "")
				return strings.Count(got.body, "<attendee>") == 3
			})
			if got.body != want {
				t.Errorf("got\n%s\nwant\n%s", got.body, want)
			}
			if got := h.call("isMeetingRunning", "meetingID=room"); got.text(t, "running") != "true" {
				t.Errorf("isMeetingRunning: got %v", got)
			}
		})
	}
}

// Ids that are ours are given back as the frontend's own wherever a meeting
// carries some; others stay.
func TestIDsAreMappedBack(t *testing.T) {
	t.Parallel()
	parent := `<parentMeetingID>` + nodeID("a<b") + `</parentMeetingID>
`
	strange := strings.TrimRight(b3scale.EncodeMeetingID(keyOne, "not padded"), "=")
	ids := `<breakoutRooms><breakout>` + nodeID("one") + `</breakout><breakout>` + strange + `</breakout></breakoutRooms>
<breakout><parentMeetingID>` + nodeID("two") + `</parentMeetingID><sequence>1</sequence></breakout>
<elsewhere>` + nodeID("three") + `</elsewhere>`
	want := strings.NewReplacer(nodeID("one"), "one", nodeID("two"), "two").Replace(ids)
	h := newHarness(t, setup{nodes: []bbbtest.Options{{ExtraElements: parent + ids}}})
	for _, c := range []struct{ call, query string }{
		{"create", "name=Room&meetingID=room"}, {"create", "name=Room&meetingID=room"}, {"getMeetingInfo", "meetingID=room"}, {"getMeetings", ""},
	} {
		got := h.call(c.call, c.query)
		if !strings.Contains(got.body, want) || !strings.Contains(got.body, "<meetingID>room</meetingID>") {
			t.Errorf("%s: got %s\nwant in it %s", c.call, got.body, want)
		}
		// The list of a room that was only created tells no parent.
		if c.call != "getMeetings" && !strings.Contains(got.body, "<parentMeetingID>a&lt;b</parentMeetingID>") {
			t.Errorf("%s: the parent is not mapped back: %s", c.call, got.body)
		}
	}
}

// FAILED answers of a node are answers: their key and text come back, with the
// frontend's own id in them.
func TestFailuresOfTheNodeComeBack(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("room")
	for _, c := range []struct{ name, query, want string }{
		{"no name", "meetingID=new", "nullError"},
		{"empty name", "meetingID=new&name=", "emptyError"},
		{"long name", "meetingID=new&name=" + strings.Repeat("x", 300), "sizeError"},
		{"short password", "meetingID=new&name=Room&attendeePW=x", "invalidPassword"},
		{"record", "meetingID=new&name=Room&record=maybe", "validationError"},
		{"other passwords", "meetingID=room&name=Room&attendeePW=other&moderatorPW=another", "idNotUnique"},
	} {
		if got := h.call("create", c.query); got.status != http.StatusOK || got.outcome(t) != c.want {
			t.Errorf("%s: got %v, want %s", c.name, got, c.want)
		}
	}
	if ids := h.liveIDs(); len(ids) != 1 {
		t.Errorf("meetings are %q, want only the one that was created", ids)
	}
	if got := h.call("create", "meetingID=bridge&name=Room&voiceBridge=12345"); got.outcome(t) != bbb.Success {
		t.Fatalf("got %v", got)
	}
	got := h.call("create", "meetingID=bridge2&name=Room&voiceBridge=12345")
	if key := got.root(t).Child("errors").Child("error").Child("key").Text(); key != "nonUniqueVoiceBridge" {
		t.Errorf("list of errors: got %v", got)
	}

	message := "Nothing is known of " + nodeID("room") + " & its friends"
	h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"getMeetingInfo", "end", "sendChatMessage"}, Key: "futureKey", Message: message})
	for _, call := range []string{"getMeetingInfo", "end", "sendChatMessage"} {
		got := h.call(call, "meetingID=room&message=hi")
		if got.outcome(t) != "futureKey" || got.text(t, "message") != "Nothing is known of room & its friends" {
			t.Errorf("%s: got %v", call, got)
		}
	}
	h.nodes[0].ClearFaults()
	h.nodes[0].ForgetRooms()
	got = h.post(signed("insertDocument", "meetingID=room"), xmlType, slides)
	if text := got.text(t, "message"); text != "Meeting with id [room] not found." {
		t.Errorf("insertDocument: got %v", got)
	}
}

// What a node does wrong is told in BBB's form, and tells nothing of the node.
func TestSickNodes(t *testing.T) {
	t.Parallel()
	for _, kind := range []bbbtest.Kind{
		bbbtest.HangUp, bbbtest.AnswerLost, bbbtest.ServerError, bbbtest.BadGateway, bbbtest.HTMLPage, bbbtest.Truncated, bbbtest.CutOff,
		bbbtest.WrongSecret, "down",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{})
			h.create("room")
			if kind == "down" {
				h.nodes[0].Down()
			} else {
				h.nodes[0].SetFault(bbbtest.Fault{Kind: kind})
			}
			for _, call := range []string{"create", "getMeetingInfo", "end", "sendChatMessage", "insertDocument"} {
				query := "meetingID=room&name=Room&message=hi&attendeePW=" + attendeePW + "&moderatorPW=" + moderatorPW
				got := h.call(call, query)
				if call == "insertDocument" {
					got = h.post(signed(call, query), xmlType, slides)
				}
				if got.status != http.StatusOK || got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") == "" {
					t.Errorf("%s: got %v, want b3scaleGatewayError", call, got)
				}
			}
			// Joins and what memory knows go on.
			if got := h.call("join", "meetingID=room&role=VIEWER&fullName="+personQuery); got.status != http.StatusFound {
				t.Errorf("join: got %v", got)
			}
			if got := h.call("getMeetings", ""); got.text(t, "returncode") != bbb.Success {
				t.Errorf("getMeetings: got %v", got)
			}
			if got := h.call("isMeetingRunning", "meetingID=room"); got.text(t, "running") != "false" {
				t.Errorf("isMeetingRunning: got %v", got)
			}
		})
	}
}
