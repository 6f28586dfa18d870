package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// output is what a running bbbsim has told so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// waitFor gives a condition all the time it may need.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// start runs bbbsim until the test ends, and returns what it tells.
func start(t *testing.T, args ...string) *output {
	t.Helper()
	var out output
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, append([]string{"-listen", "127.0.0.1:0", "-control", ""}, args...), &out, io.Discard)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return &out
}

var told = regexp.MustCompile(`node\d+ (http\S+/) secret (\S+)\n`)

func nodesOf(t *testing.T, out *output, count int) []bbb.Node {
	t.Helper()
	waitFor(t, "the nodes", func() bool { return len(told.FindAllString(out.String(), -1)) == count })
	var nodes []bbb.Node
	for _, m := range told.FindAllStringSubmatch(out.String(), -1) {
		nodes = append(nodes, bbb.Node{BaseURL: m[1], Secret: m[2]})
	}
	return nodes
}

func callNode(t *testing.T, n bbb.Node, call, query string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.BaseURL+call+"?"+bbb.SignedQuery(call, query, n.Secret), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// subscribe counts the events that come by name.
func subscribe(t *testing.T, server *miniredis.Miniredis, password string) func(name string) int {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: password})
	sub := client.Subscribe(t.Context(), bbbtest.EventChannel)
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := sub.ReceiveMessage(context.WithoutCancel(t.Context()))
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, m.Payload)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = sub.Close()
		_ = client.Close()
		<-done
	})
	return func(name string) int {
		mu.Lock()
		defer mu.Unlock()
		return strings.Count(strings.Join(all, "\n"), `{"envelope":{"name":"`+name+`"`)
	}
}

func TestEachNodePublishesOnItsOwnRedis(t *testing.T) {
	t.Parallel()
	one, two := miniredis.RunT(t), miniredis.RunT(t)
	one.RequireAuth("hush")
	two.RequireAuth("hush")
	first, second := subscribe(t, one, "hush"), subscribe(t, two, "hush")
	dir := t.TempDir()
	nodes := nodesOf(t, start(t, "-nodes", "2", "-redis", one.Addr()+","+two.Addr(), "-redis-password", "hush",
		"-users", "20", "-churn", "100", "-properties", dir), 2)
	callNode(t, nodes[1], "create", "meetingID=room&name=Room")
	for _, name := range []string{
		"MeetingCreatedEvtMsg", "UserJoinedMeetingEvtMsg", "UserLeftMeetingEvtMsg", "UserBroadcastCamStartedEvtMsg",
		"UserLeftVoiceConfToClientEvtMsg",
	} {
		waitFor(t, name, func() bool { return second(name) > 0 })
	}
	if got := first("MeetingCreatedEvtMsg") + first("UserJoinedMeetingEvtMsg"); got != 0 {
		t.Errorf("%d events of node1 came to the Redis of node0, want none", got)
	}
	callNode(t, nodes[1], "end", "meetingID=room")
	waitFor(t, "the end", func() bool { return second("MeetingDestroyedEvtMsg") == 1 })

	for i, server := range []*miniredis.Miniredis{one, two} {
		path := filepath.Join(dir, "node"+strconv.Itoa(i), "bbb-web.properties")
		waitFor(t, path, func() bool { _, err := os.Stat(path); return err == nil })
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := "# Written by bbbsim for node" + strconv.Itoa(i) + ".\n" +
			"bigbluebutton.web.serverURL=" + strings.TrimSuffix(nodes[i].BaseURL, "/bigbluebutton/api/") + "\nsecuritySalt=bbbsim-secret\n" +
			"redisHost=" + server.Host() + "\nredisPort=" + server.Port() + "\nredisPassword=hush\n"
		if string(text) != want {
			t.Errorf("got\n%swant\n%s", text, want)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode is %v, want 600 (%v)", info.Mode(), err)
		}
	}
}

func TestEventsAreLostWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	count := subscribe(t, server, "")
	var log output
	p := newPublisher(0, server.Addr(), "", slog.New(slog.NewTextHandler(&log, nil)))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	send := func(name string) { p.publish(bbbtest.EventChannel, []byte(`{"envelope":{"name":"`+name+`"}}`)) }
	send("before")
	waitFor(t, "an event", func() bool { return count("before") == 1 })
	server.Close()
	send("lost")
	waitFor(t, "the warning", func() bool { return strings.Contains(log.String(), "events are lost") })
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	after := subscribe(t, server, "")
	waitFor(t, "Redis again", func() bool { send("after"); return after("after") > 0 })
	if got := after("lost"); got != 0 {
		t.Errorf("%d lost events were repeated", got)
	}
	waitFor(t, "the all-clear", func() bool { return strings.Contains(log.String(), "redis is back") })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPublishingNeverBlocks(t *testing.T) {
	t.Parallel()
	p := newPublisher(0, "127.0.0.1:1", "", slog.New(slog.DiscardHandler)) // nobody publishes
	for range 2 * waitingEvents {
		p.publish("channel", nil)
	}
	if got := len(p.queue); got != waitingEvents {
		t.Errorf("%d events wait, want %d", got, waitingEvents)
	}
}

func TestCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var joins atomic.Int64
		n := bbbtest.New(bbbtest.Options{Events: func(_ string, message []byte) {
			if strings.Contains(string(message), "UserJoinedMeetingEvtMsg") {
				joins.Add(1)
			}
		}})
		t.Cleanup(n.Close)
		c := crowd{node: n, size: 30, churn: 10}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		people := func() int {
			total := 0
			for _, r := range n.Rooms() {
				total += len(r.Attendees)
			}
			return total
		}
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		pass(10 * time.Second)
		if len(n.Rooms()) != 0 {
			t.Error("the crowd made a meeting")
		}
		for _, id := range []string{"one", "two", "small"} {
			r := bbbtest.Room{ExternalID: id}
			if id == "small" {
				r.MaxUsers = 3
			}
			n.AddRoom(r)
		}
		pass(time.Second)
		if got := people(); got < 29 || got > 30 {
			t.Errorf("%d people came, want 30", got)
		}
		before := joins.Load()
		pass(time.Minute)
		if got := joins.Load() - before; got < 280 || got > 320 {
			t.Errorf("%d people came in a minute, want 300", got)
		}
		if r, _ := n.Room("small"); len(r.Attendees) > 3 {
			t.Errorf("%d people are in a room for 3", len(r.Attendees))
		}
		for _, r := range n.Rooms() {
			if r.ExternalID != "small" && len(r.Attendees) < 5 {
				t.Errorf("only %d people are in %s", len(r.Attendees), r.ExternalID)
			}
		}
		n.EndNow("one")
		pass(10 * time.Second)
		if got := people(); got < 29 || got > 30 {
			t.Errorf("%d people are there after an end, want 30", got)
		}
		n.EndNow("two")
		n.EndNow("small")
		pass(10 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(n.Rooms()) != 0 || len(c.people) != 0 {
			t.Errorf("%d people are left, want none", len(c.people))
		}
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		list  string
		nodes int
		ok    bool
	}{
		{"", 3, true},
		{"127.0.0.1:6379", 1, true},
		{"127.0.0.1:6379, [::1]:6380", 2, true},
		{"127.0.0.1:6379", 2, false},
		{"127.0.0.1:6379,127.0.0.1:6379", 2, false},
		{"127.0.0.1", 1, false},
		{":6379", 1, false},
	} {
		if _, err := addresses(test.list, test.nodes); (err == nil) != test.ok {
			t.Errorf("%q for %d nodes: %v", test.list, test.nodes, err)
		}
	}
}
