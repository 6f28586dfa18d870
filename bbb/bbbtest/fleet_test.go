package bbbtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"b3scale/bbb"
)

// steer sends a request to the control API and decodes its answer.
func steer(t *testing.T, h http.Handler, method, path, body string) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("%s %s: Content-Type is %q, want JSON", method, path, got)
	}
	var out any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
	}
	object, _ := out.(map[string]any)
	return w.Code, object
}

func TestControlSwitchesFaults(t *testing.T) {
	t.Parallel()
	one, two := Start(t, Options{Name: "one"}), Start(t, Options{Name: "two"})
	h := Control(one, two)

	status, state := steer(t, h, "POST", "/nodes/1/faults", `{"kind": "latency", "calls": ["create"], "times": 2, "delay": "150ms"}`)
	if status != http.StatusOK || state["name"] != "two" || len(one.Faults()) != 0 {
		t.Errorf("got %d, %v", status, state)
	}
	if f := two.Faults(); len(f) != 1 || f[0].String() != "latency of create 150ms (2 times)" {
		t.Errorf("faults are %v", f)
	}
	steer(t, h, "POST", "/nodes/all/faults", `{"kind": "failWith", "key": "full", "message": "No room"}`)
	if len(one.Faults()) != 1 || len(two.Faults()) != 2 {
		t.Errorf("faults are %v and %v", one.Faults(), two.Faults())
	}
	steer(t, h, "DELETE", "/nodes/all/faults", "")
	if len(one.Faults())+len(two.Faults()) != 0 {
		t.Errorf("faults are %v and %v, want none", one.Faults(), two.Faults())
	}

	if status, state := steer(t, h, "POST", "/nodes/0/down", ""); status != http.StatusOK || state["down"] != true || !one.IsDown() {
		t.Errorf("down: got %d, %v", status, state)
	}
	if _, state := steer(t, h, "POST", "/nodes/0/up", ""); state["down"] != false || one.IsDown() {
		t.Errorf("up: got %v", state)
	}
	one.AddRoom(Room{ExternalID: "room", Attendees: []Attendee{{FullName: "Ada"}}})
	if _, state := steer(t, h, "GET", "/nodes/0", ""); state["rooms"] != 1.0 || !strings.Contains(asJSON(t, state["running"]), `"Ada"`) {
		t.Errorf("state is %v", state)
	}
	if _, state := steer(t, h, "POST", "/nodes/0/restart", ""); state["rooms"] != 0.0 || len(one.Rooms()) != 0 {
		t.Errorf("restart: got %v", state)
	}
	steer(t, h, "GET", "/nodes", "")
}

func TestControlLosesEvents(t *testing.T) {
	t.Parallel()
	n, c := taped(t, Options{})
	h := Control(n)
	steer(t, h, "POST", "/nodes/0/mute", "")
	n.AddRoom(Room{ExternalID: "lost"})
	steer(t, h, "POST", "/nodes/all/unmute", "")
	n.AddRoom(Room{ExternalID: "told"})
	if got := c.last(t, "MeetingCreatedEvtMsg"); c.cut(t) != "MeetingCreated" || !strings.Contains(got, `"extId":"told"`) {
		t.Errorf("got %s, want the second room alone", got)
	}
}

func TestFleetStopsWithWhatIsBesideIt(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	opts := FleetOptions{Nodes: 2, Listen: "127.0.0.1:0", Beside: func(_ context.Context, nodes []*Node) error {
		if len(nodes) != 2 {
			t.Errorf("%d nodes, want 2", len(nodes))
		}
		return broken
	}}
	if err := RunFleet(t.Context(), opts, io.Discard); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	opts.Beside = func(ctx context.Context, _ []*Node) error { stop(); <-ctx.Done(); return nil }
	if err := RunFleet(ctx, opts, io.Discard); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestControlExplainsBadInput(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	closed := New(Options{})
	closed.Close()
	h := Control(n, closed)
	tests := []struct {
		method, path, body string
		status             int
		contains           string
	}{
		{"POST", "/nodes/0/faults", "", 400, "body is no fault"},
		{"POST", "/nodes/0/faults", `{"kind": "latency"} {}`, 400, "more than one"},
		{"POST", "/nodes/0/faults", `{"kind": "sulk"}`, 400, "sulk"},
		{"POST", "/nodes/0/faults", `{"kind": "latency", "delay": "soon"}`, 400, "delay"},
		{"POST", "/nodes/0/faults", `{"kind": "latency", "delay": "-1s"}`, 400, "clockSkew"},
		{"POST", "/nodes/0/faults", `{"kind": "latency", "often": 2}`, 400, "often"},
		{"POST", "/nodes/0/faults", `{"kind": "latency", "times": -2}`, 400, "times"},
		{"POST", "/nodes/0/faults", `{"kind": "failWith"}`, 400, "key"},
		{"POST", "/nodes/2/faults", `{"kind": "latency"}`, 404, "0 to 1"},
		{"GET", "/nodes/x", "", 404, "0 to 1"},
		{"POST", "/nodes/1/up", "", 500, "closed"},
		{"GET", "/nodes/0/down", "", 404, "GET /"},
		{"GET", "/elsewhere", "", 404, "GET /"},
	}
	for _, test := range tests {
		status, out := steer(t, h, test.method, test.path, test.body)
		message, _ := out["error"].(string)
		if status != test.status || !strings.Contains(message, test.contains) {
			t.Errorf("%s %s %s: got %d, %q; want %d, …%s…", test.method, test.path, test.body, status, message, test.status, test.contains)
		}
	}
	if len(n.Faults()) != 0 {
		t.Errorf("faults are %v, want none", n.Faults())
	}
}

func TestControlHelpNamesEverything(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.SetFault(Fault{Kind: BlackHole})
	n.Down()
	w := httptest.NewRecorder()
	Control(n).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	for _, kind := range Kinds() {
		if !strings.Contains(ControlHelp, "\n  "+string(kind)+" ") {
			t.Errorf("help does not explain %s", kind)
		}
	}
	if !strings.Contains(w.Body.String(), "0  https://node1.bbb.test/bigbluebutton/api/  down, 0 rooms, blackHole") {
		t.Errorf("state is missing:\n%s", w.Body)
	}
}

func TestFleetRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		opts := FleetOptions{Nodes: 2, Listen: "127.0.0.1:0", Host: "localhost", Control: "127.0.0.1:0", Node: Options{Secret: "hush", Version: "2.7"}}
		done <- RunFleet(ctx, opts, in)
	}()
	lines := bufio.NewScanner(out)
	var words [3][]string
	for i := range words {
		if !lines.Scan() {
			t.Fatal("output ends too early")
		}
		words[i] = strings.Fields(lines.Text())
	}
	client := bbb.NewClient(bbb.ClientOptions{})
	defer client.CloseIdle()
	for i, line := range words[:2] {
		if !strings.HasPrefix(line[1], "http://localhost:") || line[3] != "hush" {
			t.Errorf("line is %q", line)
		}
		node := bbb.Node{BaseURL: line[1], Secret: line[3]}
		if a, err := client.Do(t.Context(), node, bbb.Call{Name: "getMeetings"}); err != nil || !a.Succeeded() {
			t.Errorf("node %d: %v", i, err)
		}
	}
	resp, err := http.Get(words[2][1] + "nodes/1")
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, resp); !strings.Contains(got, `"node1"`) {
		t.Errorf("control says %s", got)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if _, err := client.Do(t.Context(), bbb.Node{BaseURL: words[0][1], Secret: "hush"}, bbb.Call{Name: "getMeetings"}); err == nil {
		t.Error("a node answers after the end")
	}
}

func TestFleetRefusesBadOptions(t *testing.T) {
	t.Parallel()
	taken := Start(t, Options{})
	address := strings.TrimSuffix(strings.TrimPrefix(taken.BaseURL(), "http://"), apiPath+"/")
	for _, opts := range []FleetOptions{
		{Nodes: 0, Listen: "127.0.0.1:0"},
		{Nodes: 1, Listen: "127.0.0.1"},
		{Nodes: 1, Listen: "127.0.0.1:http"},
		{Nodes: 2, Listen: "127.0.0.1:65535"},
		{Nodes: 1, Listen: "127.0.0.1:0", Node: Options{Version: "1.1"}},
		{Nodes: 1, Listen: address},
		{Nodes: 1, Listen: "127.0.0.1:0", Control: address},
	} {
		if err := RunFleet(t.Context(), opts, io.Discard); err == nil {
			t.Errorf("%+v: no error", opts)
		}
	}
}

func TestOptionsCheckTheVersion(t *testing.T) {
	t.Parallel()
	for version, ok := range map[string]bool{
		"": true, "2.4": true, "2.6.17": true, "3.0.37": true, "2.3": false, "2.8": false, "3.1": false, "3": false, "3.0.1.2": false, "x.y": false, "3.-1": false,
	} {
		if err := (Options{Version: version}).Check(); (err == nil) != ok {
			t.Errorf("%q: got %v, want ok %v", version, err, ok)
		}
	}
}
