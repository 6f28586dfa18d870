package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"b3scale/internal/logtest"
)

// hurry is a pace for tests.
func hurry() pace {
	return pace{
		heartbeat: 5 * time.Millisecond, heartbeatDeadline: 200 * time.Millisecond,
		registerDeadline: 2 * time.Second,
		retryLeast:       2 * time.Millisecond, retryMost: 50 * time.Millisecond,
		unbound: 20 * time.Millisecond,
		files:   5 * time.Millisecond,
		sample:  10 * time.Millisecond,
		redis:   time.Second,
		ping:    100 * time.Millisecond,
		batch:   2 * time.Millisecond, batchDeadline: time.Second,
		legacy: time.Hour,
		flush:  2 * time.Second,
		sweep:  time.Minute,
		outbox: 10_000,
	}
}

// request is what a server saw.
type request struct {
	method, path, body, contentType string
}

func (r request) String() string { return strings.TrimSpace(r.method + " " + r.path + " " + r.body) }

// server is b3scaled as an agent sees it, or the existing product.
type server struct {
	t   *testing.T
	web *httptest.Server
	old bool // the existing product: no route for batches

	mu       sync.Mutex
	backend  string // bound to the token; empty: none
	seen     []request
	beats    int
	boot     string
	position uint64
	events   []Event
	lost     uint64
	// fault answers instead of the server; false: it does not.
	fault func(w http.ResponseWriter, r *http.Request, body string) bool
	lose  func(r *http.Request) bool // the answer, after the server has done its part
}

func newServer(t *testing.T) *server {
	s := &server{t: t, backend: "7c1d6f0a"}
	s.web = httptest.NewServer(s)
	t.Cleanup(s.web.Close)
	return s
}

const token = "t0ken-of-the-agent"

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the agent gave up
	}
	if got := r.Header.Get("Authorization"); got != "Bearer "+token {
		s.t.Errorf("Authorization %q", got)
	}
	if got := r.Header.Get("User-Agent"); got != "b3scaleagent/1.2.3" {
		s.t.Errorf("User-Agent %q", got)
	}
	s.mu.Lock()
	fault, lose := s.fault, s.lose
	s.mu.Unlock()
	if fault != nil && fault(w, r, string(body)) {
		return
	}
	s.answer(w, r, body)
	if lose != nil && lose(r) {
		panic(http.ErrAbortHandler)
	}
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	if path == "/api/v1/agent/heartbeat" {
		s.beats++
	} else {
		s.seen = append(s.seen, request{r.Method, path, string(body), r.Header.Get("Content-Type")})
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.Method + " " + path {
	case "GET /api/v1":
		fmt.Fprintln(w, `{"version":"1.3.0","build":"0000000","api":"v1","account_ref":"node01","is_admin":false,"database":{}}`)
	case "POST /api/v1/backends":
		s.backend = "new"
		s.answerBackend(w)
	case "GET /api/v1/agent/backend", "PATCH /api/v1/backends/" + s.backend:
		s.answerBackend(w)
	case "POST /api/v1/agent/heartbeat":
		if !json.Valid(body) {
			s.t.Errorf("heartbeat %s", body)
		}
		if s.backend == "" {
			no(w, 404)
			return
		}
		fmt.Fprintln(w, `{"backend_id":"7c1d6f0a","heartbeat":"2026-01-06T10:11:12Z"}`)
	case "POST /api/v1/agent/events":
		if s.old {
			no(w, 404)
			return
		}
		s.take(w, body)
	case "POST /api/v1/agent/rpc":
		fmt.Fprintln(w, `{"status":"ok","result":null}`)
	default:
		if r.Method == "DELETE" && strings.HasPrefix(path, "/api/v1/meetings/internal:") {
			fmt.Fprintln(w, `{}`)
			return
		}
		no(w, 404)
	}
}

func no(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, http.StatusText(status))
}

func (s *server) answerBackend(w http.ResponseWriter) {
	if s.backend == "" {
		no(w, 404)
		return
	}
	fmt.Fprintf(w, `{"id":%q,"admin_state":"init","bbb":{"host":"x","secret":"y"}}`, s.backend)
}

// take is the contract of the events route: in order, once, and nothing is
// missing without a word.
func (s *server) take(w http.ResponseWriter, body []byte) {
	var in struct {
		Boot   string  `json:"boot"`
		Events []Event `json:"events"`
		Lost   *uint64 `json:"lost"`
	}
	if err := json.Unmarshal(body, &in); err != nil || in.Boot == "" || in.Lost == nil || len(in.Events) == 0 || len(in.Events) > mostEvents {
		s.t.Errorf("batch %.200s: %v", body, err)
	}
	if in.Boot != s.boot {
		s.boot, s.position = in.Boot, 0
	}
	reconcile := *in.Lost > 0
	for i, e := range in.Events {
		if i > 0 && e.Sequence != in.Events[i-1].Sequence+1 {
			s.t.Errorf("%d after %d", e.Sequence, in.Events[i-1].Sequence)
		}
		if e.Sequence <= s.position {
			continue
		}
		if e.Sequence != s.position+1 && *in.Lost == 0 {
			s.t.Errorf("events %d to %d are missing, and nobody says so", s.position+1, e.Sequence-1)
		}
		s.position = e.Sequence
		s.events = append(s.events, e)
		reconcile = reconcile || e.Kind == kindGap
	}
	s.lost += *in.Lost
	fmt.Fprintf(w, `{"acknowledged":%d,"reconcile":%v}`, s.position, reconcile)
}

// with changes or reads the server's state.
func (s *server) with(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// of lists the requests to paths that contain a text.
func (s *server) of(text string) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []request
	for _, r := range s.seen {
		if strings.Contains(r.method+" "+r.path, text) {
			found = append(found, r)
		}
	}
	return found
}

// missing is how many events the agent said are lost.
func (s *server) missing() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// heartbeats is how many there were.
func (s *server) heartbeats() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beats
}

// kinds lists what arrived: kinds with the person or the meeting.
func (s *server) kinds() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for _, e := range s.events {
		kinds = append(kinds, strings.TrimSpace(e.Kind+" "+e.UserID))
	}
	return kinds
}

// harness is an agent with everything around it.
type harness struct {
	t      *testing.T
	server *server
	redis  *miniredis.Miniredis
	opts   Options
	log    *safeBuffer
	stop   context.CancelFunc
	agent  *Agent
	done   chan error
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, server: newServer(t), redis: miniredis.RunT(t), log: &safeBuffer{}}
	h.opts = Options{
		APIURL: h.server.web.URL, Token: token, Version: "1.2.3",
		ConfigFile: h.properties("https://node1.example.org", "s3cret"), DefaultsFile: "testdata/none",
		ReleaseFile: "testdata/node/bigbluebutton-release", DataDir: t.TempDir(),
		pace: hurry(),
	}
	return h
}

func (h *harness) properties(server, salt string) string {
	return write(h.t, h.t.TempDir(), "bbb-web.properties", h.text(server, salt))
}

func (h *harness) text(server, salt string) string {
	host, port := h.redis.Host(), h.redis.Port()
	return "bigbluebutton.web.serverURL=" + server + "\nsecuritySalt=" + salt + "\nredisHost=" + host + "\nredisPort=" + port + "\n"
}

// hidden is what the tests use and no log may show.
var hidden = []string{logtest.Secret("s3cret"), logtest.Secret("n3w-s3cret"), logtest.Secret(token), logtest.Secret("mpR4tZ9w"), logtest.Person("Ada")}

// start runs the agent until the test ends or stopped is called.
func (h *harness) start() {
	h.t.Helper()
	a, err := New(h.opts, slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.agent, h.stop, h.done = a, stop, make(chan error, 1)
	go func() { h.done <- a.Run(ctx) }()
	h.t.Cleanup(func() {
		h.stopped()
		if h.t.Failed() {
			h.t.Logf("log:\n%s", h.log)
		}
		for _, word := range hidden {
			if strings.Contains(h.log.String(), word) {
				h.t.Errorf("the log shows %q", word)
			}
		}
	})
}

func (h *harness) stopped() {
	h.t.Helper()
	if h.done == nil {
		return
	}
	h.stop()
	select {
	case err := <-h.done:
		if err != nil {
			h.t.Errorf("the agent ends with %v", err)
		}
	case <-time.After(20 * time.Second):
		h.t.Error("the agent does not stop")
	}
	h.done = nil
}

// listening waits for the agent to hear Redis.
func (h *harness) listening() {
	h.t.Helper()
	eventually(h.t, "listening", func() bool { return h.agent.vitals.redis.Load() })
}

// say publishes messages on the channel of the node.
func (h *harness) say(messages ...string) {
	h.t.Helper()
	for _, m := range messages {
		if heard := h.redis.Publish(channels[0], m); heard != 1 {
			h.t.Fatalf("%d heard it", heard)
		}
	}
}

func (h *harness) arrives(want ...string) {
	h.t.Helper()
	eventually(h.t, "events "+strings.Join(want, ", "), func() bool { return slices.Equal(h.server.kinds(), want) })
}

func eventually(t *testing.T, what string, good func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if good() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func joins(meeting, user string) string {
	return `{"envelope":{"name":"UserJoinedMeetingEvtMsg","timestamp":5},"core":{"header":{"meetingId":"` + meeting + `"},"body":{"intId":"` + user + `","extId":"x","name":"Ada","role":"VIEWER","clientType":"HTML5"}}}`
}

func leaves(meeting, user string) string {
	return `{"envelope":{"name":"UserLeftMeetingEvtMsg","timestamp":5},"core":{"header":{"meetingId":"` + meeting + `"},"body":{"intId":"` + user + `"}}}`
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	logtest.Keep(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
