package gateway_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/cluster"
	"b3scale/internal/gateway"
	"b3scale/internal/logtest"
	"b3scale/internal/routing"
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
	door    *gateway.Gateway
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
	for _, secret := range []string{secretOne, secondSecretOne, secretTwo, secretOff, moderatorPW, attendeePW} {
		logtest.Secret(secret)
	}
	logtest.Person(person)
	if s.nodes == nil {
		s.nodes = []bbbtest.Options{{}}
	}
	for i, opts := range s.nodes {
		opts.Name = "node" + strconv.Itoa(i+1)
		opts.Secret = "node-secret-" + strconv.Itoa(i+1)
		node := bbbtest.New(opts)
		t.Cleanup(node.Close)
		logtest.Node(t, node)
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
	h.door = gateway.New(h.cluster, log, s.gateway)
	handler := web.Handler(h.door, gateway.Prefixes, &web.Readiness{})
	h.handler = web.RequestID(web.AccessLog(log, web.AccessErrors, nil, web.Recover(log, handler)))
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
		saved, err := h.store.AddFrontend(ctx, f, b3scale.Actor{})
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
		saved, err := h.store.AddBackend(ctx, b3scale.Backend{
			Host: n.BaseURL(), Secret: b3scale.Secret(n.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1,
		}, b3scale.Actor{})
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

// set changes the settings of a frontend, as an operator would.
func (h *harness) set(f b3scale.Frontend, change func(*b3scale.FrontendSettings)) {
	h.Helper()
	_, err := h.cluster.EditFrontend(h.Context(), f.ID, b3scale.Actor{}, func(f *b3scale.Frontend) error {
		change(&f.Settings)
		return nil
	})
	if err != nil {
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

// create makes a meeting of the first frontend and forgets how.
func (h *harness) create(meetingID string) {
	h.Helper()
	got := h.call("create", "name=Room&meetingID="+url.QueryEscape(meetingID)+"&attendeePW="+attendeePW+"&moderatorPW="+moderatorPW)
	if outcome := got.outcome(h); outcome != bbb.Success {
		h.Fatalf("create of %q: %v", meetingID, got)
	}
	h.forget()
}

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

// nodeID is the id of a meeting of the first frontend on the nodes.
func nodeID(meetingID string) string { return b3scale.EncodeMeetingID(keyOne, meetingID) }
