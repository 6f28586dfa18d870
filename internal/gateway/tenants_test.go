package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
)

// Nobody can find out which frontends there are: an unknown and a disabled one
// answer, byte for byte, as a wrong checksum does.
func TestFrontendsCannotBeListed(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("known")
	const form, xml = "application/x-www-form-urlencoded", "application/xml"
	modules := `<modules><module name="presentation"/></modules>`
	sign := func(call, query string) string { return bbb.SignedQuery(call, query, secretOff) }
	for _, c := range []struct {
		name, call, method, query, contentType, body string
	}{
		{name: "checksum right for the disabled one", call: "create", query: sign("create", "name=Room&meetingID=known")},
		{name: "join", call: "join", query: sign("join", "meetingID=known&role=VIEWER&fullName="+personQuery)},
		{name: "getMeetings", call: "getMeetings", query: sign("getMeetings", "")},
		{name: "unknown call", call: "getSecrets", query: sign("getSecrets", "")},
		{name: "wrong", call: "create", query: "name=Room&meetingID=known&checksum=" + strings.Repeat("0", 64)},
		{name: "odd", call: "create", query: "name=Room&checksum=xyz"},
		{name: "two", call: "create", query: "checksum=1&checksum=2"},
		{name: "missing", call: "create", query: "name=Room"},
		{name: "empty query", call: "getMeetings"},
		{name: "form", call: "create", method: "POST", contentType: form, body: sign("create", "name=Room&meetingID=known")},
		{name: "form without checksum", call: "create", method: "POST", contentType: form, body: "name=Room"},
		{name: "form beside a query", call: "create", method: "POST", query: sign("create", ""), contentType: form, body: "name=Room"},
		{name: "empty form", call: "create", method: "POST", contentType: form},
		{name: "XML", call: "create", method: "POST", query: sign("create", "name=Room&meetingID=known"), contentType: xml, body: modules},
		{name: "XML without a query", call: "create", method: "POST", contentType: xml, body: modules},
		{name: "broken XML", call: "insertDocument", method: "POST", contentType: xml, body: "<modules>"},
		{name: "broken XML beside a query", call: "create", method: "POST", query: sign("create", ""), contentType: xml, body: "<modules>"},
		{name: "wrong content type", call: "create", method: "POST", contentType: "application/json", body: "{}"},
		{name: "wrong content type beside a query", call: "create", method: "POST", query: sign("create", ""), contentType: "text/plain", body: "x"},
		{name: "too large", call: "create", method: "POST", contentType: form, body: strings.Repeat("a", 2<<20)},
		{name: "too large beside a query", call: "create", method: "POST", query: sign("create", ""), contentType: form, body: strings.Repeat("a", 2<<20)},
		{name: "wrong method", call: "create", method: "PUT", query: sign("create", "name=Room&meetingID=known")},
		{name: "HEAD", call: "getMeetings", method: "HEAD", query: sign("getMeetings", "")},
	} {
		answer := func(frontendKey string) string {
			r := request{method: c.method, target: apiURL(frontendKey, c.call), header: http.Header{}, body: strings.NewReader(c.body)}
			if c.query != "" {
				r.target += "?" + c.query
			}
			if c.contentType != "" {
				r.header.Set("Content-Type", c.contentType)
			}
			got := h.do(r)
			if id := got.header.Get("X-Request-Id"); id == "" {
				t.Errorf("%s: there is no request id", c.name)
			}
			got.header.Del("X-Request-Id")
			return got.String()
		}
		want := answer(keyOne) // whose checksum it is not
		for _, key := range []string{keyOff, "nobody", "", "fe", "fe1 "} {
			if key == "" {
				continue // that is another path
			}
			if got := answer(strings.ReplaceAll(key, " ", "%20")); got != want {
				t.Errorf("%s: frontend %q answers\n%s\nwant as %s does\n%s", c.name, key, got, keyOne, want)
			}
		}
		h.untouched(c.name)
	}
}

// A frontend without any secret lets nobody in.
func TestEmptySecretVerifiesNothing(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	withoutSecret := func(f *b3scale.Frontend) error { f.Secret = ""; return nil }
	if _, err := h.cluster.EditFrontend(t.Context(), h.two.ID, b3scale.Actor{}, withoutSecret); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{bbb.SignedQuery("getMeetings", "", ""), "checksum="} {
		if got := h.do(request{target: apiURL(keyTwo, "getMeetings") + "?" + query}); got.outcome(t) != "checksumError" {
			t.Errorf("%s: got %v", query, got)
		}
	}
}

// One frontend never sees, joins, ends or damages what belongs to another,
// also when an id looks like an encoded one.
func TestFrontendsAreIsolated(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("secret-room")
	encoded := nodeID("secret-room")
	room, ok := h.nodes[0].Room(encoded)
	if !ok {
		t.Fatal("the room is not on the node")
	}
	h.nodes[0].Join(encoded, guest())
	two := func(call, query string) reply { return h.do(request{target: signedBy(keyTwo, secretTwo, call, query)}) }
	for _, id := range []string{"secret-room", encoded, room.InternalID} {
		for call, want := range map[string]string{
			"isMeetingRunning": bbb.Success, "getMeetingInfo": "notFound", "end": "notFound", "join": "notFound",
			"insertDocument": "notFound", "sendChatMessage": "notFound",
		} {
			got := two(call, "meetingID="+id+"&password="+moderatorPW+"&message=hi&fullName="+personQuery+"&role=MODERATOR")
			if outcome := got.outcome(t); outcome != want {
				t.Errorf("%s of %q: got %s, want %s", call, id, outcome, want)
			}
			if call == "isMeetingRunning" && got.text(t, "running") != "false" {
				t.Errorf("isMeetingRunning of %q tells of another frontend's meeting", id)
			}
			h.untouched(call + " " + id)
		}
	}
	if got := two("getMeetings", ""); got.text(t, "messageKey") != "noMeetings" {
		t.Errorf("getMeetings tells of another frontend's meetings: %v", got)
	}
	// As ids of its own they are as good as any.
	for _, id := range []string{"secret-room", encoded, room.InternalID} {
		got := two("create", "name=Other&meetingID="+id)
		if got.outcome(t) != bbb.Success || got.text(t, "meetingID") != id {
			t.Errorf("create of %q: got %v", id, got)
		}
		if got.text(t, "internalMeetingID") == room.InternalID {
			t.Errorf("create of %q gave another frontend's room", id)
		}
		if got := two("end", "meetingID="+id); got.outcome(t) != bbb.Success {
			t.Errorf("end of %q: got %v", id, got)
		}
	}
	if after, ok := h.nodes[0].Room(encoded); !ok || after.InternalID != room.InternalID || len(after.Attendees) != 1 {
		t.Errorf("the room of the first frontend is now %+v", after)
	}
	if got := h.liveIDs(); len(got) != 1 {
		t.Errorf("meetings of the first frontend: %q, want one", got)
	}
}
