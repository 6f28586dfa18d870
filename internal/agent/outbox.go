package agent

import "sync"

// outbox holds the events that the server has not acknowledged, in order and
// in bounded memory. When it is full, the oldest are lost, and it says so.
type outbox struct {
	limit int
	wake  chan struct{} // somebody should look

	mu     sync.Mutex
	events []Event
	last   uint64 // sequence of the newest
	lost   uint64 // not yet told
}

func newOutbox(limit int) *outbox {
	return &outbox{limit: limit, wake: make(chan struct{}, 1)}
}

// put numbers events and appends them. It never waits.
func (o *outbox) put(events ...Event) {
	if len(events) == 0 {
		return
	}
	o.mu.Lock()
	for _, e := range events {
		if len(o.events) >= o.limit {
			o.pop()
			o.lost++
		}
		o.last++
		e.Sequence = o.last
		o.events = append(o.events, e)
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// pop lets go of what the first event holds: the array behind lives on.
func (o *outbox) pop() {
	o.events[0] = Event{}
	o.events = o.events[1:]
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.events)
}

// batch copies the oldest events, and how many were lost since the last
// acknowledgement.
func (o *outbox) batch(most int) (events []Event, lost uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(events, o.events[:min(most, len(o.events))]...), o.lost
}

// acknowledge drops what the server has, and of the losses those it was told.
func (o *outbox) acknowledge(sequence, lost uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.events) > 0 && o.events[0].Sequence <= sequence {
		o.pop()
	}
	o.lost -= min(lost, o.lost)
}

// refuse drops one event that the server will never take.
func (o *outbox) refuse(sequence uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.events) > 0 && o.events[0].Sequence == sequence {
		o.pop()
		o.lost++
	}
}
