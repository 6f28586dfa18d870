package bbbtest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSequences(t *testing.T) {
	t.Parallel()
	const created, joined = "MeetingCreated", "UserRegistered UserJoinedMeeting"
	const presenter = " PresenterAssigned PresenterAssigned"
	type step struct {
		what string
		do   func(n *Node)
		want string // in 3.0
	}
	steps := []step{
		{"ada joins", joins(ada), joined + presenter},
		{"bob joins", joins(bob), joined},
		{"somebody calls", joins(phone), "UserJoinedVoice"},
		{"ada speaks", func(n *Node) { n.Voice(physics, ada.UserID, true, false) }, "UserJoinedVoice"},
		{"ada speaks already", func(n *Node) { n.Voice(physics, ada.UserID, true, false) }, ""},
		{"bob listens", func(n *Node) { n.Voice(physics, bob.InternalID, true, true) }, "UserJoinedVoice"},
		{"bob speaks", func(n *Node) { n.Voice(physics, bob.UserID, true, false) }, "UserLeftVoice UserJoinedVoice"},
		{"two cameras", func(n *Node) { n.Camera(physics, ada.UserID, "one", true); n.Camera(physics, ada.UserID, "two", true) }, "UserCamStarted UserCamStarted"},
		{"a camera twice", func(n *Node) { n.Camera(physics, ada.UserID, "one", true) }, ""},
		{"one camera off", func(n *Node) { n.Camera(physics, ada.UserID, "one", false) }, "UserCamStopped"},
		{"unknown camera off", func(n *Node) { n.Camera(physics, ada.UserID, "one", false) }, ""},
		{"screen", func(n *Node) { n.Screenshare(physics, ada.UserID, true) }, "ScreenshareStarted"},
		{"second screen", func(n *Node) { n.Screenshare(physics, bob.UserID, true) }, ""},
		{"recording", func(n *Node) { n.Recording(physics, ada.UserID, true) }, "RecordingStatusChanged"},
		{"recording twice", func(n *Node) { n.Recording(physics, ada.UserID, true) }, ""},
		{"bob presents", func(n *Node) { n.Change(physics, bob.UserID, func(a *Attendee) { a.Presenter = true }) }, "PresenterUnassigned PresenterAssigned"},
		{"bob's line breaks", func(n *Node) { n.Disconnect(physics, bob.UserID) }, "UserLeftVoice UserLeftFlagUpdated"},
		{"bob is back", func(n *Node) { time.Sleep(30 * time.Second); n.Reconnect(physics, bob.UserID) }, "UserLeftFlagUpdated"},
		{"bob stays", func(*Node) { time.Sleep(2 * time.Minute) }, ""},
		{"bob's line breaks for good", func(n *Node) { n.Disconnect(physics, bob.UserID); time.Sleep(time.Minute) }, "UserLeftFlagUpdated UserLeftMeeting PresenterAssigned"},
		{"the caller hangs up", func(n *Node) { n.Voice(physics, phone.InternalID, false, false) }, "UserLeftVoice"},
		{"ada leaves", func(n *Node) { n.Leave(physics, ada.UserID) }, "ScreenshareStopped UserCamStopped UserLeftVoice UserLeftMeeting"},
		{"nobody leaves", func(n *Node) { n.Leave(physics, ada.UserID) }, ""},
		{"both come again", joins(ada, bob), joined + presenter + " " + joined},
		{"bob is thrown out", func(n *Node) { n.Eject(physics, bob.UserID, ada.UserID) }, "UserLeftMeeting"},
		{"by nobody", func(n *Node) { n.Eject(physics, ada.UserID, bob.UserID) }, ""},
		{"end", func(n *Node) { n.inRoom(physics, func(r *room) bool { n.endRoom(r); return true }) }, "MeetingEnding"},
		{"ada leaves the ending room", func(n *Node) { n.Leave(physics, ada.UserID) }, ""},
		{"bob comes to the ending room", joins(bob), ""},
		{"ended", func(*Node) { time.Sleep(time.Second) }, "MeetingEnded"},
		{"not destroyed yet", func(*Node) { time.Sleep(2 * time.Second) }, ""},
		{"destroyed", func(*Node) { time.Sleep(time.Second) }, "DisconnectAllClients MeetingDestroyed"},
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n, c := physicsTaped(t, version)
				n.opts.EndDelay = time.Second
				if got, want := c.cut(t), as(version, created); got != want {
					t.Errorf("create: got %q, want %q", got, want)
				}
				for _, s := range steps {
					s.do(n)
					synctest.Wait()
					got := strings.Join(strings.Fields(strings.ReplaceAll(c.cut(t), "CheckAlivePong", "")), " ")
					want := as(version, s.want)
					if version == "2.4" && s.what == "bob is thrown out" {
						want = "UserEjectedFromMeeting " + want
					}
					if got != want {
						t.Errorf("%s: got %q, want %q", s.what, got, want)
					}
				}
			})
		})
	}
}

// as is what an older version publishes where 3.0 publishes these.
func as(version, names string) string {
	var out []string
	for name := range strings.FieldsSeq(names) {
		if name == "UserLeftFlagUpdated" && version == "2.4" {
			continue
		}
		out = append(out, name)
		switch name {
		case "MeetingCreated", "MeetingEnding", "MeetingDestroyed", "UserLeftMeeting", "UserLeftVoice":
			if version != "3.0" {
				out = append(out, "copy:"+name)
			}
		}
	}
	return strings.Join(out, " ")
}

func TestBreakoutEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, c := taped(t, Options{})
		get(t, n, "create", "meetingID", "parent", "name", "Parent")
		n.Join("parent", ada)
		c.cut(t)
		rooms := n.OpenBreakouts("parent", 2)
		if got, want := c.cut(t), "MeetingCreated MeetingCreated pres:BreakoutRoomStarted pres:BreakoutRoomStarted pres:BreakoutRoomsList"; got != want {
			t.Errorf("open: got %q, want %q", got, want)
		}
		n.Join(rooms[0].InternalID, Attendee{FullName: "Bob"})
		if got, want := c.cut(t), "UserRegistered UserJoinedMeeting pres:UpdateBreakoutUsers"; got != want {
			t.Errorf("join: got %q, want %q", got, want)
		}
		n.EndNow(rooms[0].InternalID)
		if got, want := c.last(t, "MeetingEndingEvtMsg"), `"reason":"BREAKOUT_ENDED_BY_MOD"`; !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := c.cut(t), "MeetingEnding MeetingEnded pres:BreakoutRoomEnded"; got != want {
			t.Errorf("end of a breakout: got %q, want %q", got, want)
		}
		n.EndNow("parent")
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if got, want := c.cut(t), "MeetingEnding MeetingEnding MeetingEnded pres:BreakoutRoomEnded MeetingEnded"+
			strings.Repeat(" DisconnectAllClients MeetingDestroyed", 3); got != want {
			t.Errorf("end of the parent: got %q, want %q", got, want)
		}
	})
}

func TestRefusalsPublishNothing(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n, c := physicsTaped(t, version)
		n.AddRoom(Room{ExternalID: "full", MaxUsers: 1, GuestPolicy: "ALWAYS_DENY", Attendees: []Attendee{ada}})
		c.cut(t)
		same := []string{"name", "Physics again", "meetingID", physics, "attendeePW", minted["attendeePW"], "moderatorPW", minted["moderatorPW"]}
		get(t, n, "create", same...)
		get(t, n, "create", "name", "Physics again", "meetingID", physics, "attendeePW", "other", "moderatorPW", "one")
		get(t, n, "create", "name", "x", "meetingID", "other")
		get(t, n, "create", "name", "Other", "meetingID", "other", "voiceBridge", minted["voiceBridge"])
		get(t, n, "create", "name", "Other", "meetingID", "other", "isBreakout", "true", "parentMeetingID", "none", "sequence", "1")
		get(t, n, "join", "meetingID", physics, "fullName", "Ada", "password", "wrong")
		get(t, n, "join", "meetingID", "none", "fullName", "Ada", "role", "viewer")
		get(t, n, "join", "meetingID", "full", "fullName", "Ada", "role", "viewer")
		get(t, n, "join", "meetingID", physics, "fullName", "Ada", "role", "viewer", "createTime", "1")
		get(t, n, "end", "meetingID", "none")
		get(t, n, "end", "meetingID", "none", "password", "wrong")
		text(t, ask(t, n, request{call: "end", query: query("meetingID", physics, "password", minted["moderatorPW"]), unsigned: true}))
		for _, f := range []Kind{FailWith, ServerError, HangUp} {
			n.SetFault(Fault{Kind: f, Times: 1, Key: "down", Message: "Down"})
			func() {
				defer func() { _ = recover() }() // a connection that is hung up
				get(t, n, "create", "name", "New", "meetingID", "new")
			}()
		}
		if got := c.cut(t); got != "" {
			t.Errorf("%s: published %q, want nothing", version, got)
		}
	}
}

func TestGuestsWhoWaitAreNotPresent(t *testing.T) {
	t.Parallel()
	n, c := taped(t, Options{})
	n.AddRoom(Room{ExternalID: "room", GuestPolicy: "ASK_MODERATOR"})
	c.cut(t)
	get(t, n, "join", "meetingID", "room", "fullName", "Guest", "role", "viewer", "guest", "true")
	if got, want := c.cut(t), "UserRegistered"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRecordingStartsByItself(t *testing.T) {
	t.Parallel()
	n, c := taped(t, Options{})
	get(t, n, "create", "name", "Room", "meetingID", "room", "record", "true", "autoStartRecording", "true")
	n.Join("room", bob)
	if got, want := c.last(t, "RecordingStatusChangedEvtMsg"), `"body":{"recording":true,"setBy":"system"}`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if n.AddRoom(Room{ExternalID: "unrecorded", Attendees: []Attendee{bob}}); n.Recording("unrecorded", bob.UserID, true) {
		t.Error("a room that must not be recorded is recorded")
	}
}

func TestLostEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, c := taped(t, Options{Version: "2.7"})
		n.AddRoom(Room{ExternalID: "room"})
		c.cut(t)
		n.DropEvents(2)
		time.Sleep(10 * time.Second) // a pong does not count
		synctest.Wait()
		n.Join("room", bob)
		n.Leave("room", bob.UserID)
		if got, want := c.cut(t), "CheckAlivePong UserLeftMeeting copy:UserLeftMeeting"; got != want {
			t.Errorf("drop: got %q, want %q", got, want)
		}
		n.DropEvents(1, "UserLeftMeetingEvtMsg")
		n.Join("room", bob)
		n.Leave("room", bob.UserID)
		n.Join("room", bob)
		if got, want := c.cut(t), "UserRegistered UserJoinedMeeting UserRegistered UserJoinedMeeting"; got != want {
			t.Errorf("drop by name: got %q, want %q", got, want)
		}
		n.PauseEvents(true)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		n.Leave("room", bob.UserID)
		n.PauseEvents(false)
		synctest.Wait()
		if got := c.cut(t); got != "" {
			t.Errorf("pause: got %q, want nothing", got)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got, want := c.cut(t), "CheckAlivePong"; got != want {
			t.Errorf("after the pause: got %q, want %q", got, want)
		}
		n.ForgetRooms()
		if got := c.cut(t); got != "" {
			t.Errorf("restart: got %q, want nothing", got)
		}
		n.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := c.cut(t); got != "" {
			t.Errorf("closed: got %q, want nothing", got)
		}
	})
}

// Who gets the events may use the node: it is not locked, and what that
// publishes goes out behind.
func TestReceiverMayUseTheNode(t *testing.T) {
	t.Parallel()
	var n *Node
	var c tape
	n = New(Options{Events: func(channel string, message []byte) {
		c.record(channel, message)
		if strings.Contains(string(message), "UserJoinedMeetingEvtMsg") {
			n.Leave("room", bob.UserID)
		}
	}})
	t.Cleanup(n.Close)
	n.AddRoom(Room{ExternalID: "room"})
	n.Join("room", bob)
	if got, want := c.cut(t), "MeetingCreated UserRegistered UserJoinedMeeting UserLeftMeeting"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
