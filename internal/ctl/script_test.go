package ctl

import (
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/logtest"
	"b3scale/internal/pgtest"
)

// The whole life of a cluster as an operator sees it: real processes, real
// sockets, both databases. The scripts are in testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(t *testing.T) func(work string) string{
		"SQLite": func(*testing.T) func(string) string {
			return func(work string) string { return "sqlite:" + filepath.Join(work, "b3scale.db") }
		},
		"PostgreSQL": func(t *testing.T) func(string) string {
			return func(string) string { return pgtest.NewDatabase(t) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			testscript.Run(t, testscript.Params{
				Dir: "testdata/script",
				Setup: func(env *testscript.Env) error {
					for _, node := range []string{"NODE1", "NODE2"} {
						n := bbbtest.Start(t, bbbtest.Options{Name: strings.ToLower(node), Secret: nodeSecret})
						logtest.Node(t, n, attendee)
						env.Setenv(node, n.BaseURL())
					}
					makeTrees(t, filepath.Join(env.WorkDir, "recordings"))
					env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
					env.Setenv("B3SCALE_DB_URL", url(env.WorkDir))
					env.Setenv("SECRET", logtest.Secret(apiSecret))
					env.Setenv("NODE_SECRET", nodeSecret)
					env.Setenv("EXPIRED", mint(t, apiSecret, "ci", time.Now().Add(-time.Minute), auth.Admin))
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"serve": serve, "code": code, "until": until, "visit": visit,
				},
			})
		})
	}
}

// serve starts b3scaled and waits until it is ready.
func serve(ts *testscript.TestScript, _ bool, _ []string) {
	var log lockedText
	cmd := exec.Command("b3scaled")
	cmd.Env = []string{
		"B3SCALE_DB_URL=" + ts.Getenv("B3SCALE_DB_URL"), "B3SCALE_API_JWT_SECRET=" + ts.Getenv("SECRET"),
		"B3SCALE_LISTEN_HTTP=127.0.0.1:0", "B3SCALE_LOG_FORMAT=json", "B3SCALE_LOG_LEVEL=" + logtest.Level(), "HOME=" + ts.Getenv("HOME"),
	}
	for _, tree := range []string{"published", "unpublished", "inbox"} {
		cmd.Env = append(cmd.Env, "B3SCALE_RECORDINGS_"+strings.ToUpper(tree)+"_PATH="+filepath.Join(ts.Getenv("WORK"), "recordings", tree))
	}
	cmd.Dir = ts.Getenv("WORK")
	cmd.Stderr = &log
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	ready := func() bool {
		address := servingAt.FindStringSubmatch(log.String())
		if address == nil {
			return false
		}
		ts.Setenv("B3SCALE_API_URL", "http://"+address[1])
		answer, err := http.Get("http://" + address[1] + "/readyz")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}
	if !becomes(ready) {
		ts.Fatalf("b3scaled is not ready:\n%s", log.String())
	}
}

var servingAt = regexp.MustCompile(`"msg":"serving","address":"([^"]+)"`)

// code runs a program that must end with an exit code.
func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// until runs a program again and again until its output matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + args[0])
	matches := func() bool { return ts.Exec(args[1], args[2:]...) == nil && pattern.MatchString(ts.ReadFile("stdout")) }
	if !becomes(matches) {
		ts.Fatalf("it never shows %s:\n%s%s", args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// visit opens the URL that was printed last, as a browser would.
func visit(ts *testscript.TestScript, _ bool, _ []string) {
	url := regexp.MustCompile(`(?m)^URL: (.*)$`).FindStringSubmatch(ts.ReadFile("stdout"))
	if url == nil {
		ts.Fatalf("no URL in\n%s", ts.ReadFile("stdout"))
	}
	answer, err := http.Get(url[1])
	ts.Check(err)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("%s answers %s", url[1], answer.Status)
	}
}

func becomes(ok func() bool) bool {
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// lockedText may be written to while it is read.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	logtest.Keep(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
