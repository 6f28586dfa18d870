package routing

import (
	"strconv"
	"sync/atomic"
	"time"

	"b3scale"
)

// probeFresh is how long a good probe speaks for a backend, and storedFresh
// how long a stored one does before this instance has made its own.
const (
	probeFresh  = 5 * time.Second
	storedFresh = 60 * time.Second
)

// Backend is a backend as configured, with what this instance observes of it.
// The configuration is a snapshot; the observations go on when it is replaced.
type Backend struct {
	b3scale.Backend
	*Observed
}

// Observed holds what this instance sees of one backend. It is updated
// without locks.
type Observed struct {
	probeOKAt atomic.Int64 // microseconds; by our own probes, or as stored before the first of them
	firstOKAt atomic.Int64 // microseconds; of our own first good probe
	probed    atomic.Bool  // a probe of our own has finished
	reachable atomic.Bool  // the last one brought an answer
	secondary atomic.Bool  // the node accepts the secondary secret, not the first
	refused   atomic.Bool  // it accepts neither
	use       SecretUse
	latency   atomic.Int64 // nanoseconds of the last list or probe that was answered
	failure   atomic.Pointer[string]
	emptyAt   atomic.Int64 // microseconds by the store's clock, see SetEmpty

	agentAt     atomic.Int64 // microseconds by our clock; when its agent was last heard, by anybody
	agentDeaf   atomic.Bool
	agentReport atomic.Value // what it then said, see SetAgentReport

	weight   atomic.Int64 // thousandths of a person, see load.go
	reserved atomic.Int64 // the same, of claims on their way
	claims   atomic.Int64 // their number
	meetings atomic.Int64
	people   atomic.Int64
	foreign  atomic.Int64 // people in rooms that are not ours
}

// Probed notes the outcome of one of our own probes.
func (o *Observed) Probed(ok bool, now time.Time) {
	switch {
	case ok:
		o.probeOKAt.Store(now.UnixMicro())
		o.firstOKAt.CompareAndSwap(0, now.UnixMicro())
	case !o.probed.Load():
		o.probeOKAt.Store(0) // what the store remembered is over
	}
	o.reachable.Store(ok)
	o.probed.Store(true)
}

// Restore notes a good probe that the store remembers from before the start.
func (o *Observed) Restore(at b3scale.Micros) {
	if !o.probed.Load() {
		o.probeOKAt.Store(int64(at))
	}
}

// FirstReached is when a probe of ours was answered for the first time; 0: never.
func (o *Observed) FirstReached() b3scale.Micros { return b3scale.Micros(o.firstOKAt.Load()) }

// WasProbed reports whether a probe of our own has finished.
func (o *Observed) WasProbed() bool { return o.probed.Load() }

// Reachable reports whether our last probe brought an answer.
func (o *Observed) Reachable() bool { return o.reachable.Load() }

// Healthy reports whether the backend may be trusted with a new meeting.
func (o *Observed) Healthy(now time.Time) bool {
	fresh := probeFresh
	if !o.probed.Load() {
		fresh = storedFresh
	}
	return now.Sub(time.UnixMicro(o.probeOKAt.Load())) <= fresh
}

// agentFresh is how long a heartbeat speaks for an agent.
const agentFresh = 5 * time.Second

// HeardAgent notes a heartbeat of its agent. One that is deaf lives and hears
// nothing of the meetings.
func (o *Observed) HeardAgent(now time.Time, deaf bool) {
	o.agentAt.Store(now.UnixMicro())
	o.agentDeaf.Store(deaf)
}

// HeardAgentElsewhere does so for one that another instance got, and reports
// whether it is newer than ours.
func (o *Observed) HeardAgentElsewhere(at b3scale.Micros, deaf bool) bool {
	ours := o.agentAt.Load()
	if int64(at) <= ours || !o.agentAt.CompareAndSwap(ours, int64(at)) {
		return false
	}
	o.agentDeaf.Store(deaf)
	return true
}

// AgentHeard is when its agent was last heard; 0: never.
func (o *Observed) AgentHeard() b3scale.Micros { return b3scale.Micros(o.agentAt.Load()) }

// AgentDeaf is what HeardAgent noted last.
func (o *Observed) AgentDeaf() bool { return o.agentDeaf.Load() }

// SetAgentReport keeps what an agent said of its node, always of the same type.
func (o *Observed) SetAgentReport(report any) { o.agentReport.Store(report) }

// AgentReport is what SetAgentReport kept last; nil: nothing.
func (o *Observed) AgentReport() any { return o.agentReport.Load() }

// AgentLive reports whether its agent tells what happens there.
func (b *Backend) AgentLive(now time.Time) bool {
	at := b.AgentHeard()
	return at != 0 && now.Sub(at.Time()) <= agentFresh && !b.AgentDeaf()
}

// agentGone is how long an agent without a token must be silent to be gone for
// good: nothing else tells that somebody has removed it.
const agentGone = 10 * time.Minute

// HasAgent reports whether its agent was ever heard and should still be. The
// agents that write to the database have no token, so no agent_ref names them.
func (b *Backend) HasAgent(now time.Time) bool {
	at := b.AgentHeard()
	return at != 0 && (b.AgentRef != "" || now.Sub(at.Time()) <= agentGone)
}

// AgentTrouble is why the agent of a backend that has one cannot be relied on;
// empty when it can, or when there is none.
func (b *Backend) AgentTrouble(now time.Time) string {
	at := b.AgentHeard()
	switch {
	case !b.HasAgent(now) || b.AgentLive(now):
		return ""
	case now.Sub(at.Time()) > agentFresh:
		return "its agent has been silent for " + strconv.Itoa(int(now.Sub(at.Time()).Seconds())) + " s"
	}
	return "its agent lives, but hears nothing of the meetings"
}

// SetForeign notes how many people are in rooms on it that are not ours.
func (o *Observed) SetForeign(people int) { o.foreign.Store(int64(people)) }

// Meetings is the number of our meetings on it, breakout rooms included.
func (o *Observed) Meetings() int { return int(o.meetings.Load()) }

// People is the number of people in them.
func (o *Observed) People() int { return int(o.people.Load()) }

// LastReached is when the backend last answered a probe.
func (o *Observed) LastReached() b3scale.Micros { return b3scale.Micros(o.probeOKAt.Load()) }

// Secondary reports whether calls are to be signed with the secondary secret.
func (o *Observed) Secondary() bool { return o.secondary.Load() }

// UseSecondary notes which of its two secrets the node accepts.
func (o *Observed) UseSecondary(use bool) { o.secondary.Store(use) }

// Answered notes that a call brought an answer.
func (o *Observed) Answered() {
	if o.refused.Load() {
		o.refused.Store(false)
	}
	if o.failure.Load() != nil { // not at every call: others read it
		o.failure.Store(nil)
	}
}

// Failed notes why a call brought none.
func (o *Observed) Failed(why string, secretRefused bool) {
	o.failure.Store(&why)
	o.refused.Store(secretRefused)
}

// LastError is why the last call brought no answer; empty when it did.
func (o *Observed) LastError() string {
	if why := o.failure.Load(); why != nil {
		return *why
	}
	return ""
}

// Took notes how long a list or a probe took that was answered.
func (o *Observed) Took(d time.Duration) { o.latency.Store(int64(d)) }

// Latency is what Took noted last; 0: nothing yet.
func (o *Observed) Latency() time.Duration { return time.Duration(o.latency.Load()) }

// SecretUse tells when its secrets were last accepted by the node.
func (o *Observed) SecretUse() *SecretUse { return &o.use }

// SetEmpty notes that no list begun since then showed a room of ours, at least
// two of them; 0: one did, or nobody can say.
func (o *Observed) SetEmpty(since b3scale.Micros) { o.emptyAt.Store(int64(since)) }

// EmptySince is what SetEmpty noted last.
func (o *Observed) EmptySince() b3scale.Micros { return b3scale.Micros(o.emptyAt.Load()) }
