package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// rowBudget is how long a request whose meeting is in memory waits for the row.
// Then memory answers: a join must work without the store.
const rowBudget = 300 * time.Millisecond

// silentStore remembers that the store was late, so that not everybody waits for
// it: memory answers at once, and now and then one asks again. A store that was
// late for one is silent only if it answered nobody meanwhile: it may have many
// to serve, or others may hold that row.
type silentStore struct {
	late        atomic.Bool
	askedAt     atomic.Int64 // microseconds; when somebody last tried
	answers     atomic.Int64 // that have come; who waits sees whether any came meanwhile
	silentAfter atomic.Int64 // one more than the answers that had come when it was found silent
	doubted     atomic.Bool  // somebody is finding that out
	unvalidated atomic.Int64
}

const (
	askAgain = 250 * time.Millisecond
	// doubtFor is how long the store may leave a question unanswered that costs it
	// nothing. In a crowd it has connections to open first.
	doubtFor = 2 * time.Second
	// doubtSteps are the parts of doubtFor. Those that take much longer do not
	// count: then we have waited for a processor, and an answer may wait, too.
	doubtSteps  = 10
	mostDoubts  = 10 * doubtSteps
	doubtedTime = doubtFor / doubtSteps
)

// ask reports whether to ask the store now.
func (s *silentStore) ask() bool {
	if !s.late.Load() {
		return true
	}
	last, now := s.askedAt.Load(), time.Now().UnixMicro()
	return now-last >= askAgain.Microseconds() && s.askedAt.CompareAndSwap(last, now)
}

// silent reports whether no answer has come since the store was found silent.
func (s *silentStore) silent() bool { return s.silentAfter.Load() == s.answers.Load()+1 }

// heard takes in how an attempt ended that began after so many answers.
func (c *Cluster) heard(since int64, err error) {
	switch {
	case b3scale.CodeOf(err) == b3scale.Unavailable:
		c.silent.askedAt.Store(time.Now().UnixMicro())
		c.silent.late.Store(true)
		c.doubt(since)
	case err == nil, b3scale.CodeOf(err) == b3scale.NotFound:
		c.silent.answers.Add(1)
		c.silent.late.Store(false)
	}
}

// doubt finds out whether the store is silent, if nobody had an answer since
// there were so many: it asks what no lock holds up. We may have been asleep
// ourselves, so that all who waited ran out of time.
func (c *Cluster) doubt(since int64) {
	s := &c.silent
	if s.answers.Load() != since || s.silent() || !s.doubted.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer s.doubted.Store(false)
		ctx, cancel := context.WithCancel(c.halted)
		defer cancel()
		since := s.answers.Load()
		asked := make(chan error, 1)
		go func() {
			_, err := c.store.Now(ctx)
			asked <- err
		}()
		err := doubtful(asked)
		switch {
		case err == nil:
			s.answers.Add(1)
		case c.halted.Err() == nil:
			s.silentAfter.Store(since + 1)
		}
	}()
}

var errNoAnswer = errors.New("no answer")

// doubtful waits for an answer, as long as we are awake.
func doubtful(asked <-chan error) error {
	awake := 0
	for range mostDoubts {
		begin := time.Now()
		select {
		case err := <-asked:
			return err
		case <-time.After(doubtedTime):
		}
		if time.Since(begin) < 2*doubtedTime {
			awake++
		}
		if awake == doubtSteps {
			break
		}
	}
	return errNoAnswer
}

// StoreAnswers reports whether the store has answered lately. While it does
// not, people join from memory and nothing new can be created.
func (c *Cluster) StoreAnswers() bool { return !c.silent.silent() && !c.storeSilent() }

// Unvalidated counts requests that memory answered because the store did not.
func (c *Cluster) Unvalidated() int64 { return c.silent.unvalidated.Load() }

// current is a meeting as its row has it, nil when there is none. With one
// instance memory knows all rows; otherwise the row is read. When the store
// does not answer, what memory knows counts, and err says why it is nothing.
func (c *Cluster) current(ctx context.Context, key b3scale.MeetingKey) (*routing.Room, error) {
	r := c.table.Meeting(key)
	if !c.shared() || r != nil && r.Breakout {
		return r, nil
	}
	active := r != nil && r.State == b3scale.MeetingActive
	if active && !c.silent.ask() {
		c.silent.unvalidated.Add(1)
		return r, nil
	}
	since := c.silent.answers.Load()
	err := c.rereadSoon(ctx, key, active)
	if ctx.Err() == nil { // a client that leaves says nothing about the store
		c.heard(since, err)
	}
	if err == nil {
		return c.table.Meeting(key), nil
	}
	if active {
		c.silent.unvalidated.Add(1)
		return r, nil
	}
	return nil, err
}

// rereadSoon waits for the row, but not long if memory can answer, too.
func (c *Cluster) rereadSoon(ctx context.Context, key b3scale.MeetingKey, known bool) error {
	if known {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rowBudget)
		defer cancel()
	}
	return c.reread(ctx, key)
}

// row is the meeting's row, live or not at all. Breakout rooms have none.
func (c *Cluster) row(ctx context.Context, key b3scale.MeetingKey) (m b3scale.Meeting, found bool, err error) {
	r, err := c.current(ctx, key)
	if err != nil || r == nil || r.Breakout {
		return b3scale.Meeting{}, false, err
	}
	return r.Meeting, true, nil
}

// reread brings memory up to the row.
func (c *Cluster) reread(ctx context.Context, key b3scale.MeetingKey) error {
	before := c.table.Meeting(key)
	m, err := c.store.Meeting(ctx, key)
	switch {
	case err == nil && before != nil && !before.Breakout && before.Version == m.Version:
		// the usual case: nothing new
	case err == nil && before != nil && !before.Breakout && before.Version > m.Version:
		c.table.Restore(before, m, time.Now())
	case err == nil:
		c.table.Apply(m, time.Now())
	case b3scale.CodeOf(err) != b3scale.NotFound:
		return err
	case before != nil && !before.Breakout:
		c.table.End(before.Meeting, time.Now())
	}
	return nil
}
