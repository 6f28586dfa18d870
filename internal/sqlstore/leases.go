package sqlstore

import (
	"context"
	"fmt"
	"time"
)

const (
	acquireLease = `INSERT INTO leases (name, holder, until) VALUES ($1, $2, {now} + $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until < {now}`
	releaseLease = `DELETE FROM leases WHERE name = $1 AND holder = $2`
)

// AcquireLease takes or renews the named lease.
func (s *Store) AcquireLease(ctx context.Context, name, holder string, d time.Duration) (bool, error) {
	n, err := s.writeOne(ctx, acquireLease, name, holder, d.Microseconds())
	if err != nil {
		return false, fmt.Errorf("acquire lease %s: %w", name, err)
	}
	return n > 0, nil
}

// ReleaseLease gives it up if holder has it.
func (s *Store) ReleaseLease(ctx context.Context, name, holder string) error {
	if _, err := s.writeOne(ctx, releaseLease, name, holder); err != nil {
		return fmt.Errorf("release lease %s: %w", name, err)
	}
	return nil
}
