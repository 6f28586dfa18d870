package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"b3scale"
)

const (
	// Whoever was deleted is skipped. What slips in beside a delete stays, and
	// harms nobody: no id comes again.
	saveUse = `INSERT INTO secret_uses (owner_id, secondary, used_at)
		SELECT CAST($1 AS TEXT), CAST($2 AS BOOLEAN), CAST($3 AS BIGINT)
		WHERE EXISTS (SELECT 1 FROM frontends WHERE id = $1) OR EXISTS (SELECT 1 FROM backends WHERE id = $1)
		ON CONFLICT (owner_id, secondary) DO UPDATE SET used_at = excluded.used_at WHERE secret_uses.used_at < excluded.used_at
		RETURNING 1`
	forgetUse = `DELETE FROM secret_uses WHERE owner_id = $1 AND secondary = $2`
	listUses  = `SELECT owner_id, secondary, used_at FROM secret_uses`
)

// SaveSecretUses notes when secrets were last used.
func (s *Store) SaveSecretUses(ctx context.Context, uses map[b3scale.SecretSlot]b3scale.Micros) error {
	args := make([][]any, 0, len(uses))
	for slot, at := range uses {
		if err := checkIDs(slot.OwnerID); err != nil {
			return fmt.Errorf("save when secrets were used: %w", err)
		}
		args = append(args, []any{slot.OwnerID, slot.Secondary, int64(at)})
	}
	if len(args) == 0 {
		return nil
	}
	slices.SortFunc(args, func(a, b []any) int { // everybody locks rows in the same order
		return cmp.Or(cmp.Compare(a[0].(string), b[0].(string)), cmp.Compare(rank(a[1].(bool)), rank(b[1].(bool))))
	})
	err := s.writeAlone(ctx, func(ctx context.Context, tx session) error {
		_, err := s.dialect.batch(ctx, tx, saveUse, args)
		return err
	})
	if err != nil {
		return fmt.Errorf("save when secrets were used: %w", err)
	}
	return nil
}

func rank(secondary bool) int {
	if secondary {
		return 1
	}
	return 0
}

// SecretUses tells when secrets were last used. Those that never were are
// missing.
func (s *Store) SecretUses(ctx context.Context) (map[b3scale.SecretSlot]b3scale.Micros, error) {
	uses := make(map[b3scale.SecretSlot]b3scale.Micros)
	err := s.each(ctx, listUses, func(rows *sql.Rows) error {
		var slot b3scale.SecretSlot
		var at b3scale.Micros
		err := rows.Scan(&slot.OwnerID, &slot.Secondary, &at)
		uses[slot] = at
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read when secrets were used: %w", err)
	}
	return uses, nil
}
