package agent

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStartsAndTellsEvents(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.opts.LoadFactor = 1.5
	h.start()
	h.listening()
	h.say(joins("m", "a"), leaves("m", "a"))
	h.arrives("gap", "attendee a", "attendee_left a")
	eventually(t, "heartbeats", func() bool { return h.server.heartbeats() > 3 })
	const address = `{"host":"https://node1.example.org/bigbluebutton/api/","secret":"s3cret"}`
	// Events need not wait for the change.
	var seen []request
	eventually(t, "registered", func() bool {
		seen = slices.DeleteFunc(h.server.of(""), func(r request) bool { return strings.HasSuffix(r.path, "/events") })
		return len(seen) == 3
	})
	var got []string
	for _, r := range seen {
		got = append(got, r.String())
	}
	want := []string{
		"GET /api/v1",
		"GET /api/v1/agent/backend",
		`PATCH /api/v1/backends/7c1d6f0a {"bbb":` + address + `,"backend":` + address + `,"load_factor":1.5}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := seen[2].contentType; got != "application/json" {
		t.Errorf("content type %q", got)
	}
}

func TestRegistersOnlyWhenTold(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.server.backend = ""
	h.start()
	eventually(t, "a hint", func() bool { return strings.Contains(h.log.String(), "no backend is bound to this agent's token") })
	eventually(t, "another attempt", func() bool { return len(h.server.of("GET /api/v1/agent/backend")) > 2 })
	if got := h.server.of("POST /api/v1/backends"); len(got) > 0 || h.server.heartbeats() > 0 {
		t.Errorf("got %v and %d heartbeats", got, h.server.heartbeats())
	}
	h.server.with(func() { h.server.backend = "bound" }) // by an operator
	eventually(t, "registered", func() bool { return len(h.server.of("PATCH /api/v1/backends/bound")) == 1 })

	h = newHarness(t)
	h.server.backend = ""
	h.opts.Register = true
	h.start()
	h.listening()
	h.arrives("gap")
	got := h.server.of("POST /api/v1/backends")
	if len(got) != 1 || got[0].body != `{"bbb":{"host":"https://node1.example.org/bigbluebutton/api/","secret":"s3cret"},"admin_state":"init"}` {
		t.Errorf("got %v", got)
	}
}

// After a power cut everything starts at once, in any order.
func TestStartsBeforeEverythingElse(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	text, err := os.ReadFile(h.opts.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(h.opts.ConfigFile); err != nil {
		t.Fatal(err)
	}
	h.redis.Close()
	var down atomic.Bool
	down.Store(true)
	h.server.fault = func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
		return down.Load()
	}
	h.start()
	eventually(t, "no settings", func() bool { return strings.Contains(h.log.String(), "settings of BigBlueButton") })
	if err := os.WriteFile(h.opts.ConfigFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no Redis", func() bool { return strings.Contains(h.log.String(), "Redis is not heard") })
	eventually(t, "no server", func() bool { return strings.Contains(h.log.String(), "Bad Gateway [502]") })
	if err := h.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	h.listening()
	h.say(joins("m", "a"))
	down.Store(false)
	h.arrives("gap", "attendee a")
}

func TestRedisComesBack(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start()
	h.listening()
	h.say(joins("m", "a"))
	h.arrives("gap", "attendee a")
	for range 3 {
		h.redis.Close()
		eventually(t, "not listening", func() bool { return !h.agent.vitals.redis.Load() })
		if err := h.redis.Restart(); err != nil {
			t.Fatal(err)
		}
		h.listening()
	}
	h.say(leaves("m", "a"))
	h.arrives("gap", "attendee a", "gap", "gap", "gap", "attendee_left a")
}

func TestServerRestarts(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	var requests atomic.Int64
	h.server.fault = func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path != "/api/v1/agent/events" {
			return false
		}
		switch requests.Add(1) % 4 {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case 1:
			panic(http.ErrAbortHandler)
		}
		return false
	}
	h.server.lose = func(r *http.Request) bool {
		return r.URL.Path == "/api/v1/agent/events" && requests.Load()%4 == 2
	}
	h.start()
	h.listening()
	want := []string{"gap"}
	for i := range 300 {
		user := strconv.Itoa(i)
		h.say(joins("m", user))
		want = append(want, "attendee "+user)
		if i%50 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	h.arrives(want...)
	if h.server.missing() != 0 {
		t.Errorf("%d lost", h.server.missing())
	}
}

func TestHeartbeatsDoNotWaitForEvents(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	release := make(chan struct{})
	var hanging atomic.Int64
	h.server.fault = func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path != "/api/v1/agent/events" {
			return false
		}
		hanging.Add(1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false
	}
	h.start()
	h.listening()
	eventually(t, "a hanging batch", func() bool { return hanging.Load() > 0 })
	before := h.server.heartbeats()
	eventually(t, "heartbeats", func() bool { return h.server.heartbeats() > before+10 })
	close(release)
}

// A heartbeat that hangs must not be the last.
func TestHangingHeartbeat(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.opts.pace.heartbeatDeadline = 20 * time.Millisecond
	var first atomic.Bool
	h.server.fault = func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		if r.URL.Path == "/api/v1/agent/heartbeat" && first.CompareAndSwap(false, true) {
			<-r.Context().Done()
			return true
		}
		return false
	}
	h.start()
	eventually(t, "heartbeats", func() bool { return h.server.heartbeats() > 3 })
}

func TestOverflowIsTold(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.opts.pace.outbox = 10
	h.server.backend = "" // nothing can be sent yet
	h.start()
	h.listening()
	for i := range 100 {
		h.say(joins("m", strconv.Itoa(i)))
	}
	eventually(t, "all heard", func() bool { return h.agent.count.messages.Load() == 100 })
	h.server.with(func() { h.server.backend = "bound" })
	var want []string
	for i := 90; i < 100; i++ {
		want = append(want, "attendee "+strconv.Itoa(i))
	}
	h.arrives(want...)
	h.say(joins("m", "x"))
	h.arrives(append(want, "attendee x")...)
	// With the gap. What was under way when it fell out may count, too.
	if h.server.missing() < 91 {
		t.Errorf("%d lost, want 91", h.server.missing())
	}
}

// What the server refuses for good must not hold up the rest.
func TestRefusedEvent(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.server.fault = func(w http.ResponseWriter, _ *http.Request, body string) bool {
		bad := strings.Contains(body, `"user_id":"bad"`)
		if bad {
			no(w, http.StatusBadRequest)
		}
		return bad
	}
	h.server.backend = ""
	h.start()
	h.listening()
	h.say(joins("m", "a"), joins("m", "b"), joins("m", "bad"), joins("m", "c"), joins("m", "d"))
	eventually(t, "all heard", func() bool { return h.agent.count.messages.Load() == 5 })
	h.server.with(func() { h.server.backend = "bound" })
	h.arrives("gap", "attendee a", "attendee b", "attendee c", "attendee d")
	eventually(t, "the loss is told", func() bool { return h.server.missing() == 1 })
}

func TestBackendIsRemoved(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.opts.Register = true
	h.start()
	h.listening()
	h.arrives("gap")
	h.server.with(func() { h.server.backend = "" })
	eventually(t, "registered again", func() bool { return len(h.server.of("POST /api/v1/backends")) == 1 })
	h.say(joins("m", "a"))
	h.arrives("gap", "attendee a")
}

func TestSettingsChange(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start()
	h.listening()
	h.arrives("gap")
	if err := os.WriteFile(h.opts.ConfigFile, []byte(h.text("https://moved.example.org", "n3w-s3cret")), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "told", func() bool {
		got := h.server.of("PATCH")
		return len(got) > 0 && strings.Contains(got[len(got)-1].body, `"bbb":{"host":"https://moved.example.org/bigbluebutton/api/","secret":"n3w-s3cret"}`)
	})
	// Redis gets a password; the connection ends, and the next one needs it.
	h.redis.RequireAuth("p@ss/w:rd")
	if err := os.WriteFile(h.opts.ConfigFile, []byte(h.text("https://moved.example.org", "n3w-s3cret")+"redisPassword=p@ss/w:rd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.arrives("gap", "gap")
	h.say(joins("m", "a"))
	h.arrives("gap", "gap", "attendee a")
}

func TestSendsWhatIsLeftWhenItStops(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.opts.pace.batch = time.Hour
	h.start()
	h.listening()
	h.arrives("gap")
	h.say(joins("m", "a"), leaves("m", "a"))
	eventually(t, "heard", func() bool { return h.agent.outbox.len() == 2 })
	h.stopped()
	if got := h.server.kinds(); !slices.Equal(got, []string{"gap", "attendee a", "attendee_left a"}) {
		t.Errorf("got %v", got)
	}
}

func TestStopsInTimeWithoutServer(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.opts.pace.flush = 50 * time.Millisecond
	h.start()
	h.listening()
	h.arrives("gap")
	h.server.with(func() {
		h.server.fault = func(_ http.ResponseWriter, r *http.Request, _ string) bool { <-r.Context().Done(); return true }
	})
	h.say(joins("m", "a"))
	start := time.Now()
	h.stopped()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestLiveness(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start()
	h.listening()
	if got := h.agent.heartbeat(time.Now()); got.PongAge != nil {
		t.Errorf("a pong %d ms ago", *got.PongAge)
	}
	h.say(string(fixtureFiles(t)["CheckAlivePongSysMsg"]))
	eventually(t, "a pong", func() bool { return h.agent.heartbeat(time.Now()).PongAge != nil })
	got := h.agent.heartbeat(time.Now())
	if !got.Redis || got.Boot != h.agent.boot || got.Version != "1.2.3" || got.BBBVersion != "3.0.19" || *got.PongAge > 20_000 {
		t.Errorf("got %+v", got)
	}
	if old := h.agent.heartbeat(time.Now().Add(time.Hour)); old.DiskFree != nil {
		t.Error("an old sample is told")
	}
}

// No message, however odd, ends the agent or goes to the log.
func TestFloodOfOddMessages(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.start()
	h.listening()
	for _, raw := range fixtureFiles(t) {
		h.say(string(raw[:len(raw)/2]), "{", `{"envelope":{}}`, string(raw[len(raw)/2:]))
	}
	h.say(joins("m", "a"))
	h.arrives("gap", "attendee a")
	if got := fmt.Sprint(h.agent.count.broken.Load() > 100, h.agent.count.events.Load()); got != "true 1" {
		t.Errorf("got %s", got)
	}
}
