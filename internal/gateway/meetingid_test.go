package gateway_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
)

// Every spelling of an id on the wire is the same meeting, and what reaches
// the node is the encoding of its clean form.
func TestSpellingsOfAMeetingID(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for id, spellings := range map[string][]string{
		"ab":              {"ab", "%61b", "%61%62", "+ab+", "%20ab", "ab%00", "%0aab", "a%7Fb", "%1Fa%09b%0D%0A+"},
		"Grüße":           {"Gr%c3%bc%C3%9fe", "Gr%C3%BC%C3%9Fe", "Gr\u00fc\u00dfe", "+Gr%C3%BC\u00dfe"},
		"two words":       {"two+words", "two%20words", "two%20wor%64s+"},
		"a b  c":          {"a+b++c", "%20a%20b%20%20c"},
		"会议-комната-غرفة": {"%E4%BC%9A%E8%AE%AE-\u043a\u043e\u043c\u043d\u0430\u0442\u0430-%D8%BA%D8%B1%D9%81%D8%A9"},
		"🎓🎓":              {"%F0%9F%8E%93%F0%9F%8E%93"},
		"50%zz":           {"50%zz", "50%25zz"},
		"50%":             {"50%", "50%25"},
		"50%4":            {"50%4", "50%254"},
		"a;b":             {"a;b", "a%3bb", "a%3Bb"},
		"a=b":             {"a=b", "a%3Db"},
		"a&b#c?d":         {"a%26b%23c?d", "a%26b%23c%3Fd"},
		`<a href="x">'&`:  {"%3Ca+href=%22x%22%3E%27%26", url.QueryEscape(`<a href="x">'&`)},
		`\"]["`:           {url.QueryEscape(`\"]["`), `%5c%22%5d["`},
	} {
		for _, raw := range spellings {
			got := h.call("create", "name=Room&meetingID="+raw)
			if got.outcome(t) != bbb.Success || got.text(t, "meetingID") != id {
				t.Errorf("create of %q: got %v, want meetingID %q", raw, got, id)
				continue
			}
			if sent := h.sentParam("meetingID"); sent != b3scale.EncodeMeetingID(keyOne, id) {
				t.Errorf("create of %q: the node got %q, want the encoding of %q", raw, sent, id)
			}
			if m := h.cluster.Room(b3scale.MeetingKey{FrontendID: h.one.ID, MeetingID: id}); m == nil {
				t.Errorf("create of %q: there is no meeting %q", raw, id)
			}
			if got := h.call("getMeetingInfo", "meetingID="+raw); got.outcome(t) != bbb.Success || got.text(t, "meetingID") != id {
				t.Errorf("getMeetingInfo of %q: got %v", raw, got)
			}
			h.forget()
		}
	}
	if n := len(h.nodes[0].Rooms()); n != len(h.liveIDs()) {
		t.Errorf("there are %d rooms and %d meetings", n, len(h.liveIDs()))
	}
}

func TestMeetingIDsThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: extraResources("getPolls")})
	const size, missing, invalid = "sizeError", "missingParamMeetingID", "validationError"
	encodable := (256/4*3 - len(`["fe1","","b3scl"]`))
	for _, c := range []struct{ name, query, want string }{
		{"absent", "name=Room", missing},
		{"another case", "name=Room&meetingid=room", missing},
		{"empty", "name=Room&meetingID=", missing},
		{"no equals sign", "name=Room&meetingID", missing},
		{"blanks", "name=Room&meetingID=+%20+", missing},
		{"control characters", "name=Room&meetingID=%00%0a%7f", missing},
		{"one character", "name=Room&meetingID=a", size},
		{"one character and blanks", "name=Room&meetingID=+a%00+", size},
		{"one character, not Latin", "name=Room&meetingID=%E4%BC%9A", size},
		{"257 characters", "name=Room&meetingID=" + strings.Repeat("a", 257), size},
		{"256 characters, longer when encoded", "name=Room&meetingID=" + strings.Repeat("a", 256), size},
		{"one too long when encoded", "name=Room&meetingID=" + strings.Repeat("a", encodable+1), size},
		{"too long when encoded, for its escapes", "name=Room&meetingID=" + strings.Repeat("%26", encodable/6+1), size},
		{"comma", "name=Room&meetingID=a,b", invalid},
		{"escaped comma", "name=Room&meetingID=a%2Cb", invalid},
		{"invalid UTF-8", "name=Room&meetingID=a%ffb", invalid},
		{"raw invalid UTF-8", "name=Room&meetingID=a\xffb", invalid},
		{"half a character", "name=Room&meetingID=ab%C3", invalid},
		{"a surrogate", "name=Room&meetingID=ab%ED%A0%80", invalid},
		{"overlong", "name=Room&meetingID=ab%C0%AF", invalid},
		{"twice", "name=Room&meetingID=room&meetingID=room", invalid},
		{"twice, one escaped", "name=Room&meetingID=room&meeting%49D=other", invalid},
		{"twice, one empty", "name=Room&meetingID=room&meetingID", invalid},
		{"two recordings", "name=Room&meetingID=room&recordID=a&recordID=b", invalid},
	} {
		for _, call := range []string{"create", "isMeetingRunning", "insertDocument", "sendChatMessage", "join", "getPolls", "getMeetingInfo", "end"} {
			want := c.want
			if (call == "getMeetingInfo" || call == "end") && !strings.HasPrefix(c.name, "twice") && c.name != "two recordings" {
				want = "notFound" // wins over all that can be wrong with the id
			}
			query := c.query + "&message=hi&role=VIEWER&fullName=" + personQuery
			if got := h.call(call, query); got.status != http.StatusOK || got.outcome(t) != want {
				t.Errorf("%s, %s: got %v, want %s", call, c.name, got, want)
			}
			h.untouched(call + ", " + c.name)
		}
	}
	if ids := h.liveIDs(); len(ids) > 0 {
		t.Errorf("there are meetings: %q", ids)
	}
	longest := strings.Repeat("a", encodable)
	if len(nodeID(longest)) != 256 {
		t.Fatalf("the longest id has %d characters when encoded", len(nodeID(longest)))
	}
	if got := h.call("create", "name=Room&meetingID="+longest); got.outcome(t) != bbb.Success || got.text(t, "meetingID") != longest {
		t.Errorf("longest id: got %v", got)
	}
}

// Where both have the same rule, the gateway answers as the node would: the
// same key and the same text.
func TestRefusalsAreThoseOfANode(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	node := h.nodes[0]
	client := bbb.NewClient(bbb.ClientOptions{Transport: h.network})
	for _, call := range []string{"isMeetingRunning", "getMeetingInfo", "end"} {
		for _, query := range []string{
			"meetingID=unknown", "meetingID=", "meetingID=a", "meetingID=a,b", "meetingID=" + strings.Repeat("a", 300), "meetingID=%00+",
		} {
			want, err := client.Do(t.Context(), node.API(), bbb.Call{Name: call, Params: bbb.ParseParams(query)})
			if err != nil {
				t.Fatal(err)
			}
			if got := h.call(call, query); got.body != string(want.Doc.Bytes()) {
				t.Errorf("%s %s: got %s, want %s", call, query, got.body, want.Doc.Bytes())
			}
		}
	}
	h.forget()
}

// The same id in two frontends is two meetings.
func TestSameIDInTwoFrontends(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	internal := map[string]bool{}
	for _, f := range [][2]string{{keyOne, secretOne}, {keyTwo, secretTwo}} {
		got := h.do(request{target: signedBy(f[0], f[1], "create", "name=Room&meetingID=same")})
		if got.outcome(t) != bbb.Success || got.text(t, "meetingID") != "same" {
			t.Fatalf("%s: got %v", f[0], got)
		}
		internal[got.text(t, "internalMeetingID")] = true
	}
	if len(internal) != 2 {
		t.Errorf("the rooms are %v, want two", internal)
	}
	if got := h.do(request{target: signedBy(keyTwo, secretTwo, "end", "meetingID=same")}); got.outcome(t) != bbb.Success {
		t.Errorf("end: got %v", got)
	}
	if _, ok := h.nodes[0].Room(nodeID("same")); !ok {
		t.Error("the first frontend's room has ended, too")
	}
}

// An id that is an encoded id already is encoded once more and comes back as
// it was.
func TestIDsThatLookEncoded(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	once := nodeID("room")
	for _, id := range []string{once, nodeID(once), b3scale.EncodeMeetingID(keyTwo, "room"), strings.TrimRight(once, "=")} {
		got := h.call("create", "name=Room&meetingID="+url.QueryEscape(id))
		if got.outcome(t) != bbb.Success || got.text(t, "meetingID") != id {
			t.Errorf("create of %q: got %v", id, got)
		}
		if got := h.call("getMeetingInfo", "meetingID="+url.QueryEscape(id)); got.text(t, "meetingID") != id {
			t.Errorf("getMeetingInfo of %q: got %v", id, got)
		}
	}
	for m := range h.call("getMeetings", "").root(t).Child("meetings").Children() {
		if id := m.Child("meetingID").Text(); id == "room" {
			t.Errorf("getMeetings decodes an id twice")
		}
	}
}
