package metrics

import (
	"time"

	"b3scale"
)

var (
	callbacksWaiting = family("callbacks_waiting",
		"Messages of nodes to a frontend that were not taken yet, of all instances together.", "frontend")
	callbacksOldest = family("callbacks_oldest_seconds",
		"How long the oldest of them has been waiting; 0 where nothing waits.", "frontend")
	callbackAttempts = family("callback_attempts_total",
		"Attempts to tell frontends what nodes told: delivered, refused (nobody tries again), or failed (somebody does); and messages that expired, which nobody tries any more.", "kind", "result")
	callbacksTurnedAway = family("callbacks_turned_away_total",
		"Messages of nodes to frontends that were not taken in because too many wait for their frontend. Nodes tell again only of ends.", "kind")
)

var (
	callbackKinds = []b3scale.CallbackKind{
		b3scale.CallbackEnd, b3scale.CallbackMeetingEnded, b3scale.CallbackRecordingReady, b3scale.CallbackAnalytics,
	}
	attemptResults = []string{"delivered", "expired", "failed", "refused"}
)

// attempt is what attempts are counted by.
type attempt struct {
	kind   b3scale.CallbackKind
	result string
}

// CallbackTried counts one attempt, which ended in this state, or one message
// that expired.
func (m *Metrics) CallbackTried(kind b3scale.CallbackKind, state b3scale.CallbackState) {
	result := "failed"
	switch state {
	case b3scale.CallbackDelivered, b3scale.CallbackRefused, b3scale.CallbackExpired:
		result = string(state)
	case b3scale.CallbackWaiting, b3scale.CallbackDropped:
	}
	m.counts.attempts.at(attempt{kind, result}, newCounter).Add(1)
}

// CallbackTurnedAway counts one message that was not taken in.
func (m *Metrics) CallbackTurnedAway(kind b3scale.CallbackKind) {
	m.counts.turnedAway.at(kind, newCounter).Add(1)
}

func (c *collector) showCallbacks(out sink, now time.Time) {
	attempts, turnedAway := c.counts.attempts.each(), c.counts.turnedAway.each()
	for _, kind := range callbackKinds {
		for _, result := range attemptResults {
			n := int64(0)
			if count := attempts[attempt{kind, result}]; count != nil {
				n = count.Load()
			}
			out.counter(callbackAttempts, float64(n), string(kind), result)
		}
		n := int64(0)
		if count := turnedAway[kind]; count != nil {
			n = count.Load()
		}
		out.counter(callbacksTurnedAway, float64(n), string(kind))
	}
	if c.Callbacks == nil {
		return
	}
	waiting := map[string]b3scale.CallbackQueue{}
	for _, q := range c.Callbacks() {
		waiting[q.FrontendID] = q
	}
	c.Table.EachFrontend(func(f *b3scale.Frontend) {
		q := waiting[f.ID]
		age := time.Duration(0)
		if q.Waiting > 0 {
			age = max(now.Sub(q.Oldest.Time()), 0)
		}
		out.gauge(callbacksWaiting, float64(q.Waiting), valid(f.Key))
		out.gauge(callbacksOldest, age.Seconds(), valid(f.Key))
	})
}
