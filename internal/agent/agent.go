package agent

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options of an agent. All but the address and the token, or the sink, have
// useful zero values.
type Options struct {
	Sink       Sink   // nil: the API of b3scaled
	APIURL     string // of b3scaled, without /api/v1
	Token      string
	Version    string  // of the agent
	Register   bool    // the node, if no backend is its
	LoadFactor float64 // 0: what the server has stays

	ConfigFile   string // what the operator set for BigBlueButton
	DefaultsFile string
	ReleaseFile  string // empty: where BigBlueButton has it
	DataDir      string // empty: where BigBlueButton has it

	NotifySocket string        // of systemd; empty: nobody wants to know
	Watchdog     time.Duration // of systemd; 0: none

	pace pace
}

// pace is how fast things go. Tests are in a hurry.
type pace struct {
	heartbeat, heartbeatDeadline time.Duration
	registerDeadline             time.Duration
	retryLeast, retryMost        time.Duration
	unbound                      time.Duration // between attempts of a node that nobody knows
	files                        time.Duration // between looks at the settings of BigBlueButton
	sample                       time.Duration
	redis                        time.Duration // for Redis to answer
	ping                         time.Duration // silence of Redis before it is asked
	batch                        time.Duration // the shortest time between two batches
	batchDeadline                time.Duration
	legacy                       time.Duration // between attempts to use the events route of a server that had none
	flush                        time.Duration
	sweep                        time.Duration
	outbox                       int
}

var usualPace = pace{
	heartbeat: time.Second, heartbeatDeadline: 2 * time.Second,
	registerDeadline: 10 * time.Second,
	retryLeast:       500 * time.Millisecond, retryMost: 30 * time.Second,
	unbound: 30 * time.Second,
	files:   time.Minute,
	sample:  5 * time.Second,
	redis:   3 * time.Second,
	ping:    5 * time.Second,
	batch:   100 * time.Millisecond, batchDeadline: 15 * time.Second,
	legacy: 5 * time.Minute,
	flush:  5 * time.Second,
	sweep:  time.Minute,
	outbox: 100_000,
}

// Agent is one node's agent.
type Agent struct {
	opts Options
	log  *slog.Logger
	boot string // tells this process from the ones before

	calls Sink // registration and events
	beats Sink // heartbeats have their own connections

	node    watched[*node]  // nil: not read yet
	backend watched[string] // id of the backend that is ours; empty: none
	outbox  *outbox
	rooms   *rooms
	vitals  vitals
	count   counters
}

// New makes an agent. Nothing is read or called before Run.
func New(opts Options, log *slog.Logger) (*Agent, error) {
	if opts.ReleaseFile == "" {
		opts.ReleaseFile = "/etc/bigbluebutton/bigbluebutton-release"
	}
	if opts.DataDir == "" {
		opts.DataDir = "/var/bigbluebutton"
	}
	if opts.pace == (pace{}) {
		opts.pace = usualPace
	}
	a := &Agent{
		opts: opts, log: log, boot: rand.Text(),
		calls: opts.Sink, beats: opts.Sink,
		outbox: newOutbox(opts.pace.outbox),
		rooms:  newRooms(time.Now),
	}
	if opts.Sink == nil {
		var err error
		if a.calls, err = opts.newAPI(); err != nil {
			return nil, err
		}
		if a.beats, err = opts.newAPI(); err != nil {
			return nil, err
		}
	}
	a.node.init()
	a.backend.init()
	return a, nil
}

// Run works until ctx ends. Then it takes a moment to send what is still there.
func (a *Agent) Run(ctx context.Context) error {
	tell := notifier{socket: a.opts.NotifySocket}
	tell.send("READY=1\nSTATUS=starting")

	// What makes events ends first, what sends them last.
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	var sender errgroup.Group
	sender.Go(func() error { return a.send(sending) })

	var makers errgroup.Group
	makers.Go(func() error { return a.keepRegistered(ctx, tell) })
	makers.Go(func() error { return a.keepBeating(ctx) })
	makers.Go(func() error { return a.keepListening(ctx) })
	makers.Go(func() error { return a.keepSampling(ctx) })
	makers.Go(func() error { return a.keepCounting(ctx) })
	makers.Go(func() error { return a.keepWatchdog(ctx, tell) })

	<-ctx.Done()
	tell.send("STOPPING=1\nSTATUS=sending what is left")
	err := makers.Wait()
	stopSending()
	_ = sender.Wait() // it never fails
	a.log.Info("stopped", "unsent", a.outbox.len())
	return err
}

// watched is a value and the news of its changes.
type watched[T comparable] struct {
	mu      sync.Mutex
	value   T
	changed chan struct{} // closed at the next change
}

func (w *watched[T]) init() { w.changed = make(chan struct{}) }

func (w *watched[T]) set(value T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.value == value {
		return
	}
	w.value = value
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watched[T]) get() (T, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.value, w.changed
}

// wait gives the value once it is not zero, and false when ctx ends first.
func (w *watched[T]) wait(ctx context.Context) (T, bool) {
	var zero T
	for {
		value, changed := w.get()
		if value != zero {
			return value, ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return zero, false
		case <-changed:
		}
	}
}
