package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := load1(write(t, dir, "loadavg", "0.52 0.58 0.59 1/1 7\n")); got == nil || *got != 0.52 {
		t.Errorf("load %v", got)
	}
	total, free := memory(write(t, dir, "meminfo", "MemTotal:       16 kB\nMemFree: 1 kB\nMemAvailable:    8 kB\nHugePages_Total: 0\n"))
	if total == nil || free == nil || *total != 16<<10 || *free != 8<<10 {
		t.Errorf("memory %v %v", total, free)
	}
	for _, text := range []string{"", "x", "-1 2", "NaN 1", "\n"} {
		file := write(t, dir, "odd", text)
		if got := load1(file); got != nil {
			t.Errorf("%q: load %v", text, *got)
		}
		if total, free := memory(file); total != nil || free != nil {
			t.Errorf("%q: memory", text)
		}
	}
	raw, err := json.Marshal(Heartbeat{Boot: "b", Version: "v"})
	if err != nil || string(raw) != `{"boot":"b","version":"v","redis":false}` {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestUnprocessedRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := unprocessed(dir); got != nil {
		t.Errorf("%d in a node that does not record", *got)
	}
	for _, name := range []string{"sanity/a-1.done", "sanity/b-2.done", "sanity/c-3.done", "sanity/c-3.fail", "published/b-2-presentation.done", "published/b-2-video.done", "published/x-9-video.done"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, "")
	}
	if got := unprocessed(dir); got == nil || *got != 2 {
		t.Errorf("got %v, want 2", got)
	}
}

func TestSystemd(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "b3s") // a socket's name is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h := newHarness(t)
	h.opts.NotifySocket, h.opts.Watchdog = socket, 30*time.Millisecond
	h.start()
	go func() {
		h.listening()
		time.Sleep(50 * time.Millisecond)
		h.stop()
	}()
	var heard strings.Builder
	for !strings.Contains(heard.String(), "STOPPING=1") {
		buffer := make([]byte, 1000)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		heard.Write(append(buffer[:n], '\n'))
	}
	for _, want := range []string{"READY=1\n", "STATUS=registered\n", "WATCHDOG=1\n"} {
		if !strings.Contains(heard.String(), want) {
			t.Errorf("no %q in %q", want, heard.String())
		}
	}
	notifier{socket: filepath.Join(dir, "nobody")}.send("READY=1") // nothing happens
}

func TestCheck(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	check := func(want ...string) {
		t.Helper()
		var out bytes.Buffer
		err := Check(t.Context(), h.opts, &out)
		if (err != nil) != strings.Contains(out.String(), "problem") {
			t.Errorf("error %v", err)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("no %q in:\n%s", text, out.String())
			}
		}
		if strings.Contains(out.String(), "s3cret") || strings.Contains(out.String(), token) {
			t.Errorf("a secret in:\n%s", out.String())
		}
	}
	check("ok       Redis at "+h.redis.Addr(), `version "1.3.0", token of "node01"`, "backend 7c1d6f0a would move from x to https://node1.example.org/bigbluebutton/api/")
	h.server.backend = ""
	check("problem  backend: no backend is bound")
	h.opts.Register, h.opts.LoadFactor = true, 2
	check("ok       a new backend would be added: https://node1.example.org/bigbluebutton/api/, admin_state init, load factor 2")
	h.redis.RequireAuth("other")
	h.server.web.Close()
	check("problem  Redis", "problem  API")
	h.opts.ConfigFile, h.opts.APIURL = "testdata/none", "ftp://x"
	check("problem  settings of BigBlueButton", "problem  API")
	for _, r := range h.server.of("") {
		if r.method != "GET" {
			t.Errorf("a check changes something: %s", r)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	b := backoff{least: 100, most: 1000}
	for _, most := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		if got := b.wait(); got < most/2 || got > most {
			t.Errorf("got %d, want %d to %d", got, most/2, most)
		}
	}
	b.reset()
	if got := b.wait(); got > 100 {
		t.Errorf("after a reset %d", got)
	}
}

func TestBadAddressOfTheAPI(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "example.org", "ftp://example.org", "https://s3cret@example.org"} {
		if _, err := New(Options{APIURL: address}, slog.New(slog.DiscardHandler)); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A Redis that accepts and says nothing must not look like a quiet node.
func TestSilentRedis(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	h := newHarness(t)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	good := h.opts.ConfigFile
	h.opts.ConfigFile = write(t, t.TempDir(), "p", h.text("https://node1.example.org", "s3cret")+"redisPort="+port+"\n")
	h.opts.pace.ping, h.opts.pace.redis = 20*time.Millisecond, 50*time.Millisecond
	h.start()
	eventually(t, "noticed", func() bool { return strings.Contains(h.log.String(), "Redis is not heard") })
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(h.opts.ConfigFile), "p", string(text))
	h.listening()
}

// What hangs must not hold up the end.
func TestStopsWhileRedisHangs(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	h := newHarness(t)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	h.opts.ConfigFile = write(t, t.TempDir(), "p", h.text("https://node1.example.org", "s3cret")+"redisPort="+port+"\n")
	h.opts.pace.redis = time.Minute
	h.start()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h.stopped()
}
