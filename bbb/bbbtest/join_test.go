package bbbtest

import (
	"net/http"
	"strings"
	"testing"

	"b3scale/bbb"
)

func TestJoinPutsThePersonIn(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.AddRoom(Room{ExternalID: "room", AttendeePW: "attend", ModeratorPW: "moderate"})
	tests := []struct{ query, role string }{
		{"role=Moderator&password=attend&userID=a", Moderator},
		{"role=king&password=moderate&userID=b", Moderator},
		{"password=attend&userID=c", Viewer},
	}
	for i, test := range tests {
		resp := ask(t, n, request{call: "join", query: "meetingID=room&fullName=Ada+%26+Bob&" + test.query})
		if resp.StatusCode != http.StatusFound {
			t.Fatalf("%s: status is %d, want 302", test.query, resp.StatusCode)
		}
		r, _ := n.Room("room")
		if a := r.Attendees[i]; a.Role != test.role || a.FullName != "Ada & Bob" || a.UserID != string(rune('a'+i)) {
			t.Errorf("%s: got %+v", test.query, a)
		}
	}
	if got := get(t, n, "isMeetingRunning", "meetingID", "room"); !strings.Contains(got, "true") {
		t.Error("room with people is not running")
	}
	for i := range tests {
		n.Leave("room", string(rune('a'+i)))
	}
	if got := get(t, n, "getMeetingInfo", "meetingID", "room"); !strings.Contains(got, "<running>false</running>") ||
		!strings.Contains(got, "<hasUserJoined>true</hasUserJoined>") {
		t.Errorf("after everybody left: %s", got)
	}
}

func TestUserdataBecomesCustomdata(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.AddRoom(Room{ExternalID: "room"})
	get(t, n, "join", "meetingID", "room", "fullName", "Ada", "role", "VIEWER",
		"userdata-bbb_a", "1 < 2", "userdata-two-hyphens", "x", "userdata-", "x", "userdata-<b>", "x")
	r, _ := n.Room("room")
	if got := r.Attendees[0].Userdata.Encode(); got != "bbb_a=1+%3C+2" {
		t.Errorf("userdata is %q", got)
	}
	if got := get(t, n, "getMeetings"); !strings.Contains(got, "<customdata>\n<bbb_a>1 &lt; 2</bbb_a>\n</customdata>") {
		t.Errorf("got %s", got)
	}
}

func TestFullRoomByVersion(t *testing.T) {
	t.Parallel()
	tests := []struct {
		version, userID string
		full            bool
	}{
		{"2.4", "ada", true}, {"3.0", "ada", false}, {"3.0", "bob", true},
	}
	for _, test := range tests {
		n := New(Options{Version: test.version})
		n.AddRoom(Room{ExternalID: "room", MaxUsers: 1, Attendees: []Attendee{{UserID: "ada"}}})
		resp := ask(t, n, request{call: "join", query: query("meetingID", "room", "fullName", "X", "role", "VIEWER", "userID", test.userID)})
		if got := strings.Contains(errorOf(t, resp), "maxParticipantsReached"); got != test.full {
			t.Errorf("%s, %s: full is %v, want %v", test.version, test.userID, got, test.full)
		}
	}
}

func TestWaitingGuestsAreNotIn(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := New(Options{Version: version})
		n.AddRoom(Room{ExternalID: "room", GuestPolicy: "ASK_MODERATOR"})
		resp := ask(t, n, request{call: "join", query: "meetingID=room&fullName=Ada&role=VIEWER&guest=true"})
		if got := strings.Contains(resp.Header.Get("Location"), "/guestWait?"); got != (version != "3.0") {
			t.Errorf("%s: location is %s", version, resp.Header.Get("Location"))
		}
		if r, _ := n.Room("room"); len(r.Attendees) != 0 {
			t.Errorf("%s: guest is in the room", version)
		}
	}
}

func TestJoinMethodsByVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]int{"2.5": 302, "2.6.17": 302, "2.6.18": 405, "3.0": 405} {
		n := New(Options{Version: version})
		if got := ask(t, n, request{call: "join", method: "POST"}).StatusCode; got != want {
			t.Errorf("%s: status of POST is %d, want %d", version, got, want)
		}
	}
}

func TestCallsThatAVersionDoesNotHave(t *testing.T) {
	t.Parallel()
	tests := []struct{ version, call string }{
		{"2.4", "insertDocument"}, {"2.7", "sendChatMessage"}, {"3.0", "enter"}, {"3.0", "getDefaultConfigXML"}, {"3.0", "Create"}, {"3.0", "create/x"},
	}
	for _, test := range tests {
		n := New(Options{Version: test.version})
		if got := ask(t, n, request{call: test.call, method: "POST"}).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s %s: status is %d, want 404", test.version, test.call, got)
		}
	}
}

func TestLandingPageTellsWhereOneIs(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := Start(t, Options{Name: "bbb7", Version: version})
		n.AddRoom(Room{ExternalID: "room", Name: "Physics <1>"})
		page := func(path string) (int, string) {
			resp, err := http.Get(path)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, text(t, resp)
		}
		status, body := page(n.API().URL("join", query("meetingID", "room", "fullName", "Ada & Co", "role", "MODERATOR")))
		if status != http.StatusOK {
			t.Fatalf("%s: status is %d, want 200", version, status)
		}
		for _, want := range []string{"bbb7", version, "Physics &lt;1&gt;", "Ada &amp; Co", "MODERATOR"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: page lacks %q:\n%s", version, want, body)
			}
		}
		_, rest, _ := strings.Cut(body, `<a href="`)
		leave, _, _ := strings.Cut(rest, `"`)
		if status, _ := page(n.PublicURL() + leave); status != http.StatusOK {
			t.Errorf("%s: leave: status is %d, want 200", version, status)
		}
		if r, _ := n.Room("room"); len(r.Attendees) != 0 {
			t.Errorf("%s: leaving left the person in", version)
		}
		n.EndNow("room")
		if status, _ := page(n.PublicURL() + leave); status != http.StatusUnauthorized {
			t.Errorf("%s: session of an ended room: status is %d, want 401", version, status)
		}
		if _, body := page(n.API().URL("join", query("meetingID", "room", "fullName", "Ada"))); !strings.Contains(body, "meetingForciblyEnded") {
			t.Errorf("%s: join of an ended room shows no reason:\n%s", version, body)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.AddRoom(Room{ExternalID: "room"})
	for call, want := range map[string]string{
		"": "no-cache", "create": "no-cache", "end": "no-cache", "getMeetings": "no-cache", "isMeetingRunning": "no-cache",
		"getMeetingInfo": "", "getRecordings": "",
	} {
		resp := ask(t, n, request{call: call, query: "meetingID=room&name=Room&moderatorPW=x1&attendeePW=x2"})
		if got := resp.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", call, got, want)
		}
		if got := resp.Header.Get("Content-Type"); got != bbb.ContentType {
			t.Errorf("%s: Content-Type is %q", call, got)
		}
		if call == "end" {
			n.AddRoom(Room{ExternalID: "room"})
		}
	}
}
