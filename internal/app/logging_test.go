package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/auth"
)

// SIGUSR1 shows more of a process that runs, and then no longer does.
func TestLogLevelBySignal(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(environ(file(t)), asMain+"=1", "B3SCALE_LOG_LEVEL=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	address, _ := waitForLine(t, lines, "serving")["address"].(string)
	toggle := func(from, to string) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		line := waitForLine(t, lines, "log level changed")
		if line["from"] != from || line["to"] != to || line["by"] != "SIGUSR1" || line["level"] != "INFO" {
			t.Errorf("got %v, want from %s to %s", line, from, to)
		}
	}
	toggle("info", "debug")
	get(t, "http://"+address+"/healthz")
	if line := waitForLine(t, lines, "request"); line["level"] != "DEBUG" || line["path"] != "/healthz" {
		t.Errorf("got %v", line)
	}
	toggle("debug", "info")
	get(t, "http://"+address+"/healthz")
	toggle("info", "debug")
	get(t, "http://"+address+"/readyz")
	if line := waitForLine(t, lines, "request"); line["path"] != "/readyz" {
		t.Errorf("between the signals there was %v", line)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitForLine(t, lines, "stopped")
	for lines.Scan() {
		t.Errorf("after the last line: %s", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want exit code 0", err)
	}
}

// Every change is logged, also where nothing of its importance is.
func TestLevel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		configured string
		steps      []string // a level, or "toggle"
		want       []string // what was logged, and the level at the end
	}{
		{"info", []string{"toggle", "toggle"}, []string{"info debug", "debug info", "info"}},
		{"error", []string{"toggle", "toggle", "warn"}, []string{"error debug", "debug error", "error warn", "warn"}},
		{"info", []string{"panic", "toggle", "toggle"}, []string{"info panic", "panic debug", "debug info", "info"}},
		{"info", []string{"trace", "toggle"}, []string{"info trace", "trace info", "info"}},
		{"debug", []string{"toggle"}, []string{"debug debug", "debug"}},
		{"trace", []string{"toggle"}, []string{"trace trace", "trace"}},
		{"warn", []string{"-1", "5", "WARN", ""}, []string{"warn trace", "trace panic", "panic warn", "warn warn", "warn"}},
		{"warn", []string{"loud", "6", "-2", "info "}, []string{"warn"}},
	} {
		var out syncBuffer
		_, level := app.NewLog(load(t, []string{"B3SCALE_LOG_LEVEL=" + c.configured}), &out)
		for _, step := range c.steps {
			if step == "toggle" {
				level.Toggle(t.Context(), "test")
			} else if err := level.Change(t.Context(), step, "test"); (err != nil) != (len(c.want) == 1) {
				t.Errorf("%s: change to %q: %v", c.configured, step, err)
			}
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			var told struct{ From, To string }
			if err := json.Unmarshal([]byte(line), &told); err != nil {
				t.Fatal(err)
			}
			got = append(got, told.From+" "+told.To)
		}
		current, configured := level.Names()
		if got = append(got, current); !slices.Equal(got, c.want) || configured != c.configured {
			t.Errorf("%s, %q: got %q and %s, want %q", c.configured, c.steps, got, configured, c.want)
		}
	}
}

// tap is the network to the nodes. It remembers the headers and addresses of
// all that goes to them.
type tap struct {
	http.RoundTripper
	mu       sync.Mutex
	requests []*http.Request
}

func (n *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.requests = append(n.requests, r)
	n.mu.Unlock()
	if strings.Contains(r.URL.RawQuery, meetingParam("panics")) {
		panic("the network is lost at " + r.URL.String())
	}
	return n.RoundTripper.RoundTrip(r)
}

// meetingParam is how a meeting is named to a node.
func meetingParam(meetingID string) string {
	return "meetingID=" + strings.TrimRight(b3scale.EncodeMeetingID(frontendKey, meetingID), "=")
}

func (n *tap) all() []*http.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.requests)
}

// tapped is a daemon that serves, with its log and level, on a tapped network.
func tapped(t *testing.T, env []string, nodes ...*bbbtest.Node) (*instance, *tap) {
	t.Helper()
	cfg := load(t, env)
	d, network := &instance{TB: t, log: &syncBuffer{}}, &tap{RoundTripper: bbbtest.Transport(nodes...)}
	log, level := app.NewLog(cfg, d.log)
	opts := app.Options{Level: level, Client: bbb.ClientOptions{Transport: network}}
	opts.Cluster.JoinWait = 5 * time.Millisecond
	a, err := app.New(t.Context(), cfg, log, opts)
	if err != nil {
		t.Fatal(err)
	}
	d.App = a
	t.Cleanup(func() {
		if err := d.Stop(); err != nil { // a second time for some
			t.Error(err)
		}
	})
	var backends []b3scale.Backend
	for _, n := range nodes {
		backends = append(backends, b3scale.Backend{Host: n.BaseURL(), Secret: nodeSecret, AdminState: b3scale.AdminReady, LoadFactor: 1, AgentRef: "agent-of-" + n.Name()})
	}
	if err := d.Seed(t.Context(), []b3scale.Frontend{{Key: frontendKey, Secret: frontendSecret, Active: true}}, backends); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready", d.ready)
	return d, network
}

// Operators and tracers can follow a request to the node: through the REST API
// as well as through the gateway.
func TestIDsGoToNodes(t *testing.T) {
	t.Parallel()
	const parent, state = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=1,b=2"
	d, network := tapped(t, environ(file(t), "B3SCALE_API_JWT_SECRET="+jwtSecret), node(t, bbbtest.Options{Name: "n"}))
	send := func(id, method, path string, header http.Header) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, d.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		if id != "" {
			req.Header.Set("X-Request-Id", id)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	// reached gives what a call sent on, by the id that the client was told.
	reached := func(call, id string) http.Header {
		for _, r := range network.all() {
			if strings.HasSuffix(r.URL.Path, "/"+call) && r.Header.Get("X-Request-Id") == id {
				return r.Header
			}
		}
		t.Errorf("%s: no request with the id %q has reached the node", call, id)
		return http.Header{}
	}
	traced := func() http.Header { return http.Header{"Traceparent": {parent}, "Tracestate": {"a=1", "b=2"}} }
	admin := "Bearer " + token(t, "operator", auth.Admin)
	for i, c := range []struct {
		call, method, path string
		header             http.Header
		traced             bool
	}{
		{"create", http.MethodGet, signed("create", "meetingID=room1&name=Room"), http.Header{}, false},
		{"create", http.MethodGet, signed("create", "meetingID=room2&name=Room"), traced(), true},
		{"getMeetingInfo", http.MethodGet, signed("getMeetingInfo", "meetingID=room1"), traced(), true},
		{"getMeetingInfo", http.MethodGet, signed("getMeetingInfo", "meetingID=room1"), http.Header{"Traceparent": {"00-nonsense"}, "Tracestate": {state}}, false},
		{"end", http.MethodDelete, "/api/v1/meetings/" + b3scale.EncodeMeetingID(frontendKey, "room1") + "?end=true",
			http.Header{"Traceparent": {parent}, "Tracestate": {state}, "Authorization": {admin}}, true},
		{"end", http.MethodDelete, "/api/v1/meetings/" + b3scale.EncodeMeetingID(frontendKey, "room2") + "?end=true",
			http.Header{"Authorization": {admin}}, false},
	} {
		id := ""
		if i%2 == 0 {
			id = fmt.Sprint("given-by-a-proxy-", i)
		}
		resp := send(id, c.method, c.path, c.header)
		told := resp.Header.Get("X-Request-Id")
		if resp.StatusCode != http.StatusOK || told == "" || id != "" && told != id {
			t.Errorf("%s with the id %q: status %d, told %q", c.call, id, resp.StatusCode, told)
		}
		got, want := reached(c.call, told), http.Header{"X-Request-Id": {told}}
		if c.traced {
			want["Traceparent"], want["Tracestate"] = []string{parent}, []string{state}
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: the node got %v, want %v", c.call, got, want)
		}
	}
	for _, r := range network.all() {
		if r.Header.Get("X-Request-Id") == "" && len(r.Header) > 0 {
			t.Errorf("what nobody asked for has headers: %s %v", r.URL.Path, r.Header)
		}
	}
}
