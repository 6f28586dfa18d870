package bbbtest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestBreakoutErrorsByVersion(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := New(Options{Version: version})
		n.AddRoom(Room{ExternalID: "parent"})
		for query, message := range map[string]string{
			"sequence=1":                        "parentMeetingIDMissing",
			"sequence=1&parentMeetingID=nobody": "parentMeetingDoesNotExist",
			"parentMeetingID=parent":            "",
		} {
			resp := ask(t, n, request{call: "create", query: "meetingID=room-1&name=Room&isBreakout=true&" + query})
			if version != "3.0" || message == "" {
				if resp.StatusCode != http.StatusInternalServerError {
					t.Errorf("%s: %s: status is %d, want 500", version, query, resp.StatusCode)
				}
			} else if got := keyOf(t, text(t, resp)); got != message {
				t.Errorf("%s: %s: messageKey is %q, want %q", version, query, got, message)
			}
		}
	}
}

func TestBreakoutsLiveWithTheirParent(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	get(t, n, "create", "meetingID", "parent", "name", "Parent", "meta_origin", "school")
	opened := n.OpenBreakouts("parent", 2)
	if len(opened) != 2 || opened[0].ExternalID == opened[1].ExternalID || opened[0].VoiceBridge == opened[1].VoiceBridge {
		t.Fatalf("got %+v", opened)
	}
	for i, r := range opened {
		if r.Metadata.Get("origin") != "school" || r.Sequence != i+1 {
			t.Errorf("breakout is %+v", r)
		}
		if got := get(t, n, "getMeetingInfo", "meetingID", r.ExternalID); !strings.Contains(got, "<isBreakout>true</isBreakout>") {
			t.Errorf("breakout is not found by its external id: %s", got)
		}
	}
	n.EndNow(opened[0].ExternalID)
	if r, _ := n.Room("parent"); !slices.Equal(r.Breakouts, []string{opened[1].ExternalID}) {
		t.Errorf("breakouts are %v, want the second one", r.Breakouts)
	}
	get(t, n, "end", "meetingID", "parent")
	if rooms := n.Rooms(); len(rooms) != 0 {
		t.Errorf("%d rooms are left, want none", len(rooms))
	}
}

func TestAPIBreakoutIsCalledByItsInternalID(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.AddRoom(Room{ExternalID: "parent"})
	create := func() string {
		return key(t, n, "create", "meetingID", "my-room", "name", "Room", "isBreakout", "true", "parentMeetingID", "parent", "sequence", "3", "freeJoin", "true")
	}
	if got := create(); got != "" {
		t.Fatalf("messageKey is %q, want none", got)
	}
	r, ok := n.Room("my-room")
	if !ok || r.InternalID != "my-room" || !strings.HasSuffix(r.ExternalID, "-room") || !r.FreeJoin {
		t.Errorf("room is %+v", r)
	}
	if again, ok := n.Room(r.ExternalID); !ok || again.InternalID != r.InternalID {
		t.Error("room is not found by its external id")
	}
	if got := create(); got != "duplicateWarning" {
		t.Errorf("messageKey is %q, want duplicateWarning", got)
	}
}
