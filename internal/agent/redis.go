package agent

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// channels have all that we need. They are named one by one: a pattern would
// also catch what clients send to the node, and double the traffic.
var channels = []string{"from-akka-apps-redis-channel", "from-akka-apps-pres-redis-channel"}

// keepListening hears what happens on the node. Redis keeps nothing for those
// who are not there, so every start of listening begins with a gap.
func (a *Agent) keepListening(ctx context.Context) error {
	quiet()
	pace := a.opts.pace
	retry := backoff{least: pace.retryLeast, most: pace.retryMost / 3}
	for {
		n, ok := a.node.wait(ctx)
		if !ok {
			return nil
		}
		start := time.Now()
		err := a.listen(ctx, n)
		a.vitals.redis.Store(false)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(start) > retry.most { // every start makes the server look for itself
			retry.reset()
		}
		wait := retry.wait()
		a.log.WarnContext(ctx, "Redis is not heard", "address", n.redisAddress, "error", err, "again_in", wait.Round(time.Millisecond))
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

var errMoved = errors.New("the settings of BigBlueButton have changed")

// listen hears Redis until the connection is gone, silent, or not the right
// one any more.
func (a *Agent) listen(ctx context.Context, n *node) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client := redisClient(ctx, n, a.opts.pace.redis)
	defer client.Close()
	sub := client.Subscribe(ctx)
	defer sub.Close()
	if err := sub.Subscribe(ctx, channels...); err != nil {
		return err
	}
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	go a.watchSilence(ctx, sub, &last, n, cancel)

	confirmed := 0
	for {
		reply, err := sub.Receive(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return err
		}
		last.Store(time.Now().UnixNano())
		switch reply := reply.(type) {
		case *redis.Subscription:
			confirmed++
			if confirmed < len(channels) {
				continue
			}
			// More than that are of another connection, which the library made.
			a.vitals.redis.Store(true)
			a.rooms.forget()
			a.count.gaps.Add(1)
			a.outbox.put(Event{Kind: kindGap, At: time.Now().UnixMilli()})
			if confirmed == len(channels) {
				a.log.InfoContext(ctx, "listening to Redis", "address", n.redisAddress)
			}
		case *redis.Message:
			a.hear(ctx, reply.Payload)
		}
	}
}

// hear never blocks and never fails: a message that we do not understand must
// not keep us from the next.
func (a *Agent) hear(ctx context.Context, payload string) {
	a.count.messages.Add(1)
	m, err := decode([]byte(payload))
	switch {
	case errors.Is(err, errUnknown):
		a.count.unknown.Add(1)
		return
	case err != nil:
		a.count.broken.Add(1)
		// Only the name: there may be passwords and join addresses in the rest.
		a.log.DebugContext(ctx, "message skipped", "name", cut(m.name), "bytes", len(payload))
		return
	}
	if _, pong := m.body.(alivePong); pong {
		a.vitals.pong.Store(time.Now().UnixMilli())
	}
	facts := a.rooms.apply(m)
	a.count.events.Add(uint64(len(facts)))
	a.outbox.put(facts...)
	a.rooms.sweepNow(a.opts.pace.sweep)
}

// cut keeps a line of the log a line.
func cut(name string) string {
	if len(name) > 80 {
		return name[:80]
	}
	return name
}

// watchSilence asks a connection that says nothing whether it lives, and ends
// it when it does not answer, or when the settings lead elsewhere.
func (a *Agent) watchSilence(ctx context.Context, sub *redis.PubSub, last *atomic.Int64, n *node, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(a.opts.pace.ping)
	defer tick.Stop()
	for {
		now, changed := a.node.get()
		if now.redisAddress != n.redisAddress || now.redisPassword != n.redisPassword {
			cancel(errMoved)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
			silence := time.Since(time.Unix(0, last.Load()))
			if silence > 3*a.opts.pace.ping {
				cancel(errors.New("it is silent"))
				return
			}
			if silence >= a.opts.pace.ping {
				_ = sub.Ping(ctx) // the reader learns what comes of it
			}
		}
	}
}

// redisClient makes a client whose connections end with session: a read that
// waits for the next message knows no context.
func redisClient(session context.Context, n *node, patience time.Duration) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:     n.redisAddress,
		Password: string(n.redisPassword),
		Protocol: 2,
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			if session.Err() != nil {
				return nil, session.Err()
			}
			conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, network, address)
			if err == nil {
				context.AfterFunc(session, func() { _ = conn.Close() })
			}
			return conn, err
		},
		DialerRetries:            1,
		ReadTimeout:              patience, // of answers, not of messages
		WriteTimeout:             patience,
		MaxRetries:               -1, // we try again ourselves
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// quiet keeps the library from writing to standard error by itself: what goes
// wrong comes back as an error.
var quiet = sync.OnceFunc(func() { redis.SetLogger(nothing{}) })

type nothing struct{}

// Printf implements the logger of the library.
func (nothing) Printf(context.Context, string, ...any) {}
