package adminapi

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// fixtureRoom is a room as a node showed it.
func fixtureRoom(t testing.TB, file string) *routing.Room {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "bbb", "testdata", "responses", file))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := bbb.ParseXML(raw)
	if err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	edit := doc.Edit()
	r := &routing.Room{}
	for _, name := range []string{"returncode", "messageKey", "message"} {
		edit.Remove(root.Child(name))
	}
	for a := range root.Child("attendees").Children() {
		r.Attendees = append(r.Attendees, a.Raw())
	}
	edit.SetText(root.Child("attendees"), "\n")
	r.Info = bytes.TrimSpace(edit.Inner(root))
	r.State = b3scale.MeetingActive
	r.InternalID = root.Child("internalMeetingID").Text()
	r.Running = root.Child("running").Text() == "true"
	r.People = int(root.Child("participantCount").Number())
	return r
}

func TestMeetingInfo(t *testing.T) {
	t.Parallel()
	want := MeetingInfo{
		MeetingName: "Town Hall", MeetingID: "id", InternalMeetingID: "6066b1df8ad619edbe8b020318d1e394da0504f7-1767229200456",
		CreateTime: 1767229200456, CreateDate: "Thu Jan 01 01:00:00 UTC 2026", VoiceBridge: "71235", DialNumber: "613-555-1234",
		AttendeePW: "apX7kQ2m", ModeratorPW: "mpR4tZ9w", Running: true, StartTime: 1767229200546, ParticipantCount: 1204,
		ListenerCount: 1150, VoiceParticipantCount: 54, VideoCount: 12, MaxUsers: 1500, ModeratorCount: 3,
		Metadata: map[string]string{}, Attendees: []Attendee{},
	}
	if diff := cmp.Diff(want, meetingInfo(fixtureRoom(t, "getMeetingInfo.grouping.2.4.xml"), "id")); diff != "" {
		t.Error(diff)
	}
}

func TestMeetingInfoOfPeopleAndMetadata(t *testing.T) {
	t.Parallel()
	r := fixtureRoom(t, "getMeetingInfo.success.3.0.xml")
	got := meetingInfo(r, "id")
	var names []string
	for _, a := range got.Attendees {
		names = append(names, a.FullName+"/"+a.Role)
	}
	if len(names) != len(r.Attendees) || len(names) == 0 || slices.Contains(names, "/") {
		t.Errorf("the people are %q", names)
	}
	if len(got.Metadata) == 0 {
		t.Error("there is no metadata")
	}
}

func TestMeetingInfoOfBreakouts(t *testing.T) {
	t.Parallel()
	got := meetingInfo(fixtureRoom(t, "getMeetingInfo.breakout.3.0.xml"), "id")
	if !got.IsBreakout || got.Breakout == nil || got.Breakout.ParentMeetingID == "" || got.Breakout.Sequence == 0 {
		t.Errorf("the breakout room is %+v", got.Breakout)
	}
	nested := &routing.Room{Meeting: b3scale.Meeting{Incarnation: b3scale.Incarnation{Info: []byte(
		"<breakout><parentMeetingID>p</parentMeetingID><sequence>2</sequence><freeJoin>true</freeJoin></breakout>")}}}
	want := &Breakout{ParentMeetingID: "p", Sequence: 2, FreeJoin: true}
	if diff := cmp.Diff(want, meetingInfo(nested, "id").Breakout); diff != "" {
		t.Errorf("nested: %s", diff)
	}
	fresh := meetingInfo(&routing.Room{Breakout: true}, "id")
	if !fresh.IsBreakout || fresh.Breakout == nil {
		t.Error("a breakout room that no list has shown yet is none")
	}
	if parent := meetingInfo(fixtureRoom(t, "getMeetingInfo.breakoutParent.3.0.xml"), "id"); len(parent.BreakoutRooms) == 0 || parent.Breakout != nil {
		t.Errorf("its parent is %+v", parent)
	}
}

func TestMeetingInfoOfARoomThatIsBeingCreated(t *testing.T) {
	t.Parallel()
	r := &routing.Room{Meeting: b3scale.Meeting{State: b3scale.MeetingCreating, Incarnation: b3scale.Incarnation{AttendeePW: "a", ModeratorPW: "m"}}}
	got, err := json.Marshal(meetingInfo(r, "id"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"AttendeePW":"a","Attendees":null,"Breakout":null,"BreakoutRooms":null,"CreateDate":"","CreateTime":0,"DialNumber":"",` +
		`"Duration":0,"EndTime":0,"HasBeenForciblyEnded":false,"InternalMeetingID":"","IsBreakout":false,"ListenerCount":0,"MaxUsers":0,` +
		`"MeetingID":"id","MeetingName":"","Metadata":null,"ModeratorCount":0,"ModeratorPW":"m","ParticipantCount":0,"Recording":false,` +
		`"Running":false,"StartTime":0,"VideoCount":0,"VoiceBridge":"","VoiceParticipantCount":0}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNumbersThatAreNoneAreZero(t *testing.T) {
	t.Parallel()
	r := &routing.Room{Meeting: b3scale.Meeting{Incarnation: b3scale.Incarnation{CreateTime: 7, Info: []byte(
		"<createTime>soon</createTime><duration>1e3</duration><maxUsers/><startTime>99999999999999999999</startTime>")}}}
	got := meetingInfo(r, "id")
	if got.CreateTime != 7 || got.Duration != 0 || got.MaxUsers != 0 || got.StartTime != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestCorrectedInfoChangesJustThat(t *testing.T) {
	t.Parallel()
	info := "<meetingName>Room</meetingName>\n<running>true</running>\n<participantCount>1,204</participantCount>\n" +
		"<new kind=\"x\"><deep>1</deep></new>\n<metadata>\n<a>1</a>\n<b><![CDATA[2]]></b>\n</metadata>\n<maxUsers/>"
	want := infoOf(parseInfo([]byte(info)).Root())
	if got := string(correctedInfo([]byte(info), want)); got != info {
		t.Errorf("nothing is to change, and it is %q", got)
	}
	want.MeetingName = "A & B"
	want.Running = false
	want.MaxUsers = 3
	want.Recording = true
	want.Metadata = map[string]string{"a": "0", "b": "2", "c": "<3>"}
	want.BreakoutRooms = []string{"x"}
	want.Attendees = []Attendee{{}}
	got := string(correctedInfo([]byte(info), want))
	wantXML := "<meetingName>A &amp; B</meetingName>\n<running>false</running>\n<participantCount>1,204</participantCount>\n" +
		"<new kind=\"x\"><deep>1</deep></new>\n<maxUsers>3</maxUsers>\n<recording>true</recording>\n" +
		"<metadata>\n<a>0</a>\n<b><![CDATA[2]]></b>\n<c>&lt;3&gt;</c>\n</metadata>\n" +
		"<breakoutRooms><breakout>x</breakout>\n</breakoutRooms>\n<attendees>\n</attendees>"
	if got != wantXML {
		t.Errorf("got  %q\nwant %q", got, wantXML)
	}
}

func TestCorrectedAttendees(t *testing.T) {
	t.Parallel()
	ada := "<attendee><userID>ada</userID><fullName>Ada</fullName><role>VIEWER</role><customdata><x>1</x></customdata></attendee>"
	twin := "<attendee><userID>ada</userID><fullName>Ada</fullName><role>VIEWER</role><clientType>phone</clientType></attendee>"
	bare := "<attendee/>"
	moved := Attendee{UserID: "ada", FullName: "Ada", Role: "MODERATOR"}
	phone := Attendee{UserID: "ada", FullName: "Ada", Role: "VIEWER", ClientType: "phone"}
	bob := Attendee{UserID: "bob", InternalUserID: "w_1", FullName: "<Bob>", HasVideo: true}
	var got []string
	for _, xml := range correctedAttendees([][]byte{[]byte(ada), []byte(bare), []byte(twin)}, []Attendee{bob, phone, moved, {FullName: "New"}}) {
		got = append(got, string(xml))
	}
	want := []string{
		"<attendee>\n<userID>bob</userID>\n<internalUserID>w_1</internalUserID>\n<fullName>&lt;Bob&gt;</fullName>\n<role></role>\n" +
			"<isPresenter>false</isPresenter>\n<isListeningOnly>false</isListeningOnly>\n<hasJoinedVoice>false</hasJoinedVoice>\n" +
			"<hasVideo>true</hasVideo>\n<clientType></clientType>\n</attendee>",
		twin,
		strings.Replace(ada, "VIEWER", "MODERATOR", 1),
		"<attendee>\n<fullName>New</fullName>\n</attendee>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzMeetingInfo reads whatever a node may have sent, and writes corrections
// into it: they must show afterwards, and nothing else may change.
func FuzzMeetingInfo(f *testing.F) {
	for _, file := range []string{"getMeetingInfo.success.2.4.xml", "getMeetingInfo.success.3.0.xml", "getMeetingInfo.breakout.3.0.xml",
		"getMeetingInfo.breakoutParent.3.0.xml", "getMeetingInfo.grouping.2.4.xml", "getMeetingInfo.empty.3.0.xml"} {
		r := fixtureRoom(f, file)
		attendee := []byte("<attendee/>")
		if len(r.Attendees) > 0 {
			attendee = r.Attendees[0]
		}
		f.Add(r.Info, attendee, "name", 3, true)
	}
	f.Add([]byte("<metadata><a/><a>2</a></metadata><metadata/><unknown>x</unknown>"), []byte("<a><userID>"), "\x00&]]>", -1, false)
	f.Add([]byte("</meeting><meeting>"), []byte("<attendee><userID/><!-- </a> --></attendee>"), "é\r\n", 1<<40, true)
	f.Fuzz(func(t *testing.T, info, attendee []byte, text string, number int, flag bool) {
		r := &routing.Room{Meeting: b3scale.Meeting{Incarnation: b3scale.Incarnation{Info: info}}, Facts: routing.Facts{Attendees: [][]byte{attendee}}}
		have := meetingInfo(r, "id")
		if _, err := json.Marshal(have); err != nil {
			t.Fatal(err)
		}
		if have.Attendees == nil {
			t.Error("somebody is lost")
		}

		doc, err := bbb.ParseXML(slices.Concat([]byte(openMeeting), info, []byte(closeMeeting)))
		if err != nil {
			return
		}
		stored := infoOf(doc.Root())
		if got := correctedInfo(info, stored); !bytes.Equal(got, bytes.TrimSpace(info)) && string(got) != strings.TrimSpace(string(info)) {
			t.Errorf("nothing was to change: %q became %q", info, got)
		}
		want := stored
		want.MeetingName, want.MaxUsers, want.Recording, want.StartTime = text, number, flag, int64(number)
		want.Metadata = map[string]string{"name": text}
		got := correctedInfo(info, want)
		again, err := bbb.ParseXML(slices.Concat([]byte(openMeeting), got, []byte(closeMeeting)))
		if err != nil {
			t.Fatalf("%q is no XML any more: %v", got, err)
		}
		// Characters that XML cannot carry have become others.
		want.MeetingName = reread(t, text)
		want.Metadata["name"] = want.MeetingName
		if diff := cmp.Diff(want, infoOf(again.Root())); diff != "" {
			t.Errorf("%q became %q:\n%s", info, got, diff)
		}
		for e := range doc.Root().Children() {
			if e.Name() == "unknown" && !bytes.Contains(got, e.Raw()) {
				t.Errorf("%q is lost in %q", e.Raw(), got)
			}
		}

		if _, err := bbb.ParseXML(attendee); err != nil {
			return
		}
		person := have.Attendees[0]
		person.FullName, person.HasVideo = text, flag
		changed := correctedAttendees([][]byte{attendee}, []Attendee{person})
		shown, err := bbb.ParseXML(changed[0])
		if err != nil {
			t.Fatalf("%q is no XML any more: %v", changed[0], err)
		}
		person.FullName = reread(t, text)
		if diff := cmp.Diff(person, attendeeOf(shown.Root())); diff != "" {
			t.Errorf("%q became %q:\n%s", attendee, changed[0], diff)
		}
	})
}

// reread is what XML makes of a text.
func reread(t *testing.T, text string) string {
	t.Helper()
	doc, err := bbb.ParseXML([]byte("<a>" + bbb.EscapeXML(text) + "</a>"))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root().Text()
}
