package ctl

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/auth"
	"b3scale/internal/config"
	"b3scale/internal/logtest"
)

// The secrets of every test. Nothing prints them but what is for that.
const (
	apiSecret  = "the-api-secret-of-the-cluster-012"
	nodeSecret = "the-secret-of-every-node-01234567"
	feSecret   = "the-secret-of-the-frontend-012345"
)

// The test binary is b3scalectl and b3scaled, too: scripts and shells run them.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"b3scalectl": func() {
			os.Exit(Main(os.Args[1:], Options{
				Version: "1.2.3", Build: "abcdef0", Environ: os.Environ(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
			}))
		},
		"b3scaled": func() { os.Exit(app.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) },
	})
}

// world is a real b3scaled with nodes that need no sockets, and an operator.
type world struct {
	testing.TB
	app   *app.App
	url   string
	home  string // of the operator
	trees string // of recordings
	nodes []*bbbtest.Node
}

func newWorld(t testing.TB, nodes int) *world {
	t.Helper()
	w := &world{TB: t, home: t.TempDir(), trees: t.TempDir()}
	makeTrees(t, w.trees)
	for _, secret := range []string{apiSecret, nodeSecret, feSecret} {
		logtest.Secret(secret)
	}
	for i := range nodes {
		node := bbbtest.New(bbbtest.Options{Name: fmt.Sprint("node", i), Secret: nodeSecret})
		t.Cleanup(node.Close)
		logtest.Node(t, node, attendee)
		w.nodes = append(w.nodes, node)
	}
	cfg, _, err := config.Load([]string{
		"B3SCALE_DB_URL=sqlite:" + filepath.Join(t.TempDir(), "b3scale.db"), "B3SCALE_LISTEN_HTTP=127.0.0.1:0",
		"B3SCALE_API_JWT_SECRET=" + apiSecret, "B3SCALE_RECORDINGS_PUBLISHED_PATH=" + filepath.Join(w.trees, "published"),
		"B3SCALE_RECORDINGS_UNPUBLISHED_PATH=" + filepath.Join(w.trees, "unpublished"), "B3SCALE_RECORDINGS_INBOX_PATH=" + filepath.Join(w.trees, "inbox"),
	}, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.app, err = app.New(t.Context(), cfg, logtest.Logger(), app.Options{
		Client: bbb.ClientOptions{Transport: bbbtest.Transport(w.nodes...)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.app.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := w.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.url = w.app.URL()
	return w
}

// makeTrees makes the directories of recordings.
func makeTrees(t testing.TB, dir string) {
	t.Helper()
	for _, tree := range []string{"published", "unpublished", "inbox"} {
		if err := os.MkdirAll(filepath.Join(dir, tree), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// withAll adds every node as a backend, and the frontend moodle. The operator
// is authorized.
func (w *world) withAll() *world {
	w.Helper()
	w.as().in(apiSecret+"\n").do("auth", "authorize").wants(0, "")
	for _, node := range w.nodes {
		w.ctl("set", "backend", node.BaseURL(), "--secret", nodeSecret).wants(0, "created backend: ID "+node.BaseURL()+"\n")
	}
	w.ctl("set", "frontend", "moodle", "--secret", feSecret).wants(0, "getting frontend: moodle\ncreating frontend\ncreated frontend: ID moodle\n")
	w.eventually("all nodes are ready", func() bool {
		return strings.Count(w.ctl("show", "backends").out, "NodeState:\t ready") == len(w.nodes)
	})
	return w
}

// attempt is a run of the command that is being prepared.
type attempt struct {
	*world
	environ []string
	stdin   io.Reader
}

// as is the operator with an environment and input that can be changed.
func (w *world) as() *attempt {
	return &attempt{world: w, environ: []string{"HOME=" + w.home, "B3SCALE_API_URL=" + w.url}, stdin: strings.NewReader("")}
}

func (a *attempt) in(text string) *attempt {
	a.stdin = strings.NewReader(text)
	return a
}

func (a *attempt) env(lines ...string) *attempt {
	a.environ = append(a.environ, lines...)
	return a
}

// outcome is what came of a run.
type outcome struct {
	testing.TB
	args      []string
	code      int
	out, errs string
}

func (a *attempt) do(args ...string) outcome {
	a.Helper()
	var out, errs bytes.Buffer
	code := Main(args, Options{Version: "1.2.3", Build: "abcdef0", Environ: a.environ, In: a.stdin, Out: &out, Err: &errs})
	return outcome{a.TB, args, code, out.String(), errs.String()}
}

// ctl runs the command as the operator does.
func (w *world) ctl(args ...string) outcome {
	w.Helper()
	return w.as().do(args...)
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// wants compares exit code and output, with ID in the place of every id.
func (o outcome) wants(code int, out string) outcome {
	o.Helper()
	if got := ids.ReplaceAllString(o.out, "ID"); o.code != code || got != out {
		o.Errorf("%q: exit code %d, want %d; output\n%s\nwant\n%s\nerrors\n%s", o.args, o.code, code, got, out, o.errs)
	}
	return o
}

// fails wants one line that tells all of these, and no data.
func (o outcome) fails(tells ...string) outcome {
	o.Helper()
	return o.failsWith(1, tells...)
}

func (o outcome) failsWith(code int, tells ...string) outcome {
	o.Helper()
	lines := strings.Split(strings.TrimSuffix(o.errs, "\n"), "\n")
	last := lines[len(lines)-1]
	for _, text := range tells {
		if !strings.Contains(last, text) {
			o.Errorf("%q: the error does not tell %q: %s", o.args, text, last)
		}
	}
	if o.code != code || !strings.HasPrefix(last, "b3scalectl: ") || strings.Count(o.errs, "b3scalectl: ") != 1 {
		o.Errorf("%q: exit code %d, want %d and one line of error:\n%s", o.args, o.code, code, o.errs)
	}
	return o
}

// tells wants all of these in the output, after success.
func (o outcome) tells(texts ...string) outcome {
	o.Helper()
	for _, text := range texts {
		if !strings.Contains(o.out, text) {
			o.Errorf("%q: %q is not in the output\n%s", o.args, text, o.out)
		}
	}
	if o.code != 0 {
		o.Errorf("%q: exit code %d: %s", o.args, o.code, o.errs)
	}
	return o
}

func (w *world) eventually(what string, ok func() bool) {
	w.Helper()
	eventually(w, what, ok)
}

// eventually waits for a condition with a generous deadline.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("this never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// meeting creates one through the gateway, and lets somebody in.
func (w *world) meeting(id string, people ...string) *bbbtest.Node {
	w.Helper()
	w.ctl("create-meeting", "--frontend", "moodle", "--name", "Room "+id, "--param", "meetingID="+id).tells("URL: ")
	nodeID := b3scale.EncodeMeetingID("moodle", id)
	for _, node := range w.nodes {
		if _, ok := node.Room(nodeID); ok {
			for _, name := range people {
				node.Join(nodeID, bbbtest.Attendee{FullName: name})
			}
			return node
		}
	}
	w.Fatalf("no node has the meeting %s", id)
	return nil
}

// mint makes a token.
func mint(t testing.TB, secret, subject string, expires time.Time, scopes ...auth.Scope) string {
	t.Helper()
	token, err := auth.NewKeys(b3scale.Secret(secret), "").Mint(auth.Claims{Subject: subject, Scopes: scopes, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// fake is a server that answers everything with a handler, for what a real one
// does not do on demand.
func fake(t testing.TB, handler http.HandlerFunc) *world {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &world{TB: t, url: server.URL, home: t.TempDir()}
}

// cachedToken is the token that the operator has, or "".
func (w *world) cachedToken() string {
	w.Helper()
	found, err := filepath.Glob(filepath.Join(w.home, ".config/b3scale/*"))
	if err != nil || len(found) > 1 {
		w.Fatal(found, err)
	}
	if len(found) == 0 {
		return ""
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// fakeTLS is a server whose certificate nobody knows.
func fakeTLS(t testing.TB) *world {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	t.Cleanup(server.Close)
	return &world{TB: t, url: server.URL, home: t.TempDir()}
}
