package main

import (
	"bytes"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"b3scale/internal/config"
)

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-h"}, {"--help"}, {"-help"}, {"help"}} {
		var out, errs bytes.Buffer
		if code := command(args, nil, &out, &errs); code != 0 || errs.Len() > 0 {
			t.Errorf("%v: %d, %s", args, code, errs.String())
		}
		for _, v := range config.AgentVariables() {
			if !strings.Contains(out.String(), "  "+v.Name+" ") {
				t.Errorf("%v: no %s", args, v.Name)
			}
		}
		if !strings.Contains(out.String(), "-register") || !strings.Contains(out.String(), "--check") {
			t.Errorf("%v: no flags", args)
		}
	}
	for _, args := range [][]string{{"version"}, {"--version"}} {
		var out bytes.Buffer
		if code := command(args, nil, &out, &out); code != 0 || out.String() != "b3scaleagent dev 0000000\n" {
			t.Errorf("%v: %d, %s", args, code, out.String())
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, environ []string
		want          string
	}{
		{[]string{"-x"}, nil, "flag provided but not defined: -x"},
		{[]string{"serve"}, nil, `unexpected argument "serve"`},
		{nil, []string{"B3SCALE_API_URL=https://example.org"}, "B3SCALE_API_ACCESS_TOKEN"},
		{nil, []string{"B3SCALE_API_URL=https://example.org", "B3SCALE_API_ACCESS_TOKEN=t0ken", "B3SCALE_ACCESS_TOKEN=other"}, "differs"},
	} {
		var out, errs bytes.Buffer
		if code := command(c.args, c.environ, &out, &errs); code != 1 || !strings.Contains(errs.String(), c.want) || strings.Contains(errs.String(), "t0ken") {
			t.Errorf("%v: %d, %s", c.args, code, errs.String())
		}
	}
}

func environment(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bbb-web.properties")
	if err := os.WriteFile(file, []byte("bigbluebutton.web.serverURL=https://node1.example.org\nsecuritySalt=s3cret\nredisPort=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"B3SCALE_API_URL=http://127.0.0.1:1", "B3SCALE_API_ACCESS_TOKEN=t0ken", "BBB_CONFIG=" + file, "B3SCALE_LOG_FORMAT=text"}
}

func TestCheckFails(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := command([]string{"--check"}, environment(t), &out, &errs)
	if code != 1 || !strings.Contains(out.String(), "problem  Redis at 127.0.0.1:1") || strings.Contains(out.String()+errs.String(), "t0ken") {
		t.Errorf("%d, %s%s", code, out.String(), errs.String())
	}
}

// Not parallel: the signal is for the whole process.
func TestStopsOnSignal(t *testing.T) {
	ours := make(chan os.Signal, 1)
	signal.Notify(ours, syscall.SIGTERM) // or it would end the test, as long as the agent does not take it
	defer signal.Stop(ours)
	environ := environment(t)
	var out, errs bytes.Buffer
	done := make(chan int, 1)
	go func() { done <- command([]string{"-a"}, environ, &out, &errs) }()
	deadline := time.After(20 * time.Second)
	for {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case code := <-done:
			if code != 0 || !strings.Contains(errs.String(), "stopped") {
				t.Errorf("%d, %s", code, errs.String())
			}
			return
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatal("it does not stop")
		}
	}
}

func TestWatchdog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"30000000", "", 30 * time.Second},
		{"30000000", "7", 30 * time.Second},
		{"30000000", "8", 0},
		{"", "", 0}, {"x", "", 0}, {"-1", "", 0}, {"999999999999999999", "", 0},
	} {
		getenv := func(name string) string {
			return map[string]string{"WATCHDOG_USEC": c.usec, "WATCHDOG_PID": c.pid}[name]
		}
		if got := watchdog(getenv, 7); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}
