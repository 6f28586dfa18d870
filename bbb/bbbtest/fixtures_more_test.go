package bbbtest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"b3scale/bbb"
)

func TestAnswersToBodiesAndUnsignedCallsAreThoseOfTheFixtures(t *testing.T) {
	t.Parallel()
	n := withPhysics(t, "3.0")
	old := fixtureNode(t, "2.4", physicsTime)
	noFeature := withPhysics(t, "3.0", "disabledFeatures", "chat,presentation")
	first := New(Options{Version: "3.0.0", PublicURL: "https://node1.bbb.example.org"})
	body := `<modules><module name="presentation"><document url="https://files.example.org/a.pdf"/></module></modules>`
	tests := []struct {
		file string
		node *Node
		request
	}{
		{"root.2.4.xml", old, request{unsigned: true}},
		{"root.2.7.revealed.xml", New(Options{Version: "2.7.14", RevealVersion: true}), request{unsigned: true}},
		{"root.3.0.xml", first, request{unsigned: true}},
		{"root.3.0.json", first, request{unsigned: true, contentType: "application/json"}},
		{"root.3.0.19.xml", New(Options{Version: "3.0.19", RevealVersion: true, PublicURL: "https://node1.bbb.example.org"}), request{unsigned: true}},
		{"error.checksumError.missing.xml", n, request{call: "getMeetings", unsigned: true}},
		{"error.checksumError.mismatch.xml", old, request{call: "getMeetings", query: "checksum=" + strings.Repeat("0", 40), unsigned: true}},
		{"error.unsupportedContentType.xml", n, request{call: "create", method: "POST", contentType: "text/plain", body: "x"}},
		{"getRecordings.checksumError.xml", n, request{call: "getRecordings", unsigned: true}},
		{"getRecordings.checksumError.xml", n, request{call: "publishRecordings", query: "recordID=a&publish=true", unsigned: true}},
		{"putRecordingTextTrack.paramError.checksum.json", n, request{call: "putRecordingTextTrack", method: "POST", unsigned: true}},
		{"putRecordingTextTrack.paramError.recordID.json", n, request{call: "putRecordingTextTrack", method: "POST"}},
		{"putRecordingTextTrack.noRecordings.json", n, request{call: "putRecordingTextTrack", method: "POST", query: "recordID=nope"}},
		{"insertDocument.success.xml", n, request{call: "insertDocument", method: "POST", query: "meetingID=" + physics, contentType: "application/xml", body: body}},
		{"insertDocument.notFound.3.0.xml", n, request{call: "insertDocument", method: "POST", query: "meetingID=nope", contentType: "application/xml", body: body}},
		{"insertDocument.disabled.xml", noFeature, request{call: "insertDocument", method: "POST", query: "meetingID=" + physics, contentType: "text/xml", body: body}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) { isFixture(t, test.file, ask(t, test.node, test.request)) })
	}
}

func TestBreakoutThroughTheAPIIsThatOfTheFixture(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := withPhysics(t, version)
		if version == "2.4" {
			// 2.4 does not find a parent by its internal id.
			n.opts.Now = clock(breakoutAt)
			get(t, n, "create", "isBreakout", "true", "meetingID", breakoutID1, "parentMeetingID", physics, "sequence", "1",
				"name", "Physics (Room 1)", "voiceBridge", "712341", "duration", "15")
			if r, _ := n.Room(breakoutID1); r.ParentID != physicsID {
				t.Errorf("2.4: parent is %q, want %q", r.ParentID, physicsID)
			}
			continue
		}
		if got, want := createBreakout(t, n), fixture(t, "create.breakout.success.xml"); got != want {
			t.Errorf("%s: got:\n%s\nwant:\n%s", version, got, want)
		}
	}
}

func TestCountsAreGroupedAsInTheFixture(t *testing.T) {
	t.Parallel()
	n := fixtureNode(t, "2.4", staffTime, staffTime+90)
	minted := map[string]string{"attendeePW": "apX7kQ2m", "moderatorPW": "mpR4tZ9w", "voiceBridge": "71235"}
	n.opts.Mint = func(what string) string { return minted[what] }
	get(t, n, "create", "meetingID", "staff-room", "name", "Town Hall", "maxParticipants", "1500")
	for i := range 1204 {
		a := Attendee{Voice: i < 54, Video: i < 12, ListeningOnly: i >= 54}
		if i < 3 {
			a.Role = Moderator
		}
		n.Join("staff-room", a)
	}
	doc, err := bbb.ParseXML([]byte(get(t, n, "getMeetingInfo", "meetingID", "staff-room")))
	if err != nil {
		t.Fatal(err)
	}
	edit := doc.Edit() // the fixture leaves the people out
	for attendee := range doc.Root().Child("attendees").Children() {
		edit.Remove(attendee)
	}
	if got, want := string(edit.Bytes()), fixture(t, "getMeetingInfo.grouping.2.4.xml"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestRoomWithoutPasswordsAsksForTheRole(t *testing.T) {
	t.Parallel()
	n := withPhysics(t, "3.0")
	r := n.rooms.any(physics)
	r.AttendeePW, r.ModeratorPW = "", "" // the wire allows it, no version makes such rooms
	got := get(t, n, "join", "meetingID", physics, "fullName", "Ada", "password", "apX7kQ2m", "redirect", "false")
	if want := fixture(t, "join.paramsRequired.role.xml"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestJoinRedirectsAreThoseOfTheFixture(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("testdata", "responses", "join.redirects.json"))
	if err != nil {
		t.Fatal(err)
	}
	var redirects []struct{ Name, Location, SetCookie string }
	if err := json.Unmarshal(b, &redirects); err != nil {
		t.Fatal(err)
	}
	good := request{call: "join", query: "meetingID=" + physics + "&fullName=Ada&role=VIEWER"}
	requests := map[string]struct {
		version string
		request
	}{
		"unknown meeting": {"3.0", request{call: "join", query: "meetingID=nope&fullName=Ada&role=VIEWER"}},
		"empty fullName with errorRedirectUrl": {"2.7", request{call: "join", query: query(
			"meetingID", physics, "fullName", "", "role", "VIEWER", "redirect", "false",
			"errorRedirectUrl", "https://lms.example.org/back?c=7")}},
		"bad checksum": {"2.4", request{call: "join", query: good.query + "&checksum=" + strings.Repeat("0", 64), unsigned: true}},
		"success 2.7":  {"2.7", good},
		"success 3.0":  {"3.0", good},
	}
	for _, want := range redirects {
		test, ok := requests[want.Name]
		if !ok {
			t.Errorf("no request for %q", want.Name)
			continue
		}
		resp := ask(t, withPhysics(t, test.version), test.request)
		if resp.StatusCode != http.StatusFound {
			t.Errorf("%s: status is %d, want 302", want.Name, resp.StatusCode)
		}
		if got := resp.Header.Get("Location"); got != want.Location {
			t.Errorf("%s: Location is\n%q, want\n%q", want.Name, got, want.Location)
		}
		if got := resp.Header.Get("Set-Cookie"); got != want.SetCookie {
			t.Errorf("%s: Set-Cookie is\n%q, want\n%q", want.Name, got, want.SetCookie)
		}
	}
}
