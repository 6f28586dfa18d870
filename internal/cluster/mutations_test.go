package cluster

import (
	"context"

	"b3scale"
)

// mutation takes one rule away, so that somebody must notice.
type mutation struct {
	store   func(w *world, s b3scale.Store) b3scale.Store
	nodes   func(w *world, n Nodes) Nodes
	opts    func(*Options)
	prepare func(w *world) // changes the database
	actor   func(w *world, stop <-chan struct{})
	deaf    bool // hints never come
}

func (m mutation) none() bool {
	return m.store == nil && m.nodes == nil && m.opts == nil && m.prepare == nil && m.actor == nil && !m.deaf
}

// onStore is a mutation of what the instances see of the store.
func onStore(wrap func(b3scale.Store) b3scale.Store) mutation {
	return mutation{store: func(_ *world, s b3scale.Store) b3scale.Store { return wrap(s) }}
}

// unwritten answers claims without writing them.
type unwritten struct{ b3scale.Store }

func (s unwritten) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	m, err := s.Meeting(ctx, c.Key)
	if err == nil && m.Live() {
		return m, true, nil
	}
	now, err := s.Now(ctx)
	return b3scale.Meeting{Key: c.Key, BackendID: c.BackendID, State: b3scale.MeetingCreating, Generation: int64(now), Version: int64(now)}, true, err
}

// unconfirmed does the same with confirmations.
type unconfirmed struct{ b3scale.Store }

func (s unconfirmed) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	m, err := s.Meeting(ctx, key)
	if err != nil || m.Generation != generation || !m.Live() {
		return m, false, err
	}
	m.State, m.Incarnation = b3scale.MeetingActive, room
	return m, true, nil
}

// anyGeneration confirms whatever the row is by now.
type anyGeneration struct{ b3scale.Store }

func (s anyGeneration) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	m, err := s.Meeting(ctx, key)
	if err != nil {
		return m, false, err
	}
	return s.Store.ConfirmMeeting(ctx, key, m.Generation, room)
}

// anyRoom ends whatever room the row has by now.
type anyRoom struct{ b3scale.Store }

func (s anyRoom) EndMeeting(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	m, err := s.Meeting(ctx, seen.Key)
	if err != nil {
		return false, err
	}
	return s.Store.EndMeeting(ctx, m)
}

// noProof believes that what is active elsewhere lives there.
type noProof struct{ b3scale.Store }

func (s noProof) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, _ *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	m, err := s.Meeting(ctx, key)
	if err != nil {
		return "", m, err
	}
	return s.Store.SettleOrphan(ctx, key, backendID, room, &b3scale.Alive{Generation: m.Generation, InternalID: m.InternalID})
}

// unbooked forgets second rooms.
type unbooked struct{ b3scale.Store }

func (s unbooked) BookOrphan(context.Context, b3scale.MeetingKey, string, string) (bool, error) {
	return false, nil
}
