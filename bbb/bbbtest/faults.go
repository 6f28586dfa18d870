package bbbtest

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"b3scale/bbb"
)

// SetFault switches a fault on, besides those that are on already. One of the
// same kind and for the same calls is replaced. Of several that end a call,
// the one set first does. It panics on a fault that does not Check.
func (n *Node) SetFault(f Fault) {
	if err := f.Check(); err != nil {
		panic("bbbtest: " + err.Error())
	}
	n.faults.set(f)
}

// Faults are those that are on, with the times they have left.
func (n *Node) Faults() []Fault { return n.faults.list() }

// ClearFaults switches all faults off. Calls in a black hole go on.
func (n *Node) ClearFaults() { n.faults.clear() }

type faults struct {
	any      atomic.Bool // so that calls of a healthy node take no lock
	mu       sync.Mutex
	on       []Fault
	released chan struct{} // closed by clear
}

func (fs *faults) init() { fs.released = make(chan struct{}) }

func (fs *faults) set(f Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.Calls = slices.Clone(f.Calls)
	at := slices.IndexFunc(fs.on, func(g Fault) bool { return g.Kind == f.Kind && slices.Equal(g.Calls, f.Calls) })
	if at >= 0 {
		fs.on[at] = f
	} else {
		fs.on = append(fs.on, f)
	}
	fs.any.Store(true)
}

func (fs *faults) list() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Clone(fs.on)
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.on = nil
	fs.any.Store(false)
	close(fs.released)
	fs.released = make(chan struct{})
}

// take finds the faults that hit this call and counts it.
func (fs *faults) take(name string) plan {
	if !fs.any.Load() {
		return plan{}
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	p := plan{released: fs.released}
	kept := fs.on[:0]
	for _, f := range fs.on {
		if len(f.Calls) > 0 && !slices.Contains(f.Calls, name) {
			kept = append(kept, f)
			continue
		}
		p.faults = append(p.faults, f)
		if f.Kind == LateExecution {
			p.late = max(f.Delay, 1)
		}
		if f.Times != 1 {
			f.Times = max(f.Times-1, 0)
			kept = append(kept, f)
		}
	}
	fs.on = kept
	fs.any.Store(len(kept) > 0)
	return p
}

// plan is what faults have in store for one call.
type plan struct {
	faults   []Fault
	released chan struct{}
	late     time.Duration
}

// before does what comes before the execution; an answer is the end of it.
func (p *plan) before(ctx context.Context, n *Node) *reply {
	for _, f := range p.faults {
		switch f.Kind {
		case Latency:
			if !n.wait(ctx, f.Delay) {
				return &reply{hangUp: true}
			}
		case BlackHole:
			if !n.waitFor(ctx, p.released) {
				return &reply{hangUp: true}
			}
		case HangUp:
			return &reply{hangUp: true}
		case ServerError:
			return new(statusReply(http.StatusInternalServerError))
		case BadGateway:
			return new(statusReply(http.StatusBadGateway))
		case HTMLPage:
			return new(htmlReply(http.StatusOK, "<!DOCTYPE html>\n<html>\n<head><title>Welcome</title></head>\n<body>It works.</body>\n</html>\n"))
		case FailWith:
			return new(failed(&bbb.Failure{Key: f.Key, Message: f.Message}))
		}
	}
	return nil
}

// apply changes how a call is executed.
func (c *call) apply(p *plan) {
	for _, f := range p.faults {
		switch f.Kind {
		case WrongSecret:
			c.secret += " changed"
		case Empty:
			c.blind = c.name != "create"
		case Partial:
			c.partial = true
		case ClockSkew:
			c.skew = f.Delay.Milliseconds()
		}
	}
}

// after does what faults do to an answer.
func (p *plan) after(ctx context.Context, n *Node, answer reply) reply {
	for _, f := range p.faults {
		switch f.Kind {
		case LateAnswer:
			if !n.wait(ctx, f.Delay) {
				return reply{hangUp: true}
			}
		case AnswerLost:
			return reply{hangUp: true}
		case ServerErrorAfter:
			return statusReply(http.StatusInternalServerError)
		case Truncated:
			answer.body = answer.body[:len(answer.body)/2]
		case CutOff:
			if len(answer.body) < 2 {
				return reply{hangUp: true}
			}
			answer.cutOff = len(answer.body) / 2
		case SlowBody:
			answer.pace = max(f.Delay, 1)
		}
	}
	return answer
}

// executeLate executes a call later, whether or not its caller is still there.
func (n *Node) executeLate(ctx context.Context, c *call, entry *logEntry, delay time.Duration) (reply, bool) {
	done := make(chan reply, 1)
	n.timers.after(delay, func() { done <- n.execute(c, entry) })
	select {
	case answer := <-done:
		return answer, true
	case <-ctx.Done():
	case <-n.line.gone():
	}
	return reply{}, false
}

// wait reports whether the caller and the node are still there after d.
func (n *Node) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-n.line.gone():
	}
	return false
}

// waitFor reports whether the caller and the node are still there when ready
// is closed.
func (n *Node) waitFor(ctx context.Context, ready <-chan struct{}) bool {
	select {
	case <-ready:
		return true
	case <-ctx.Done():
	case <-n.line.gone():
	}
	return false
}
