package agent

import (
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// The others use a simulation of Redis. This one proves that it is like the
// real thing.
func TestRealRedis(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is missing: make test installs it")
	}
	h := newHarness(t)
	port := freePort(t)
	const password = "p@ss/w:rd#?%"
	serve := func() (stop func()) {
		t.Helper()
		redis := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--requirepass", password, "--dir", t.TempDir())
		if err := redis.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			_ = redis.Process.Kill()
			_ = redis.Wait() // it was killed
		}
	}
	client := redisClient(t.Context(), &node{redisAddress: "127.0.0.1:" + port, redisPassword: password}, time.Second)
	defer client.Close()
	say := func(channel, message string) {
		t.Helper()
		if heard, err := client.Publish(t.Context(), channel, message).Result(); err != nil || heard != 1 {
			t.Fatalf("%d heard it, %v", heard, err)
		}
	}
	h.opts.ConfigFile = write(t, t.TempDir(), "p", h.text("https://node1.example.org", "s3cret")+"redisPort="+port+"\nredisPassword="+password+"\n")
	stop := serve()
	h.start()
	h.listening()
	say(channels[0], joins("m", "a"))
	say(channels[1], string(fixtureFiles(t)["BreakoutRoomEndedEvtMsg"]))
	h.arrives("gap", "attendee a", "meeting_ended")
	stop()
	eventually(t, "not listening", func() bool { return !h.agent.vitals.redis.Load() })
	stop = serve()
	defer func() { stop() }()
	h.listening()
	time.Sleep(4 * h.opts.pace.ping) // silence is no reason to go
	say(channels[0], leaves("m", "a"))
	h.arrives("gap", "attendee a", "meeting_ended", "gap", "attendee_left a")
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}
