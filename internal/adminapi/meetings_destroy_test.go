package adminapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
)

func TestMeetingsDestroy(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		id := h.meeting(f, "room", "moderatorPW", "mp", "attendeePW", "ap")
		h.ask(admin, "PATCH /meetings/"+id, `{"meeting":{"Attendees":[{"FullName":"Ada Private"}],"Running":true}}`).is(200)
		before := h.ask(admin, "GET /meetings/"+id, "").is(200).meeting()
		h.ask(reader, "DELETE /meetings/"+id, "").is(403)
		h.ask(admin, "DELETE /meetings/"+id, "").is(200)
		h.ask(admin, "DELETE /meetings/"+id, "").is(404)
		h.ask(admin, "GET /meetings/"+id, "").is(404)
		if _, there := h.nodes[0].Room(id); !there || len(h.nodes[0].Calls("end")) > 0 {
			t.Error("§5 DELETE has ended the room")
		}
		m, err := h.store.Meeting(t.Context(), b3scale.MeetingKey{FrontendID: f.ID, MeetingID: "room"})
		if err != nil || m.State != b3scale.MeetingEnded {
			t.Errorf("the row is %s, %v", m.State, err)
		}

		h.nodes[0].EndNow(id)
		again := h.meeting(f, "room")
		answer := h.ask(admin, "DELETE /meetings/internal:"+before.InternalID, "")
		answer.is(404) // that was the other room
		last := h.ask(admin, "GET /meetings/"+again, "").is(200).meeting()
		ended := h.ask(admin, "DELETE /meetings/"+again+"?end=YES", "").is(200).meeting()
		if diff := cmp.Diff(last, ended); diff != "" {
			t.Errorf("§5 the answer is not the object as it was: %s", diff)
		}
		if got := len(h.nodes[0].Calls("end")); got != 1 {
			t.Errorf("the node was asked %d times to end it", got)
		}

		var actions []string
		for _, e := range h.audited("meeting") {
			actions = append(actions, fmt.Sprint(e.Action, " ", e.Object.ID == id, " ", e.Object.Name, " ", e.Actor.Subject, " ", e.Before != nil, " ", e.After != nil))
			if text := string(e.Before) + string(e.After); strings.Contains(text, "Private") || strings.Contains(text, `"mp"`) || strings.Contains(text, `"ap"`) {
				t.Errorf("the audit has names or passwords: %s", text)
			}
			if e.Actor.Address == "" || e.Actor.RequestID == "" {
				t.Errorf("who did it is %+v", e.Actor)
			}
		}
		want := []string{
			"meeting.end true room operator@example.org true false",
			"meeting.remove true room operator@example.org true false",
			"meeting.update true room operator@example.org true true",
		}
		if diff := cmp.Diff(want, actions); diff != "" {
			t.Error(diff)
		}
		var entries []AuditEntry
		h.ask(admin, "GET /audit?kind=meeting", "").into(&entries)
		if len(entries) != 3 {
			t.Errorf("%d entries are shown", len(entries))
		}
	})
}

func TestMeetingsDestroyThatFails(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		id := h.meeting(f, "room")
		h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"end"}, Key: "notToday", Message: "no"})
		if got := h.ask(admin, "DELETE /meetings/"+id+"?end=true", "").is(502).problem().Message; got != "end meeting failed: notToday" {
			t.Errorf("the operator is told %q", got)
		}
		h.nodes[0].ClearFaults()
		h.nodes[0].EndNow(id)
		h.ask(admin, "DELETE /meetings/"+id+"?end=true", "").is(404)
		h.ask(admin, "GET /meetings/"+id, "").is(404)
		if got := h.audited("meeting"); len(got) != 2 {
			t.Errorf("the audit has %d attempts, want 2", len(got))
		}

		id = h.meeting(f, "next")
		observing, _, door := h.instance(cluster.Options{Observe: true})
		if observing.Room(b3scale.MeetingKey{FrontendID: f.ID, MeetingID: "next"}) == nil {
			t.Fatal("the second instance does not know the meeting")
		}
		h.askAt(door, admin, "DELETE /meetings/"+id+"?end=true", "").is(409)
	})
}
