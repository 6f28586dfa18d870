package agent

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tells gives the facts of messages as the server would read them.
func tells(t *testing.T, r *rooms, messages ...message) []string {
	t.Helper()
	var got []string
	for _, m := range messages {
		for _, e := range r.apply(m) {
			raw, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(raw))
		}
	}
	return got
}

func at(b body) message { return message{name: "x", meeting: "m", at: 7, body: b} }

func TestSequenceOfOneMeeting(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/events/sequence.3.0.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var messages []message
	for line := range bytes.Lines(raw) {
		if m, err := decode(line); err == nil {
			messages = append(messages, m)
		}
	}
	const in = `,"meeting":"` + physics + `","at":`
	want := []string{
		`{"sequence":0,"kind":"meeting_created"` + in + `1767225600423,"external_id":"phys-101-spring"}`,
		`{"sequence":0,"kind":"attendee"` + in + `1767225605123,"user_id":"` + ada + `","joined":true,"external_user_id":"teacher-1","name":"Ada Example","role":"MODERATOR","client_type":"HTML5","presenter":false,"guest":false}`,
		`{"sequence":0,"kind":"attendee"` + in + `1767225605133,"user_id":"` + ada + `","presenter":true}`,
		`{"sequence":0,"kind":"attendee"` + in + `1767225606423,"user_id":"` + bob + `","joined":true,"external_user_id":"student-17","name":"Bob \u003cTester\u003e","role":"VIEWER","client_type":"HTML5","presenter":false,"guest":false}`,
		`{"sequence":0,"kind":"attendee"` + in + `1767225609423,"user_id":"` + ada + `","listening_only":false,"voice":true}`,
		`{"sequence":0,"kind":"attendee"` + in + `1767225612423,"user_id":"` + ada + `","video":true}`,
		`{"sequence":0,"kind":"recording"` + in + `1767225620423,"recording":true}`,
		`{"sequence":0,"kind":"attendee"` + in + `1767226800423,"user_id":"` + ada + `","video":false}`,
		`{"sequence":0,"kind":"attendee_left"` + in + `1767228650423,"user_id":"` + bob + `"}`,
		`{"sequence":0,"kind":"meeting_ended"` + in + `1767229500435}`,
		`{"sequence":0,"kind":"meeting_destroyed"` + in + `1767229502941}`,
	}
	r := newRooms(time.Now)
	if diff := cmp.Diff(want, tells(t, r, messages...)); diff != "" {
		t.Error(diff)
	}
	if len(r.open) != 0 {
		t.Errorf("%d rooms are left", len(r.open))
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	const in = `,"meeting":"m","at":7`
	attendee := func(id, rest string) string {
		return `{"sequence":0,"kind":"attendee"` + in + `,"user_id":"` + id + `",` + rest + `}`
	}
	left := func(id string) string {
		return `{"sequence":0,"kind":"attendee_left"` + in + `,"user_id":"` + id + `"}`
	}
	ended := `{"sequence":0,"kind":"meeting_ended"` + in + `}`
	destroyed := `{"sequence":0,"kind":"meeting_destroyed"` + in + `}`
	joined := func(id, rest string) string {
		return attendee(id, `"joined":true,`+rest)
	}
	for name, c := range map[string]struct {
		messages []message
		want     []string
	}{
		"two cameras": {
			[]message{at(cameraStarted{"a", "1"}), at(cameraStarted{"a", "2"}), at(cameraStopped{"a", "1"}), at(cameraStopped{"a", "2"})},
			[]string{attendee("a", `"video":true`), attendee("a", `"video":false`)},
		},
		"a camera twice": {
			[]message{at(cameraStarted{"a", "1"}), at(cameraStarted{"a", "1"}), at(cameraStopped{"a", "1"})},
			[]string{attendee("a", `"video":true`), attendee("a", `"video":false`)},
		},
		"a camera from before us": {
			[]message{at(cameraStopped{"a", "1"})},
			[]string{attendee("a", `"video":false`)},
		},
		"the presenter twice, and another": {
			[]message{at(presenterAssigned{"a"}), at(presenterAssigned{"a"}), at(presenterAssigned{"b"}), at(presenterUnassigned{"b"}), at(presenterAssigned{"b"})},
			[]string{attendee("a", `"presenter":true`), attendee("a", `"presenter":false`), attendee("b", `"presenter":true`), attendee("b", `"presenter":false`), attendee("b", `"presenter":true`)},
		},
		"listening, then speaking": {
			[]message{at(voiceJoined{"a", "A", true}), at(voiceJoined{"a", "A", true}), at(voiceJoined{"a", "A", false}), at(voiceLeft{"a"})},
			[]string{attendee("a", `"listening_only":true,"voice":false`), attendee("a", `"listening_only":false,"voice":true`), attendee("a", `"listening_only":false,"voice":false`)},
		},
		"a telephone": {
			[]message{at(voiceJoined{"v_1", "+49", false}), at(voiceLeft{"v_1"}), at(voiceJoined{"v_1", "+49", false})},
			[]string{
				attendee("v_1", `"joined":true,"name":"+49","role":"VIEWER","client_type":"dial-in-user","listening_only":false,"voice":true`),
				left("v_1"),
				attendee("v_1", `"joined":true,"name":"+49","role":"VIEWER","client_type":"dial-in-user","listening_only":false,"voice":true`),
			},
		},
		"nobody comes back by what is said late": {
			[]message{at(userLeft{"a"}), at(voiceLeft{"a"}), at(cameraStopped{"a", "1"}), at(presenterUnassigned{"a"}), at(roleChanged{"a", "VIEWER"}), at(voiceJoined{"a", "", true}), at(userJoined{userID: "a"}), at(roleChanged{"a", "VIEWER"})},
			[]string{left("a"), joined("a", `"presenter":false,"guest":false`), attendee("a", `"role":"VIEWER"`)},
		},
		"the left flag": {
			[]message{at(userLeftFlag{"a", true}), at(userLeftFlag{"a", false})},
			nil,
		},
		"an ejected person leaves once or twice": {
			[]message{at(userLeft{"a"}), at(userLeft{"a"})},
			[]string{left("a"), left("a")},
		},
		"recording and screen": {
			[]message{at(recordingSet{true}), at(recordingSet{true}), at(screenShared{true}), at(screenShared{true}), at(screenShared{false})},
			[]string{`{"sequence":0,"kind":"recording"` + in + `,"recording":true}`, `{"sequence":0,"kind":"screenshare"` + in + `,"screenshare":true}`, `{"sequence":0,"kind":"screenshare"` + in + `,"screenshare":false}`},
		},
		"after the end": {
			[]message{at(meetingEnded{}), at(meetingEnded{}), at(userJoined{userID: "a"}), at(meetingDestroyed{}), at(voiceLeft{"a"}), at(meetingDestroyed{}), at(meetingEnded{})},
			[]string{ended, destroyed},
		},
		"a breakout room is told to end twice": {
			[]message{{meeting: "parent", at: 7, body: breakoutEnded{"m"}}, at(meetingEnded{}), at(meetingDestroyed{})},
			[]string{ended, destroyed},
		},
		"a breakout room": {
			[]message{at(meetingCreated{"x", "p"}), {meeting: "p", at: 7, body: breakoutStarted{"m", "p"}}},
			[]string{`{"sequence":0,"kind":"meeting_created"` + in + `,"external_id":"x","parent_id":"p"}`},
		},
	} {
		if diff := cmp.Diff(c.want, tells(t, newRooms(time.Now), c.messages...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The remote calls of the existing product count whom they add.
func TestArrivingAgain(t *testing.T) {
	t.Parallel()
	r := newRooms(time.Now)
	join := at(userJoined{userID: "a"})
	for i, want := range []bool{false, true} {
		if got := r.apply(join)[0].again; got != want {
			t.Errorf("arrival %d: again %v, want %v", i, got, want)
		}
	}
	r.apply(at(userLeft{"a"}))
	if r.apply(join)[0].again {
		t.Error("who left arrives again as the first time")
	}
}

func TestMemoryOfMeetingsIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newRooms(func() time.Time { return now })
	r.apply(at(meetingDestroyed{}))
	now = now.Add(remembered / 2)
	if r.sweepNow(time.Minute); len(r.gone) != 1 {
		t.Error("forgotten too early")
	}
	now = now.Add(remembered)
	if r.sweepNow(time.Minute); len(r.gone) != 0 {
		t.Error("not forgotten")
	}
}
