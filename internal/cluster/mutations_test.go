package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
)

// mutation takes one rule away, so that somebody must notice.
type mutation struct {
	store   func(w *world, s b3scale.Store) b3scale.Store
	outer   func(s b3scale.Store) b3scale.Store // of what it hears of the store
	nodes   func(n Nodes) Nodes
	opts    func(*Options)
	prepare func(w *world) // changes the database
	hasty   bool           // one list is believed at once
	deaf    bool           // hints never come
}

// onStore is a mutation of what the instances see of the store.
func onStore(wrap func(b3scale.Store) b3scale.Store) mutation {
	return mutation{store: func(_ *world, s b3scale.Store) b3scale.Store { return wrap(s) }}
}

// onDatabase is one that writes past the store, too.
func onDatabase(wrap func(past) b3scale.Store) mutation {
	return mutation{store: func(w *world, s b3scale.Store) b3scale.Store { return wrap(past{s, w.witness}) }}
}

// past is a store with a way past it.
type past struct {
	b3scale.Store
	witness *witness
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

// unfenced confirms without one of the conditions.
type unfenced struct {
	past
	without string
}

func (s unfenced) ConfirmMeeting(ctx context.Context, key b3scale.MeetingKey, generation int64, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	fences := []string{"create_time <= $4", "last_ended_internal_id <> $3", "end_requested_internal_id <> $3"}
	var kept strings.Builder
	for _, f := range fences {
		if !strings.HasPrefix(f, s.without) {
			kept.WriteString(" AND " + f)
		}
	}
	n := s.witness.exec(`UPDATE meetings SET state = 'active', internal_id = $3, create_time = $4, confirmed_at = $5, version = version + 1,
		attendee_pw = $7, moderator_pw = $8 WHERE frontend_id = $1 AND meeting_id = $2 AND state <> 'ended' AND generation = $6`+kept.String(),
		key.FrontendID, key.MeetingID, room.InternalID, room.CreateTime, time.Now().UnixMicro(), generation, room.AttendeePW, room.ModeratorPW)
	m, err := s.Meeting(ctx, key)
	return m, n > 0, err
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

// noBooking makes the database forget each booking at once.
func noBooking(w *world) {
	if w.database.dsn == "" {
		w.witness.exec(`CREATE TRIGGER forget BEFORE INSERT ON orphans BEGIN SELECT RAISE(IGNORE); END`)
		return
	}
	w.witness.exec(`CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`)
	w.witness.exec(`CREATE TRIGGER forget BEFORE INSERT ON orphans FOR EACH ROW EXECUTE FUNCTION forget()`)
}

// orphansIgnored claims where the meeting is booked.
type orphansIgnored struct{ past }

func (s orphansIgnored) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	hide := `UPDATE orphans SET meeting_id = $3 WHERE meeting_id = $2 AND backend_id = $1`
	s.witness.exec(hide, c.BackendID, c.Key.MeetingID, c.Key.MeetingID+" hidden")
	defer s.witness.exec(hide, c.BackendID, c.Key.MeetingID+" hidden", c.Key.MeetingID)
	return s.Store.ClaimMeeting(ctx, c)
}

// blindBooking books also where the meeting lives.
type blindBooking struct{ past }

func (s blindBooking) BookOrphan(_ context.Context, key b3scale.MeetingKey, backendID, internalID string) (bool, error) {
	s.witness.exec(`INSERT INTO orphans (frontend_id, meeting_id, backend_id, internal_id, booked_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		key.FrontendID, key.MeetingID, backendID, internalID, time.Now().UnixMicro())
	return true, nil
}

// moverOfActive moves also what has become active meanwhile.
type moverOfActive struct{ past }

func (s moverOfActive) ClaimMeeting(ctx context.Context, c b3scale.Claim) (b3scale.Meeting, bool, error) {
	s.witness.exec(`INSERT INTO orphans (frontend_id, meeting_id, backend_id, internal_id, booked_at) SELECT frontend_id, meeting_id, backend_id, internal_id, $4
		FROM meetings WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id <> $3 ON CONFLICT DO NOTHING`, c.Key.FrontendID, c.Key.MeetingID, c.BackendID, time.Now().UnixMicro())
	s.witness.exec(`UPDATE meetings SET generation = generation + 1, version = version + 1, backend_id = $3, state = 'creating', internal_id = ''
		WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id <> $3`, c.Key.FrontendID, c.Key.MeetingID, c.BackendID)
	return s.Store.ClaimMeeting(ctx, c)
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

// noDoom forgets that a room is being ended.
type noDoom struct{ past }

func (s noDoom) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	s.witness.exec(`UPDATE orphans SET ending = '' WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3`, key.FrontendID, key.MeetingID, backendID)
	return s.Store.SettleOrphan(ctx, key, backendID, room, elsewhere)
}

// notCurrent ends what is not the meeting, whatever became of that.
type notCurrent struct{ past }

func (s notCurrent) SettleOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, room b3scale.Incarnation, elsewhere *b3scale.Alive) (b3scale.Settlement, b3scale.Meeting, error) {
	m, err := s.Meeting(ctx, key)
	if err == nil && m.Live() && m.BackendID == backendID {
		return s.Store.SettleOrphan(ctx, key, backendID, room, elsewhere)
	}
	s.witness.exec(`UPDATE orphans SET ending = $4 WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3`, key.FrontendID, key.MeetingID, backendID, room.InternalID)
	return b3scale.OrphanEnds, m, err
}

// unbooked forgets second rooms.
type unbooked struct{ b3scale.Store }

func (s unbooked) BookOrphan(context.Context, b3scale.MeetingKey, string, string) (bool, error) {
	return false, nil
}

// unadopted leaves rooms without a row alone.
type unadopted struct{ b3scale.Store }

func (s unadopted) AdoptMeeting(ctx context.Context, key b3scale.MeetingKey, _ string, _ b3scale.Incarnation, _ int) (b3scale.Meeting, bool, error) {
	m, err := s.Meeting(ctx, key)
	if b3scale.CodeOf(err) == b3scale.NotFound {
		err = nil
	}
	return m, false, err
}

// activatesWanted makes a room the meeting again although its end was requested.
type activatesWanted struct{ past }

func (s activatesWanted) ActivateMeeting(ctx context.Context, seen b3scale.Meeting, backendID string, room b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	n := s.witness.exec(`UPDATE meetings SET state = 'active', generation = generation + 1, version = version + 1, internal_id = $4, create_time = $5, backend_id = $3
		WHERE frontend_id = $1 AND meeting_id = $2 AND state = 'ended'`, seen.Key.FrontendID, seen.Key.MeetingID, backendID, room.InternalID, room.CreateTime)
	m, err := s.Meeting(ctx, seen.Key)
	return m, n > 0, err
}

// anyBooking deletes bookings that are younger than the list.
type anyBooking struct{ b3scale.Store }

func (s anyBooking) DeleteOrphans(ctx context.Context, backendID string, keys []b3scale.MeetingKey, _ b3scale.Micros, patience time.Duration) error {
	return s.Store.DeleteOrphans(ctx, backendID, keys, b3scale.MicrosOf(time.Now().Add(time.Hour)), patience)
}

// noPatience forgets ends by external id.
type noPatience struct{ b3scale.Store }

func (s noPatience) DeleteOrphans(ctx context.Context, backendID string, keys []b3scale.MeetingKey, before b3scale.Micros, _ time.Duration) error {
	return s.Store.DeleteOrphans(ctx, backendID, keys, before, 0)
}

// purgesAll purges what is booked, too.
type purgesAll struct{ past }

func (s purgesAll) PurgeMeetings(_ context.Context, before b3scale.Micros) (int, error) {
	return int(s.witness.exec(`DELETE FROM meetings WHERE state = 'ended' AND ended_at < $1`, int64(before))), nil
}

// ahead has a clock that says later: lists seem to be younger than they are.
type ahead struct{ b3scale.Store }

func (s ahead) Now(ctx context.Context) (b3scale.Micros, error) {
	now, err := s.Store.Now(ctx)
	return now.Add(time.Hour), err
}

// anySweeper takes every lease of an orphan for its own.
type anySweeper struct{ b3scale.Store }

func (s anySweeper) LeaseOrphan(ctx context.Context, key b3scale.MeetingKey, backendID string, d time.Duration) (bool, error) {
	_, err := s.Store.LeaseOrphan(ctx, key, backendID, d)
	return true, err
}

// anyLister does so with the leases of backends.
type anyLister struct{ b3scale.Store }

func (s anyLister) AcquireLeases(ctx context.Context, names []string, holder string, d time.Duration) ([]string, error) {
	_, err := s.Store.AcquireLeases(ctx, names, holder, d)
	return names, err
}

func (s anyLister) Leases(context.Context) (map[string]string, error) {
	return map[string]string{}, nil
}

// noVeto asks nobody else.
type noVeto struct{ b3scale.Store }

func (s noVeto) PassVerdict(ctx context.Context, backendID string, _ time.Duration) (bool, error) {
	return s.Store.PassVerdict(ctx, backendID, time.Microsecond)
}

// noBudget loses as many as are silent.
type noBudget struct{ b3scale.Store }

func (s noBudget) PassVerdict(ctx context.Context, backendID string, _ time.Duration) (bool, error) {
	return s.DeclareLost(ctx, backendID, b3scale.Actor{})
}

// unlockedBudget looks at the budget first, and passes the verdict then.
type unlockedBudget struct{ b3scale.Store }

func (s unlockedBudget) PassVerdict(ctx context.Context, backendID string, _ time.Duration) (bool, error) {
	backends, err := s.Backends(ctx)
	if err != nil {
		return false, err
	}
	lost, ready := 0, 0
	for _, b := range backends {
		if b.Lost {
			lost++
		}
		if b.AdminState == b3scale.AdminReady {
			ready++
		}
	}
	if lost+1 > max(1, (ready-1)/2) {
		return false, nil
	}
	time.Sleep(4 * time.Second)
	return s.DeclareLost(ctx, backendID, b3scale.Actor{})
}

// noAgents hears no heartbeats.
type noAgents struct{ b3scale.Store }

func (s noAgents) SaveHeartbeats(context.Context, []string) error { return nil }

// boastful believes that its probes are stored.
type boastful struct{ b3scale.Store }

func (s boastful) SaveProbes(ctx context.Context, instance string, reached []string) error {
	_ = s.Store.SaveProbes(ctx, instance, reached)
	return nil
}

// lostUntilSwept takes a verdict back only when nothing is booked there.
type lostUntilSwept struct{ b3scale.Store }

func (s lostUntilSwept) ClearLost(ctx context.Context, backendID string) (bool, error) {
	if orphans, err := s.Orphans(ctx, backendID); err != nil || len(orphans) > 0 {
		return false, err
	}
	return s.Store.ClearLost(ctx, backendID)
}

// allListed believes that every backend was listed once.
type allListed struct{ b3scale.Store }

func (s allListed) Backends(ctx context.Context) ([]b3scale.Backend, error) {
	backends, err := s.Store.Backends(ctx)
	for i := range backends {
		backends[i].ListedAt = 1
	}
	return backends, err
}

// unfollowed tells nothing of what others changed.
type unfollowed struct{ b3scale.Store }

func (unfollowed) VersionsSince(context.Context, int64, func(b3scale.MeetingKey, int64)) error {
	return nil
}

func (unfollowed) LiveVersions(context.Context, func(b3scale.MeetingKey, int64)) error { return nil }

func (unfollowed) ReadMeetings(context.Context, []b3scale.MeetingKey, func(b3scale.Meeting, []b3scale.Attendee)) error {
	return nil
}

// unread does not tell rows one by one, so that memory has to answer.
type unread struct{ b3scale.Store }

func (unread) Meeting(context.Context, b3scale.MeetingKey) (b3scale.Meeting, error) {
	return b3scale.Meeting{}, b3scale.Errorf(b3scale.Unavailable, "not now")
}

// nodesFunc changes calls or their outcomes.
type nodesFunc func(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error)

// Do calls the function.
func (f nodesFunc) Do(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
	return f(ctx, node, call)
}

// endsByExternalID forgets which room is to be ended.
func endsByExternalID(n Nodes) Nodes {
	return nodesFunc(func(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
		if call.Name == "end" {
			call.Params = call.Params.Clone()
			call.Params.Set("meetingID", nodeID("m0"))
		}
		return n.Do(ctx, node, call)
	})
}

// errorsAreUnknown takes HTTP 500 for no answer.
func errorsAreUnknown(n Nodes) Nodes {
	return nodesFunc(func(ctx context.Context, node bbb.Node, call bbb.Call) (*bbb.Answer, error) {
		answer, err := n.Do(ctx, node, call)
		if bbb.OutcomeOf(err) == bbb.ServerError {
			err = &bbb.CallError{Call: call.Name, Outcome: bbb.Unknown, Err: fmt.Errorf("taken for silence: %w", err)}
		}
		return answer, err
	})
}
