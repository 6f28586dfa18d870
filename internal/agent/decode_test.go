package agent

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const (
	physics = "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123"
	room1   = "b2453a49d9a6ceb38bd2a07d436fe35f9bb59d28-1767227400789"
	ada     = "w_k3v9q2m7x1ab"
	bob     = "w_p0z8y7r6t5cd"
	phone   = "v_c5d6e7f8g9hi"
	stream  = ada + "-a1b2c3d4e5f60718293a4b5c6d7e8f90"
)

var adaJoins = userJoined{userID: ada, externalID: "teacher-1", name: "Ada Example", role: "MODERATOR", clientType: "HTML5"}

// fixtures says what comes of each file of testdata/events.
var fixtures = map[string]any{
	"BreakoutRoomEndedEvtMsg":                          breakoutEnded{roomID: room1},
	"BreakoutRoomStartedEvtMsg.3.0":                    breakoutStarted{roomID: room1, parentID: physics},
	"BreakoutRoomsListEvtMsg.2.4":                      errUnknown,
	"BreakoutRoomsListEvtMsg.2.5":                      errUnknown,
	"BreakoutRoomsListEvtMsg.3.0":                      errUnknown,
	"BreakoutRoomsTimeRemainingUpdateEvtMsg":           errUnknown,
	"CheckAlivePingSysMsg":                             errUnknown,
	"CheckAlivePongSysMsg":                             alivePong{},
	"DeletedRecordingSysMsg":                           errUnknown,
	"DisconnectAllClientsSysMsg":                       errUnknown,
	"GuestPolicyChangedEvtMsg":                         errUnknown,
	"GuestsWaitingApprovedEvtMsg":                      errUnknown,
	"GuestsWaitingForApprovalEvtMsg.2.5":               errUnknown,
	"GuestsWaitingForApprovalEvtMsg.3.0":               errUnknown,
	"MeetingCreatedEvtMsg.2.4":                         meetingCreated{externalID: "phys-101-spring"},
	"MeetingCreatedEvtMsg.2.5":                         meetingCreated{externalID: "phys-101-spring"},
	"MeetingCreatedEvtMsg.2.7":                         meetingCreated{externalID: "phys-101-spring"},
	"MeetingCreatedEvtMsg.3.0":                         meetingCreated{externalID: "phys-101-spring"},
	"MeetingCreatedEvtMsg.breakout.3.0":                meetingCreated{externalID: "ba201b51551a548e1b727547cef34bf902c627d3-1767227400789", parentID: physics},
	"MeetingDestroyedEvtMsg":                           meetingDestroyed{},
	"MeetingEndedEvtMsg":                               meetingEnded{},
	"MeetingEndingEvtMsg":                              errUnknown,
	"MeetingTimeRemainingUpdateEvtMsg.2.4":             errUnknown,
	"MeetingTimeRemainingUpdateEvtMsg.2.5":             errUnknown,
	"PresenterAssignedEvtMsg":                          presenterAssigned{userID: ada},
	"PresenterUnassignedEvtMsg":                        presenterUnassigned{userID: ada},
	"PublishedRecordingSysMsg":                         errUnknown,
	"RecordingChapterBreakSysMsg":                      errUnknown,
	"RecordingStatusChangedEvtMsg.started":             recordingSet{on: true},
	"RecordingStatusChangedEvtMsg.stopped":             recordingSet{on: false},
	"ScreenshareRtmpBroadcastStartedEvtMsg.2.5":        screenShared{on: true},
	"ScreenshareRtmpBroadcastStartedEvtMsg.3.0":        screenShared{on: true},
	"ScreenshareRtmpBroadcastStoppedEvtMsg":            screenShared{on: false},
	"UnpublishedRecordingSysMsg":                       errUnknown,
	"UpdateBreakoutUsersEvtMsg":                        errUnknown,
	"UserBroadcastCamStartedEvtMsg":                    cameraStarted{userID: ada, stream: stream},
	"UserBroadcastCamStoppedEvtMsg":                    cameraStopped{userID: ada, stream: stream},
	"UserEjectedFromMeetingEvtMsg.2.4":                 userLeft{userID: bob},
	"UserJoinedMeetingEvtMsg.2.4":                      adaJoins,
	"UserJoinedMeetingEvtMsg.2.5":                      adaJoins,
	"UserJoinedMeetingEvtMsg.2.7":                      adaJoins,
	"UserJoinedMeetingEvtMsg.3.0":                      adaJoins,
	"UserJoinedMeetingEvtMsg.3.0.x":                    adaJoins,
	"UserJoinedMeetingEvtMsg.viewer.3.0":               userJoined{userID: bob, externalID: "student-17", name: "Bob <Tester>", role: "VIEWER", clientType: "HTML5"},
	"UserJoinedVoiceConfToClientEvtMsg.2.4":            voiceJoined{userID: ada, callerName: "Ada Example"},
	"UserJoinedVoiceConfToClientEvtMsg.3.0":            voiceJoined{userID: ada, callerName: "Ada+Example"},
	"UserJoinedVoiceConfToClientEvtMsg.phone.3.0":      voiceJoined{userID: phone, callerName: "+49305550100"},
	"UserJoinedVoiceConfToClientEvtMsg.listenOnly.3.0": voiceJoined{userID: bob, callerName: "Bob", listenOnly: true},
	"UserLeftFlagUpdatedEvtMsg.2.5":                    userLeftFlag{userID: bob, left: true},
	"UserLeftMeetingEvtMsg.2.4":                        userLeft{userID: bob},
	"UserLeftMeetingEvtMsg.2.5":                        userLeft{userID: bob},
	"UserLeftMeetingEvtMsg.ejected.2.5":                userLeft{userID: bob},
	"UserLeftVoiceConfToClientEvtMsg":                  voiceLeft{userID: ada},
	"UserMutedVoiceEvtMsg":                             errUnknown,
	"UserRegisteredRespMsg":                            errUnknown,
	"UserRoleChangedEvtMsg":                            roleChanged{userID: bob, role: "MODERATOR"},
	"UserTalkingVoiceEvtMsg":                           errUnknown,
	"VoiceCallStateEvtMsg":                             errUnknown,
	"rap.archive_started":                              errBroken, // of another channel
	"rap.publish_ended":                                errBroken,
}

// fixtureFiles reads testdata/events, by name without .json.
func fixtureFiles(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	files := make(map[string][]byte)
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(name), ".json")] = raw
	}
	return files
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	files := fixtureFiles(t)
	for name := range fixtures {
		if files[name] == nil {
			t.Errorf("no file %s", name)
		}
	}
	for name, raw := range files {
		want, known := fixtures[name]
		if !known {
			t.Errorf("%s: nobody says what should come of it", name)
			continue
		}
		got, err := decode(raw)
		if bad, ok := want.(error); ok {
			if !errors.Is(err, bad) {
				t.Errorf("%s: got %v, want %v", name, err, bad)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got.body, want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got.body, err, want)
		}
		meeting := physics
		switch {
		case name == "CheckAlivePongSysMsg":
			meeting = ""
		case strings.Contains(name, "breakout.3.0"):
			meeting = room1
		}
		if got.meeting != meeting || got.at < 1767225600000 || got.at > 1767235600000 {
			t.Errorf("%s: meeting %q at %d, want %q", name, got.meeting, got.at, meeting)
		}
	}
}

// The agent of the existing product dies of some of these.
func TestOddMessages(t *testing.T) {
	t.Parallel()
	message := func(at, meeting, body string) string {
		return `{"envelope":{"name":"UserJoinedMeetingEvtMsg","timestamp":` + at + `},"core":{"header":{"meetingId":` + meeting + `},"body":` + body + `}}`
	}
	for _, c := range []struct {
		raw  string
		want error
	}{
		{``, errBroken},
		{`null`, errBroken},
		{`[]`, errBroken},
		{`"text"`, errBroken},
		{`{}`, errBroken},
		{`{"envelope":null}`, errBroken},
		{`{"envelope":[],"core":7}`, errBroken},
		{`{"envelope":{"name":7}}`, errBroken},
		{`{"envelope":{"name":"Other"}}`, errUnknown},
		{`{"envelope":{"name":"UserJoinedMeetingEvtMsg"}}`, errBroken},
		{`{"envelope":{"name":"UserJoinedMeetingEvtMsg"},"core":null}`, errBroken},
		{`{"envelope":{"name":"RecordingStatusChangedEvtMsg"},"core":{"header":{"meetingId":"m"},"body":{}}}`, errBroken},
		{message(`1`, `"m"`, `null`), errBroken},
		{message(`1`, `"m"`, `[]`), errBroken},
		{message(`1`, `"m"`, `{"intId":""}`), errBroken},
		{message(`1`, `"m"`, `{"intId":{}}`), errBroken},
		{message(`1`, `""`, `{"intId":"u"}`), errBroken},
		{message(`1`, `7`, `{"intId":"u"}`), errBroken},
		{message(`1`, `"m"`, `{"intId":"u"`), errBroken},
		{message(`"now"`, `"m"`, `{"intId":"u","guest":"yes","name":7,"new":{"x":[1]}}`), nil},
		{message(`-5`, `"m"`, `{"intId":"u","presenter":null}`), nil},
	} {
		m, err := decode([]byte(c.raw))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.raw, err, c.want)
		}
		if m.at < 0 {
			t.Errorf("%s: at %d", c.raw, m.at)
		}
	}
}

// check decodes what may be anything and applies it.
func check(t *testing.T, r *rooms, raw []byte) {
	t.Helper()
	m, err := decode(raw)
	if err != nil {
		if !errors.Is(err, errUnknown) && !errors.Is(err, errBroken) {
			t.Errorf("another error: %v", err)
		}
		return
	}
	if m.body == nil || m.name == "" {
		t.Errorf("no error and no body: %q", raw)
	}
	for _, e := range r.apply(m) {
		if e.Kind == "" || e.Meeting == "" || e.At <= 0 || (e.Kind == kindAttendee || e.Kind == kindAttendeeLeft) != (e.UserID != "") {
			t.Errorf("%+v is no fact, of %q", e, raw)
		}
		if !utf8.ValidString(e.Meeting + e.UserID + value(e.Name)) {
			t.Errorf("not UTF-8: %+v", e)
		}
	}
}

func TestTenThousandMutations(t *testing.T) {
	t.Parallel()
	var originals [][]byte
	for _, raw := range fixtureFiles(t) {
		originals = append(originals, raw)
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	r := newRooms(time.Now)
	pieces := []string{`null`, `{}`, `[]`, `"`, `{`, `}`, `-1`, `1e400`, `"\ud800"`, `true`, "\x00", "\xff", `:`, `,`, `\`}
	for range 10_000 {
		raw := append([]byte(nil), originals[random.IntN(len(originals))]...)
		for range 1 + random.IntN(4) {
			at := random.IntN(len(raw) + 1)
			switch random.IntN(4) {
			case 0: // cut the end
				raw = raw[:at]
			case 1: // take something out
				raw = append(raw[:at:at], raw[min(at+random.IntN(40), len(raw)):]...)
			case 2: // put something in
				raw = append(raw[:at:at], append([]byte(pieces[random.IntN(len(pieces))]), raw[at:]...)...)
			case 3: // change a byte
				if at < len(raw) {
					raw[at] = byte(random.IntN(256))
				}
			}
		}
		check(t, r, raw)
	}
}

func FuzzDecode(f *testing.F) {
	for _, raw := range fixtureFiles(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { check(t, newRooms(time.Now), raw) })
}

func BenchmarkDecode(b *testing.B) {
	files := fixtureFiles(b)
	for _, name := range []string{"UserTalkingVoiceEvtMsg", "UserJoinedMeetingEvtMsg.3.0", "MeetingCreatedEvtMsg.3.0"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = decode(files[name]) // of either kind
			}
		})
	}
}
