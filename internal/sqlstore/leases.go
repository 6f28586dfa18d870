package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

const (
	heldLeases   = `SELECT name, holder FROM leases WHERE until > {now} AND holder <> ''`
	acquireLease = `INSERT INTO leases (name, holder, until) VALUES ($1, $2, {now} + $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until <= {now}
		RETURNING 1`
	releaseLease = `DELETE FROM leases WHERE name = $1 AND holder = $2 AND holder <> '' RETURNING 1`
	purgeLeases  = `DELETE FROM leases WHERE until < {now} - $1`
	purgeProbes  = `DELETE FROM probes WHERE probe_ok_at < {now} - $1`
)

// Leases reads who holds what.
func (s *Store) Leases(ctx context.Context) (map[string]string, error) {
	held := make(map[string]string)
	err := s.each(ctx, heldLeases, func(rows *sql.Rows) error {
		var name, holder string
		err := rows.Scan(&name, &holder)
		held[name] = holder
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	return held, nil
}

// AcquireLeases takes or renews the named leases.
func (s *Store) AcquireLeases(ctx context.Context, names []string, holder string, d time.Duration) (got []string, err error) {
	names = slices.Compact(slices.Sorted(slices.Values(names))) // everybody locks rows in the same order
	args := make([][]any, len(names))
	for i, name := range names {
		args[i] = []any{name, holder, d.Microseconds()}
	}
	if err := checkIDs(append(names, holder)...); err != nil {
		return nil, fmt.Errorf("acquire leases: %w", err)
	}
	err = s.writeAlone(ctx, func(ctx context.Context, tx session) error {
		got = nil
		taken, err := s.dialect.batch(ctx, tx, acquireLease, args)
		for i, n := range taken {
			if n > 0 {
				got = append(got, names[i])
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("acquire leases: %w", err)
	}
	return got, nil
}

// ReleaseLeases gives up those that holder has.
func (s *Store) ReleaseLeases(ctx context.Context, names []string, holder string) error {
	names = slices.Sorted(slices.Values(names))
	args := make([][]any, len(names))
	for i, name := range names {
		args[i] = []any{name, holder}
	}
	err := s.writeAlone(ctx, func(ctx context.Context, tx session) error {
		_, err := s.dialect.batch(ctx, tx, releaseLease, args)
		return err
	})
	if err != nil {
		return fmt.Errorf("release leases: %w", err)
	}
	return nil
}

// PurgeInstances deletes what instances left behind that are long gone.
func (s *Store) PurgeInstances(ctx context.Context, gone time.Duration) error {
	err := s.write(ctx, func(ctx context.Context, tx session) error {
		if _, err := tx.exec(ctx, purgeLeases, gone.Microseconds()); err != nil {
			return err
		}
		_, err := tx.exec(ctx, purgeProbes, gone.Microseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("purge instances: %w", err)
	}
	return nil
}
