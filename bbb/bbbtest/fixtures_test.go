package bbbtest

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"b3scale/bbb"
)

// The rooms, people and times of the fixtures.
const (
	physics     = "phys-101-spring"
	physicsID   = "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123"
	physicsTime = 1767225600123
	staffTime   = 1767229200456
	breakoutID1 = "b2453a49d9a6ceb38bd2a07d436fe35f9bb59d28-1767227400789"
	breakoutAt  = 1767227400789
)

var minted = map[string]string{
	"attendeePW": "apX7kQ2m", "moderatorPW": "mpR4tZ9w", "voiceBridge": "71234", "userID": "w_k3v9q2m7x1ab",
	"authToken": "n8m7b6v5c4x3", "sessionToken": "q1w2e3r4t5y6u7i8", "JSESSIONID": "0F1E2D3C4B5A69788796A5B4C3D2E1F0",
}

func fixtureNode(t *testing.T, version string, ms ...int64) *Node {
	t.Helper()
	n := New(Options{
		Version: version, Secret: "fixture-Secret-6b1f0e9d4c", PublicURL: "https://node1.bbb.example.org",
		Now: clock(ms...), Mint: func(what string) string { return minted[what] }, LogSize: -1,
	})
	t.Cleanup(n.Close)
	return n
}

// withPhysics is a node where the first room of the fixtures was created.
func withPhysics(t *testing.T, version string, extra ...string) *Node {
	t.Helper()
	n := fixtureNode(t, version, physicsTime, physicsTime+112)
	get(t, n, "create", append([]string{
		"name", "Physics & Chemistry 101", "meetingID", physics, "record", "true",
		"meta_bbb-origin", "Moodle", "meta_bbb-origin-version", "4.5", "meta_bbb-origin-server-name", "lms.example.org",
		"meta_endCallbackUrl", "https://lb.example.org/cb/end/7c1d?x=1", "meta_bbb-context-name", "Labs & Seminars",
	}, extra...)...)
	return n
}

// withPeople has the three people of the fixtures in it.
func withPeople(t *testing.T, version string) *Node {
	t.Helper()
	n := withPhysics(t, version)
	get(t, n, "join", "meetingID", physics, "fullName", "Ada Example", "role", "moderator", "userID", "teacher-1",
		"userdata-bbb_skip_check_audio", "true")
	get(t, n, "join", "meetingID", physics, "fullName", "Bob <Tester>", "password", "apX7kQ2m", "userID", "student-17")
	n.Change(physics, "teacher-1", func(a *Attendee) { a.Presenter, a.Voice, a.Video = true, true, true })
	n.Change(physics, "student-17", func(a *Attendee) { a.ListeningOnly = true })
	n.Join(physics, Attendee{UserID: "v_c5d6e7f8g9hi", FullName: "+49 30 5550100", Voice: true, ClientType: "dial-in-user"})
	return n
}

func staffRoom(attendeePW, moderatorPW string) Room {
	return Room{
		ExternalID: "staff-room", Name: "Staff Room", CreateTime: staffTime, StartTime: staffTime + 90, VoiceBridge: "71235",
		Duration: 60, AttendeePW: attendeePW, ModeratorPW: moderatorPW,
	}
}

// createBreakout opens the breakout room of the fixtures through the API.
func createBreakout(t *testing.T, n *Node) string {
	t.Helper()
	n.opts.Now = clock(breakoutAt, breakoutAt+40)
	return get(t, n, "create", "isBreakout", "true", "meetingID", breakoutID1, "parentMeetingID", physicsID, "sequence", "1",
		"name", "Physics & Chemistry 101 (Room 1)", "voiceBridge", "712341", "duration", "15")
}

func TestAnswersAreThoseOfTheFixtures(t *testing.T) {
	t.Parallel()
	created := func(pairs ...string) []string {
		return append([]string{"meetingID", physics, "name", "Again"}, pairs...)
	}
	joining := func(pairs ...string) []string {
		return append([]string{"meetingID", physics, "fullName", "Ada", "redirect", "false"}, pairs...)
	}
	empty := func(version string) func(t *testing.T) *Node {
		return func(t *testing.T) *Node { t.Helper(); return fixtureNode(t, version, physicsTime) }
	}
	room := func(version string, extra ...string) func(t *testing.T) *Node {
		return func(t *testing.T) *Node { t.Helper(); return withPhysics(t, version, extra...) }
	}
	people := func(version string) func(t *testing.T) *Node {
		return func(t *testing.T) *Node { t.Helper(); return withPeople(t, version) }
	}
	lone := func(t *testing.T) *Node { // a room that somebody has been to and left
		t.Helper()
		n := withPhysics(t, "3.0")
		n.Join(physics, Attendee{UserID: "teacher-1"})
		n.Leave(physics, "teacher-1")
		return n
	}
	tests := []struct {
		file string
		node func(t *testing.T) *Node
		call string
		ask  []string
	}{
		{"error.missingParamMeetingID.xml", empty("2.5"), "isMeetingRunning", []string{"meetingID", ""}},
		{"error.meetingID.sizeError.xml", empty("2.6"), "isMeetingRunning", []string{"meetingID", "x"}},
		{"error.meetingID.comma.xml", empty("2.7"), "isMeetingRunning", []string{"meetingID", "a,b"}},

		{"create.success.xml", empty("3.0"), "create", []string{"meetingID", physics, "name", "x y"}},
		{"create.success.xml", empty("2.4"), "create", []string{"meetingID", physics, "name", "x y"}},
		{"create.duplicate.xml", lone, "create", created("attendeePW", "apX7kQ2m", "moderatorPW", "mpR4tZ9w")},
		{"create.duplicate.noPasswords.3.0.xml", lone, "create", created()},
		{"create.idNotUnique.noPasswords.2.5.xml", room("2.5"), "create", created()},
		{"create.idNotUnique.noPasswords.2.5.xml", room("2.7"), "create", created()},
		{"create.idNotUnique.xml", room("3.0"), "create", created("attendeePW", "apX7kQ2m", "moderatorPW", "other")},
		{"create.meetingID.absent.3.0.xml", empty("3.0"), "create", []string{"name", "Room"}},
		{"create.name.emptyError.xml", empty("3.0"), "create", []string{"name", " ", "meetingID", "room"}},
		{"create.name.nullError.xml", empty("3.0"), "create", []string{"meetingID", "room"}},
		{"create.name.sizeError.xml", empty("3.0"), "create", []string{"name", strings.Repeat("x", 257), "meetingID", "room"}},
		{"create.nonUniqueVoiceBridge.xml", room("3.0"), "create", []string{"name", "Room", "meetingID", "room", "voiceBridge", "71234"}},
		{"create.password.invalid.xml", empty("2.4"), "create", []string{"name", "Room", "meetingID", "room", "attendeePW", "x"}},
		{"create.record.validationError.xml", empty("2.4"), "create", []string{"name", "Room", "meetingID", "room", "record", "yes"}},
		{"create.voiceBridge.validationError.xml", empty("2.4"), "create", []string{"name", "Room", "meetingID", "room", "voiceBridge", "7x"}},
		{"create.breakout.parentMeetingIDMissing.3.0.xml", empty("3.0"), "create", []string{"name", "Room", "meetingID", "room", "isBreakout", "true", "sequence", "1"}},
		{"create.breakout.parentMeetingDoesNotExist.3.0.xml", empty("3.0"), "create", []string{"name", "Room", "meetingID", "room", "isBreakout", "true", "sequence", "1", "parentMeetingID", "nobody"}},

		{"join.success.3.0.xml", room("3.0"), "join", joining("role", "VIEWER")},
		{"join.success.xml", room("2.7"), "join", joining("role", "viewer")},
		{"join.guestWait.2.7.xml", room("2.7", "guestPolicy", "ASK_MODERATOR"), "join", joining("role", "VIEWER", "guest", "true")},
		{"join.guestDeny.2.7.xml", room("2.4", "guestPolicy", "ALWAYS_DENY"), "join", joining("role", "VIEWER", "guest", "true")},
		{"join.guestDeniedAccess.3.0.xml", room("3.0", "guestPolicy", "ALWAYS_DENY"), "join", joining("role", "VIEWER", "guest", "true")},
		{"join.paramsRequired.xml", room("2.5"), "join", joining("password", "wrong")},
		{"join.paramsRequired.none.xml", room("3.0"), "join", joining("role", "KING")},
		{"join.mismatchCreateTime.3.0.xml", room("3.0"), "join", joining("role", "VIEWER", "createTime", "12")},
		{"join.maxParticipantsReached.3.0.xml", func(t *testing.T) *Node {
			t.Helper()
			n := withPhysics(t, "3.0", "maxParticipants", "1")
			n.Join(physics, Attendee{UserID: "somebody"})
			return n
		}, "join", joining("role", "VIEWER")},

		{"end.success.xml", room("3.0"), "end", []string{"meetingID", physics}},
		{"end.success.xml", room("2.5"), "end", []string{"meetingID", physicsID}},
		{"end.success.xml", room("2.4"), "end", []string{"meetingID", physics, "password", "mpR4tZ9w"}},
		{"end.notFound.xml", empty("2.5"), "end", []string{"meetingID", "nope"}},
		{"end.invalidPassword.2.4.xml", room("2.4"), "end", []string{"meetingID", physics, "password", "apX7kQ2m"}},
		{"end.invalidPassword.2.4.xml", empty("2.4"), "end", []string{"meetingID", "nope", "password", "mpR4tZ9w"}},

		{"isMeetingRunning.false.xml", empty("3.0"), "isMeetingRunning", []string{"meetingID", "nope"}},
		{"isMeetingRunning.false.xml", room("3.0"), "isMeetingRunning", []string{"meetingID", physics}},
		{"isMeetingRunning.true.xml", people("2.4"), "isMeetingRunning", []string{"meetingID", physics}},

		{"getMeetingInfo.notFound.xml", empty("2.4"), "getMeetingInfo", []string{"meetingID", ""}},
		{"getMeetingInfo.notFound.xml", empty("3.0"), "getMeetingInfo", []string{"meetingID", "x"}},
		{"getMeetingInfo.success.2.4.xml", people("2.4"), "getMeetingInfo", []string{"meetingID", physics}},
		{"getMeetingInfo.success.2.4.xml", people("2.7"), "getMeetingInfo", []string{"meetingID", physicsID}},
		{"getMeetingInfo.success.3.0.xml", people("3.0"), "getMeetingInfo", []string{"meetingID", physics}},
		{"getMeetingInfo.empty.3.0.xml", func(t *testing.T) *Node {
			t.Helper()
			n := fixtureNode(t, "3.0", 0)
			n.AddRoom(staffRoom("aB3dE6gH", "zY8xW5vU"))
			return n
		}, "getMeetingInfo", []string{"meetingID", "staff-room"}},
		{"getMeetingInfo.breakoutParent.3.0.xml", func(t *testing.T) *Node {
			t.Helper()
			n := withPeople(t, "3.0")
			n.opts.Now = clock(breakoutAt)
			n.OpenBreakouts(physics, 2)
			return n
		}, "getMeetingInfo", []string{"meetingID", physics}},
		{"getMeetingInfo.breakout.3.0.xml", func(t *testing.T) *Node {
			t.Helper()
			n := withPhysics(t, "3.0")
			createBreakout(t, n)
			n.Join(breakoutID1, Attendee{UserID: "w_p0z8y7r6t5cd-1", FullName: "Bob <Tester>"})
			return n
		}, "getMeetingInfo", []string{"meetingID", breakoutID1}},

		{"getMeetings.empty.xml", empty("3.0"), "getMeetings", nil},
		{"getMeetings.success.2.4.xml", func(t *testing.T) *Node {
			t.Helper()
			n := withPeople(t, "2.4")
			n.AddRoom(staffRoom("apX7kQ2m", "mpR4tZ9w"))
			return n
		}, "getMeetings", nil},
		{"getMeetings.success.3.0.xml", func(t *testing.T) *Node {
			t.Helper()
			n := withPeople(t, "3.0")
			createBreakout(t, n)
			n.Join(breakoutID1, Attendee{UserID: "w_p0z8y7r6t5cd-1", FullName: "Bob <Tester>"})
			n.AddRoom(staffRoom("aB3dE6gH", "zY8xW5vU"))
			return n
		}, "getMeetings", nil},
		{"getSessions.empty.xml", room("3.0"), "getSessions", nil},
		{"getSessions.success.xml", func(t *testing.T) *Node {
			t.Helper()
			n := withPhysics(t, "2.4")
			n.Join(physics, Attendee{FullName: "Ada Example"})
			return n
		}, "getSessions", nil},

		{"sendChatMessage.success.3.0.xml", room("3.0"), "sendChatMessage", []string{"meetingID", physics, "message", "hello"}},
		{"sendChatMessage.meetingNotFound.3.0.xml", empty("3.0"), "sendChatMessage", []string{"meetingID", "nope", "message", "hello"}},
		{"sendChatMessage.message.nullError.3.0.xml", empty("3.0"), "sendChatMessage", []string{"meetingID", "nope"}},
		{"sendChatMessage.message.sizeError.3.0.xml", empty("3.0"), "sendChatMessage", []string{"meetingID", "nope", "message", strings.Repeat("x", 501)}},

		{"getRecordings.empty.xml", empty("3.0"), "getRecordings", []string{"meetingID", physics}},
		{"publishRecordings.missingParamRecordID.xml", empty("3.0"), "publishRecordings", []string{"publish", "true"}},
		{"publishRecordings.missingParamPublish.xml", empty("3.0"), "publishRecordings", []string{"recordID", physicsID}},
		{"publishRecordings.notFound.xml", empty("3.0"), "publishRecordings", []string{"recordID", physicsID, "publish", "true"}},
		{"deleteRecordings.missingParamRecordID.xml", empty("3.0"), "deleteRecordings", nil},
		{"deleteRecordings.notFound.xml", empty("3.0"), "deleteRecordings", []string{"recordID", physicsID}},
		{"updateRecordings.missingParamRecordID.xml", empty("3.0"), "updateRecordings", nil},
		{"updateRecordings.notFound.xml", empty("3.0"), "updateRecordings", []string{"recordID", physicsID}},
		{"getRecordingTextTracks.noRecordings.json", empty("3.0"), "getRecordingTextTracks", []string{"recordID", physicsID}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			resp := ask(t, test.node(t), request{call: test.call, query: query(test.ask...)})
			isFixture(t, test.file, resp)
		})
	}
}

// isFixture compares status, type and every byte.
func isFixture(t *testing.T, file string, resp *http.Response) {
	t.Helper()
	contentType := bbb.ContentType
	if strings.HasSuffix(file, ".json") {
		contentType = jsonType
	}
	if got := resp.Header.Get("Content-Type"); got != contentType {
		t.Errorf("Content-Type is %q, want %q", got, contentType)
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status is %d, want 200", resp.StatusCode)
	}
	if got, want := text(t, resp), fixture(t, file); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// Every file must be used: a fixture that no test reads proves nothing.
func TestAllFixturesAreUsed(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(filepath.Join("testdata", "responses"))
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, name := range []string{"fixtures_test.go", "fixtures_more_test.go"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, b...)
	}
	for _, file := range files {
		if !strings.Contains(string(source), `"`+file.Name()+`"`) {
			t.Errorf("no test uses %s", file.Name())
		}
	}
}
