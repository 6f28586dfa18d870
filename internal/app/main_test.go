package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
)

// run is the command in this process.
func run(args, env []string) (code int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	code = app.Main(args, env, &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestMainWithoutServing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args, env      []string
		code           int
		stdout, stderr []string // parts; empty: nothing
	}{
		{args: []string{"version"}, stdout: []string{"b3scaled " + app.Version + " " + app.Build + "\n"}},
		{args: []string{"--version"}, stdout: []string{"b3scaled " + app.Version + " " + app.Build + "\n"}},
		{args: []string{"help"}, stdout: []string{"Usage: b3scaled", "migrate", "check", "B3SCALE_DB_URL", "B3SCALE_LISTEN_HTTP", "127.0.0.1:42353"}},
		{args: []string{"--help"}, stdout: []string{"Usage: b3scaled"}},
		{args: []string{"-h"}, stdout: []string{"Usage: b3scaled"}},
		{args: []string{"help"}, env: []string{"B3SCALE_LISTEN_HTTP=nonsense"}, stdout: []string{"Usage: b3scaled"}},
		{args: []string{"serve"}, code: 1, stderr: []string{`unknown command "serve"`, "--help"}},
		{args: []string{"--serve"}, code: 1, stderr: []string{`unknown command "--serve"`}},
		{args: []string{"Check"}, code: 1, stderr: []string{`unknown command "Check"`}},
		{args: []string{"check", "now"}, code: 1, stderr: []string{`"check" takes no arguments`, "--help"}},
		{args: []string{"version", "--help"}, code: 1, stderr: []string{`"version" takes no arguments`}},
	} {
		code, stdout, stderr := run(c.args, c.env)
		if code != c.code {
			t.Errorf("%q: exit code %d, want %d", c.args, code, c.code)
		}
		hasParts(t, "stdout", c.args, stdout, c.stdout)
		hasParts(t, "stderr", c.args, stderr, c.stderr)
	}
}

func hasParts(t *testing.T, name string, args []string, text string, parts []string) {
	t.Helper()
	if len(parts) == 0 && text != "" {
		t.Errorf("%q: %s is %q, want nothing", args, name, text)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q: %s is %q, want %q in it", args, name, text, part)
		}
	}
}

// All that is wrong with the settings is told at once, without any secret, and
// nothing is touched.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	const password = "hunter2-hunter2"
	dir := t.TempDir()
	bad := []string{
		"B3SCALE_DB_URL=mysql://b3scale:" + password + "@db.example.org/b3scale",
		"B3SCALE_LISTEN_HTTP=nowhere", "B3SCALE_LOG_LEVEL=loud", "B3SCALE_PROBE_INTERVAL=9s", "B3SCALE_MAX_BODY=lots",
		"B3SCALE_NODE_CA_FILE=" + filepath.Join(dir, "missing.pem"), "B3SCALE_DB_AUTO_MIGRATE=perhaps",
	}
	for _, args := range [][]string{nil, {"check"}, {"migrate"}} {
		code, stdout, stderr := run(args, bad)
		if code != 1 || stdout != "" {
			t.Errorf("%q: exit code %d and %q on stdout, want 1 and nothing", args, code, stdout)
		}
		for _, line := range bad {
			name, _, _ := strings.Cut(line, "=")
			if !strings.Contains(stderr, name+"=") {
				t.Errorf("%q: stderr does not tell of %s: %s", args, name, stderr)
			}
		}
		noSecrets(t, "stderr", stderr, password)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("there are files: %v, %v", left, err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	database := file(t)
	env := []string{"B3SCALE_DB_URL=sqlite:" + database, "B3SCALE_DB_AUTO_MIGRATE=false", "B3SCALE_LISTEN_HTTP=127.0.0.1:0"}
	if code, stdout, _ := run([]string{"check"}, env); code != 1 || !strings.Contains(stdout, "problem  store") {
		t.Errorf("check of a database without a schema: exit code %d, %s", code, stdout)
	}
	if code, stdout, _ := run([]string{"check"}, append(env, "B3SCALE_DB_AUTO_MIGRATE=true")); code != 0 || !strings.Contains(stdout, "at the first start") {
		t.Errorf("check of a database that is still to come: exit code %d, %s", code, stdout)
	}
	if _, err := os.Stat(database); err == nil {
		t.Error("check has made a database")
	}
	for range 2 {
		if code, stdout, stderr := run([]string{"migrate"}, env); code != 0 || stdout != "" {
			t.Fatalf("migrate: exit code %d, %s, %s", code, stdout, stderr)
		}
	}
	if code, stdout, stderr := run([]string{"check"}, env); code != 0 || !strings.Contains(stdout, "ok       store") {
		t.Errorf("check: exit code %d, %s, %s", code, stdout, stderr)
	}
	nowhere := []string{"B3SCALE_DB_URL=sqlite:" + filepath.Join(database, "below", "a.db")}
	if code, _, stderr := run([]string{"migrate"}, nowhere); code != 1 || !strings.Contains(stderr, "a.db") {
		t.Errorf("migrate of an impossible path: exit code %d, %s", code, stderr)
	}
}

// check asks every backend and tells of each, good or bad.
func TestCheck(t *testing.T) {
	t.Parallel()
	good := bbbtest.Start(t, bbbtest.Options{Name: "good", Secret: nodeSecret})
	other := bbbtest.Start(t, bbbtest.Options{Name: "other", Secret: "something-else"})
	sick := bbbtest.Start(t, bbbtest.Options{Name: "sick", Secret: nodeSecret})
	sick.SetFault(bbbtest.Fault{Kind: bbbtest.ServerError})
	gone := "http://" + freeAddress(t) + "/bigbluebutton/api/"

	env := environ(file(t))
	seed := open(t, env)
	backend := func(host string) b3scale.Backend {
		return b3scale.Backend{Host: host, Secret: nodeSecret, AdminState: b3scale.AdminReady, LoadFactor: 1}
	}
	if err := seed.Seed(t.Context(), nil, []b3scale.Backend{backend(good.BaseURL())}); err != nil {
		t.Fatal(err)
	}
	if err := seed.Stop(); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := run([]string{"check"}, env); code != 0 || !strings.Contains(stdout, "ok       backend "+good.BaseURL()) {
		t.Errorf("with a good one: exit code %d, %s, %s", code, stdout, stderr)
	}

	seed = open(t, env)
	err := seed.Seed(t.Context(), nil, []b3scale.Backend{backend(other.BaseURL()), backend(sick.BaseURL()), backend(gone)})
	if err != nil {
		t.Fatal(err)
	}
	if err := seed.Stop(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run([]string{"check"}, env)
	if code != 1 || !strings.Contains(stderr, "there are problems, see above") {
		t.Errorf("exit code %d, %s, want 1", code, stderr)
	}
	for _, want := range []string{
		"ok       store sqlite:", "ok       backend " + good.BaseURL() + ": API 2.0\n",
		"problem  backend " + other.BaseURL() + ": ", "does not accept our secret", "do: compare its secret",
		"problem  backend " + sick.BaseURL() + ": ", "HTTP status 500", "do: see that it runs",
		"problem  backend " + gone + ": ", "connection refused",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("stdout does not tell %q: %s", want, stdout)
		}
	}
	noSecrets(t, "stdout", stdout)
	noSecrets(t, "stderr", stderr)
}

// Two listeners cannot have one address, however it is written.
func TestCheckFindsOneAddressTwice(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	for _, metrics := range []string{address, ":" + port} {
		env := append(environ(file(t)), "B3SCALE_LISTEN_HTTP="+address, "B3SCALE_METRICS_LISTEN="+metrics)
		code, stdout, _ := run([]string{"check"}, env)
		if want := "problem  listen on B3SCALE_METRICS_LISTEN=" + metrics + ": "; code != 1 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, %s, want %q", code, stdout, want)
		}
	}
}

func TestCheckBesideADaemon(t *testing.T) {
	t.Parallel()
	env := environ(file(t))
	start(t, env)
	if code, stdout, _ := run([]string{"check"}, env); code != 1 || !strings.Contains(stdout, "another process has it open") {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}

// The command in a process of its own: SIGHUP does nothing, SIGTERM and SIGINT
// end it well.
func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(environ(file(t)), asMain+"=1")
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stderr)
			address, _ := waitForLine(t, lines, "serving")["address"].(string)
			if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is ready", func() bool {
				status, _ := get(t, "http://"+address+"/readyz")
				return status == http.StatusOK
			})
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			waitForLine(t, lines, "draining")
			waitForLine(t, lines, "stopped")
			for lines.Scan() { // until the process has closed it
				t.Errorf("after the last line: %s", lines.Text())
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("the process ended with %v, want exit code 0", err)
			}
		})
	}
}

// waitForLine reads JSON lines until one has the message.
func waitForLine(t *testing.T, lines *bufio.Scanner, message string) map[string]any {
	t.Helper()
	for lines.Scan() {
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("a line is not JSON: %s", lines.Text())
		}
		if line["msg"] == message {
			return line
		}
	}
	t.Fatalf("the process ended before it logged %q", message)
	return nil
}
