package app_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/config"
)

const (
	frontendSecret = "the-frontend-secret"
	nodeSecret     = "the-node-secret"
)

// asMain makes the test binary behave as b3scaled: signals need a process of
// their own.
const asMain = "B3SCALE_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		os.Exit(app.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// instance is a b3scaled within the test, with nodes that need no sockets.
type instance struct {
	*app.App
	testing.TB
	log *syncBuffer
}

func environ(file string, more ...string) []string {
	return append([]string{"B3SCALE_DB_URL=sqlite:" + file, "B3SCALE_LISTEN_HTTP=127.0.0.1:0", "B3SCALE_LOG_LEVEL=debug"}, more...)
}

func load(t testing.TB, env []string) config.Config {
	t.Helper()
	cfg, _, err := config.Load(env, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func file(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "b3scale.db")
}

// open makes a daemon on file that is not started.
func open(t testing.TB, env []string, nodes ...*bbbtest.Node) *instance {
	t.Helper()
	d, err := tryOpen(t, env, nodes...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil { // a second time for most of them
			t.Error(err)
		}
	})
	var backends []b3scale.Backend
	for _, n := range nodes {
		backends = append(backends, b3scale.Backend{
			Host: n.BaseURL(), Secret: b3scale.Secret(n.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1,
		})
	}
	if err := d.Seed(t.Context(), []b3scale.Frontend{{Key: "fe", Secret: frontendSecret, Active: true}}, backends); err != nil {
		t.Fatal(err)
	}
	return d
}

func tryOpen(t testing.TB, env []string, nodes ...*bbbtest.Node) (*instance, error) {
	t.Helper()
	cfg := load(t, env)
	d := &instance{TB: t, log: &syncBuffer{}}
	a, err := app.New(t.Context(), cfg, app.NewLogger(cfg, d.log), app.Options{
		Client: bbb.ClientOptions{Transport: bbbtest.Transport(nodes...)},
	})
	d.App = a
	return d, err
}

// start makes one that serves.
func start(t testing.TB, env []string, nodes ...*bbbtest.Node) *instance {
	t.Helper()
	d := open(t, env, nodes...)
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func node(t testing.TB, opts bbbtest.Options) *bbbtest.Node {
	t.Helper()
	opts.Secret = nodeSecret
	n := bbbtest.New(opts)
	t.Cleanup(n.Close)
	return n
}

var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// get asks the daemon; the status is 0 when nobody answers.
func (d *instance) get(path string) (status int, body string) {
	d.Helper()
	return get(d, d.URL()+path)
}

func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(text)
}

func (d *instance) call(call, query string) (status int, body string) {
	d.Helper()
	return d.get("/bbb/fe/bigbluebutton/api/" + call + "?" + bbb.SignedQuery(call, query, frontendSecret))
}

func (d *instance) ready() bool {
	status, _ := d.get("/readyz")
	return status == http.StatusOK
}

// eventually waits for a condition with a generous deadline.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this never happened: %s", what)
		}
	}
}

// syncBuffer may be written to at the same time.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// noSecrets fails when a text tells one.
func noSecrets(t testing.TB, what, text string, more ...string) {
	t.Helper()
	for _, secret := range append(more, frontendSecret, nodeSecret, "checksum=") {
		if strings.Contains(text, secret) {
			t.Errorf("%s tells %q: %s", what, secret, text)
		}
	}
}

// finishes waits for what should end soon.
func finishes(t testing.TB, what string, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not end", what)
		return errors.New("unreachable")
	}
}

func background(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}
