package gateway_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
	"b3scale/internal/gateway"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
	"b3scale/internal/web"
)

// The frontends of every harness. A disabled one is there besides.
const (
	keyOne, secretOne, secondSecretOne = "fe1", "frontend-one-secret", "frontend-one-second-secret"
	keyTwo, secretTwo                  = "fe2", "frontend-two-secret"
	keyOff, secretOff                  = "off", "frontend-off-secret"
)

// What must never be logged; the tests that send people or passwords use
// these.
const (
	person      = "Ada Lovelace"
	personQuery = "Ada+Lovelace"
	moderatorPW = "mod-Pa55word"
	attendeePW  = "att-Pa55word"
)

// harness is the real door over a real store; only the sockets are left out.
// Every answer and every log line of it is checked for what must never be in
// there.
type harness struct {
	testing.TB
	handler http.Handler
	cluster *cluster.Cluster
	table   *routing.Table
	store   *spyStore
	network *bbbtest.Network
	nodes   []*bbbtest.Node
	log     *syncBuffer
	one     b3scale.Frontend
	two     b3scale.Frontend
}

// setup has useful zero values.
type setup struct {
	nodes   []bbbtest.Options // one node of the newest version; noNodes for none
	gateway gateway.Options
	cluster cluster.Options
	watch   bool // probe and list the nodes
}

var noNodes = []bbbtest.Options{}

func newHarness(t testing.TB, s setup) *harness {
	t.Helper()
	h := &harness{TB: t, log: &syncBuffer{}}
	if s.nodes == nil {
		s.nodes = []bbbtest.Options{{}}
	}
	for i, opts := range s.nodes {
		opts.Name = "node" + strconv.Itoa(i+1)
		opts.Secret = "node-secret-" + strconv.Itoa(i+1)
		node := bbbtest.New(opts)
		t.Cleanup(node.Close)
		h.nodes = append(h.nodes, node)
	}
	h.store = openStore(t)
	h.seed(t.Context())
	h.network = bbbtest.Transport(h.nodes...)
	client := bbb.NewClient(bbb.ClientOptions{Transport: h.network})
	h.table = routing.NewTable(routing.LoadOptions{DefaultSize: 15, Hold: 10 * time.Minute, Fade: 20 * time.Minute})
	log := slog.New(web.LogHandler(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if s.cluster.JoinWait == 0 {
		s.cluster.JoinWait = 5 * time.Millisecond
	}
	h.cluster = cluster.New(h.store, h.table, client, log, s.cluster)
	h.load()
	door := gateway.New(h.cluster, log, s.gateway)
	handler := web.Handler(door, []string{gateway.Prefix, gateway.RetryPrefix}, &web.Readiness{})
	h.handler = web.RequestID(web.Recover(log, web.AccessLog(log, nil, handler)))
	if s.watch {
		h.watch()
	} else {
		h.trustNodes()
	}
	t.Cleanup(h.checkLog)
	return h
}

// seed stores the frontends and the nodes, as if they had been listed before.
func (h *harness) seed(ctx context.Context) {
	h.Helper()
	for _, f := range []b3scale.Frontend{
		{Key: keyOne, Secret: secretOne, SecondarySecret: secondSecretOne, Active: true},
		{Key: keyTwo, Secret: secretTwo, Active: true},
		{Key: keyOff, Secret: secretOff},
	} {
		saved, err := h.store.SaveFrontend(ctx, f)
		if err != nil {
			h.Fatal(err)
		}
		switch f.Key {
		case keyOne:
			h.one = saved
		case keyTwo:
			h.two = saved
		}
	}
	for _, n := range h.nodes {
		saved, err := h.store.SaveBackend(ctx, b3scale.Backend{
			Host: n.BaseURL(), Secret: b3scale.Secret(n.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1,
		})
		if err != nil {
			h.Fatal(err)
		}
		if err := h.store.MarkListed(ctx, saved.ID, 1); err != nil {
			h.Fatal(err)
		}
	}
}

// load brings memory up to the store.
func (h *harness) load() {
	h.Helper()
	if err := h.cluster.Load(h.Context()); err != nil {
		h.Fatal(err)
	}
}

// trustNodes takes the place of the probes: good ones for the next hours.
func (h *harness) trustNodes() {
	for _, b := range h.cluster.Backends() {
		b.Probed(true, time.Now().Add(24*time.Hour))
	}
}

// watch runs what follows the nodes until the test ends.
func (h *harness) watch() {
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

// backend is the stored form of a node.
func (h *harness) backend(n *bbbtest.Node) *routing.Backend {
	h.Helper()
	for _, b := range h.cluster.Backends() {
		if b.Host == n.BaseURL() {
			return b
		}
	}
	h.Fatalf("node %s is not in the table", n.Name())
	return nil
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

// openStore copies a migrated database, which is faster than migrating one.
func openStore(t testing.TB) *spyStore {
	t.Helper()
	file := filepath.Join(t.TempDir(), "b3scale.db")
	database, err := emptyDatabase()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, database, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := sqlstore.Open(t.Context(), file, sqlstore.Options{CheckSchemaOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &spyStore{Store: store}
}

var emptyDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "b3scale-gateway-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "b3scale.db")
	store, err := sqlstore.Open(context.Background(), file, sqlstore.Options{})
	if err != nil {
		return nil, err
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// spyStore notes which methods that may change meetings were called.
type spyStore struct {
	b3scale.Store
	mu     sync.Mutex
	writes []string
}

func (s *spyStore) note(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, method)
}

func (s *spyStore) takeWrites() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	writes := s.writes
	s.writes = nil
	return writes
}

func (s *spyStore) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	s.note("ClaimMeeting")
	return s.Store.ClaimMeeting(ctx, c)
}

func (s *spyStore) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	s.note("ConfirmMeeting")
	return s.Store.ConfirmMeeting(ctx, key, generation, room)
}

func (s *spyStore) EndMeeting(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	s.note("EndMeeting")
	return s.Store.EndMeeting(ctx, seen)
}

func (s *spyStore) RequestEnd(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string) (b3scale.Meeting, bool, error) {
	s.note("RequestEnd")
	return s.Store.RequestEnd(ctx, key, generation, internalID)
}

func (s *spyStore) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (b3scale.Meeting, bool, error) {
	s.note("AdoptMeeting")
	return s.Store.AdoptMeeting(ctx, key, backendID, room, size)
}

// request is a call as a client sends it.
type request struct {
	method string // GET
	target string // path and query
	header http.Header
	body   io.Reader
	length int64 // announced; of the body when it is 0 and known
}

// reply is what the client gets.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %v\n%s", r.status, r.header, r.body) }

// root is the document element of an XML answer.
func (r reply) root(t testing.TB) bbb.Element {
	t.Helper()
	doc, err := bbb.ParseXML([]byte(r.body))
	if err != nil {
		t.Fatalf("answer is not XML (%v): %v", err, r)
	}
	return doc.Root()
}

// text is the text of a child of the document element.
func (r reply) text(t testing.TB, name string) string {
	t.Helper()
	return r.root(t).Child(name).Text()
}

// outcome is SUCCESS, or the messageKey of a FAILED answer.
func (r reply) outcome(t testing.TB) string {
	t.Helper()
	if code := r.text(t, "returncode"); code != bbb.Failed {
		return code
	}
	return r.text(t, "messageKey")
}

// do sends a request through the whole handler. The URL is taken apart as the
// server does it.
func (h *harness) do(r request) reply {
	h.Helper()
	u, err := url.ParseRequestURI(r.target)
	if err != nil {
		h.Fatalf("target %q: %v", r.target, err)
	}
	return h.send(u, r)
}

func (h *harness) send(u *url.URL, r request) reply {
	h.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	req := (&http.Request{
		Method: r.method, URL: u, RequestURI: r.target, Host: "b3scale.test", RemoteAddr: "192.0.2.1:1234",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody,
	}).WithContext(h.Context())
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	if r.body != nil {
		req.Body = io.NopCloser(r.body)
		req.ContentLength = -1
		if known, ok := r.body.(interface{ Len() int }); ok {
			req.ContentLength = int64(known.Len())
		}
	}
	if r.length != 0 {
		req.ContentLength = r.length
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, req)
	got := reply{w.Code, w.Result().Header, w.Body.String()}
	h.checkReply(got, r)
	return got
}

// checkReply holds for every answer.
func (h *harness) checkReply(got reply, r request) {
	h.Helper()
	contentType := got.header.Get("Content-Type")
	if length := got.header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(got.body)) && r.method != http.MethodHead {
		h.Errorf("Content-Length is %s, the body of %s %s has %d bytes", length, r.method, r.target, len(got.body))
	}
	if contentType == bbb.ContentType {
		if err := wellFormed(got.body); err != nil {
			h.Errorf("%s %s: answer is not well-formed: %v\n%v", r.method, r.target, err, got)
		}
		if c := got.header.Get("Cache-Control"); c != "no-cache" {
			h.Errorf("%s %s: Cache-Control is %q, want no-cache", r.method, r.target, c)
		}
	}
	if strings.HasPrefix(got.body, "<response>") && (contentType != bbb.ContentType || got.status == http.StatusOK && got.header.Get("Content-Length") == "") {
		h.Errorf("%s %s: Content-Type or -Length is wrong: %v", r.method, r.target, got)
	}
	secrets := h.secrets()
	if got.status != http.StatusFound { // only redirects lead to a node
		for _, n := range h.nodes {
			secrets = append(secrets, strings.TrimPrefix(n.PublicURL(), "https://"))
		}
		if contentType == bbb.ContentType {
			secrets = append(secrets, "checksum=")
		}
	}
	for _, secret := range secrets {
		if strings.Contains(got.body, secret) || strings.Contains(got.header.Get("Location"), secret) {
			h.Errorf("%s %s: the answer tells %q: %v", r.method, r.target, secret, got)
		}
	}
}

// wellFormed asks the strict parser of the standard library.
func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (h *harness) secrets() []string {
	secrets := []string{secretOne, secondSecretOne, secretTwo, secretOff}
	for _, n := range h.nodes {
		secrets = append(secrets, n.API().Secret)
	}
	return secrets
}

// checkLog runs when the test is over.
func (h *harness) checkLog() {
	text := h.log.String()
	forbidden := append(h.secrets(), "checksum=", "Lovelace", moderatorPW, attendeePW, "panic")
	for _, n := range h.nodes {
		for _, r := range n.Rooms() {
			forbidden = append(forbidden, r.AttendeePW, r.ModeratorPW)
			for _, a := range r.Attendees {
				forbidden = append(forbidden, a.FullName)
			}
		}
	}
	for _, secret := range forbidden {
		if at := strings.Index(text, secret); at >= 0 {
			line := text[strings.LastIndexByte(text[:at], '\n')+1:]
			line, _, _ = strings.Cut(line, "\n")
			h.Errorf("the log tells %q: %s", secret, line)
		}
	}
}

// apiURL is the address of a call in the usual form.
func apiURL(frontendKey, call string) string {
	return "/bbb/" + frontendKey + "/bigbluebutton/api/" + call
}

// signed is a call of the first frontend, signed as most clients do.
func signed(call, query string) string { return signedBy(keyOne, secretOne, call, query) }

func signedBy(frontendKey, secret, call, query string) string {
	return apiURL(frontendKey, call) + "?" + bbb.SignedQuery(call, query, secret)
}

// call sends a signed call of the first frontend.
func (h *harness) call(call, query string) reply {
	h.Helper()
	return h.do(request{target: signed(call, query)})
}

// post sends one with a body.
func (h *harness) post(target, contentType, body string) reply {
	h.Helper()
	r := request{method: http.MethodPost, target: target, header: http.Header{}, body: strings.NewReader(body)}
	if contentType != "" {
		r.header.Set("Content-Type", contentType)
	}
	return h.do(r)
}

// browse sends a signed call as a browser does.
func (h *harness) browse(target string) reply {
	h.Helper()
	return h.do(request{target: target, header: http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}})
}

// create makes a meeting of the first frontend and forgets how.
func (h *harness) create(meetingID string) {
	h.Helper()
	got := h.call("create", "name=Room&meetingID="+url.QueryEscape(meetingID)+"&attendeePW="+attendeePW+"&moderatorPW="+moderatorPW)
	if outcome := got.outcome(h); outcome != bbb.Success {
		h.Fatalf("create of %q: %v", meetingID, got)
	}
	h.forget()
}

// forget lets nodes and store forget what they were asked so far.
func (h *harness) forget() {
	for _, n := range h.nodes {
		n.ResetRequests()
	}
	h.store.takeWrites()
}

// asked are all requests that reached the nodes, as "call query" without the
// checksum.
func (h *harness) asked() []string {
	var all []string
	for _, n := range h.nodes {
		for _, r := range n.Requests() {
			query, _, _ := bbb.SplitChecksum(r.RawQuery)
			all = append(all, r.Call+" "+query)
		}
	}
	return all
}

// untouched fails the test when a node was asked or a row may have changed.
func (h *harness) untouched(what string) {
	h.Helper()
	if asked := h.asked(); len(asked) > 0 {
		h.Errorf("%s: reached a node: %q", what, asked)
	}
	if writes := h.store.takeWrites(); len(writes) > 0 {
		h.Errorf("%s: wrote %v", what, writes)
	}
	h.forget()
}

// only is the single request that reached the nodes.
func (h *harness) only() bbbtest.Request {
	h.Helper()
	var all []bbbtest.Request
	for _, n := range h.nodes {
		all = append(all, n.Requests()...)
	}
	if len(all) != 1 {
		h.Fatalf("the nodes got %d requests, want 1: %q", len(all), h.asked())
	}
	return all[0]
}

// sentParam is a parameter of that request.
func (h *harness) sentParam(name string) string {
	h.Helper()
	r := h.only()
	return r.Params.Get(name)
}

// nodeID is the id of a meeting of the first frontend on the nodes.
func nodeID(meetingID string) string { return b3scale.EncodeMeetingID(keyOne, meetingID) }

// liveIDs are the ids of the live meetings of the first frontend.
func (h *harness) liveIDs() []string {
	h.Helper()
	var ids []string
	err := h.store.LiveMeetings(h.Context(), func(m b3scale.Meeting) {
		if m.Key.FrontendID == h.one.ID {
			ids = append(ids, m.Key.MeetingID)
		}
	})
	if err != nil {
		h.Fatal(err)
	}
	slices.Sort(ids)
	return ids
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
