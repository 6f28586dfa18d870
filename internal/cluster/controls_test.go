package cluster

import (
	"context"
	"testing"
	"time"

	"b3scale"
)

// Oracles that never speak prove nothing. Each control takes one rule away,
// and somebody must notice which promise is broken.
type mutation func(b3scale.Store) b3scale.Store

// noticed makes rounds of chaos until the promise is seen to be broken.
func noticed(t *testing.T, promise string, rounds uint64, mutate mutation, opts Options) {
	t.Helper()
	seed := seedOf(t, "B3SCALE_CHAOS_SEED")
	for round := range rounds {
		c := []chaos{dense, wide}[round%2]
		c.mutate, c.opts, c.lasts = mutate, opts, time.Minute
		report, _ := runChaos(t, c, seed+round)
		if lines := of(promise, report); len(lines) > 0 {
			t.Logf("round %d: %s", round+1, lines[0])
			return
		}
	}
	t.Errorf("nobody noticed in %d rounds", rounds)
}

// The chaos notices at once what breaks often. The soak tests take the rarer
// controls, too; the tests of the invariants walk into those on purpose.
func TestChaosNotices(t *testing.T) {
	t.Parallel()
	noticed(t, "I2", 2, func(s b3scale.Store) b3scale.Store { return unwritten{s} }, Options{})
	noticed(t, "I3", 2, func(s b3scale.Store) b3scale.Store { return unconfirmed{s} }, Options{})
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
