package adminapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
)

func (a *answer) command() (c Command) {
	a.h.Helper()
	a.into(&c)
	return c
}

func endAll(backendID string) string {
	return `{"action":"end_all_meetings","params":{"BackendID":"` + backendID + `"}}`
}

// over waits for the end of a command, as b3scalectl does.
func (h *harness) over(id string) (c Command) {
	h.Helper()
	h.eventually("the command is over", func() bool {
		c = h.ask(reader, "GET /commands/"+id, "").is(200).command()
		return c.State == CommandStateSuccess || c.State == CommandStateError
	})
	return c
}

func TestCommandsCreate(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		backend := h.backends[0].ID
		begun := time.Now().Add(-time.Second)
		// As the shipped client sends it.
		got := h.ask(admin, "POST /commands", `{"id":"","seq":0,"state":"","action":"end_all_meetings","params":{"BackendID":"`+backend+`"},
			"result":null,"deadline":"0001-01-01T00:00:00Z","started_at":null,"stopped_at":null,"created_at":"0001-01-01T00:00:00Z"}`).is(202).command()
		if got.ID == "" || got.State != CommandStateRequested || got.Action != "end_all_meetings" || got.StartedAt != nil || got.StoppedAt != nil {
			t.Errorf("got %+v", got)
		}
		if d := got.Deadline.Sub(got.CreatedAt); d.Round(time.Second) != 2*time.Minute || got.CreatedAt.Before(begun) {
			t.Errorf("§10 it was created at %s and has %s", got.CreatedAt, d)
		}
		var params map[string]string
		if err := json.Unmarshal(got.Params, &params); err != nil || params["BackendID"] != backend || string(got.Result) != "null" {
			t.Errorf("§10 params %s, result %s", got.Params, got.Result)
		}
		if again := h.ask(reader, "GET /commands/"+got.ID, "").is(200).command(); fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("it is shown as %+v, was %+v", again, got)
		}
		second := h.ask(admin, "POST /commands", endAll(backend)).is(202).command()
		if second.Seq <= got.Seq {
			t.Errorf("the second one has the number %d, the first one %d", second.Seq, got.Seq)
		}
		var list []Command
		h.ask(reader, "GET /commands", "").into(&list)
		if len(list) != 2 || list[0].ID != got.ID || list[1].ID != second.ID {
			t.Errorf("§10 the list is %+v", list)
		}
		h.ask(reader, "GET /commands?order=-seq&limit=1", "").into(&list)
		if len(list) != 1 || list[0].ID != second.ID {
			t.Errorf("the newest is %+v", list)
		}
		for name := range commandOrders {
			h.ask(reader, "GET /commands?order=-"+name, "").is(200)
		}
		if got := h.audited("command"); len(got) != 2 || got[0].Actor.Subject != "operator@example.org" || got[0].Action != "command.create" {
			t.Errorf("the audit has %+v", got)
		}
	})
}

func TestCommandsThatAreRefused(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		for body, want := range map[string]string{
			"":                                     "action: this action is not allowed",
			`{"action":"update_node_state"}`:       "action: this action is not allowed",
			`{"action":"END_ALL_MEETINGS"}`:        "action: this action is not allowed",
			`{"action":"end_all_meetings"}`:        "params.BackendID: this field is required",
			endAll(""):                             "params.BackendID: this field is required",
			endAll(b3scale.NewID()):                "params.BackendID: no such backend",
			endAll(`\u0000'`):                      "params.BackendID: no such backend",
			endAll(strings.Repeat("x", 5000)):      "params.BackendID: no such backend",
			`{"action":"x","params":{"more":[1]}}`: "action: this action is not allowed",
		} {
			if got := h.ask(admin, "POST /commands", body).is(400).fields(); got != want {
				t.Errorf("§10 %s: got %q, want %q", body, got, want)
			}
		}
		for _, body := range []string{"{", "[]", `{"action":1}`, `{"action":"end_all_meetings","params":"x"}`} {
			h.ask(admin, "POST /commands", body).is(400)
		}
		h.ask(reader, "POST /commands", endAll(h.backends[0].ID)).is(403)
		h.ask(token("x", auth.Node), "GET /commands", "").is(403)
		if got := h.ask(admin, "GET /commands", "").is(200).Body.String(); got != "[]\n" {
			t.Errorf("the list is %q", got)
		}
		for _, id := range []string{b3scale.NewID(), "x", "%00", "%ff", strings.Repeat("x", 5000)} {
			h.ask(admin, "GET /commands/"+id, "").is(404)
		}
		h.store.away.Store(true)
		h.ask(admin, "POST /commands", endAll(h.backends[0].ID)).is(503)
		h.ask(admin, "GET /commands", "").is(503)
		h.ask(admin, "GET /commands/"+b3scale.NewID(), "").is(503)
	})
}

func TestCommandEndsAllMeetings(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 2}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		for i := range 6 {
			h.meeting(f, fmt.Sprint("room", i))
		}
		mine, others := h.nodes[0], h.nodes[1]
		rooms := len(mine.Rooms())
		if rooms == 0 || len(others.Rooms()) == 0 {
			t.Fatal("one node has no meetings")
		}
		mine.SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"end"}})
		command := h.ask(admin, "POST /commands", endAll(h.backends[0].ID)).is(202).command()
		h.run()
		h.eventually("§10 it is running", func() bool {
			c := h.ask(admin, "GET /commands/"+command.ID, "").is(200).command()
			return c.State == CommandStateRunning && c.StartedAt != nil && c.StoppedAt == nil && string(c.Result) == "null"
		})
		h.eventually("the node is asked", func() bool { return len(mine.Calls("end")) == rooms })
		mine.ClearFaults()
		done := h.over(command.ID)
		if done.State != CommandStateSuccess || string(done.Result) != "true" || done.StoppedAt == nil || done.StoppedAt.Before(*done.StartedAt) {
			t.Errorf("§10 it ended as %s: %s", done.State, done.Result)
		}
		h.eventually("the rooms are gone", func() bool { return len(mine.Rooms()) == 0 })
		h.eventually("and out of the books", func() bool { return len(h.cluster.Rooms(h.backends[0].ID)) == 0 })
		if len(others.Rooms())+rooms != 6 || len(others.Calls("end")) > 0 {
			t.Error("meetings elsewhere were ended")
		}
		if again := h.over(h.ask(admin, "POST /commands", endAll(h.backends[0].ID)).is(202).command().ID); again.State != CommandStateSuccess {
			t.Errorf("without meetings it ended as %s: %s", again.State, again.Result)
		}
	})
}

func TestCommandThatFails(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		h.meeting(f, "aa")
		h.meeting(f, "bb")
		h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"end"}, Key: "notToday", Message: "no"})
		h.run()
		failed := h.over(h.ask(admin, "POST /commands", endAll(h.backends[0].ID)).is(202).command().ID)
		if failed.State != CommandStateError || string(failed.Result) != `"2 of 2 meetings were not ended: end meeting failed: notToday"` {
			t.Errorf("§10 it ended as %s: %s", failed.State, failed.Result)
		}

		gone := h.backend("gone", "")
		h.nodes[0].ClearFaults()
		h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"end"}})
		var busy []Command // so many are worked at together: the next one waits
		for range 4 {
			busy = append(busy, h.ask(admin, "POST /commands", endAll(h.backends[0].ID)).is(202).command())
		}
		late := h.ask(admin, "POST /commands", endAll(gone.ID)).is(202).command()
		h.ask(admin, "DELETE /backends/"+gone.ID+"?force=true", "").is(200)
		h.nodes[0].ClearFaults()
		if c := h.over(late.ID); c.State != CommandStateError || string(c.Result) != `"no such backend: `+gone.ID+`"` {
			t.Errorf("§10 it ended as %s: %s", c.State, c.Result)
		}
		for _, c := range busy {
			h.over(c.ID)
		}
	})
}

// Whichever instance takes a command, it is done once, and all of them tell how
// it ended.
func TestCommandIsDoneOnceByTwoInstances(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1, cluster: cluster.Options{Instance: "first"}}, func(t *testing.T, h *harness) {
		f := h.frontend("one", "")
		const rooms = 8
		for i := range rooms {
			h.meeting(f, fmt.Sprint("room", i))
		}
		second, _, door := h.instance(cluster.Options{Instance: "second"})
		command := h.askAt(door, admin, "POST /commands", endAll(h.backends[0].ID)).is(202).command()
		h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"end"}, Delay: 50 * time.Millisecond})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- second.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		h.run()
		if c := h.over(command.ID); c.State != CommandStateSuccess {
			t.Errorf("it ended as %s: %s", c.State, c.Result)
		}
		if got := h.askAt(door, reader, "GET /commands/"+command.ID, "").is(200).command(); got.State != CommandStateSuccess {
			t.Errorf("the other instance says %s", got.State)
		}
		if got := len(h.nodes[0].Calls("end")); got != rooms {
			t.Errorf("%d rooms were ended with %d calls", rooms, got)
		}
		if got := strings.Count(h.log.String(), `msg="command taken"`); got != 1 {
			t.Errorf("it was taken %d times", got)
		}
	})
}
