package cluster

import (
	"context"
	"slices"
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
	j.w.countIf(ended, "ended")
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
	if ok && m.EndRequested() {
		j.w.witness.broken("I5", "%s: the room %s, whose end was requested, was confirmed", key.MeetingID, room.InternalID)
	}
	j.w.countIf(ok, "confirmed")
	j.w.countIf(!ok && err == nil, "not confirmed")
	return m, ok, err
}

// SettleOrphan ends a room that nobody asked to end only if the meeting was
// alive elsewhere a moment ago.
func (j *judge) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	again := j.w.witness.isEnding(room.InternalID)
	wanted := j.w.witness.isWanted(key, backendID, room.InternalID)
	settled, m, err := j.Store.SettleOrphan(ctx, key, backendID, room, elsewhere)
	j.w.countIf(err == nil, "orphans: "+string(settled))
	if err == nil && settled == b3scale.OrphanTakenBack && again {
		j.w.witness.broken("I6", "%s: the room %s is taken back while it is being ended", key.MeetingID, room.InternalID)
	}
	if err != nil || settled != b3scale.OrphanEnds || again || wanted {
		return settled, m, err
	}
	if elsewhere == nil {
		// Somebody else may have decided, or the frontend asked, in between.
		if !j.w.witness.isWanted(key, backendID, room.InternalID) {
			j.w.witness.broken("I6", "%s: the room %s is to be ended, though nobody has seen %s alive", key.MeetingID, room.InternalID, m.InternalID)
		}
		return settled, m, err
	}
	j.w.mu.Lock()
	lived := j.w.lived[elsewhere.InternalID]
	j.w.mu.Unlock()
	if time.Since(lived) > 45*time.Second { // an instance can stand still in between
		j.w.witness.broken("I6", "%s: the room %s is to be ended, and %s, for which it is, lived %v ago", key.MeetingID, room.InternalID, elsewhere.InternalID, time.Since(lived))
	}
	return settled, m, err
}

func (j *judge) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	m, fit, err := j.Store.ClaimMeeting(ctx, c)
	j.w.countIf(fit, "claimed")
	if fit && j.w.witness.bookedWhereItLives() {
		j.w.witness.broken("I4", "%s: placed where it is booked", c.Key.MeetingID)
	}
	return m, fit, err
}

func (j *judge) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, size int) (b3scale.Meeting, bool, error) {
	m, ok, err := j.Store.AdoptMeeting(ctx, key, backendID, room, size)
	j.w.countIf(ok, "adopted")
	return m, ok, err
}

func (j *judge) ActivateMeeting(ctx context.Context, seen b3scale.Meeting, backendID string, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	m, ok, err := j.Store.ActivateMeeting(ctx, seen, backendID, room)
	j.w.countIf(ok, "activated")
	return m, ok, err
}

func (j *judge) BookOrphan(ctx context.Context, key b3scale.MeetingKey, backendID, internalID string) (bool, error) {
	ok, err := j.Store.BookOrphan(ctx, key, backendID, internalID)
	j.w.countIf(ok, "booked")
	if ok && j.w.witness.bookedWhereItLives() {
		j.w.witness.broken("I4", "%s: booked where it lives", key.MeetingID)
	}
	return ok, err
}

func (j *judge) DeleteOrphans(ctx context.Context, backendID string, keys []b3scale.MeetingKey, before b3scale.Micros, patience time.Duration) error {
	booked, _ := j.Orphans(ctx, backendID)
	err := j.Store.DeleteOrphans(ctx, backendID, keys, before, patience)
	if err != nil {
		return err
	}
	left, err := j.Orphans(ctx, backendID)
	if err != nil {
		return nil //nolint:nilerr // nothing to compare
	}
	for _, o := range booked {
		gone := !slices.ContainsFunc(left, func(l b3scale.Orphan) bool { return l.Key == o.Key })
		if gone && slices.Contains(keys, o.Key) && o.BookedAt >= before && !j.settledMeanwhile(ctx, o) {
			j.w.witness.broken("I4", "%s: its booking is younger than the list that it was deleted for", o.Key.MeetingID)
		}
	}
	return nil
}

// settledMeanwhile: somebody else took the room back.
func (j *judge) settledMeanwhile(ctx context.Context, o b3scale.Orphan) bool {
	m, err := j.Meeting(ctx, o.Key)
	return err == nil && m.Live() && m.BackendID == o.BackendID
}

// DeleteEmptyBackend leaves the backend there: this world knows its nodes by the
// ids of their backends. That instances want to delete it is noted.
func (j *judge) DeleteEmptyBackend(context.Context, string) (bool, error) {
	j.w.count("empty", 1)
	return false, nil
}

func (j *judge) SaveProbes(ctx context.Context, instance string, reached []string) error {
	err := j.Store.SaveProbes(ctx, instance, reached)
	if err == nil {
		j.w.asked.store(reached)
	}
	return err
}

func (j *judge) SaveHeartbeats(ctx context.Context, heard []string) error {
	err := j.Store.SaveHeartbeats(ctx, heard)
	if err == nil {
		j.w.asked.store(heard)
	}
	return err
}

// PassVerdict calls nobody lost whom somebody reaches, nor too many.
func (j *judge) PassVerdict(ctx context.Context, backendID string, silent time.Duration) (bool, error) {
	stored := j.w.asked.storedAt(backendID)
	ok, err := j.Store.PassVerdict(ctx, backendID, silent)
	j.w.countIf(ok, "lost")
	if !ok {
		return ok, err
	}
	node := j.w.nodeOf(backendID)
	if time.Since(stored) < silent {
		j.w.witness.broken("verdict", "node %d is called lost after %v, the store was told %v ago that it lives", node, silent, time.Since(stored))
	}
	for _, s := range j.w.slots {
		answered, found := j.w.asked.answeredAt(s.number, node, silent)
		if i := s.get(); found && i != nil && !i.dead.Load() && i.born.Before(answered) && s.weather.fairSince(answered.Add(-time.Second)) {
			j.w.witness.broken("verdict", "node %d is called lost after %v, instance %d reached it %v ago and its store answers", node, silent, s.number, time.Since(answered))
		}
	}
	return ok, err
}
