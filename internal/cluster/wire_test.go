package cluster

import (
	"context"
	"sync"
	"time"

	"b3scale"
)

// wire carries hints between instances, as badly as hints may be carried: late,
// twice, in another order, or not at all.
type wire struct {
	cut   bool                 // from the beginning: who follows has to poll
	some  func(oneIn int) bool // false for a wire in good order
	delay func() time.Duration

	mu   sync.Mutex
	ears map[*ear]bool
}

func newWire() *wire {
	return &wire{
		some:  func(int) bool { return false },
		delay: func() time.Duration { return time.Millisecond },
		ears:  map[*ear]bool{},
	}
}

// ear is one instance's end of the wire.
type ear struct {
	wire *wire

	mu      sync.Mutex
	waiting []b3scale.Hint
	arrived chan struct{}
}

var _ b3scale.Changes = (*ear)(nil)

func (w *wire) newEar() *ear { return &ear{wire: w, arrived: make(chan struct{}, 1)} }

// Hint tells the others.
func (e *ear) Hint(h b3scale.Hint) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	for other := range w.ears {
		if other == e || w.some(5) {
			continue
		}
		time.AfterFunc(w.delay(), func() { other.hear(h) })
		if w.some(5) {
			time.AfterFunc(w.delay(), func() { other.hear(h) })
		}
	}
}

func (e *ear) hear(h b3scale.Hint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = append(e.waiting, h)
	select {
	case e.arrived <- struct{}{}:
	default: // it knows that something did
	}
}

func (e *ear) take() []b3scale.Hint {
	e.mu.Lock()
	defer e.mu.Unlock()
	hints := e.waiting
	e.waiting = nil
	return hints
}

// Follow listens, and begins anew now and then, as after a lost connection.
func (e *ear) Follow(ctx context.Context, missed func(), changed func([]b3scale.Hint)) error {
	defer e.listen(false)
	for ctx.Err() == nil {
		e.listen(!e.wire.cut)
		missed()
		for connected := true; connected && ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-e.arrived:
				if connected = !e.wire.some(30); connected {
					changed(e.take())
				}
			}
		}
		e.listen(false)
		pause(ctx, e.wire.delay())
		e.take()
	}
	return nil
}

func (e *ear) listen(on bool) {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	if on {
		e.wire.ears[e] = true
	} else {
		delete(e.wire.ears, e)
	}
}

// telling hints at what it changes, as a store does that others follow.
type telling struct {
	b3scale.Store
	ear *ear
}

func (s telling) meeting(key b3scale.MeetingKey, changed bool) {
	if changed {
		s.ear.Hint(b3scale.Hint{Kind: b3scale.HintMeeting, Key: key})
	}
}

func (s telling) config(changed bool) {
	if changed {
		s.ear.Hint(b3scale.Hint{Kind: b3scale.HintConfig})
	}
}

func (s telling) AddBackend(ctx context.Context, b b3scale.Backend, by b3scale.Actor) (b3scale.Backend, error) {
	b, err := s.Store.AddBackend(ctx, b, by)
	s.config(err == nil)
	return b, err
}

func (s telling) EditBackend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Backend) error) (b3scale.Backend, error) {
	b, err := s.Store.EditBackend(ctx, id, by, edit)
	s.config(err == nil)
	return b, err
}

func (s telling) DeleteEmptyBackend(ctx context.Context, id string) (bool, error) {
	ok, err := s.Store.DeleteEmptyBackend(ctx, id)
	s.config(ok)
	return ok, err
}

func (s telling) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	m, fit, err := s.Store.ClaimMeeting(ctx, c)
	s.meeting(c.Key, fit)
	return m, fit, err
}

func (s telling) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	m, ok, err := s.Store.ConfirmMeeting(ctx, key, generation, room)
	s.meeting(key, ok)
	return m, ok, err
}

func (s telling) EndMeeting(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	ended, err := s.Store.EndMeeting(ctx, seen)
	s.meeting(seen.Key, ended)
	return ended, err
}

func (s telling) RequestEnd(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string) (b3scale.Meeting, bool, error) {
	m, ok, err := s.Store.RequestEnd(ctx, key, generation, internalID)
	s.meeting(key, ok)
	return m, ok, err
}

func (s telling) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (b3scale.Meeting, bool, error) {
	m, ok, err := s.Store.AdoptMeeting(ctx, key, backendID, room, size)
	s.meeting(key, ok)
	return m, ok, err
}

func (s telling) ActivateMeeting(ctx context.Context, seen b3scale.Meeting, backendID string, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	m, ok, err := s.Store.ActivateMeeting(ctx, seen, backendID, room)
	s.meeting(seen.Key, ok)
	return m, ok, err
}

func (s telling) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	settled, m, err := s.Store.SettleOrphan(ctx, key, backendID, room, elsewhere)
	s.meeting(key, settled == b3scale.OrphanTakenBack)
	return settled, m, err
}

func (s telling) DeclareLost(ctx context.Context, backendID string, by b3scale.Actor) (bool, error) {
	ok, err := s.Store.DeclareLost(ctx, backendID, by)
	s.config(ok)
	return ok, err
}

func (s telling) PassVerdict(ctx context.Context, backendID string, silent time.Duration) (bool, error) {
	ok, err := s.Store.PassVerdict(ctx, backendID, silent)
	s.config(ok)
	return ok, err
}

func (s telling) ClearLost(ctx context.Context, backendID string) (bool, error) {
	ok, err := s.Store.ClearLost(ctx, backendID)
	s.config(ok)
	return ok, err
}
