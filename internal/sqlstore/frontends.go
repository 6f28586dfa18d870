package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"b3scale"
)

const (
	frontendColumns = `id, key, secret, secondary_secret, active, settings, account_ref, created_at, updated_at, version`

	listFrontends  = `SELECT ` + frontendColumns + ` FROM frontends ORDER BY key`
	insertFrontend = `INSERT INTO frontends (id, key, secret, secondary_secret, active, settings, account_ref, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, {now}, {now}, {now}) RETURNING ` + frontendColumns
	updateFrontend = `UPDATE frontends SET key = $2, secret = $3, secondary_secret = $4, active = $5, settings = $6, account_ref = $7,
		updated_at = {now}, version = ` + nextVersion + ` WHERE id = $1 RETURNING ` + frontendColumns
)

// Frontends reads them all, by key.
func (s *Store) Frontends(ctx context.Context) ([]b3scale.Frontend, error) {
	var frontends []b3scale.Frontend
	err := s.each(ctx, listFrontends, func(rows *sql.Rows) error {
		f, err := scanFrontend(rows)
		frontends = append(frontends, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read frontends: %w", err)
	}
	return frontends, nil
}

// SaveFrontend inserts f, when its ID is empty, or overwrites the row.
func (s *Store) SaveFrontend(ctx context.Context, f b3scale.Frontend) (saved b3scale.Frontend, err error) {
	text, id := updateFrontend, f.ID
	if id == "" {
		text, id = insertFrontend, b3scale.NewID()
	}
	if err := errors.Join(checkIDs(id, f.Key), checkTexts(f.Secret.Reveal(), f.SecondarySecret.Reveal(), f.AccountRef)); err != nil {
		return saved, fmt.Errorf("save frontend %q: %w", f.Key, err)
	}
	settings, err := json.Marshal(f.Settings)
	if err != nil {
		return saved, fmt.Errorf("save frontend %s: encode its settings: %w", f.Key, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		saved, err = scanFrontend(tx.row(ctx, text, id, f.Key, f.Secret.Reveal(), f.SecondarySecret.Reveal(),
			f.Active, string(settings), f.AccountRef))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return b3scale.Errorf(b3scale.NotFound, "no frontend with the id %q", id)
		case s.dialect.failureOf(err) == failureUnique:
			return b3scale.Errorf(b3scale.Conflict, "the frontend key %q is taken", f.Key).Because(err)
		}
		return err
	})
	if err != nil {
		return b3scale.Frontend{}, fmt.Errorf("save frontend %s: %w", f.Key, err)
	}
	s.changed(true, configHint)
	return saved, nil
}

func scanFrontend(row scanner) (f b3scale.Frontend, err error) {
	var settings string
	err = row.Scan(&f.ID, &f.Key, &f.Secret, &f.SecondarySecret, &f.Active, &settings, &f.AccountRef,
		&f.CreatedAt, &f.UpdatedAt, &f.Version)
	if err != nil {
		return b3scale.Frontend{}, err
	}
	if err := json.Unmarshal([]byte(settings), &f.Settings); err != nil {
		return b3scale.Frontend{}, fmt.Errorf("decode the settings of frontend %s: %w", f.Key, err)
	}
	return f, nil
}
