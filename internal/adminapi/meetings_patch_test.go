package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
	"b3scale/internal/routing"
)

func TestMeetingsPatch(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		id := h.meeting(f, "room", "meta_a", "1", "meta_b", "2")
		have := h.ask(admin, "GET /meetings/"+id, "").is(200).meeting().Meeting
		patch := func(name, body string, want func(m *MeetingInfo)) {
			t.Helper()
			want(&have)
			got := h.ask(admin, "PATCH /meetings/"+id, body).is(200).meeting().Meeting
			if diff := cmp.Diff(have, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			again := h.ask(admin, "GET /meetings/"+id, "").is(200).meeting().Meeting
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("%s does not stay: %s", name, diff)
			}
		}
		nothing := func(*MeetingInfo) {}
		patch("an empty body", "", nothing)
		patch("no members", "{}", nothing)
		patch("null", `{"meeting":null}`, nothing)
		patch("§5 other members", `{"id":"x","internal_id":"y","frontend_id":"z","backend_id":null,"created_at":"1","new":{}}`, nothing)
		patch("§5 PATCH merges fields", `{"meeting":{"meetingname":"New & <old>","Running":true,"ParticipantCount":3,"New":1}}`, func(m *MeetingInfo) {
			m.MeetingName, m.Running, m.ParticipantCount = "New & <old>", true, 3
		})
		patch("§7 null for a scalar", `{"meeting":{"MeetingName":null,"Running":null}}`, nothing)
		patch("§5 PATCH merges metadata", `{"meeting":{"Metadata":{"b":"<3>","c":""}}}`, func(m *MeetingInfo) {
			m.Metadata = map[string]string{"a": "1", "b": "<3>", "c": ""}
		})
		ada := Attendee{UserID: "ada", InternalUserID: "w_1", FullName: "Ada", Role: "MODERATOR", IsPresenter: true, ClientType: "HTML5"}
		bob := Attendee{UserID: "bob", FullName: "Bob", HasVideo: true}
		patch("§5 attendees", `{"meeting":{"Attendees":[{"UserID":"ada","InternalUserID":"w_1","FullName":"Ada","Role":"MODERATOR","IsPresenter":true,"ClientType":"HTML5"},
			{"UserID":"bob","FullName":"Bob","HasVideo":true}]}}`, func(m *MeetingInfo) { m.Attendees = []Attendee{ada, bob} })
		patch("§5 PATCH replaces arrays", `{"meeting":{"Attendees":[{"UserID":"cyd"},{"UserID":"ada","InternalUserID":"w_1"}],"BreakoutRooms":["x","y"]}}`, func(m *MeetingInfo) {
			m.Attendees = []Attendee{{UserID: "cyd"}, {UserID: "ada", InternalUserID: "w_1"}}
			m.BreakoutRooms = []string{"x", "y"}
		})
		patch("the same person twice", `{"meeting":{"Attendees":[{"UserID":"cyd"},{"UserID":"cyd"}]}}`, func(m *MeetingInfo) {
			m.Attendees = []Attendee{{UserID: "cyd"}, {UserID: "cyd"}}
		})
		patch("§11 state reset", `{"meeting":{"Running":false,"Attendees":[]}}`, func(m *MeetingInfo) {
			m.Running, m.Attendees = false, []Attendee{}
		})
		patch("§7 null clears", `{"meeting":{"Metadata":null,"Attendees":null,"BreakoutRooms":null}}`, func(m *MeetingInfo) {
			m.Metadata, m.BreakoutRooms = map[string]string{}, []string{}
		})
		whole, err := json.Marshal(map[string]any{"meeting": have})
		if err != nil {
			t.Fatal(err)
		}
		patch("the whole object", string(whole), nothing)
		h.ask(h.agent(h.backends[0].ID), "PATCH /meetings/internal:"+have.InternalMeetingID, string(whole)).is(200)

		for body, want := range map[string]string{
			`{"meeting":{"MeetingID":"room","InternalMeetingID":"x","CreateTime":1}}`: "meeting.CreateTime: this action is not allowed; " +
				"meeting.InternalMeetingID: this action is not allowed; meeting.MeetingID: this action is not allowed",
			`{"meeting":{"AttendeePW":"x","ModeratorPW":"x"}}`:           "meeting.AttendeePW: this action is not allowed; meeting.ModeratorPW: this action is not allowed",
			`{"meeting":{"IsBreakout":true,"Breakout":{"Sequence":1}}}`:  "meeting.Breakout: this action is not allowed; meeting.IsBreakout: this action is not allowed",
			`{"meeting":{"ParticipantCount":-1,"VideoCount":100000000}}`: "meeting.ParticipantCount: should be between 0 and 1000000; meeting.VideoCount: should be between 0 and 1000000",
			`{"meeting":{"Metadata":{"a b":"1"}}}`:                       "meeting.Metadata: names have letters, digits and -, a letter first",
		} {
			if got := h.ask(admin, "PATCH /meetings/"+id, body).is(400).fields(); got != want {
				t.Errorf("%s: got %q, want %q", body, got, want)
			}
		}
		for body, want := range map[string]string{
			`{"meeting":`:                        "Syntax error: offset=11",
			`{"meeting":[]}`:                     "Unmarshal type error: expected=",
			`{"meeting":{"Metadata":{"a":1}}}`:   "Unmarshal type error: expected=string, got=number, field=meeting.Metadata,",
			`{"meeting":{"Attendees":{}}}`:       "Unmarshal type error: expected=[]adminapi.Attendee",
			`{"meeting":{"Attendees":[null,1]}}`: "Unmarshal type error: expected=adminapi.Attendee",
		} {
			if got := h.ask(admin, "PATCH /meetings/"+id, body).is(400).problem().Message; !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %q, want %q", body, got, want)
			}
		}
		h.ask(reader, "PATCH /meetings/"+id, "{}").is(403)
		h.ask(admin, "PATCH /meetings/internal:x", "{}").is(404)
		if got := h.ask(admin, "GET /meetings/"+id, "").is(200).meeting().Meeting; !cmp.Equal(got, have) {
			t.Errorf("a refused change has changed it: %s", cmp.Diff(have, got))
		}
	})
}

// §5 What we do not know of a room survives a PATCH, what PATCH sets can be
// seen through the gateway, and it is all stored.
func TestMeetingsPatchKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		id := h.meeting(f, "room")
		r := h.room(f, "room")
		info := append(bytes.Clone(r.Info), "\n<new kind=\"x\"><!-- y --><z>1</z></new>"...)
		person := []byte("<attendee><userID>ada</userID><customdata><x>1</x></customdata></attendee>")
		done, err := h.cluster.EditRoom(t.Context(), r.Key, r.Generation, r.InternalID, info, []b3scale.Attendee{{XML: person}})
		if err != nil || !done {
			t.Fatal(done, err)
		}
		h.ask(admin, "PATCH /meetings/"+id, `{"meeting":{"Running":true,"ParticipantCount":5,"Attendees":[{"UserID":"ada","FullName":"Ada"}]}}`).is(200)
		check := func(r *routing.Room) {
			t.Helper()
			if !bytes.Contains(r.Info, []byte("<new kind=\"x\"><!-- y --><z>1</z></new>")) {
				t.Errorf("the element is lost: %s", r.Info)
			}
			if len(r.Attendees) != 1 || !bytes.Contains(r.Attendees[0], []byte("<customdata><x>1</x></customdata>")) || !bytes.Contains(r.Attendees[0], []byte("<fullName>Ada</fullName>")) {
				t.Errorf("the people are %s", r.Attendees)
			}
		}
		check(h.room(f, "room"))
		if r := h.room(f, "room"); !r.Running || r.People != 5 || !h.cluster.Running(r.Key) {
			t.Errorf("the room runs: %t, with %d people", r.Running, r.People)
		}
		second, _, _ := h.instance(cluster.Options{})
		check(second.Room(r.Key))
	})
}

// Breakout rooms and rooms that are still being created are shown, and cannot
// be changed.
func TestMeetingsThatCannotBePatched(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1, cluster: cluster.Options{ListInterval: 20 * time.Millisecond, JoinWait: 50 * time.Millisecond}}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		h.meeting(f, "parent")
		parent := h.room(f, "parent")
		opened := h.nodes[0].OpenBreakouts(parent.InternalID, 2)
		h.nodes[0].Join(parent.InternalID, bbbtest.Attendee{UserID: "ada", FullName: "Ada <3", Role: "MODERATOR", Presenter: true, Video: true})
		key := b3scale.MeetingKey{FrontendID: f.ID, MeetingID: "pending"}
		m, fit, err := h.store.ClaimMeeting(t.Context(), b3scale.Claim{Key: key, BackendID: h.backends[0].ID, AttendeePW: "ap", ModeratorPW: "mp"})
		if err != nil || !fit {
			t.Fatal(fit, err)
		}
		if err := h.cluster.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.run()
		h.eventually("the breakout rooms are known", func() bool { return len(h.cluster.AllRooms()) == 4 })
		h.eventually("Ada is seen", func() bool { return h.room(f, "parent").People == 1 })

		got := h.ask(admin, "GET /meetings/internal:"+parent.InternalID, "").is(200).meeting().Meeting
		want := []Attendee{{UserID: "ada", FullName: "Ada <3", Role: "MODERATOR", IsPresenter: true, HasVideo: true, ClientType: "HTML5"}}
		if diff := cmp.Diff(want, got.Attendees); diff != "" {
			t.Error(diff)
		}
		if len(got.BreakoutRooms) != 2 || got.BreakoutRooms[0] != opened[0].ExternalID || !got.Running || got.ParticipantCount != 1 || got.ModeratorCount != 1 {
			t.Errorf("the parent is %+v", got)
		}

		child := h.ask(admin, "GET /meetings/internal:"+opened[1].InternalID, "").is(200).meeting()
		if child.ID != b3scale.EncodeMeetingID("one", opened[1].ExternalID) || child.Meeting.MeetingID != child.ID || !child.Meeting.IsBreakout {
			t.Errorf("the breakout room is %+v", child)
		}
		if diff := cmp.Diff(&Breakout{ParentMeetingID: parent.InternalID, Sequence: 2, FreeJoin: opened[1].FreeJoin}, child.Meeting.Breakout); diff != "" {
			t.Error(diff)
		}
		if child.CreatedAt.UnixMilli() != opened[1].CreateTime {
			t.Errorf("it was created at %s", child.CreatedAt)
		}
		h.ask(admin, "PATCH /meetings/"+child.ID, `{"meeting":{"Running":true}}`).is(409)

		pending := b3scale.EncodeMeetingID("one", "pending")
		shown := h.ask(admin, "GET /meetings/"+pending, "").is(200).meeting()
		if shown.InternalID != "" || shown.Meeting.MeetingID != pending || shown.Meeting.ModeratorPW != "mp" || !shown.SyncedAt.IsZero() || shown.CreatedAt.UnixMicro() != int64(m.ClaimedAt) {
			t.Errorf("the meeting that is being created is %+v", shown)
		}
		h.ask(admin, "PATCH /meetings/"+pending, `{"meeting":{"Running":true}}`).is(409)
		h.ask(admin, "DELETE /meetings/"+pending, "").is(503)
		h.ask(admin, "DELETE /meetings/"+pending+"?end=true", "").is(503)
		if got := h.ask(admin, "GET /meetings", "").is(200).Header().Get("X-Total-Count"); got != "4" {
			t.Errorf("%s meetings are listed", got)
		}
		h.ask(admin, "DELETE /meetings/"+child.ID+"?end=1", "").is(200)
		h.eventually("the breakout room is gone", func() bool { _, there := h.nodes[0].Room(opened[1].InternalID); return !there })
		h.eventually("and out of the books", func() bool { return h.ask(admin, "GET /meetings/"+child.ID, "").Code == 404 })
	})
}

// fickle is a Mind under which rooms change just when they are corrected.
type fickle struct {
	Mind
	refuse int
	meet   func()
}

func (m *fickle) EditRoom(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string, info []byte, attendees []b3scale.Attendee) (bool, error) {
	if m.refuse > 0 {
		m.refuse--
		m.meet()
		return false, nil
	}
	return m.Mind.EditRoom(ctx, key, generation, internalID, info, attendees)
}

func TestMeetingsPatchOfARoomThatChanges(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 1})
	f := h.frontend("one", "")
	id := h.meeting(f, "room")
	mind := &fickle{Mind: h.cluster, meet: func() {}}
	h.server.Mind = mind
	const body = `{"meeting":{"MeetingName":"New"}}`

	mind.refuse = 1
	if got := h.ask(admin, "PATCH /meetings/"+id, body).is(200).meeting().Meeting.MeetingName; got != "New" {
		t.Errorf("the name is %q", got)
	}
	mind.refuse = 2
	h.ask(admin, "PATCH /meetings/"+id, `{"meeting":{"MeetingName":"Newer"}}`).is(409)
	mind.refuse, mind.meet = 1, func() {
		r := h.room(f, "room")
		if _, err := h.cluster.RemoveMeeting(t.Context(), r.Key, r.InternalID); err != nil {
			t.Error(err)
		}
	}
	h.ask(admin, "PATCH /meetings/"+id, `{"meeting":{"MeetingName":"Newest"}}`).is(404)
}
