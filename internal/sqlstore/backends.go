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
	backendColumns = `id, host, secret, secondary_secret, admin_state, load_factor, settings,
		lost, lost_at, listed_at, created_at, updated_at, version`

	listBackends  = `SELECT ` + backendColumns + ` FROM backends ORDER BY host`
	insertBackend = `INSERT INTO backends (id, host, secret, secondary_secret, admin_state, load_factor, settings, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, {now}, {now}, {now}) RETURNING ` + backendColumns
	updateBackend = `UPDATE backends SET host = $2, secret = $3, secondary_secret = $4, admin_state = $5, load_factor = $6, settings = $7,
		updated_at = {now}, version = ` + nextVersion + ` WHERE id = $1 RETURNING ` + backendColumns
)

// Backends reads them all, by host.
func (s *Store) Backends(ctx context.Context) ([]b3scale.Backend, error) {
	var backends []b3scale.Backend
	err := s.each(ctx, listBackends, func(rows *sql.Rows) error {
		b, err := scanBackend(rows)
		backends = append(backends, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read backends: %w", err)
	}
	return backends, nil
}

// SaveBackend inserts b, when its ID is empty, or overwrites what operators
// set of it.
func (s *Store) SaveBackend(ctx context.Context, b b3scale.Backend) (saved b3scale.Backend, err error) {
	text, id := updateBackend, b.ID
	if id == "" {
		text, id = insertBackend, b3scale.NewID()
	}
	err = errors.Join(checkIDs(id, b.Host, string(b.AdminState)), checkTexts(b.Secret.Reveal(), b.SecondarySecret.Reveal()))
	if err != nil {
		return saved, fmt.Errorf("save backend %q: %w", b.Host, err)
	}
	settings, err := json.Marshal(b.Settings)
	if err != nil {
		return saved, fmt.Errorf("save backend %s: encode its settings: %w", b.Host, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		saved, err = scanBackend(tx.row(ctx, text, id, b.Host, b.Secret.Reveal(), b.SecondarySecret.Reveal(),
			string(b.AdminState), b.LoadFactor, string(settings)))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return b3scale.Errorf(b3scale.NotFound, "no backend with the id %q", id)
		case s.dialect.failureOf(err) == failureUnique:
			return b3scale.Errorf(b3scale.Conflict, "the host %q is taken", b.Host).Because(err)
		}
		return err
	})
	if err != nil {
		return b3scale.Backend{}, fmt.Errorf("save backend %s: %w", b.Host, err)
	}
	s.changed(true, configHint)
	return saved, nil
}

const (
	markListed = `UPDATE backends SET listed_at = $2, version = ` + nextVersion + ` WHERE id = $1 AND listed_at < $2`
	setLost    = `UPDATE backends SET lost = TRUE, lost_at = {now}, version = ` + nextVersion + ` WHERE id = $1 AND NOT lost`
	setFound   = `UPDATE backends SET lost = FALSE, version = ` + nextVersion + ` WHERE id = $1 AND lost`
)

// MarkListed notes that a list begun at t0 was evaluated. An older one than
// the last changes nothing.
func (s *Store) MarkListed(ctx context.Context, backendID string, t0 b3scale.Micros) error {
	n, err := s.writeOne(ctx, markListed, backendID, int64(t0))
	if err != nil {
		return fmt.Errorf("mark backend %s as listed: %w", backendID, err)
	}
	s.changed(n > 0, configHint)
	return nil
}

// DeclareLost passes the verdict that meetings there may be placed elsewhere.
func (s *Store) DeclareLost(ctx context.Context, backendID string) (bool, error) {
	n, err := s.writeOne(ctx, setLost, backendID)
	if err != nil {
		return false, fmt.Errorf("declare backend %s lost: %w", backendID, err)
	}
	s.changed(n > 0, configHint)
	return n > 0, nil
}

// ClearLost takes that verdict back. When it was passed stays.
func (s *Store) ClearLost(ctx context.Context, backendID string) (bool, error) {
	n, err := s.writeOne(ctx, setFound, backendID)
	if err != nil {
		return false, fmt.Errorf("clear the verdict on backend %s: %w", backendID, err)
	}
	s.changed(n > 0, configHint)
	return n > 0, nil
}

func scanBackend(row scanner) (b b3scale.Backend, err error) {
	var settings string
	err = row.Scan(&b.ID, &b.Host, &b.Secret, &b.SecondarySecret, &b.AdminState, &b.LoadFactor, &settings,
		&b.Lost, &b.LostAt, &b.ListedAt, &b.CreatedAt, &b.UpdatedAt, &b.Version)
	if err != nil {
		return b3scale.Backend{}, err
	}
	if err := json.Unmarshal([]byte(settings), &b.Settings); err != nil {
		return b3scale.Backend{}, fmt.Errorf("decode the settings of backend %s: %w", b.ID, err)
	}
	return b, nil
}
