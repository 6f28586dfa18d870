package adminapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
	"b3scale/internal/sqlstore"
)

// oldCall is the body of a call as the shipped agents send it: the payload is
// base64 in a text.
func oldCall(action, params string) string {
	return fmt.Sprintf(`{"action":%q,"payload":%q}`, action, base64.StdEncoding.EncodeToString([]byte(params)))
}

func oldArrival(meeting, id, name string) string {
	return oldCall("meeting_add_attendee", fmt.Sprintf(`{"internal_meeting_id":%q,"attendee":{"UserID":"ext-%s","InternalUserID":%q,"FullName":%q,"Role":"VIEWER",`+
		`"IsPresenter":false,"IsListeningOnly":false,"HasJoinedVoice":false,"HasVideo":false,"ClientType":"HTML5"}}`, meeting, id, id, name))
}

// told wants the answer to a call of an old agent.
func (a *answer) told(status, result string) {
	a.h.Helper()
	if got := strings.TrimSpace(a.is(200).Body.String()); got != fmt.Sprintf(`{"result":%s,"status":%q}`, result, status) &&
		got != fmt.Sprintf(`{"status":%q,"result":%s}`, status, result) {
		a.h.Errorf("%s: got %s, want %s %s", a.what, got, status, result)
	}
}

// room adds a meeting on a backend to all instances.
func (h *harness) adopted(b b3scale.Backend, f b3scale.Frontend, id string, instances ...*cluster.Cluster) {
	h.Helper()
	room := b3scale.Incarnation{InternalID: "int-" + id, CreateTime: 1, Info: []byte("<meetingName>" + id + "</meetingName>\n<participantCount>0</participantCount>\n<attendees>\n</attendees>")}
	if _, ok, err := h.store.AdoptMeeting(h.Context(), b3scale.MeetingKey{FrontendID: f.ID, MeetingID: id}, b.ID, room, 15); err != nil || !ok {
		h.Fatal("not adopted", err)
	}
	for _, c := range instances {
		if err := c.Load(h.Context()); err != nil {
			h.Fatal(err)
		}
	}
}

// The shipped agents, call by call as they make them.
func TestShippedAgent(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		agent := token("node01", auth.Node)
		var root struct {
			Version    string         `json:"version"`
			AccountRef string         `json:"account_ref"`
			Database   map[string]any `json:"database"`
		}
		h.ask(agent, "GET ", "").into(&root)
		if root.AccountRef != "node01" || root.Database == nil {
			t.Errorf("the status is %+v", root)
		}
		h.ask(agent, "GET /agent/backend", "").is(404)
		h.ask(agent, "POST /agent/heartbeat", "").is(404)
		if p := h.ask(agent, "POST /agent/rpc", oldArrival("x", "w_1", "Ada")).is(403).problem(); p.Message != "Forbidden" {
			t.Errorf("got %q, want Forbidden", p.Message)
		}
		if p := h.ask(agent, "POST /agent/events", `{"boot":"b","events":[]}`).is(403).problem(); p.Message != "Forbidden" {
			t.Errorf("got %q, want Forbidden", p.Message)
		}
		b := h.ask(agent, "POST /backends", `{"id":"","node_state":"","admin_state":"init","agent_heartbeat":"0001-01-01T00:00:00Z","agent_ref":null,`+
			`"last_error":null,"latency":0,"meetings_count":0,"attendees_count":0,"load_factor":1,"bbb":{"host":"https://node01.example.org/bigbluebutton/api/","secret":"node-salt"},`+
			`"settings":{"tags":null},"created_at":"0001-01-01T00:00:00Z","updated_at":"0001-01-01T00:00:00Z","synced_at":"0001-01-01T00:00:00Z"}`).backend()
		if got := h.ask(agent, "GET /agent/backend", "").backend(); got.ID != b.ID || got.BBB.Host != b.BBB.Host || got.Node != nil {
			t.Errorf("the agent's backend is %+v", got)
		}
		h.ask(agent, "PATCH /backends/"+b.ID, `{"backend":{"host":"https://node01.example.org/bigbluebutton/api/","secret":"new-node-salt"},"load_factor":1.5}`).is(200)
		for range 3 {
			var beat struct {
				BackendID string    `json:"backend_id"`
				Heartbeat time.Time `json:"heartbeat"`
			}
			h.ask(agent, "POST /agent/heartbeat", "").into(&beat)
			if beat.BackendID != b.ID || time.Since(beat.Heartbeat).Abs() > time.Minute {
				t.Errorf("the heartbeat was answered %+v", beat)
			}
		}

		h.adopted(h.storedBackend(b.ID), h.frontend("school", ""), "class", h.cluster)
		call := func(action, params string) *answer { return h.ask(agent, "POST /agent/rpc", oldCall(action, params)) }
		people := func(want int) {
			t.Helper()
			if r := h.cluster.RoomByInternalID(b.ID, "int-class"); r == nil || r.People != want || r.Running != (want > 0) || len(r.Present()) != want {
				t.Errorf("the room is %+v, want %d people", r, want)
			}
		}
		call("meeting_set_running", `{"internal_meeting_id":"int-class","running":true}`).told("ok", "null")
		if !h.cluster.RoomByInternalID(b.ID, "int-class").Running {
			t.Error("it does not run")
		}
		h.ask(agent, "POST /agent/rpc", oldArrival("int-class", "w_1", "Ada")).told("ok", "null")
		h.ask(agent, "POST /agent/rpc", oldArrival("int-class", "w_1", "Ada")).told("ok", "null") // a page reload
		h.ask(agent, "POST /agent/rpc", oldArrival("int-class", "w_2", "Bob")).told("ok", "null")
		people(2)
		var m Meeting
		h.ask(agent, "GET /meetings/internal:int-class", "").into(&m)
		if len(m.Meeting.Attendees) != 2 || m.Meeting.ParticipantCount != 2 || m.Meeting.Attendees[0].FullName != "Ada" || m.Meeting.Attendees[0].UserID != "ext-w_1" {
			t.Errorf("the meeting is %+v", m.Meeting)
		}
		call("meeting_remove_attendee", `{"internal_meeting_id":"int-class","internal_user_id":"w_1"}`).told("ok", "null")
		call("meeting_remove_attendee", `{"internal_meeting_id":"int-class","internal_user_id":"w_1"}`).told("ok", "null")
		people(1)
		h.ask(agent, "POST /agent/rpc", oldArrival("int-class", "w_1", "Ada")).told("ok", "null")
		people(2)
		// The departure overtakes the arrival.
		call("meeting_remove_attendee", `{"internal_meeting_id":"int-class","internal_user_id":"w_3"}`).told("ok", "null")
		h.ask(agent, "POST /agent/rpc", oldArrival("int-class", "w_3", "Cyd")).told("ok", "null")
		people(2)
		// An object is a payload, too.
		h.ask(agent, "POST /agent/rpc", `{"action":"meeting_remove_attendee","payload":{"internal_meeting_id":"int-class","internal_user_id":"w_2"}}`).told("ok", "null")
		people(1)
		call("meeting_state_reset", `{"internal_meeting_id":"int-class"}`).told("ok", "null")
		people(0)

		begin := time.Now()
		call("meeting_set_running", `{"internal_meeting_id":"nobody-knows","running":true}`).told("ok", "null")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("an unknown meeting took %v", took)
		}
		call("make_coffee", `{"internal_meeting_id":"int-class"}`).told("error", `"unknown action: make_coffee"`)
		for _, body := range []string{`{`, `[]`, `{"action":"meeting_state_reset","payload":"%%%"}`, `{"action":"meeting_state_reset","payload":7}`, ``} {
			var result struct{ Status, Result string }
			a := h.ask(agent, "POST /agent/rpc", body).is(400)
			if err := json.Unmarshal(a.Body.Bytes(), &result); err != nil || result.Status != "error" || result.Result == "" {
				t.Errorf("%s: got %s", body, a.Body)
			}
		}
		other := token("node02", auth.Node)
		h.backend("other", "node02")
		h.ask(other, "POST /agent/rpc", oldArrival("int-class", "w_9", "Eve")).told("ok", "null")
		people(0)
		h.ask(agent, "DELETE /meetings/internal:int-class", "").is(200)
		h.ask(agent, "GET /meetings/internal:int-class", "").is(404)
	})
}

// following is a second instance on the store of h that hears of the first by
// looking.
func (h *harness) follower() *cluster.Cluster {
	h.Helper()
	opts := cluster.Options{PollInterval: 50 * time.Millisecond}
	if s, ok := any(h.store.Store).(*sqlstore.Store); ok {
		opts.Changes = s
	}
	c, _, _ := h.instance(opts)
	return c
}

func runCluster(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Sixteen people arrive in each of twenty meetings at the same moment.
func TestAllArrivalsCount(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		second := h.follower()
		b := h.backend("node", "node01")
		f := h.frontend("school", "")
		for i := range 20 {
			h.adopted(h.storedBackend(b.ID), f, fmt.Sprint("class-", i))
		}
		for _, c := range []*cluster.Cluster{h.cluster, second} {
			if err := c.Load(h.Context()); err != nil {
				t.Fatal(err)
			}
			runCluster(t, c)
		}
		agent := token("node01", auth.Node)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for m := range 20 {
			for p := range 16 {
				r := h.requestFor(agent, http.MethodPost, "/agent/rpc", oldArrival(fmt.Sprint("int-class-", m), fmt.Sprint("w_", p), fmt.Sprint("Guest ", p)))
				wg.Go(func() {
					<-start
					h.send(h.handler, r).told("ok", "null")
				})
			}
		}
		close(start)
		wg.Wait()
		count := func(c *cluster.Cluster) (n int) {
			for _, r := range c.Rooms(b.ID) {
				n += r.People
			}
			return n
		}
		if n := count(h.cluster); n != 320 {
			t.Errorf("%d people are known, want 320", n)
		}
		h.eventually("the other instance knows them all", func() bool { return count(second) == 320 })
	})
}

// Our own agent: batches with a boot and numbers.
func TestAgentEvents(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		b := h.backend("node", "node01")
		h.adopted(h.storedBackend(b.ID), h.frontend("school", ""), "class", h.cluster)
		agent := token("node01", auth.Node)
		tell := func(body string) (r AgentReceipt) {
			t.Helper()
			h.ask(agent, "POST /agent/events", body).into(&r)
			return r
		}
		join := `{"sequence":%d,"kind":"attendee","meeting":"int-class","at":1,"user_id":"w_%d","joined":true,"name":"Guest %[2]d","external_user_id":"e%[2]d","role":"VIEWER"}`
		first := `{"boot":"one","events":[` + fmt.Sprintf(join, 1, 1) + `,` + fmt.Sprintf(join, 2, 2) + `,` +
			`{"sequence":3,"kind":"attendee","meeting":"int-class","user_id":"w_1","voice":true,"presenter":true},` +
			`{"sequence":4,"kind":"attendee_left","meeting":"int-class","user_id":"w_2"},{"sequence":5,"kind":"from_the_future"}],"lost":0,"new":{}}`
		for range 2 {
			if r := tell(first); r.Acknowledged != 5 {
				t.Errorf("got %+v, want 5 acknowledged", r)
			}
			room := h.cluster.RoomByInternalID(b.ID, "int-class")
			if room.People != 1 || room.Count.Voices != 1 || !strings.Contains(string(room.Present()[0]), "<isPresenter>true</isPresenter>") {
				t.Errorf("the room has %d people, %+v, %s", room.People, room.Count, room.Present())
			}
		}
		if r := tell(`{"boot":"one","events":[{"sequence":6,"kind":"gap","at":1}]}`); r.Acknowledged != 6 || !r.Reconcile {
			t.Errorf("a gap was answered %+v", r)
		}
		if r := tell(`{"boot":"one","events":[{"sequence":7,"kind":"meeting_ended","meeting":"int-class"}]}`); r.Acknowledged != 7 {
			t.Errorf("an end was answered %+v", r)
		}
		if r := h.cluster.RoomByInternalID(b.ID, "int-class"); r != nil && r.People != 0 {
			t.Errorf("%d people are in a meeting that is over", r.People)
		}
		for body, status := range map[string]int{`{"boot":"","events":[]}`: 400, `{`: 400, `{"boot":"x","events":7}`: 400} {
			h.ask(agent, "POST /agent/events", body).is(status)
		}
		h.ask(agent, "POST /agent/heartbeat", `{"boot":"one","version":"2.0","bbb_version":"3.0.4","load1":0.5,"cpus":8,"redis":false,"pong_age_ms":7,"disk_free":1,"new":[]}`).is(200)
		got := h.ask(admin, "GET /backends/"+b.ID, "").backend()
		if got.Node == nil || text(got.Node.Version) != "2.0" || got.Node.Redis == nil || *got.Node.Redis || got.Node.MemoryFree != nil {
			t.Errorf("the node is %+v", got.Node)
		}
		if !strings.Contains(strings.Join(got.Reasons, "; "), "hears nothing") {
			t.Errorf("the reasons are %q", got.Reasons)
		}
	})
}
