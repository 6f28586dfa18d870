package bbbtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tape records what a node publishes.
type tape struct {
	mu     sync.Mutex
	events []event
}

func (c *tape) record(channel string, message []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, event{channel, message})
}

// cut returns what was recorded since the last cut, as names; on another
// channel than the usual one with its name in front.
func (c *tape) cut(t *testing.T) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	short := strings.NewReplacer("EvtMsg", "", "SysMsg", "", "RespMsg", "", "VoiceConfToClient", "Voice", "ScreenshareRtmpBroadcast", "Screenshare", "Broadcast", "")
	for _, e := range c.events {
		name := short.Replace(decodeEvent(t, e.message).Core.Header.Name)
		switch e.channel {
		case BreakoutChannel:
			name = "pres:" + name
		case FrontendCopyChannel:
			name = "copy:" + name
		}
		names = append(names, name)
	}
	c.events = nil
	return strings.Join(names, " ")
}

// last is the newest message of a name.
func (c *tape) last(t *testing.T, name string) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range slices.Backward(c.events) {
		if decodeEvent(t, e.message).Core.Header.Name == name {
			return string(e.message)
		}
	}
	t.Fatalf("%s was not published", name)
	return ""
}

type decodedEvent struct {
	Envelope struct {
		Name      string `json:"name"`
		Timestamp int64  `json:"timestamp"`
	} `json:"envelope"`
	Core struct {
		Header struct {
			Name      string `json:"name"`
			MeetingID string `json:"meetingId"`
		} `json:"header"`
		Body json.RawMessage `json:"body"`
	} `json:"core"`
}

func decodeEvent(t *testing.T, message []byte) decodedEvent {
	t.Helper()
	var e decodedEvent
	if err := json.Unmarshal(message, &e); err != nil {
		t.Fatalf("event is no JSON: %v: %s", err, message)
	}
	return e
}

func taped(t *testing.T, opts Options) (*Node, *tape) {
	t.Helper()
	c := &tape{}
	opts.Events = c.record
	n := New(opts)
	t.Cleanup(n.Close)
	return n, c
}

var (
	ada   = Attendee{UserID: "teacher-1", InternalID: "w_k3v9q2m7x1ab", FullName: "Ada Example", Role: Moderator}
	bob   = Attendee{UserID: "student-17", InternalID: "w_p0z8y7r6t5cd", FullName: "Bob <Tester>"}
	phone = Attendee{InternalID: "v_c5d6e7f8g9hi", FullName: "+49305550100", ClientType: "dial-in-user"}
)

const stream = "w_k3v9q2m7x1ab-a1b2c3d4e5f60718293a4b5c6d7e8f90"

// What differs between the fixtures and a run: times, counters and colours.
var variable = regexp.MustCompile(`"(timestamp|registeredOn|bbbWebTimestamp|akkaAppsTimestamp)":"?\d+"?|"(voiceUserId)":"\d+"|"(color)":"#[0-9a-f]{6}"|(checksum)=[0-9a-f]+`)

func stable(message string) string { return variable.ReplaceAllString(message, `"$1$2$3$4":"…"`) }

// Every event is the fixture's, byte for byte: members, their order, types.
func TestEventsAreThoseOfRealNodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fixture, version string
		do               func(n *Node)
	}{
		{"MeetingCreatedEvtMsg.2.4", "2.4.0", nil},
		{"MeetingCreatedEvtMsg.2.5", "2.5", nil},
		{"MeetingCreatedEvtMsg.2.5", "2.6", nil},
		{"MeetingCreatedEvtMsg.2.7", "2.7", nil},
		{"MeetingCreatedEvtMsg.3.0", "3.0.0", nil},
		{"MeetingCreatedEvtMsg.breakout.3.0", "3.0.0", openBreakout},
		{"BreakoutRoomStartedEvtMsg.3.0", "3.0", openBreakout},
		{"BreakoutRoomsListEvtMsg.2.4", "2.4", openBreakout},
		{"BreakoutRoomsListEvtMsg.2.5", "2.5", openBreakout},
		{"BreakoutRoomsListEvtMsg.2.5", "2.7", openBreakout},
		{"BreakoutRoomsListEvtMsg.3.0", "3.0", openBreakout},
		{"BreakoutRoomEndedEvtMsg", "3.0", func(n *Node) { openBreakout(n); n.EndNow(breakoutID1) }},
		{"UpdateBreakoutUsersEvtMsg", "3.0", func(n *Node) {
			openBreakout(n)
			n.Join(breakoutID1, Attendee{UserID: "w_p0z8y7r6t5cd-1", FullName: bob.FullName})
		}},
		{"CheckAlivePongSysMsg", "2.4", func(*Node) { time.Sleep(10 * time.Second); synctest.Wait() }},
		{"CheckAlivePongSysMsg", "3.0", func(*Node) { time.Sleep(10 * time.Second); synctest.Wait() }},
		{"MeetingEndingEvtMsg", "3.0", endPhysics},
		{"MeetingEndedEvtMsg", "2.4", endPhysics},
		{"DisconnectAllClientsSysMsg", "2.5", endPhysics},
		{"MeetingDestroyedEvtMsg", "3.0", endPhysics},
		{"UserRegisteredRespMsg", "3.0", joins(ada)},
		{"UserJoinedMeetingEvtMsg.2.4", "2.4", joins(ada)},
		{"UserJoinedMeetingEvtMsg.2.5", "2.6", joins(ada)},
		{"UserJoinedMeetingEvtMsg.2.7", "2.7", joins(ada)},
		{"UserJoinedMeetingEvtMsg.3.0", "3.0.0", joins(withSkip(ada))},
		{"UserJoinedMeetingEvtMsg.3.0.x", "3.0", joins(withSkip(ada))},
		{"UserJoinedMeetingEvtMsg.viewer.3.0", "3.0.0", joins(withSkip(bob))},
		{"UserLeftMeetingEvtMsg.2.4", "2.4", func(n *Node) { joins(bob)(n); n.Leave(physics, bob.UserID) }},
		{"UserLeftMeetingEvtMsg.2.5", "2.5", func(n *Node) { joins(bob)(n); n.Leave(physics, bob.UserID) }},
		{"UserLeftMeetingEvtMsg.ejected.2.5", "3.0", func(n *Node) { joins(ada, bob)(n); n.Eject(physics, bob.UserID, ada.UserID) }},
		{"UserEjectedFromMeetingEvtMsg.2.4", "2.4", func(n *Node) { joins(ada, bob)(n); n.Eject(physics, bob.UserID, ada.UserID) }},
		{"UserLeftFlagUpdatedEvtMsg.2.5", "2.5", func(n *Node) { joins(bob)(n); n.Disconnect(physics, bob.UserID) }},
		{"UserRoleChangedEvtMsg", "3.0", func(n *Node) {
			joins(ada, bob)(n)
			n.Change(physics, bob.UserID, func(a *Attendee) { a.Role = Moderator })
		}},
		{"PresenterAssignedEvtMsg", "3.0", joins(ada)},
		{"PresenterUnassignedEvtMsg", "3.0", func(n *Node) {
			cy := bob
			cy.Role = Moderator // the first moderator takes the presentation back
			joins(cy, ada)(n)
			n.Change(physics, ada.UserID, func(a *Attendee) { a.Presenter = true })
			n.Change(physics, cy.UserID, func(a *Attendee) { a.Presenter = true })
		}},
		{"UserJoinedVoiceConfToClientEvtMsg.2.4", "2.4", voiceOf(ada, false)},
		{"UserJoinedVoiceConfToClientEvtMsg.2.4", "2.6", voiceOf(ada, false)},
		{"UserJoinedVoiceConfToClientEvtMsg.3.0", "3.0", voiceOf(ada, false)},
		{"UserJoinedVoiceConfToClientEvtMsg.listenOnly.3.0", "3.0", voiceOf(Attendee{InternalID: bob.InternalID, FullName: "Bob"}, true)},
		{"UserJoinedVoiceConfToClientEvtMsg.phone.3.0", "2.7", joins(phone)},
		{"UserLeftVoiceConfToClientEvtMsg", "3.0", func(n *Node) {
			voiceOf(ada, false)(n)
			n.Voice(physics, ada.UserID, false, false)
		}},
		{"UserBroadcastCamStartedEvtMsg", "3.0", func(n *Node) { joins(ada)(n); n.Camera(physics, ada.UserID, "", true) }},
		{"UserBroadcastCamStoppedEvtMsg", "2.4", func(n *Node) {
			joins(ada)(n)
			n.Camera(physics, ada.UserID, stream, true)
			n.Camera(physics, ada.UserID, stream, false)
		}},
		{"ScreenshareRtmpBroadcastStartedEvtMsg.2.5", "2.5", func(n *Node) { joins(ada)(n); n.Screenshare(physics, ada.UserID, true) }},
		{"ScreenshareRtmpBroadcastStartedEvtMsg.3.0", "3.0", func(n *Node) { joins(ada)(n); n.Screenshare(physics, ada.UserID, true) }},
		{"ScreenshareRtmpBroadcastStoppedEvtMsg", "3.0", func(n *Node) {
			joins(ada)(n)
			n.Screenshare(physics, ada.UserID, true)
			n.Screenshare(physics, ada.UserID, false)
		}},
		{"RecordingStatusChangedEvtMsg.started", "3.0", func(n *Node) { joins(ada)(n); n.Recording(physics, ada.UserID, true) }},
		{"RecordingStatusChangedEvtMsg.stopped", "2.4", func(n *Node) {
			joins(ada)(n)
			n.Recording(physics, ada.UserID, true)
			n.Recording(physics, ada.UserID, false)
		}},
	}
	for _, test := range tests {
		t.Run(test.fixture+" of "+test.version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n, c := physicsTaped(t, test.version)
				if test.do != nil {
					test.do(n)
				}
				name, _, _ := strings.Cut(test.fixture, ".")
				if got, want := stable(c.last(t, name)), stable(eventFixture(t, test.fixture)); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

func eventFixture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// physicsTaped has the room of the fixtures, created as for them.
func physicsTaped(t *testing.T, version string) (*Node, *tape) {
	t.Helper()
	n, c := taped(t, Options{
		Version: version, Secret: "fixture-Secret-6b1f0e9d4c", PublicURL: "https://node1.bbb.example.org", LogSize: -1,
		Now: clock(physicsTime),
		Mint: func(what string) string {
			switch what {
			case "userID":
				return ""
			case "stream":
				return "a1b2c3d4e5f60718293a4b5c6d7e8f90"
			case "authToken":
				return "d9f8a7b6c5e4"
			}
			return minted[what]
		},
	})
	extra := []string{}
	if n.version.since(2, 7) {
		extra = append(extra, "disabledFeatures", "polls")
	}
	get(t, n, "create", append([]string{
		"name", "Physics & Chemistry 101", "meetingID", physics, "record", "true", "welcome", "Welcome to %%CONFNAME%%",
		"meta_bbb-origin", "Moodle", "meta_bbb-origin-version", "4.5", "meta_bbb-origin-server-name", "lms.example.org",
		"meta_endCallbackUrl", "https://lb.example.org/cb/end/7c1d?x=1", "meta_bbb-context-name", "Labs & Seminars",
	}, extra...)...)
	n.inRoom(physics, func(r *room) bool { r.Metadata.Delete("endcallbackurl"); return true }) // nobody is there to call
	return n, c
}

func joins(people ...Attendee) func(*Node) {
	return func(n *Node) {
		for _, a := range people {
			n.Join(physics, a)
		}
	}
}

func voiceOf(a Attendee, listenOnly bool) func(*Node) {
	return func(n *Node) {
		n.Join(physics, a)
		n.Voice(physics, a.InternalID, true, listenOnly)
	}
}

func withSkip(a Attendee) Attendee {
	a.Userdata = params("bbb_skip_check_audio", "true")
	return a
}

// openBreakout makes the breakout room of the fixtures, for Bob.
func openBreakout(n *Node) {
	joins(Attendee{InternalID: bob.InternalID, FullName: "Bob"})(n)
	n.AddRoom(Room{
		ExternalID: "ba201b51551a548e1b727547cef34bf902c627d3-1767227400789", InternalID: breakoutID1, ParentID: physicsID, Sequence: 1,
		Name: "Physics & Chemistry 101 (Room 1)", CreateTime: breakoutAt, VoiceBridge: "712341", Duration: 15,
		Params: params("welcome", "Welcome to %%CONFNAME%%"),
		Metadata: params("bbb-origin", "Moodle", "bbb-origin-version", "4.5", "bbb-origin-server-name", "lms.example.org",
			"endcallbackurl", "https://lb.example.org/cb/end/7c1d?x=1", "bbb-context-name", "Labs & Seminars"),
	})
	n.inRoom(physics, func(r *room) bool { n.tellBreakouts(r, true); return true })
}

func endPhysics(n *Node) {
	n.inRoom(physics, func(r *room) bool { n.endRoom(r); return true })
	time.Sleep(2500 * time.Millisecond)
	synctest.Wait()
}
