package sqlstore

import (
	"context"
	"fmt"
	"time"
)

// defaultVerdictMemory is how long a verdict counts in the budget, even when it was
// taken back: a network that comes and goes must not lose one backend after
// the other.
const defaultVerdictMemory = 2 * time.Minute

// Verdicts are passed one at a time, or two instances would both see that there
// is room for one more.
const (
	lockVerdicts = `SELECT name FROM leases WHERE name = 'verdict' {lock}`

	reachedSince = `SELECT (SELECT COUNT(*) FROM probes WHERE backend_id = $1 AND probe_ok_at > {now} - $2) +
		(SELECT COUNT(*) FROM heartbeats WHERE backend_id = $1 AND heard_at > {now} - $2)`
	lostLately     = `SELECT COUNT(*) FROM backends WHERE id <> $1 AND (lost AND admin_state = 'ready' OR lost_at > {now} - $2)`
	readyToCompare = `SELECT COUNT(*) FROM backends WHERE admin_state = 'ready'`
)

// PassVerdict calls a silent backend lost. A good probe of anybody or a sign of
// its agent within the silence is a veto; and of all ready backends at most
// max(1, (ready-1)/2) may be lost, or have been lost lately.
func (s *Store) PassVerdict(ctx context.Context, backendID string, silent time.Duration) (passed bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		passed = false
		var name string
		if err := tx.row(ctx, lockVerdicts).Scan(&name); err != nil {
			return err
		}
		var reached, lost, ready int
		if err := tx.row(ctx, reachedSince, backendID, silent.Microseconds()).Scan(&reached); err != nil {
			return err
		}
		if err := tx.row(ctx, lostLately, backendID, s.verdictMemory.Microseconds()).Scan(&lost); err != nil {
			return err
		}
		if err := tx.row(ctx, readyToCompare).Scan(&ready); err != nil {
			return err
		}
		if reached > 0 || lost+1 > max(1, (ready-1)/2) {
			return nil
		}
		n, err := tx.exec(ctx, setLost, backendID)
		passed = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("pass the verdict on backend %s: %w", backendID, err)
	}
	s.changed(passed, configHint)
	return passed, nil
}
