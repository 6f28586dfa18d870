package bbbtest

import (
	"net/http"
	"strings"
	"testing"
)

func TestCreateReadsItsParameters(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	get(t, n, "create", "meetingID", " ro\x01om ", "name", "A  &\tB", "maxParticipants", "7", "duration", "90", "record", "TRUE",
		"guestPolicy", "ask_moderator", "meta_Some-Key", " one ", "meta_1bad", "x", "meta_bad_one", "x", "meta_", "x", "unknown", "kept")
	r, ok := n.Room("room")
	if !ok {
		t.Fatal("room is not there: its id was not cleaned")
	}
	if r.Name != "A  &B" || r.MaxUsers != 7 || r.Duration != 90 || !r.Recording || r.GuestPolicy != "ASK_MODERATOR" {
		t.Errorf("got %+v", r)
	}
	if got := r.Metadata.Encode(); got != "some-key=one" {
		t.Errorf("metadata is %q, want some-key=one", got)
	}
	if got := r.Params.Get("unknown"); got != "kept" {
		t.Errorf("parameter is %q, want kept", got)
	}
	if got := get(t, n, "getMeetingInfo", "meetingID", "room"); !strings.Contains(got, "<meetingName>A &amp;B</meetingName>") {
		t.Errorf("white space is not collapsed: %s", got)
	}
}

func TestRepeatedCreateByVersion(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := New(Options{Version: version})
		create := func(attendeePW, moderatorPW string) string {
			return key(t, n, "create", "meetingID", "room", "name", "Room", "attendeePW", attendeePW, "moderatorPW", moderatorPW)
		}
		create("attend", "moderate")
		before, _ := n.Room("room")
		bare := "idNotUnique"
		if version == "3.0" {
			bare = "duplicateWarning"
		}
		for _, test := range []struct{ attendeePW, moderatorPW, want string }{
			{"attend", "moderate", "duplicateWarning"}, {"attend", "other", "idNotUnique"}, {"", "moderate", "idNotUnique"}, {"", "", bare},
		} {
			if got := create(test.attendeePW, test.moderatorPW); got != test.want {
				t.Errorf("%s: create with %q, %q: messageKey is %q, want %q", version, test.attendeePW, test.moderatorPW, got, test.want)
			}
		}
		if after, _ := n.Room("room"); after.InternalID != before.InternalID {
			t.Errorf("%s: the room was replaced", version)
		}
	}
}

func TestMalformedModulesBreakCreate(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := New(Options{Version: version})
		r := request{call: "create", method: "POST", query: "meetingID=room&name=Room", contentType: "application/xml", body: "<modules><module>"}
		if got := ask(t, n, r).StatusCode; got != http.StatusInternalServerError {
			t.Errorf("%s: status is %d, want 500", version, got)
		}
		if _, made := n.Room("room"); made != (version != "3.0") {
			t.Errorf("%s: room is there: %v", version, made)
		}
	}
}

func TestAbsentMeetingIDByVersion(t *testing.T) {
	t.Parallel()
	for _, version := range versions[:4] {
		n := New(Options{Version: version})
		if got := ask(t, n, request{call: "create", query: "name=Room"}).StatusCode; got != http.StatusInternalServerError {
			t.Errorf("%s: status is %d, want 500", version, got)
		}
	}
}
