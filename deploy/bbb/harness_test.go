// Package bbb_test runs the hook for nodes as a node does.
package bbb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	id     = "332ae5e4c0705d8f3bb27d92682b154b335660b9-1767225600123"
	format = "presentation"
	token  = "hush.hush-hush"
	good   = `200 {"RecordID":"` + id + `"}`
)

// balancer answers imports with what it is given, the last answer for ever.
type balancer struct {
	*httptest.Server
	seen func() // at each attempt

	mu      sync.Mutex
	answers []string // "200 body"; "cut" closes the connection
	got     []string // Authorization and document
}

func newBalancer(t *testing.T, answers ...string) *balancer {
	t.Helper()
	b := unstarted(t, answers...)
	b.Start()
	return b
}

func unstarted(t *testing.T, answers ...string) *balancer {
	t.Helper()
	b := &balancer{answers: answers, seen: func() {}}
	b.Server = httptest.NewUnstartedServer(b)
	b.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(b.Close)
	return b
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.seen()
	document, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(document))
	answer := b.answers[0]
	if len(b.answers) > 1 {
		b.answers = b.answers[1:]
	}
	if answer == "cut" {
		panic(http.ErrAbortHandler)
	}
	var status int
	text, body, _ := strings.Cut(answer, " ")
	if _, err := fmt.Sscan(text, &status); err != nil {
		panic(err)
	}
	w.Header().Set("Location", "/")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.ReplaceAll(body, "ECHO", r.Header.Get("Authorization")))
}

func (b *balancer) attempts() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// node is what the hook finds on a node.
type node struct {
	t         *testing.T
	dir       string
	published string
	settings  map[string]string
	env       []string
	args      []string
}

const document = "<?xml version=\"1.0\"?>\n<recording>\n  <id>" + id + "</id>\n  <name>Ünï</name>\n</recording>\n"

func newNode(t *testing.T, url string) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir(), args: []string{"-m", id, "-f", format}}
	n.published = filepath.Join(n.dir, "published", format, id)
	n.settings = map[string]string{
		"B3SCALE_API_URL": url, "B3SCALE_API_ACCESS_TOKEN_FILE": filepath.Join(n.dir, "token"),
		"B3SCALE_RECORDINGS_FROM": filepath.Join(n.dir, "published"), "B3SCALE_RETRY_PAUSES": "0.01 0.01 0.01",
		"B3SCALE_LOG_FILE": filepath.Join(n.dir, "log"),
	}
	n.write("token", token+"\n")
	n.write(filepath.Join("published", format, id, "metadata.xml"), document)
	n.write(filepath.Join("published", format, id, "video", "webcams.webm"), "video")
	return n
}

func (n *node) write(name, content string) {
	n.t.Helper()
	path := filepath.Join(n.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// run runs the hook and returns its exit code and all that it said.
func (n *node) run() (code int, said string) {
	n.t.Helper()
	ruby, err := exec.LookPath("ruby")
	if err != nil {
		n.t.Fatal("ruby is missing: make test installs it")
	}
	var env strings.Builder
	env.WriteString("# the settings\n\n")
	for name, value := range n.settings {
		fmt.Fprintf(&env, "%s=%q\n", name, value)
	}
	n.write("recordings.env", env.String())
	ctx, cancel := context.WithTimeout(n.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, ruby, append([]string{"-w", "post_publish_b3scale.rb", "-c", filepath.Join(n.dir, "recordings.env")}, n.args...)...)
	cmd.Env = append(os.Environ(), append([]string{"LC_ALL=C", "no_proxy=*", "NO_PROXY=*"}, n.env...)...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		failure, ok := errors.AsType[*exec.ExitError](err)
		if !ok || ctx.Err() != nil {
			n.t.Fatalf("%v: %s", err, &output)
		}
		code = failure.ExitCode()
	}
	lines, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.t.Fatal(err)
	}
	said = output.String() + string(lines)
	if strings.Contains(said, token) || strings.Contains(said, ".rb:") { // a stack or a warning of Ruby
		n.t.Errorf("the hook says\n%s", said)
	}
	return code, said
}
