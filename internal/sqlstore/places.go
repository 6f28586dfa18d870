package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"b3scale"
)

// Two that count at the same time would both find room for the last one. So
// whoever reserves a place, or makes a meeting live for a frontend with a limit,
// holds the frontend's row of frontend_limits until the end of the transaction.
// It is the first lock of all that take it. Who reserves a place only reads the
// rows of meetings, and so waits for nobody who stores what events tell.
const holdLimits = `INSERT INTO frontend_limits (frontend_id, counted_at) SELECT f.id, {now} FROM frontends f WHERE f.id = $1
	ON CONFLICT (frontend_id) DO UPDATE SET counted_at = excluded.counted_at`

// lapsedFor is how long a reservation has been over when it is deleted. Arrivals
// end only those that still hold, so the two never wait for each other.
const lapsedFor = time.Minute

const (
	// countPlaces sees people and reservations in one snapshot: whoever arrives
	// meanwhile is one or the other. $2 does not count himself.
	countPlaces = `SELECT
		(SELECT CAST(COALESCE(SUM(people - CASE WHEN CAST($3 AS BOOLEAN) THEN moderators ELSE 0 END), 0) AS BIGINT)
			FROM meetings WHERE frontend_id = $1 AND state <> 'ended')
		+ (SELECT COUNT(*) FROM places WHERE frontend_id = $1 AND holder <> $2 AND until > clock.now),
		EXISTS (SELECT 1 FROM places WHERE frontend_id = $1 AND until <= clock.now - $4)
		FROM (SELECT {now} AS now) AS clock`
	savePlace = `INSERT INTO places (frontend_id, holder, meeting_id, arrival, until) VALUES ($1, $2, $3, $4, {now} + $5)
		ON CONFLICT (frontend_id, holder) DO UPDATE SET meeting_id = excluded.meeting_id, arrival = excluded.arrival, until = excluded.until`
	dropLapsed = `DELETE FROM places WHERE frontend_id = $1 AND until <= {now} - $2`
	// endPlace ends one reservation of an arrival, the oldest.
	endPlace = `DELETE FROM places WHERE frontend_id = $1 AND holder = (SELECT p.holder FROM places p
			WHERE p.frontend_id = $1 AND p.meeting_id = $2 AND p.arrival = $3 AND p.until > {now} ORDER BY p.until, p.holder LIMIT 1)
		RETURNING 1`
	frontendsWithLapsed = `SELECT DISTINCT frontend_id FROM places WHERE until <= {now} - $1 ORDER BY frontend_id`
)

// TakePlace reserves a place for somebody who is about to come. Where there is
// probably none left it looks before it takes the lock: many may ask. To look
// it has a connection of those that write, since joins read rows by the hundred.
func (s *Store) TakePlace(ctx context.Context, p b3scale.Place) (taken int, ok bool, err error) {
	if err := checkKey(p.Key, p.Holder, p.Arrival); err != nil {
		return 0, false, fmt.Errorf("take a place in meeting %s: %w", p.Key, err)
	}
	full := false
	if p.Look {
		err = s.writeAlone(ctx, func(ctx context.Context, tx session) error {
			taken, _, err = countOthers(ctx, tx, &p)
			full = !hasRoom(&p, taken)
			return err
		})
	}
	if err == nil && !full {
		err = s.write(ctx, func(ctx context.Context, tx session) error {
			taken, ok, err = takePlace(ctx, tx, &p)
			return err
		})
	}
	if err != nil {
		return 0, false, fmt.Errorf("take a place in meeting %s: %w", p.Key, err)
	}
	return taken, ok, nil
}

func takePlace(ctx context.Context, tx session, p *b3scale.Place) (taken int, ok bool, err error) {
	if err := holdLimitsOf(ctx, tx, p.Key.FrontendID); err != nil {
		return 0, false, err
	}
	taken, lapsed, err := countOthers(ctx, tx, p)
	if err != nil || !hasRoom(p, taken) {
		return taken, false, err
	}
	if lapsed {
		if _, err := tx.exec(ctx, dropLapsed, p.Key.FrontendID, lapsedFor.Microseconds()); err != nil {
			return 0, false, err
		}
	}
	_, err = tx.exec(ctx, savePlace, p.Key.FrontendID, p.Holder, p.Key.MeetingID, p.Arrival, p.Hold.Microseconds())
	return taken + 1, err == nil, err
}

func countOthers(ctx context.Context, tx session, p *b3scale.Place) (others int, lapsed bool, err error) {
	err = tx.row(ctx, countPlaces, p.Key.FrontendID, p.Holder, p.ModeratorsExempt, lapsedFor.Microseconds()).Scan(&others, &lapsed)
	return others, lapsed, err
}

func hasRoom(p *b3scale.Place, others int) bool { return p.Limit <= 0 || others < p.Limit }

// holdLimitsOf takes the lock under which a frontend's limits are counted.
func holdLimitsOf(ctx context.Context, tx session, frontendID string) error {
	n, err := tx.exec(ctx, holdLimits, frontendID)
	if err == nil && n == 0 {
		return b3scale.Errorf(b3scale.NotFound, "no frontend with the id %q", frontendID)
	}
	return err
}

// PurgePlaces deletes reservations that have run out, one frontend at a time:
// under its lock nobody else does.
func (s *Store) PurgePlaces(ctx context.Context) error {
	var frontends []string
	err := s.each(ctx, frontendsWithLapsed, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		frontends = append(frontends, id)
		return err
	}, lapsedFor.Microseconds())
	for _, id := range frontends {
		if err != nil {
			break
		}
		err = s.write(ctx, func(ctx context.Context, tx session) error {
			if _, err := tx.exec(ctx, holdLimits, id); err != nil {
				return err
			}
			_, err := tx.exec(ctx, dropLapsed, id, lapsedFor.Microseconds())
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("purge places: %w", err)
	}
	return nil
}

// arrived ends the reservations of people who were just stored in a meeting
// whose row is locked.
func (s *Store) arrived(ctx context.Context, tx session, args [][]any) error {
	_, err := s.dialect.batch(ctx, tx, endPlace, args)
	return err
}

// arrivalArgs are those of endPlace.
func arrivalArgs(args [][]any, key b3scale.MeetingKey, arrivals []string) [][]any {
	for _, arrival := range arrivals {
		if storableID(arrival) {
			args = append(args, []any{key.FrontendID, key.MeetingID, arrival})
		}
	}
	return args
}
