package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
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
	"b3scale/internal/logtest"
)

const (
	frontendKey    = "fe"
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
	if os.Getenv(asQuickMain) != "" {
		os.Exit(quickMain())
	}
	os.Exit(runAll(m))
}

// scratch is a directory for what the tests of a run share.
var scratch string

func runAll(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "b3scale-app-test-"); err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	return m.Run()
}

// instance is a b3scaled within the test, with nodes that need no sockets.
type instance struct {
	*app.App
	testing.TB
	log *syncBuffer
}

func environ(file string, more ...string) []string {
	for _, secret := range []string{frontendSecret, nodeSecret} {
		logtest.Secret(secret)
	}
	for _, line := range more {
		if name, value, _ := strings.Cut(line, "="); strings.HasSuffix(name, "_SECRET") && value != "" {
			logtest.Secret(value)
		}
	}
	logtest.Person("Ada") // she joins in most tests
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
	if err := d.Seed(t.Context(), []b3scale.Frontend{{Key: frontendKey, Secret: frontendSecret, Active: true}}, backends); err != nil {
		t.Fatal(err)
	}
	return d
}

func tryOpen(t testing.TB, env []string, nodes ...*bbbtest.Node) (*instance, error) {
	t.Helper()
	cfg := load(t, env)
	d := &instance{TB: t, log: &syncBuffer{}}
	log, level := app.NewLog(cfg, d.log)
	a, err := app.New(t.Context(), cfg, log, app.Options{
		Level:  level,
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
	logtest.Node(t, n)
	return n
}

// get asks the daemon; the status is 0 when nobody answers.
func (d *instance) get(path string) (status int, body string) {
	d.Helper()
	return get(d, d.URL()+path)
}

func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	a, err := ask(t.Context(), url)
	if err != nil && a.status == 0 {
		return 0, err.Error()
	}
	if err != nil {
		t.Error(err)
	}
	return a.status, a.body
}

// answer is what a client gets.
type answer struct {
	status         int
	location, body string
}

var client = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 32}, // clients that work at the same time keep their connections
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask follows no redirects. Beside an error the answer is what came before it.
func ask(ctx context.Context, url string) (answer, error) { return askFor(ctx, "", url) }

// askFor names the content types that the client likes.
func askFor(ctx context.Context, accept, url string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body)}, err
}

func (d *instance) call(call, query string) (status int, body string) {
	d.Helper()
	return d.get(signed(call, query))
}

// signed is the path of a call of the one frontend.
func signed(call, query string) string {
	return "/bbb/" + frontendKey + "/bigbluebutton/api/" + call + "?" + bbb.SignedQuery(call, query, frontendSecret)
}

func (d *instance) ready() bool {
	status, _ := d.get("/readyz")
	return status == http.StatusOK
}

// eventually waits for a condition with a generous deadline.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	within(t, 20*time.Second, what, func() string {
		if ok() {
			return ""
		}
		return "it is not so yet"
	})
}

// within waits until nothing is wrong any more.
func within(t testing.TB, d time.Duration, what string, wrong func() string) {
	t.Helper()
	deadline := time.Now().Add(d)
	for {
		problem := wrong()
		if problem == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("this never happened: %s\n%s", what, problem)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// freeAddress is one where nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// syncBuffer may be written to at the same time.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	logtest.Keep(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// Reset forgets what was written.
func (b *syncBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// noSecrets fails when a text tells one.
func noSecrets(t testing.TB, what, text string, more ...string) {
	t.Helper()
	for _, secret := range append(more, frontendSecret, nodeSecret) {
		if len(secret) >= 6 { // not the beginning of one
			logtest.Secret(secret)
		}
	}
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
