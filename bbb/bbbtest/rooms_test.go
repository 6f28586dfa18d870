package bbbtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale/bbb"
)

func TestCreateTimesDifferWithinOneMillisecond(t *testing.T) {
	t.Parallel()
	n := New(Options{Now: clock(physicsTime)})
	var got []int64
	for range 3 {
		get(t, n, "create", "meetingID", "room", "name", "Room")
		r, _ := n.Room("room")
		if want := internalID("room", r.CreateTime); r.InternalID != want {
			t.Errorf("internal id is %q, want %q", r.InternalID, want)
		}
		got = append(got, r.CreateTime-physicsTime)
		get(t, n, "end", "meetingID", "room")
	}
	if want := []int64{0, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("create times are %v after the clock, want %v", got, want)
	}
}

func TestInternalIDsByVersion(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := New(Options{Version: version})
		r := n.AddRoom(Room{ExternalID: "room", Attendees: []Attendee{{FullName: "Ada"}}})
		for id, want := range map[string]bool{
			"room": true, r.InternalID: version != "2.4", r.InternalID[:40]: version != "2.4", r.InternalID + "0": false, r.InternalID[:39]: false,
		} {
			got := strings.Contains(get(t, n, "isMeetingRunning", "meetingID", id), "true")
			if got != want {
				t.Errorf("%s: %q is found: %v, want %v", version, id, got, want)
			}
		}
	}
}

func TestEndTakesItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{EndDelay: 2 * time.Second})
		defer n.Close()
		n.AddRoom(Room{ExternalID: "room"})
		for range 2 { // the second one changes nothing
			if got := key(t, n, "end", "meetingID", "room"); got != "sentEndMeetingRequest" {
				t.Errorf("messageKey is %q, want sentEndMeetingRequest", got)
			}
		}
		if r, ok := n.Room("room"); !ok || !r.Ending {
			t.Errorf("room is there: %v, ending: %v; want both", ok, r.Ending)
		}
		if got := key(t, n, "create", "meetingID", "room", "name", "Room"); got != "duplicateWarning" {
			t.Errorf("create meanwhile: messageKey is %q, want duplicateWarning", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := key(t, n, "getMeetingInfo", "meetingID", "room"); got != "notFound" {
			t.Errorf("messageKey is %q, want notFound", got)
		}
	})
}

func TestEndOfAForgottenRoomHitsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{EndDelay: 2 * time.Second})
		defer n.Close()
		n.AddRoom(Room{ExternalID: "room"})
		get(t, n, "end", "meetingID", "room")
		n.ForgetRooms()
		n.AddRoom(Room{ExternalID: "room"})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(n.Rooms()) != 1 {
			t.Error("the new room was ended with the old one")
		}
	})
}

func TestOfflinePeopleByVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2.7", "3.0"} {
		n := New(Options{Version: version})
		n.AddRoom(Room{ExternalID: "room", Attendees: []Attendee{{FullName: "Ada"}, {FullName: "Bob", Offline: true}}})
		modern := version == "3.0"
		for _, call := range []string{"getMeetingInfo", "getMeetings"} {
			body := get(t, n, call, "meetingID", "room")
			listed := strings.Contains(body, "Bob")
			if want := !modern || call == "getMeetings"; listed != want {
				t.Errorf("%s %s: Bob is listed: %v, want %v", version, call, listed, want)
			}
			if counted := strings.Contains(body, "<participantCount>2<"); counted == modern {
				t.Errorf("%s %s: Bob is counted: %v", version, call, counted)
			}
		}
	}
}

func TestGroupingByVersionAndCall(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := New(Options{Version: version})
		n.AddRoom(Room{ExternalID: "room", MaxUsers: 12345, Attendees: make([]Attendee, 1000)})
		for call, want := range map[string][2]bool{ // participantCount and maxUsers
			"getMeetingInfo": {version == "2.4", version == "2.4"},
			"getMeetings":    {true, version != "3.0"},
		} {
			body := get(t, n, call, "meetingID", "room")
			got := [2]bool{strings.Contains(body, "<participantCount>1,000<"), strings.Contains(body, "<maxUsers>12,345<")}
			if got != want {
				t.Errorf("%s %s: grouped are %v, want %v", version, call, got, want)
			}
		}
	}
}

func TestExtraElements(t *testing.T) {
	t.Parallel()
	const extra = `<newThing a="1"><deep>x &amp; y</deep></newThing>`
	n := New(Options{ExtraElements: extra})
	for i, body := range []string{
		get(t, n, "create", "meetingID", "room", "name", "Room"),
		get(t, n, "getMeetingInfo", "meetingID", "room"),
		get(t, n, "getMeetings"),
	} {
		if !strings.Contains(body, extra+"\n</") {
			t.Errorf("%d: element is missing in %s", i, body)
		}
		keyOf(t, body)
	}
}

func TestNewVoiceBridgesAreFree(t *testing.T) {
	t.Parallel()
	n := New(Options{Mint: func(what string) string {
		if what == "voiceBridge" {
			return testBridge
		}
		return ""
	}})
	for i := range 5 {
		if got := key(t, n, "create", "meetingID", fmt.Sprint("room-", i), "name", "Room"); got != "" {
			t.Errorf("messageKey is %q, want none", got)
		}
	}
	for _, r := range n.Rooms() {
		if r.VoiceBridge == testBridge {
			t.Error("the test bridge was given away")
		}
	}
}

func TestAddRoomTwiceIsAMistake(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.AddRoom(Room{ExternalID: "room"})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	n.AddRoom(Room{ExternalID: "room"})
}

// Everything at once, for the race detector.
func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	n := New(Options{LogSize: 50})
	client := bbb.NewClient(bbb.ClientOptions{Transport: Transport(n)})
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			id := fmt.Sprint("room-", i%4)
			for range 30 {
				for _, name := range []string{"create", "join", "getMeetingInfo", "getMeetings", "isMeetingRunning", "getSessions", "end"} {
					p := params("meetingID", id, "name", "Room", "fullName", "Ada", "role", "VIEWER", "redirect", "false", "userID", "ada")
					_, err := client.Do(t.Context(), n.API(), bbb.Call{Name: name, Params: p})
					if o := bbb.OutcomeOf(err); err != nil && o != bbb.ServerError { // a join may be a redirect
						t.Errorf("%s: %v", name, err)
					}
				}
				n.Join(id, Attendee{UserID: "bob"})
				n.OpenBreakouts(id, 1)
				n.Change(id, "bob", func(a *Attendee) { a.Voice = true })
				n.Leave(id, "bob")
				n.SetFault(Fault{Kind: Latency, Delay: time.Microsecond, Times: 1})
				n.Rooms()
				n.Requests()
				n.ForgetRooms()
			}
		})
	}
	callers.Wait()
	if got := len(n.Requests()); got != 50 {
		t.Errorf("%d requests are remembered, want 50", got)
	}
}
