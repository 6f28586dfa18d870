package adminapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
	"b3scale/internal/routing"
)

// meeting creates one as a frontend does and gives its id.
func (h *harness) meeting(f b3scale.Frontend, id string, pairs ...string) string {
	h.Helper()
	encoded := b3scale.EncodeMeetingID(f.Key, id)
	var params bbb.Params
	all := append([]string{"name", "Room " + id, "meetingID", encoded}, pairs...)
	for i := 0; i < len(all); i += 2 {
		params.Set(all[i], all[i+1])
	}
	answer, err := h.cluster.Create(h.Context(), cluster.CreateRequest{Frontend: &f, MeetingID: id, Params: params})
	if err != nil {
		h.Fatal(err)
	}
	if !answer.Succeeded() {
		h.Fatalf("create %s: %s", id, answer.MessageKey())
	}
	return encoded
}

// room is what memory has of a meeting.
func (h *harness) room(f b3scale.Frontend, id string) *routing.Room {
	return h.cluster.Room(b3scale.MeetingKey{FrontendID: f.ID, MeetingID: id})
}

// agent makes a token for the agent on a backend.
func (h *harness) agent(backendID string) string {
	h.Helper()
	ref := "agent-of-" + backendID
	_, err := h.cluster.EditBackend(h.Context(), backendID, b3scale.Actor{}, func(b *b3scale.Backend) error {
		b.AgentRef = ref
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	return token(ref, auth.Node)
}

func (a *answer) meeting() (m Meeting) {
	a.h.Helper()
	a.into(&m)
	return m
}

// ids are those of a list, as the frontends chose them.
func (a *answer) meetingIDs() string {
	a.h.Helper()
	var list []Meeting
	a.into(&list)
	var ids []string
	for _, m := range list {
		_, id, _ := b3scale.DecodeMeetingID(m.ID)
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

func TestMeetingsList(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 2}, func(t *testing.T, h *harness) {
		one, two := h.frontend("one", ""), h.frontend("two", "")
		if got := h.ask(admin, "GET /meetings", "").is(200).Body.String(); got != "[]\n" {
			t.Errorf("§16 without meetings the list is %q", got)
		}
		for _, id := range []string{"aa", "bb", "cc"} {
			h.meeting(one, id)
		}
		encoded := h.meeting(two, "aa")
		onFirst := h.cluster.Rooms(h.backends[0].ID)
		if len(onFirst) != 2 {
			t.Fatalf("%d meetings are on the first node, want 2 of 4", len(onFirst))
		}
		var first []string
		for _, r := range onFirst {
			first = append(first, r.Key.MeetingID)
		}
		slices.Sort(first)
		firstIDs := strings.Join(first, " ")
		host := h.backends[0].Host
		for _, c := range []struct{ name, query, want string }{
			{"all, by the ids of the nodes", "", "aa aa bb cc"},
			{"of a frontend", "?frontend_id=" + two.ID, "aa"},
			{"of a key", "?frontend_key=one", "aa bb cc"},
			{"of a frontend that does not exist", "?frontend_key=three", ""},
			{"with a plain id", "?meeting_id=aa", "aa aa"},
			{"with an id of the nodes", "?meeting_id=" + encoded, "aa"},
			{"with an internal id", "?internal_id=" + h.room(one, "bb").InternalID, "bb"},
			{"§5 by backend", "?order=meeting.MeetingName&backend_id=" + h.backends[0].ID, firstIDs},
			{"§5 by host", "?order=meeting.MeetingName&backend_host=" + host, firstIDs},
			{"by host without slash", "?order=meeting.MeetingName&backend_host=" + strings.TrimSuffix(host, "/"), firstIDs},
			{"§5 trimmed", "?order=meeting.MeetingName&backend_host=%20" + host + "%20", firstIDs},
			{"§5 both", "?order=meeting.MeetingName&backend_host=" + host + "&backend_id=" + h.backends[0].ID, firstIDs},
			{"together", "?frontend_key=two&meeting_id=aa&backend_id=" + h.room(two, "aa").BackendID, "aa"},
			{"contradicting", "?frontend_key=two&meeting_id=bb", ""},
			{"a page", "?limit=2&offset=1", "aa bb"},
			{"ordered", "?order=-meeting.MeetingName,frontend_id&limit=1", "cc"},
		} {
			if got := h.ask(reader, "GET /meetings"+c.query, "").is(200).meetingIDs(); got != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
		}
		for name := range meetingOrders {
			if name != "" {
				h.ask(admin, "GET /meetings?order=-"+name, "").is(200)
			}
		}
		if got := h.ask(admin, "GET /meetings?limit=1", "").is(200).Header().Get("X-Total-Count"); got != "4" {
			t.Errorf("the total is %q", got)
		}
		for name, query := range map[string]string{
			"§5 an unknown backend": "?backend_id=" + b3scale.NewID(), "an empty id": "?backend_id=", "an odd id": "?backend_id=%00",
			"§5 an unknown host": "?backend_host=https://nobody.example.org", "§5 two backends at once": "?backend_host=" + host + "&backend_id=" + h.backends[1].ID,
		} {
			if got := h.ask(admin, "GET /meetings"+query, "").Code; got != http.StatusNotFound {
				t.Errorf("%s: %d", name, got)
			}
		}
		h.ask(admin, "GET /meetings?order=meeting.Attendees", "").is(400)
		h.ask(token("x", auth.Node), "GET /meetings", "").is(403)
		h.store.away.Store(true)
		h.ask(admin, "GET /meetings", "").is(503)
	})
}

func TestMeetingsRead(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		begun := time.Now().Add(-time.Second)
		id := h.meeting(f, "a/b c", "meta_Origin", "x", "record", "true", "maxParticipants", "7", "moderatorPW", "mp", "attendeePW", "ap")
		got := h.ask(admin, "GET /meetings/"+id, "").is(200).meeting()
		r := h.room(f, "a/b c")
		if got.ID != id || got.InternalID != r.InternalID || got.InternalID == "" || *got.FrontendID != f.ID || *got.BackendID != h.backends[0].ID {
			t.Errorf("got %+v", got)
		}
		m := got.Meeting
		if m.MeetingID != id || m.InternalMeetingID != r.InternalID || m.MeetingName != "Room a/b c" || m.MaxUsers != 7 || !m.Recording || m.CreateTime == 0 {
			t.Errorf("got %+v", m)
		}
		if diff := cmp.Diff(map[string]string{"origin": "x"}, m.Metadata); diff != "" {
			t.Error(diff)
		}
		for name, at := range map[string]time.Time{"created_at": got.CreatedAt, "updated_at": got.UpdatedAt, "synced_at": got.SyncedAt} {
			if at.Before(begun) || at.After(time.Now().Add(time.Second)) || at.Location() != time.UTC {
				t.Errorf("%s is %s", name, at)
			}
		}
		if m.AttendeePW != "ap" || m.ModeratorPW != "mp" {
			t.Errorf("an operator sees the passwords %q and %q", m.AttendeePW, m.ModeratorPW)
		}
		if m := h.ask(reader, "GET /meetings/internal:"+r.InternalID, "").is(200).meeting(); m.ID != id || m.Meeting.AttendeePW != "" || m.Meeting.ModeratorPW != "" {
			t.Errorf("a reader sees %+v", m)
		}
		if strings.Contains(h.ask(reader, "GET /meetings", "").is(200).Body.String(), `"mp"`) {
			t.Error("a reader sees a password in the list")
		}
		for _, unknown := range []string{
			"x", "internal:", "internal:x", "%00", "a%2Fb%20c", b3scale.EncodeMeetingID("one", "x"), b3scale.EncodeMeetingID("two", "a/b c"),
			strings.Repeat("x", 5000),
		} {
			h.ask(admin, "GET /meetings/"+unknown, "").is(404)
		}
		h.ask(token("x", auth.Owner), "GET /meetings/"+id, "").is(403)
	})
}

func TestMeetingsOfAgents(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 2}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		id := h.meeting(f, "room", "moderatorPW", "mp", "attendeePW", "ap")
		home := h.room(f, "room").BackendID
		other := h.backends[0].ID
		if other == home {
			other = h.backends[1].ID
		}
		internal := "/meetings/internal:" + h.room(f, "room").InternalID
		own, foreign, nobody := h.agent(home), h.agent(other), token("nobody", auth.Node)
		for _, path := range []string{"/meetings/" + id, internal} {
			if m := h.ask(own, "GET "+path, "").is(200).meeting(); m.Meeting.ModeratorPW != "mp" {
				t.Errorf("an agent sees %+v", m)
			}
			h.ask(foreign, "GET "+path, "").is(404)
			for _, call := range []string{"GET ", "PATCH ", "DELETE "} {
				if got := h.ask(nobody, call+path, "").is(403).problem().Message; got != "Forbidden" {
					t.Errorf("§5 an agent without a backend is told %q", got)
				}
			}
			h.ask(foreign, "PATCH "+path, `{"meeting":{"Running":true}}`).is(404)
			h.ask(foreign, "DELETE "+path, "").is(404)
		}
		h.ask(token("", auth.Node), "GET "+internal, "").is(403)
		h.ask(token("nobody", auth.Node, auth.Admin), "GET "+internal, "").is(200)
		h.ask(token("nobody", auth.Node, auth.Read), "GET "+internal, "").is(200)
		h.ask(token("nobody", auth.Node, auth.Read), "DELETE "+internal, "").is(403)

		h.ask(own, "PATCH "+internal, `{"meeting":{"Running":true}}`).is(200)
		h.ask(own, "DELETE "+internal, "").is(200)
		h.ask(own, "DELETE "+internal, "").is(404)
		if got := h.audited("meeting"); len(got) != 0 {
			t.Errorf("the audit has what agents do: %+v", got)
		}
	})
}

// audited are the entries about a kind of objects, the newest first.
func (h *harness) audited(kind string) (all []b3scale.AuditEntry) {
	h.Helper()
	err := h.store.Store.Audit(h.Context(), b3scale.AuditQuery{Kind: kind}, func(e b3scale.AuditEntry) { all = append(all, e) })
	if err != nil {
		h.Fatal(err)
	}
	return all
}
