package agent

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// Whatever fails and whatever is acknowledged: what arrives is in order, and
// what does not arrive is told.
func TestOutboxLosesNothingSilently(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 300 {
		o := newOutbox(1 + random.IntN(50))
		var put, position, told, arrived uint64
		deliver := func(fails bool) {
			events, lost := o.batch(1 + random.IntN(20))
			if len(events) == 0 {
				return
			}
			for i, e := range events {
				if i > 0 && e.Sequence != events[i-1].Sequence+1 {
					t.Fatalf("round %d: %d after %d", round, e.Sequence, events[i-1].Sequence)
				}
				if e.UserID != strconv.FormatUint(e.Sequence, 10) {
					t.Fatalf("round %d: event %s has sequence %d", round, e.UserID, e.Sequence)
				}
			}
			if missing := events[0].Sequence - 1 - position; events[0].Sequence > position && missing > 0 && lost == 0 {
				t.Fatalf("round %d: %d events are missing and nobody says so", round, missing)
			}
			if fails {
				return // the server saw nothing
			}
			acknowledged := events[random.IntN(len(events))].Sequence
			for _, e := range events {
				if e.Sequence > position && e.Sequence <= acknowledged {
					position = e.Sequence
					arrived++
				}
			}
			if random.IntN(4) == 0 {
				return // the answer is lost: all of it comes again
			}
			told += lost
			o.put() // somebody else is at it meanwhile
			for range random.IntN(5) {
				put++
				o.put(Event{UserID: strconv.FormatUint(put, 10)})
			}
			o.acknowledge(acknowledged, lost)
		}
		for range 200 {
			for range random.IntN(10) {
				put++
				o.put(Event{UserID: strconv.FormatUint(put, 10)})
			}
			deliver(random.IntN(3) == 0)
		}
		for o.len() > 0 {
			deliver(false)
		}
		_, lost := o.batch(1)
		if arrived+told+lost < put {
			t.Fatalf("round %d: %d put, %d arrived, %d told as lost, %d to tell", round, put, arrived, told, lost)
		}
	}
}

func TestOutboxIsBounded(t *testing.T) {
	t.Parallel()
	o := newOutbox(3)
	for range 10 {
		o.put(Event{}, Event{})
	}
	events, lost := o.batch(100)
	if len(events) != 3 || events[0].Sequence != 18 || lost != 17 || o.len() != 3 {
		t.Errorf("%d events from %d, %d lost", len(events), events[0].Sequence, lost)
	}
	if cap(o.events) > 16 {
		t.Errorf("room for %d", cap(o.events))
	}
	o.acknowledge(19, 17)
	o.refuse(19)
	o.refuse(20)
	if _, lost := o.batch(1); lost != 1 || o.len() != 0 {
		t.Errorf("%d lost, %d left", lost, o.len())
	}
}
