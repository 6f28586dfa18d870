package agent

import (
	"context"
	"net/http"
	"time"
)

// mostEvents are sent at once.
const mostEvents = 500

// sender brings events from the outbox to the server. It runs in one goroutine.
type sender struct {
	*Agent
	retry     backoff
	most      int       // events of the next batch: fewer after one was refused
	next      time.Time // when the next batch may go
	legacy    *legacy
	tryEvents time.Time // before that, the server is known to have no route for batches
	aside     uint64    // events that went one by one, and so are missing between batches
	failed    int       // in a row
}

// send works until ctx ends. What is left then, it sends within a moment.
func (a *Agent) send(ctx context.Context) error {
	pace := a.opts.pace
	s := &sender{
		Agent: a,
		retry: backoff{least: pace.retryLeast, most: pace.retryMost},
		most:  mostEvents,
	}
	calls, _ := a.calls.(*api) // another sink takes batches
	s.legacy = newLegacy(calls, a.log, &a.count)
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(pace.flush, cancel) })()

	for s.ready(ctx) {
		if err := s.one(hard); err != nil && !sleep(ctx, s.after(ctx, err)) {
			break
		}
	}
	s.flush(hard)
	s.legacy.wait(hard)
	return nil
}

// ready waits for something to send, for a backend to send it as, and for the
// time to do so. It says false when it is time to stop.
func (s *sender) ready(ctx context.Context) bool {
	for s.outbox.len() == 0 {
		select {
		case <-ctx.Done():
			return false
		case <-s.outbox.wake:
		}
	}
	if _, bound := s.backend.wait(ctx); !bound {
		return false
	}
	for s.outbox.len() < mostEvents {
		wait := time.Until(s.next)
		if wait <= 0 {
			break
		}
		select {
		case <-ctx.Done():
			return false
		case <-s.outbox.wake:
		case <-time.After(wait):
		}
	}
	return ctx.Err() == nil
}

// after notes a failure and says how long to wait.
func (s *sender) after(ctx context.Context, err error) time.Duration {
	s.count.failures.Add(1)
	wait := max(s.retry.wait(), askedToWait(err))
	if s.failed == 0 || s.failed%20 == 0 {
		s.log.WarnContext(ctx, "events not sent", "error", err, "unsent", s.outbox.len(), "failed", s.failed+1, "again_in", wait.Round(time.Millisecond))
	}
	s.failed++
	return wait
}

// flush sends what is left, as long as hard allows.
func (s *sender) flush(hard context.Context) {
	if id, _ := s.backend.get(); id == "" {
		return
	}
	for s.outbox.len() > 0 && hard.Err() == nil {
		if err := s.one(hard); err != nil && !sleep(hard, jitter(s.opts.pace.flush/10)) {
			return
		}
	}
}

// one sends a batch, in the form that the server has. Only what may succeed at
// another time is an error.
func (s *sender) one(ctx context.Context) error {
	s.next = time.Now().Add(s.opts.pace.batch)
	backendID, _ := s.backend.get()
	events, lost := s.outbox.batch(s.most)
	if len(events) == 0 {
		return nil
	}
	if time.Now().Before(s.tryEvents) {
		return s.oneLegacy(ctx, events)
	}
	calling, cancel := context.WithTimeout(ctx, s.opts.pace.batchDeadline)
	receipt, err := s.calls.Events(calling, backendID, Batch{Boot: s.boot, Events: events, Lost: lost + s.aside})
	cancel()
	switch {
	case err == nil:
		return s.received(ctx, events, lost, receipt)
	case notThere(err):
		return s.withoutRoute(ctx, err)
	case statusOf(err) == http.StatusForbidden:
		s.known(ctx)
		return err
	case refused(err):
		s.refused(ctx, events, err)
		return nil
	}
	return err
}

func (s *sender) received(ctx context.Context, events []Event, lost uint64, r Receipt) error {
	if s.failed > 0 {
		s.log.InfoContext(ctx, "events are sent again", "failed", s.failed)
		s.failed = 0
	}
	if *r.Acknowledged < events[0].Sequence {
		return errBehind
	}
	s.retry.reset()
	s.aside = 0
	s.most = min(s.most*2, mostEvents)
	sent := uint64(0)
	for _, e := range events {
		if e.Sequence <= *r.Acknowledged {
			sent++
		}
	}
	s.count.sent.Add(sent)
	s.count.batches.Add(1)
	s.outbox.acknowledge(min(*r.Acknowledged, events[len(events)-1].Sequence), lost)
	if lost > 0 {
		s.count.lost.Add(lost)
		s.log.WarnContext(ctx, "events were lost; the server looks for itself", "lost", lost)
	}
	if r.Reconcile {
		s.log.DebugContext(ctx, "the server looks for itself what happened")
	}
	return nil
}

// refused halves the batch until the event that the server does not take is
// alone. One such must not hold up the others for ever.
func (s *sender) refused(ctx context.Context, events []Event, err error) {
	if len(events) > 1 {
		s.most = max(len(events)/2, 1)
		s.next = time.Time{}
		return
	}
	s.count.refused.Add(1)
	s.log.ErrorContext(ctx, "an event was refused and is dropped", "kind", events[0].Kind, "meeting", events[0].Meeting, "error", err)
	s.outbox.refuse(events[0].Sequence)
	s.most = min(s.most*2, mostEvents)
}

// withoutRoute tells a server that takes no batches from one that does not
// know our backend.
func (s *sender) withoutRoute(ctx context.Context, err error) error {
	if !s.known(ctx) {
		return err
	}
	if s.tryEvents.IsZero() {
		s.log.InfoContext(ctx, "the server takes events one by one only", "status", statusOf(err))
	}
	s.tryEvents = time.Now().Add(s.opts.pace.legacy)
	s.next = time.Time{}
	return nil
}

// known asks the server for our backend. When there is none, nothing is sent
// until there is one again.
func (s *sender) known(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.opts.pace.registerDeadline)
	defer cancel()
	n, _ := s.node.get() // there is one: we were registered
	_, err := s.calls.Backend(ctx, s.wanted(n))
	if isNoBackend(err) {
		s.backend.set("")
	}
	return err == nil
}

// oneLegacy hands events over to the remote calls. They are on their own then.
func (s *sender) oneLegacy(ctx context.Context, events []Event) error {
	for _, e := range events {
		if err := s.legacy.take(ctx, e); err != nil {
			return err
		}
		s.outbox.acknowledge(e.Sequence, 0)
		s.aside++
	}
	s.retry.reset()
	s.failed = 0
	return nil
}
