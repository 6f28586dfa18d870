package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/auth"
	"b3scale/internal/callbacks"
	"b3scale/internal/cluster"
)

const (
	callbackJWTSecret = "the-secret-of-the-api-0123456789"
	otherKey          = "other"
	otherSecret       = "the-secret-of-the-other-frontend"
)

// quickly are the pauses of tests.
var quickly = callbacks.Options{Poll: 20 * time.Millisecond, Pause: 20 * time.Millisecond, MaxPause: 50 * time.Millisecond, Survey: 20 * time.Millisecond}

// message is what a frontend's server was sent.
type message struct {
	method, url, body string
	header            http.Header
}

// lms is the server of frontends. It answers as its test says.
type lms struct {
	*httptest.Server
	mu     sync.Mutex
	got    []message
	answer func(m message, before int) int // before: how often the same message came
}

func newLMS(t testing.TB) *lms {
	l := &lms{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m := message{r.Method, r.URL.String(), string(body), r.Header}
		l.mu.Lock()
		before := 0
		for _, other := range l.got {
			if other.header.Get("Idempotency-Key") == m.header.Get("Idempotency-Key") {
				before++
			}
		}
		l.got = append(l.got, m)
		status := http.StatusNoContent
		if l.answer != nil {
			status = l.answer(m, before)
		}
		l.mu.Unlock()
		if status/100 == 3 {
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(l.Close)
	return l
}

// messages are those to a path, all for "".
func (l *lms) messages(path string) []message {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []message
	for _, m := range l.got {
		if p, _, _ := strings.Cut(m.url, "?"); path == "" || p == path {
			found = append(found, m)
		}
	}
	return found
}

// callbackFront is an address that is known before anybody listens.
type callbackFront struct {
	*httptest.Server
	target atomic.Pointer[url.URL]
}

func newCallbackFront(t testing.TB) *callbackFront {
	f := &callbackFront{}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(f.target.Load()) },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.target.Load() == nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *callbackFront) to(t testing.TB, address string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	f.target.Store(u)
}

// callbackSite is a b3scaled whose nodes call back, with two frontends.
type callbackSite struct {
	*instance
	lms   *lms
	front *callbackFront
	keys  auth.Keys
	admin string
}

func callbackEnviron(file, apiURL string, more ...string) []string {
	return environ(file, append([]string{
		"B3SCALE_API_JWT_SECRET=" + callbackJWTSecret, "B3SCALE_API_URL=" + apiURL + "/", "B3SCALE_CALLBACK_ALLOW=127.0.0.0/8",
	}, more...)...)
}

func newCallbackSite(t testing.TB, nodes []*bbbtest.Node, more ...string) *callbackSite {
	t.Helper()
	return newCallbackSiteWith(t, cluster.Options{}, nodes, more...)
}

func newCallbackSiteWith(t testing.TB, opts cluster.Options, nodes []*bbbtest.Node, more ...string) *callbackSite {
	t.Helper()
	s := &callbackSite{lms: newLMS(t), front: newCallbackFront(t), keys: auth.NewKeys(callbackJWTSecret, "")}
	var err error
	if s.admin, err = s.keys.Mint(auth.Claims{Subject: "admin", Scopes: auth.Scopes{auth.Admin}}); err != nil {
		t.Fatal(err)
	}
	cfg := load(t, callbackEnviron(file(t), s.front.URL, more...))
	d := &instance{TB: t, log: &syncBuffer{}}
	log, level := app.NewLog(cfg, d.log)
	d.App, err = app.New(t.Context(), cfg, log, app.Options{
		Level: level, Cluster: opts, Client: bbb.ClientOptions{Transport: bbbtest.Transport(nodes...)}, Callbacks: quickly,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
		noSecrets(t, "the log", d.log.String(), callbackJWTSecret, otherSecret, "eyJ")
	})
	var backends []b3scale.Backend
	for _, n := range nodes {
		backends = append(backends, b3scale.Backend{
			Host: n.BaseURL(), Secret: b3scale.Secret(n.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1,
		})
	}
	frontends := []b3scale.Frontend{
		{Key: frontendKey, Secret: frontendSecret, Active: true}, {Key: otherKey, Secret: otherSecret, Active: true},
	}
	if err := d.Seed(t.Context(), frontends, backends); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.instance = d
	s.front.to(t, d.URL())
	eventually(t, "b3scaled is ready", d.ready)
	return s
}

// frontend is one by its key.
func (s *callbackSite) frontend(key string) *b3scale.Frontend { return s.Cluster().Frontend(key) }

// creates makes a meeting and gives its room.
func (s *callbackSite) creates(n *bbbtest.Node, id string, params ...string) bbbtest.Room {
	s.Helper()
	query := url.Values{"meetingID": {id}, "name": {"Room"}}
	for i := 0; i+1 < len(params); i += 2 {
		query.Add(params[i], params[i+1])
	}
	if _, body := s.call("create", query.Encode()); !strings.Contains(body, "<returncode>SUCCESS") {
		s.Fatalf("create: %s", body)
	}
	room, ok := n.Room(b3scale.EncodeMeetingID(frontendKey, id))
	if !ok {
		s.Fatalf("there is no room of %q", id)
	}
	return room
}

// ticket is the one in an address that a node has.
func (s *callbackSite) ticket(address string) b3scale.CallbackTicket {
	s.Helper()
	token, ours := strings.CutPrefix(address, s.front.URL+callbacks.Path)
	if !ours {
		s.Fatalf("the node has the address %q, want one below %s", address, s.front.URL)
	}
	t, err := s.keys.ParseCallback(token)
	if err != nil {
		s.Fatalf("%q: %v", token, err)
	}
	return t
}

// address is one of ours with a ticket.
func (s *callbackSite) address(t b3scale.CallbackTicket) string {
	s.Helper()
	token, err := s.keys.MintCallback(t)
	if err != nil {
		s.Fatal(err)
	}
	return s.front.URL + callbacks.Path + token
}

// knock calls an address as nodes do, with headers as name, value, name, value.
func (s *callbackSite) knock(method, address, body string, headers ...string) (status int, answer string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, address, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// restCallback is a message as the REST API has it.
type restCallback struct {
	ID        string  `json:"id"`
	Kind      string  `json:"kind"`
	MeetingID *string `json:"meeting_id"`
	URL       string  `json:"url"`
	State     string  `json:"state"`
	Attempts  int     `json:"attempts"`
	LastError *string `json:"last_error"`
}

// stored are the messages that match.
func (s *callbackSite) stored(query string) []restCallback {
	s.Helper()
	status, body := s.knock(http.MethodGet, s.URL()+"/api/v1/callbacks"+query, "", "Authorization", "Bearer "+s.admin)
	var found []restCallback
	if err := json.NewDecoder(bytes.NewReader([]byte(body))).Decode(&found); status != http.StatusOK || err != nil {
		s.Fatalf("callbacks: %d %s", status, body)
	}
	return found
}

// arrives waits for so many messages at a path, and sees no more.
func (s *callbackSite) arrives(path string, want int) []message {
	s.Helper()
	eventually(s, path+" is called", func() bool { return len(s.lms.messages(path)) >= want })
	eventually(s, "nothing waits any more", func() bool { return len(s.stored("?state=waiting")) == 0 })
	got := s.lms.messages(path)
	if len(got) != want {
		s.Errorf("%s was called %d times, want %d: %v", path, len(got), want, got)
	}
	return got
}
