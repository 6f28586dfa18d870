package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/callbacks"
	"b3scale/internal/cluster"
	"b3scale/internal/logtest"
	"b3scale/internal/pgtest"
	"b3scale/internal/recordings"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
	"b3scale/internal/web"
)

// The secrets of every harness. None of them may be in a log.
const (
	jwtSecret       = b3scale.Secret("the-api-jwt-secret")
	jwtSecondSecret = b3scale.Secret("the-second-jwt-secret")
	apiURL          = "https://b3scale.example.org"
	causeOfDeath    = "no route to db-7.internal"

	frontendSecret  = "a-frontend-secret-of-32-characters" // of those that h.frontend adds
	frontendSecret2 = "a-second-frontend-secret-of-theirs"
	backendSecret   = "a-backend-secret-of-32-characters"
	backendSecret2  = "a-second-backend-secret-of-theirs"
)

// setup has useful zero values: no nodes, nothing runs.
type setup struct {
	nodes   int
	cluster cluster.Options
	dsn     string // of a PostgreSQL database; SQLite in a file otherwise
}

// harness is the real API over a real cluster and a real store; only the
// sockets are left out. All answers are held to the contract.
type harness struct {
	testing.TB
	handler  http.Handler
	server   *Server
	cluster  *cluster.Cluster
	store    *moodyStore
	nodes    []*bbbtest.Node
	backends []b3scale.Backend // by node
	network  *bbbtest.Network
	log      *syncBuffer
	guard    *auth.Guard
	shelf    *shelf // of recordings
}

// onEach runs a test on both databases.
func onEach(t *testing.T, s setup, body func(t *testing.T, h *harness)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		body(t, newHarness(t, s))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		there := s
		there.dsn = freshPostgres(t)
		body(t, newHarness(t, there))
	})
}

// in is the same for a part of the test. What is there goes when that ends.
func (h *harness) in(t *testing.T) *harness {
	t.Helper()
	part := *h
	part.TB = t
	t.Cleanup(func() {
		for _, f := range part.storedFrontends() {
			if _, err := h.cluster.DeleteFrontend(context.WithoutCancel(t.Context()), f.ID, b3scale.Actor{}); err != nil {
				t.Error(err)
			}
		}
		for _, b := range part.storedBackends() {
			if _, err := h.cluster.DeleteBackend(context.WithoutCancel(t.Context()), b.ID, b3scale.Actor{}); err != nil {
				t.Error(err)
			}
		}
	})
	return &part
}

func freshPostgres(t testing.TB) string {
	t.Helper()
	return pgtest.FromTemplate(t, "adminapi", func(dsn string) error {
		store, err := sqlstore.Connect(context.Background(), b3scale.Secret(dsn), sqlstore.PostgresOptions{PollOnly: true})
		if err != nil {
			return err
		}
		return store.Close()
	})
}

func newHarness(t testing.TB, s setup) *harness {
	t.Helper()
	h := &harness{TB: t, log: &syncBuffer{}}
	for _, secret := range []b3scale.Secret{jwtSecret, jwtSecondSecret, frontendSecret, frontendSecret2, backendSecret, backendSecret2} {
		logtest.Secret(secret)
	}
	h.store = &moodyStore{Store: openStore(t, s.dsn)}
	for i := range s.nodes {
		node := bbbtest.New(bbbtest.Options{Name: fmt.Sprint("node", i), Secret: fmt.Sprint("node-secret-of-", i)})
		logtest.Node(t, node)
		t.Cleanup(node.Close)
		h.nodes = append(h.nodes, node)
		b, err := h.store.AddBackend(t.Context(), b3scale.Backend{
			Host: node.BaseURL(), Secret: b3scale.Secret(node.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1,
		}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.store.MarkListed(t.Context(), b.ID, b3scale.MicrosOf(time.Now())); err != nil {
			t.Fatal(err)
		}
		h.backends = append(h.backends, b)
	}
	h.network = bbbtest.Transport(h.nodes...)
	h.guard = auth.New(auth.Options{Keys: auth.NewKeys(jwtSecret, jwtSecondSecret), Log: h.logger()})
	h.shelf = newShelf(h)
	h.cluster, h.server, h.handler = h.instance(s.cluster)
	t.Cleanup(h.checkLog)
	return h
}

func openStore(t testing.TB, dsn string) *sqlstore.Store {
	t.Helper()
	var store *sqlstore.Store
	var err error
	if dsn != "" {
		store, err = sqlstore.Connect(t.Context(), b3scale.Secret(dsn), sqlstore.PostgresOptions{PollOnly: true, PoolSize: 8, Timeout: 20 * time.Second})
	} else {
		path := filepath.Join(t.TempDir(), "b3scale.db")
		empty, e := emptyDatabase()
		if e == nil {
			e = os.WriteFile(path, empty, 0o600)
		}
		if e != nil {
			t.Fatal(e)
		}
		store, err = sqlstore.Open(t.Context(), path, sqlstore.Options{Readers: 4})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// emptyDatabase is the file of a store that has just been made: copies of it
// spare every test the migrations.
var emptyDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "b3scale-adminapi-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "empty.db")
	store, err := sqlstore.Open(context.Background(), path, sqlstore.Options{})
	if err != nil {
		return nil, err
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func (h *harness) logger() *slog.Logger {
	return slog.New(web.LogHandler(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

// instance makes a cluster and a door on the store of h. The first one is
// there; more of them are other instances. Its nodes count as probed.
func (h *harness) instance(opts cluster.Options) (*cluster.Cluster, *Server, http.Handler) {
	h.Helper()
	client := bbb.NewClient(bbb.ClientOptions{Transport: h.network})
	h.Cleanup(client.CloseIdle)
	if opts.ListGap == 0 {
		opts.ListGap = 1
	}
	table := routing.NewTable(routing.LoadOptions{DefaultSize: 15, Hold: 10 * time.Minute, Fade: 20 * time.Minute})
	relay := callbacks.NewRelay(apiURL, auth.NewKeys(jwtSecret, jwtSecondSecret))
	opts.Relay = relay
	mind := cluster.New(h.store, table, client, h.logger(), opts)
	if err := mind.Load(h.Context()); err != nil {
		h.Fatal(err)
	}
	for _, b := range mind.Backends() {
		b.Probed(true, time.Now().Add(24*time.Hour))
	}
	outbox := callbacks.New(h.store, mind, h.logger(), callbacks.Options{}) // which sends nothing
	if h.shelf.Library == nil {
		h.shelf.Library = recordings.New(h.store, mind, h.logger(), h.shelf.options())
	}
	server := New(Options{
		Callbacks: callbacks.NewIntake(outbox, relay, mind, h.logger()), Recordings: h.shelf,
		Mind: mind, Store: h.store, Guard: h.guard, Log: h.logger(), Version: "1.2.3", Build: "abcdef0", MaxBody: 64 << 10,
		Instance: "instance-1", Level: &logLevel{current: "info"},
	})
	handler := web.RequestID(web.AccessLog(h.logger(), web.AccessErrors, nil, web.Recover(h.logger(), checkContract(h, server))))
	return mind, server, handler
}

// run starts the cluster's own work: probes, lists, commands.
func (h *harness) run() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.cluster.Run(ctx) }()
	h.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			h.Error(err)
		}
	})
	h.eventually("the nodes are probed", h.cluster.Probed)
}

// eventually waits for a condition with a generous deadline.
func (h *harness) eventually(what string, ok func() bool) {
	h.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("this never happened: %s", what)
		}
	}
}

// checkLog finds secrets in the log.
func (h *harness) checkLog() {
	text := h.log.String()
	for _, secret := range []string{
		jwtSecret.Reveal(), jwtSecondSecret.Reveal(), frontendSecret, frontendSecret2, backendSecret, backendSecret2, "node-secret-of-", "eyJ",
	} {
		if strings.Contains(text, secret) {
			h.Errorf("the log has the secret %q:\n%s", secret, text)
		}
	}
}

// token is one of the subject with the scopes.
func token(subject string, scopes ...auth.Scope) string {
	t, err := auth.NewKeys(jwtSecret, "").Mint(auth.Claims{Subject: subject, Scopes: scopes})
	if err != nil {
		panic(err)
	}
	return t
}

var (
	admin  = token("operator@example.org", auth.Admin)
	reader = token("dashboard", auth.Read)
)

// answer is what a request brought.
type answer struct {
	*httptest.ResponseRecorder
	h    *harness
	what string
}

var clients atomic.Uint32

// ask sends a request with a token to the first instance; "" is no token. A
// body is JSON, and none when empty.
func (h *harness) ask(token, call, body string) *answer {
	h.Helper()
	return h.askAt(h.handler, token, call, body)
}

func (h *harness) askAt(door http.Handler, token, call, body string) *answer {
	h.Helper()
	method, target, _ := strings.Cut(call, " ")
	return h.send(door, h.requestFor(token, method, target, body))
}

func (h *harness) requestFor(token, method, target, body string) *http.Request {
	r := httptest.NewRequestWithContext(h.Context(), method, "/api/v1"+target, strings.NewReader(body))
	n := clients.Add(1) // an address of its own: the guard slows those down that fail often
	r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1234", byte(n>>16), byte(n>>8), byte(n))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func (h *harness) send(door http.Handler, r *http.Request) *answer {
	h.Helper()
	w := httptest.NewRecorder()
	door.ServeHTTP(w, r)
	return &answer{w, h, r.Method + " " + r.URL.String()}
}

// is wants a status.
func (a *answer) is(status int) *answer {
	a.h.Helper()
	if a.Code != status {
		a.h.Fatalf("%s was answered %d, want %d: %s", a.what, a.Code, status, a.Body)
	}
	return a
}

// into wants a success and decodes it.
func (a *answer) into(value any) {
	a.h.Helper()
	if a.Code >= 300 {
		a.h.Fatalf("%s was answered %d: %s", a.what, a.Code, a.Body)
	}
	if err := json.Unmarshal(a.Body.Bytes(), value); err != nil {
		a.h.Fatalf("%s: %v in %s", a.what, err, a.Body)
	}
}

func (a *answer) frontend() (f Frontend) {
	a.h.Helper()
	a.into(&f)
	return f
}

func (a *answer) backend() (b Backend) {
	a.h.Helper()
	a.into(&b)
	return b
}

func (a *answer) problem() (p Problem) {
	a.h.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), &p); err != nil || p.Message == "" {
		a.h.Fatalf("%s: %v in %s", a.what, err, a.Body)
	}
	return p
}

// fields are what is wrong, as "a.b: what; c: what" in the order of names.
func (a *answer) fields() string {
	a.h.Helper()
	var parts []string
	fields := a.problem().Fields
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		parts = append(parts, name+": "+strings.Join(fields[name], ", "))
	}
	return strings.Join(parts, "; ")
}

// storedFrontend is one as the store has it, secrets included.
func (h *harness) storedFrontend(id string) b3scale.Frontend {
	h.Helper()
	for _, f := range h.storedFrontends() {
		if f.ID == id {
			return f
		}
	}
	h.Fatalf("no frontend %s is stored", id)
	return b3scale.Frontend{}
}

func (h *harness) storedFrontends() []b3scale.Frontend {
	h.Helper()
	all, err := h.store.Store.Frontends(context.WithoutCancel(h.Context()))
	if err != nil {
		h.Fatal(err)
	}
	return all
}

func (h *harness) storedBackend(id string) b3scale.Backend {
	h.Helper()
	for _, b := range h.storedBackends() {
		if b.ID == id {
			return b
		}
	}
	h.Fatalf("no backend %s is stored", id)
	return b3scale.Backend{}
}

func (h *harness) storedBackends() []b3scale.Backend {
	h.Helper()
	all, err := h.store.Store.Backends(context.WithoutCancel(h.Context()))
	if err != nil {
		h.Fatal(err)
	}
	return all
}

// frontend adds one with two secrets.
func (h *harness) frontend(key, account string) b3scale.Frontend {
	h.Helper()
	f, err := h.cluster.AddFrontend(h.Context(), b3scale.Frontend{
		Key: key, Secret: frontendSecret, SecondarySecret: frontendSecret2, Active: true, AccountRef: account,
	}, b3scale.Actor{})
	if err != nil {
		h.Fatal(err)
	}
	return f
}

// backend adds one with two secrets, behind which there is nothing.
func (h *harness) backend(name, agent string) b3scale.Backend {
	h.Helper()
	b, err := h.cluster.AddBackend(h.Context(), b3scale.Backend{
		Host: "https://" + name + ".example.org/bigbluebutton/api/", Secret: backendSecret, SecondarySecret: backendSecret2,
		AdminState: b3scale.AdminReady, LoadFactor: 1, AgentRef: agent,
	}, b3scale.Actor{})
	if err != nil {
		h.Fatal(err)
	}
	return b
}

// syncBuffer is a log that is written and read at the same time.
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

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
