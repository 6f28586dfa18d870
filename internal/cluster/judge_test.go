package cluster

import (
	"context"
	"time"

	"b3scale"
)

// judge sees what an instance asks of the store and what it is told. It counts
// what happened, too: a round in which nothing moved proves little.
type judge struct {
	b3scale.Store
	w *world
}

// EndMeeting ends exactly what was seen.
func (j *judge) EndMeeting(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	ended, err := j.Store.EndMeeting(ctx, seen)
	j.w.count("ended", ended)
	if ended && seen.InternalID != "" {
		now, err := j.Meeting(ctx, seen.Key)
		if err == nil && now.State == b3scale.MeetingEnded && now.Generation == seen.Generation && now.LastEndedInternalID != seen.InternalID {
			j.w.witness.broken("I5", "%s: the end of the room %s ended %s", seen.Key.MeetingID, seen.InternalID, now.LastEndedInternalID)
		}
	}
	return ended, err
}

// ConfirmMeeting confirms the generation that was asked for.
func (j *judge) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	m, ok, err := j.Store.ConfirmMeeting(ctx, key, generation, room)
	if ok && m.Generation != generation {
		j.w.witness.broken("I5", "%s: the room %s of generation %d was confirmed for %d", key.MeetingID, room.InternalID, generation, m.Generation)
	}
	j.w.count("confirmed", ok)
	j.w.count("not confirmed", !ok && err == nil)
	return m, ok, err
}

// SettleOrphan ends a room that nobody asked to end only if the meeting was
// alive elsewhere a moment ago.
func (j *judge) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	again := j.w.witness.isEnding(room.InternalID)
	wanted := j.w.witness.isWanted(key, backendID, room.InternalID)
	settled, m, err := j.Store.SettleOrphan(ctx, key, backendID, room, elsewhere)
	j.w.count("orphans: "+string(settled), err == nil)
	if err != nil || settled != b3scale.OrphanEnds || again || wanted {
		return settled, m, err
	}
	if elsewhere == nil {
		j.w.witness.broken("I6", "%s: the room %s is to be ended, though nobody has seen %s alive", key.MeetingID, room.InternalID, m.InternalID)
		return settled, m, err
	}
	j.w.mu.Lock()
	lived := j.w.lived[elsewhere.InternalID]
	j.w.mu.Unlock()
	if time.Since(lived) > 15*time.Second {
		j.w.witness.broken("I6", "%s: the room %s is to be ended, and %s, for which it is, lived %v ago", key.MeetingID, room.InternalID, elsewhere.InternalID, time.Since(lived))
	}
	return settled, m, err
}

func (j *judge) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	m, fit, err := j.Store.ClaimMeeting(ctx, c)
	j.w.count("claimed", fit)
	return m, fit, err
}

func (j *judge) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (b3scale.Meeting, bool, error) {
	m, ok, err := j.Store.AdoptMeeting(ctx, key, backendID, room, size)
	j.w.count("adopted", ok)
	return m, ok, err
}

func (j *judge) ActivateMeeting(ctx context.Context, seen b3scale.Meeting, backendID string, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	m, ok, err := j.Store.ActivateMeeting(ctx, seen, backendID, room)
	j.w.count("activated", ok)
	return m, ok, err
}

func (j *judge) BookOrphan(ctx context.Context, key b3scale.MeetingKey, backendID, internalID string) (bool, error) {
	ok, err := j.Store.BookOrphan(ctx, key, backendID, internalID)
	j.w.count("booked", ok)
	return ok, err
}

func (j *judge) PassVerdict(ctx context.Context, backendID string, silent time.Duration) (bool, error) {
	ok, err := j.Store.PassVerdict(ctx, backendID, silent)
	j.w.count("lost", ok)
	return ok, err
}
