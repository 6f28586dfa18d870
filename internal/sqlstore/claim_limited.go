package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"b3scale"
)

// Among the others is not who asks: a meeting that lives may stay. The count ends
// at the limit.
const othersLive = `SELECT EXISTS (SELECT 1 FROM meetings WHERE frontend_id = $1 AND meeting_id = $2 AND state <> 'ended'),
	(SELECT COUNT(*) FROM (SELECT 1 FROM meetings WHERE frontend_id = $1 AND meeting_id <> $2 AND state <> 'ended' LIMIT $3) AS others)`

var errMeetingsLimit = b3scale.Errorf(b3scale.LimitReached, "the frontend has as many meetings as it may have")

// claimWithin is the claim of a frontend that may have MaxMeetings. Who makes a
// meeting live, counts and writes under the frontend's lock. Who finds it living
// needs no lock, as without a limit; neither does who finds no room.
func (s *Store) claimWithin(ctx context.Context, c b3scale.Claim) (m b3scale.Meeting, fit bool, err error) {
	lives, full := false, false
	err = s.read(ctx, func(ctx context.Context, tx session) error {
		lives, full, err = countMeetings(ctx, tx, &c)
		return err
	})
	if err != nil {
		return m, false, err
	}
	if lives {
		err := s.write(ctx, func(ctx context.Context, tx session) error {
			m, fit, lives, err = claimLiving(ctx, tx, c)
			return err
		})
		if err != nil || lives {
			return m, fit, err
		}
	} else if full {
		return m, false, errMeetingsLimit
	}
	// A refusal is no error of the transaction: see kind.edit.
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		m, fit, full, err = claimCounted(ctx, tx, c)
		return err
	})
	if err == nil && full {
		err = errMeetingsLimit
	}
	return m, fit, err
}

// claimLiving is claim for a row that lived a moment ago. When it has ended since
// then nothing is done: the frontend's lock comes before that of the row.
func claimLiving(ctx context.Context, tx session, c b3scale.Claim) (m b3scale.Meeting, fit, lives bool, err error) {
	m, found, err := lockedMeeting(ctx, tx, c.Key)
	if err != nil || !found || !m.Live() {
		return b3scale.Meeting{}, false, false, err
	}
	m, fit, err = claimLocked(ctx, tx, c, m)
	return m, fit, true, err
}

func claimCounted(ctx context.Context, tx session, c b3scale.Claim) (m b3scale.Meeting, fit, full bool, err error) {
	if err := holdLimitsOf(ctx, tx, c.Key.FrontendID); err != nil {
		return m, false, false, err
	}
	lives, full, err := countMeetings(ctx, tx, &c)
	if err != nil || full && !lives { // with another request it may have become live
		return m, false, full && !lives, err
	}
	m, err = claimNew(ctx, tx, c)
	if !errors.Is(err, sql.ErrNoRows) {
		return m, err == nil, false, err
	}
	m, fit, err = claim(ctx, tx, c)
	return m, fit, false, err
}

func countMeetings(ctx context.Context, tx session, c *b3scale.Claim) (lives, full bool, err error) {
	var others int
	err = tx.row(ctx, othersLive, c.Key.FrontendID, c.Key.MeetingID, c.MaxMeetings).Scan(&lives, &others)
	return lives, others >= c.MaxMeetings, err
}
