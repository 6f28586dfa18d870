package bbbtest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"b3scale/bbb"
)

// Options describe a node. The zero value is a 3.0 node called "node1".
type Options struct {
	Name    string // shown on the landing page; "node1"
	Secret  string // shared secret; "bbbtest-secret"
	Version string // 2.4 … 2.7, 3.0, or a release like 2.6.17; without a patch level the last of its line; "3.0"
	// PublicURL is scheme and host of the links in answers, without a slash at
	// the end. By default the listener's address, or https://NAME.bbb.test for
	// a node that is reached through Transport.
	PublicURL string

	Now      func() time.Time // for times in answers and in the log; time.Now
	EndDelay time.Duration    // between the answer of end and the end; 0 ends at once
	// Mint replaces the random parts of answers and events. what is attendeePW,
	// moderatorPW, voiceBridge, userID, authToken, sessionToken, JSESSIONID or
	// stream; "" leaves it random.
	Mint func(what string) string

	ExtraElements string // XML put at the end of create, getMeetingInfo and every meeting of getMeetings
	RevealVersion bool   // bbbVersion is told to everybody
	LogSize       int    // requests to remember; 0 is 100,000, negative none

	Callbacks        http.RoundTripper // carries the callbacks at the end of a room and after it; the network
	CallbackPauses   []time.Duration   // between attempts to tell of the end; 30, 60, 120 and 300 s
	RecordingFormats []string          // in which a room is published that was recorded; "presentation". Each is told once
	ProcessingTime   time.Duration     // between the end and that, and the figures of a room

	// RecordingsDir is where recordings are published, as
	// DIR/<format>/<record id>/. Empty: they are told, but there are none.
	RecordingsDir string
	// Published is called when the files of a format are there, before that is
	// told to who asked: what scripts after publishing do. It may take its time.
	// Close waits for it.
	Published     func(format, recordID, metadataPath string)
	PublishFailed func(error) // hears of a format that was not published, and is not told to anybody

	// Events gets what the node publishes on its Redis, in order and one at a
	// time: before the call returns that caused it, unless another goroutine is
	// handing events out just then. The node is not locked, but must not be
	// closed there. Nil publishes nothing.
	Events      func(channel string, message []byte)
	UserTimeout time.Duration // between a lost connection and the leave; 60 s
}

// Check reports what is wrong with the options.
func (o Options) Check() error {
	_, err := parseVersion(o.withDefaults().Version)
	return err
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "node1"
	}
	if o.Secret == "" {
		o.Secret = "bbbtest-secret"
	}
	if o.Version == "" {
		o.Version = "3.0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LogSize == 0 {
		o.LogSize = 100_000
	}
	if o.UserTimeout == 0 {
		o.UserTimeout = time.Minute
	}
	if o.CallbackPauses == nil {
		o.CallbackPauses = []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}
	}
	if o.RecordingFormats == nil {
		o.RecordingFormats = []string{"presentation"}
	}
	o.PublicURL = strings.TrimSuffix(o.PublicURL, "/")
	return o
}

// Node is one BBB server. Its methods may be used by several goroutines.
type Node struct {
	opts    Options
	version version
	rooms   rooms
	faults  faults
	log     requestLog
	events  events
	line    line
	timers  timers
}

// New makes a node that does not listen: use it as a handler, through
// Transport, or call Listen. It panics on options that do not Check.
func New(opts Options) *Node {
	opts = opts.withDefaults()
	v, err := parseVersion(opts.Version)
	if err != nil {
		panic("bbbtest: " + err.Error())
	}
	n := &Node{opts: opts, version: v}
	n.rooms.init()
	n.faults.init()
	n.log.init(opts.LogSize)
	n.line.init()
	n.timers.init()
	if n.publishes() {
		n.answerAlive()
	}
	return n
}

// Name is the node's name.
func (n *Node) Name() string { return n.opts.Name }

// BaseURL is the address of the API, with a slash at the end.
func (n *Node) BaseURL() string {
	if addr := n.line.address(); addr != "" {
		return "http://" + addr + apiPath + "/"
	}
	return n.PublicURL() + apiPath + "/"
}

// PublicURL is scheme and host of the links that the node gives to people.
func (n *Node) PublicURL() string {
	if n.opts.PublicURL != "" {
		return n.opts.PublicURL
	}
	if addr := n.line.address(); addr != "" {
		return "http://" + addr
	}
	return "https://" + n.opts.Name + ".bbb.test"
}

// API is the node as a bbb.Client addresses it.
func (n *Node) API() bbb.Node { return bbb.Node{BaseURL: n.BaseURL(), Secret: n.opts.Secret} }

// publicHost is the host, with its port, of PublicURL.
func (n *Node) publicHost() string {
	u, err := url.Parse(n.PublicURL())
	if err != nil {
		return ""
	}
	return u.Host
}

// Close takes the node off the network, ends what it still does in the
// background and waits for that. It answers nothing afterwards.
func (n *Node) Close() {
	n.line.close()
	n.faults.clear()
	n.timers.close()
}

// mint is a random part of an answer.
func (n *Node) mint(what string) string {
	if n.opts.Mint != nil {
		if fixed := n.opts.Mint(what); fixed != "" {
			return fixed
		}
	}
	return random(what)
}

// timers are the things a node does later. They belong to it and stop with it.
type timers struct {
	mu     sync.Mutex
	closed bool
	set    map[*time.Timer]struct{}
	busy   sync.WaitGroup
	ctx    context.Context //nolint:containedctx // the node's own life, ended by close
	cancel context.CancelFunc
}

func (t *timers) init() {
	t.set = make(map[*time.Timer]struct{})
	t.ctx, t.cancel = context.WithCancel(context.Background())
}

// after runs f later, unless the node is closed before.
func (t *timers) after(d time.Duration, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		t.mu.Lock()
		if _, ok := t.set[timer]; !ok {
			t.mu.Unlock()
			return
		}
		delete(t.set, timer)
		t.busy.Add(1)
		t.mu.Unlock()
		defer t.busy.Done()
		f()
	})
	t.set[timer] = struct{}{}
}

func (t *timers) close() {
	t.mu.Lock()
	t.closed = true
	t.cancel()
	for timer := range t.set {
		timer.Stop()
	}
	clear(t.set)
	t.mu.Unlock()
	t.busy.Wait()
}
