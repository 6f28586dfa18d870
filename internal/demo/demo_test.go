package demo_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"b3scale/internal/demo"
)

// asMain makes the test binary behave as the demo: Ctrl-C needs a process of
// its own.
const asMain = "B3SCALE_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		os.Exit(demo.Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// Where the demo may find redis-server.
var paths = []struct {
	name, counting string
	path           func(t *testing.T) string
}{
	{"with agents", "with agents (redis-server found)", func(t *testing.T) string {
		t.Helper()
		program, err := exec.LookPath("redis-server")
		if err != nil {
			t.Fatal("redis-server is missing: make test installs it")
		}
		return filepath.Dir(program)
	}},
	{
		"not installed", "without agents: redis-server is not installed; people are counted by lists, within seconds",
		func(t *testing.T) string { t.Helper(); return t.TempDir() },
	},
	{"broken", "without agents: redis-server does not answer; people are counted by lists, within seconds", func(t *testing.T) string {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "redis-server"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}},
}

// command is the demo as a process, which leaves nothing behind.
func command(ctx context.Context, t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	dir := t.TempDir()
	cmd.Env = append(os.Environ(), asMain+"=1", "TMPDIR="+dir, "PATH="+path)
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("files stay behind: %v, %v", left, err)
		}
		links, err := filepath.Glob("/proc/[0-9]*/cwd") // empty without such a file system
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) {
				t.Errorf("a process stays behind: %s is %s", link, cwd)
			}
		}
	})
	return cmd
}

// Once through the real door.
func TestOnce(t *testing.T) {
	t.Parallel()
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			once(t, p.path(t), p.counting)
		})
	}
}

func once(t *testing.T, path, counting string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := command(ctx, t, path, "-once")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%v\n%s%s", err, &stdout, &stderr)
	}
	want := []string{
		"agents       " + counting,
		"create       SUCCESS: meetingID physics-101, internalMeetingID ",
		"create       SUCCESS, duplicateWarning: the same meeting",
		"join         Ada is sent to http://",
		"join         Bob is sent to http://",
		"getMeetings  SUCCESS: physics-101, running true, 2 people",
		"REST API     3 backends are ready, 2 people are on them",
		"end          SUCCESS, sentEndMeetingRequest",
		"getMeetings  SUCCESS, noMeetings: the meeting has ended",
		"callback     the frontend is told that physics-101 is over",
		"recording    physics-101 is published as presentation at http://",
		"Everything as expected.",
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	for i, line := range lines {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			t.Fatalf("line %d is %q; got\n%s\nwant\n%s", i+1, line, &stdout, strings.Join(want, "\n"))
		}
	}
	if len(lines) != len(want) {
		t.Errorf("got %d lines, want %d:\n%s", len(lines), len(want), &stdout)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-h"}, 0, "-once"},
		{[]string{"--help"}, 0, "-listen"},
		{[]string{"-twice"}, 2, "flag provided but not defined: -twice"},
		{[]string{"once"}, 2, `"once"`},
	} {
		var stdout, stderr bytes.Buffer
		code := demo.Main(c.args, &stdout, &stderr)
		if code != c.code || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
			t.Errorf("%q: exit code %d, %s%s, want %d and %q", c.args, code, &stdout, &stderr, c.code, c.want)
		}
	}
}

// What the demo prints can be opened in its order, and Ctrl-C ends it well.
func TestInvitation(t *testing.T) {
	t.Parallel()
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			invitation(t, p.path(t), p.counting)
		})
	}
}

func invitation(t *testing.T, path, counting string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, t, path, "-listen", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var text strings.Builder
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Ctrl-C") {
		text.WriteString(lines.Text() + "\n")
	}
	if !strings.Contains(text.String(), "\n"+counting+".\n") {
		t.Errorf("the invitation does not say %q: %s", counting, &text)
	}
	var calls []string
	for _, word := range strings.Fields(text.String()) {
		if strings.Contains(word, "checksum=") {
			calls = append(calls, word)
		}
	}
	want := []struct {
		call   string
		status int
		body   string
	}{
		{"create", 200, "SUCCESS"}, {"join", 302, ""}, {"join", 302, ""}, {"getMeetings", 200, "physics-101"}, {"end", 200, "sentEndMeetingRequest"},
		{"getRecordings", 200, "SUCCESS"},
	}
	if len(calls) != len(want) {
		t.Fatalf("got %d addresses, want %d: %s", len(calls), len(want), &text)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for i, w := range want {
		resp, err := client.Get(calls[i])
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != w.status || !strings.Contains(string(body), w.body) || !strings.Contains(calls[i], "/api/"+w.call+"?") {
			t.Errorf("%s: got %d %s (%v), want %d %s of %s", calls[i], resp.StatusCode, body, err, w.status, w.body, w.call)
		}
	}
	for lines.Scan() && lines.Text() != "The frontend is told that physics-101 is over." {
		text.WriteString(lines.Text() + "\n") // or until the process has closed it
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // until the process has closed it
		text.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the demo ended with %v: %s", err, &text)
	}
	if !strings.Contains(text.String(), "Stopping.") {
		t.Errorf("the demo does not say goodbye: %s", &text)
	}
}
