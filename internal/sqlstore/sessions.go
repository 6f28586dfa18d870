package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"b3scale"
)

// The row of a meeting keeps the account of its present room: how many people
// are there since counted_at, and how much time all of them spent there before.
// So nothing is lost with an instance, and nobody has to count while nothing
// changes. What is kept of a room after its end is written where the row ends,
// or gets another room.
const (
	// bringAccount adds the time since the room was last counted, and what the
	// caller knows better ($7, $8, $9).
	bringAccount = `people_time = people_time + people * ({now} - counted_at) + $7,
		voice_time = voice_time + voices * ({now} - counted_at) + $8,
		video_time = video_time + videos * ({now} - counted_at) + $9,
		people = $10, voices = $11, videos = $12, peak = CASE WHEN peak < $13 THEN $13 ELSE peak END, moderators = $14, counted_at = {now}`
	// freshAccount begins that of a new room.
	freshAccount = `people_time = 0, voice_time = 0, video_time = 0, people = 0, voices = 0, videos = 0, moderators = 0, peak = 0,
		started_at = {now}, counted_at = {now}`
	// sameAccount does so unless the room ($4) is the same.
	sameAccount = `people_time = CASE WHEN internal_id = $4 THEN people_time ELSE 0 END,
		voice_time = CASE WHEN internal_id = $4 THEN voice_time ELSE 0 END,
		video_time = CASE WHEN internal_id = $4 THEN video_time ELSE 0 END,
		people = CASE WHEN internal_id = $4 THEN people ELSE 0 END,
		voices = CASE WHEN internal_id = $4 THEN voices ELSE 0 END,
		videos = CASE WHEN internal_id = $4 THEN videos ELSE 0 END,
		moderators = CASE WHEN internal_id = $4 THEN moderators ELSE 0 END,
		peak = CASE WHEN internal_id = $4 THEN peak ELSE 0 END,
		started_at = CASE WHEN internal_id = $4 THEN started_at ELSE {now} END,
		counted_at = CASE WHEN internal_id = $4 THEN counted_at ELSE {now} END`

	countRoom = `UPDATE meetings SET ` + bringAccount + `
		WHERE frontend_id = $1 AND meeting_id = $2 AND backend_id = $3 AND generation = $4 AND internal_id = $5 AND state = 'active'
			AND CAST($6 AS TEXT) = '' RETURNING 1`

	sessionOf = `INSERT INTO sessions (frontend_id, internal_id, meeting_id, backend_id, started_at, ended_at, peak, people_time, voice_time, video_time)
		SELECT frontend_id, internal_id, meeting_id, backend_id, CASE WHEN started_at = 0 THEN confirmed_at ELSE started_at END, {now}, peak,
			people_time + people * ({now} - counted_at), voice_time + voices * ({now} - counted_at), video_time + videos * ({now} - counted_at)
		FROM meetings WHERE internal_id <> '' AND `
	sessionGoesOn = ` ON CONFLICT (frontend_id, internal_id, meeting_id) DO UPDATE SET ended_at = excluded.ended_at,
			peak = CASE WHEN sessions.peak < excluded.peak THEN excluded.peak ELSE sessions.peak END,
			people_time = sessions.people_time + excluded.people_time,
			voice_time = sessions.voice_time + excluded.voice_time, video_time = sessions.video_time + excluded.video_time`

	closeSession           = sessionOf + `frontend_id = $1 AND meeting_id = $2 AND state = $3` + sessionGoesOn
	closeSessionsFrontend  = sessionOf + `frontend_id = $1 AND state = 'active'` + sessionGoesOn
	closeSessionsOnBackend = sessionOf + `backend_id = $1 AND state = 'active'` + sessionGoesOn

	sessionsSince = `SELECT frontend_id, internal_id, meeting_id, backend_id, started_at, ended_at, peak, people_time, voice_time, video_time
		FROM sessions WHERE ended_at >= $1 ORDER BY ended_at, frontend_id, internal_id, meeting_id`
)

// endSession writes the ledger's row of the room that is in the row of a
// meeting, which is locked.
func endSession(ctx context.Context, tx session, key b3scale.MeetingKey, state b3scale.MeetingState) error {
	_, err := tx.exec(ctx, closeSession, key.FrontendID, key.MeetingID, string(state))
	return err
}

// accountOf are the arguments of bringAccount.
func accountOf(h b3scale.Headcount, peak int, latePeople, lateVoice, lateVideo time.Duration) []any {
	return []any{latePeople.Microseconds(), lateVoice.Microseconds(), lateVideo.Microseconds(),
		int64(h.People), int64(h.Voices), int64(h.Videos), int64(max(peak, h.People)), int64(h.Moderators)}
}

// Sessions reads the ledger from a time on.
func (s *Store) Sessions(ctx context.Context, since b3scale.Micros, yield func(b3scale.Session)) error {
	err := s.each(ctx, sessionsSince, func(rows *sql.Rows) error {
		var v b3scale.Session
		var people, voice, video int64
		err := rows.Scan(&v.Key.FrontendID, &v.InternalID, &v.Key.MeetingID, &v.BackendID, &v.StartedAt, &v.EndedAt, &v.Peak, &people, &voice, &video)
		if err != nil {
			return err
		}
		v.PeopleTime, v.VoiceTime, v.VideoTime = micros(people), micros(voice), micros(video)
		yield(v)
		return nil
	}, int64(since))
	if err != nil {
		return fmt.Errorf("read the ledger: %w", err)
	}
	return nil
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
