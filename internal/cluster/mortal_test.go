package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/bbb"
)

// mortal is the outside of one instance as it can be killed: between any two
// steps, or in the middle of one. What a dead instance still does reaches
// neither the store nor the nodes.
type mortal struct {
	b3scale.Store
	nodes Nodes

	mayDie func() bool // asked before and after each step
	called func(node bbb.Node, call bbb.Call)
	told   func(answer *bbb.Answer)
	ctx    context.Context // ends with the instance
	die    context.CancelFunc
	dead   atomic.Bool
}

var errDied = errors.New("the instance died")

func (m *mortal) kill() {
	m.dead.Store(true)
	m.die()
}

// alive is asked before and after every step.
func (m *mortal) alive() bool {
	if !m.dead.Load() && m.mayDie() {
		m.kill()
	}
	return !m.dead.Load()
}

func (m *mortal) Do(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
	if !m.alive() {
		return nil, errDied
	}
	m.called(node, call)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	answer, err := m.nodes.Do(ctx, node, call)
	if !m.alive() {
		return nil, errDied
	}
	if err == nil {
		m.told(answer)
	}
	return answer, err
}

// step is one call of the store that returns a and b.
func step[A, B any](m *mortal, call func() (A, B, error)) (a A, b B, err error) {
	if !m.alive() {
		return a, b, errDied
	}
	a, b, err = call()
	if !m.alive() {
		var none A
		var nothing B
		return none, nothing, errDied
	}
	return a, b, err
}

func step1[A any](m *mortal, call func() (A, error)) (A, error) {
	a, _, err := step(m, func() (A, struct{}, error) {
		a, err := call()
		return a, struct{}{}, err
	})
	return a, err
}

func step0(m *mortal, call func() error) error {
	_, err := step1(m, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

func (m *mortal) Meeting(ctx context.Context, key b3scale.MeetingKey) (b3scale.Meeting, error) {
	return step1(m, func() (b3scale.Meeting, error) { return m.Store.Meeting(ctx, key) })
}

func (m *mortal) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	return step(m, func() (b3scale.Meeting, bool, error) { return m.Store.ClaimMeeting(ctx, c) })
}

func (m *mortal) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	return step(m, func() (b3scale.Meeting, bool, error) { return m.Store.ConfirmMeeting(ctx, key, generation, room) })
}

func (m *mortal) EndMeeting(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	return step1(m, func() (bool, error) { return m.Store.EndMeeting(ctx, seen) })
}

func (m *mortal) RequestEnd(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string) (b3scale.Meeting, bool, error) {
	return step(m, func() (b3scale.Meeting, bool, error) { return m.Store.RequestEnd(ctx, key, generation, internalID) })
}

func (m *mortal) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (b3scale.Meeting, bool, error) {
	return step(m, func() (b3scale.Meeting, bool, error) { return m.Store.AdoptMeeting(ctx, key, backendID, room, size) })
}

func (m *mortal) ActivateMeeting(ctx context.Context, seen b3scale.Meeting, backendID string, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	return step(m, func() (b3scale.Meeting, bool, error) { return m.Store.ActivateMeeting(ctx, seen, backendID, room) })
}

func (m *mortal) BookOrphan(ctx context.Context, key b3scale.MeetingKey, backendID, internalID string) (bool, error) {
	return step1(m, func() (bool, error) { return m.Store.BookOrphan(ctx, key, backendID, internalID) })
}

func (m *mortal) LeaseOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, d time.Duration) (bool, error) {
	return step1(m, func() (bool, error) { return m.Store.LeaseOrphan(ctx, key, backendID, d) })
}

func (m *mortal) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	return step(m, func() (b3scale.Settlement, b3scale.Meeting, error) {
		return m.Store.SettleOrphan(ctx, key, backendID, room, elsewhere)
	})
}

func (m *mortal) DeleteOrphans(ctx context.Context, backendID string, keys []b3scale.MeetingKey, before b3scale.Micros) error {
	return step0(m, func() error { return m.Store.DeleteOrphans(ctx, backendID, keys, before) })
}

func (m *mortal) MarkListed(ctx context.Context, backendID string, t0 b3scale.Micros) error {
	return step0(m, func() error { return m.Store.MarkListed(ctx, backendID, t0) })
}

func (m *mortal) SaveSightings(ctx context.Context, backendID string, seen []b3scale.Sighting) error {
	return step0(m, func() error { return m.Store.SaveSightings(ctx, backendID, seen) })
}

func (m *mortal) SaveProbes(ctx context.Context, instance string, reached []string) error {
	return step0(m, func() error { return m.Store.SaveProbes(ctx, instance, reached) })
}

func (m *mortal) PassVerdict(ctx context.Context, backendID string, silent time.Duration) (bool, error) {
	return step1(m, func() (bool, error) { return m.Store.PassVerdict(ctx, backendID, silent) })
}

func (m *mortal) DeclareLost(ctx context.Context, backendID string) (bool, error) {
	return step1(m, func() (bool, error) { return m.Store.DeclareLost(ctx, backendID) })
}

func (m *mortal) ClearLost(ctx context.Context, backendID string) (bool, error) {
	return step1(m, func() (bool, error) { return m.Store.ClearLost(ctx, backendID) })
}
