package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"b3scale"
)

const (
	backendColumns = `id, host, secret, secondary_secret, admin_state, load_factor, settings, agent_ref,
		lost, lost_at, listed_at, created_at, updated_at, version`

	listBackends  = `SELECT ` + backendColumns + ` FROM backends ORDER BY host`
	insertBackend = `INSERT INTO backends (id, host, secret, secondary_secret, admin_state, load_factor, settings, agent_ref, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {now}, {now}, {now}) RETURNING ` + backendColumns
	lockBackend   = `SELECT ` + backendColumns + ` FROM backends WHERE id = $1 {lock}`
	updateBackend = `UPDATE backends SET host = $2, secret = $3, secondary_secret = $4, admin_state = $5, load_factor = $6, settings = $7,
		agent_ref = $8, updated_at = {now}, version = ` + nextVersion + ` WHERE id = $1 RETURNING ` + backendColumns
	deleteBackend = `DELETE FROM backends WHERE id = $1`
)

func backendKind() *kind[b3scale.Backend] {
	return &kind[b3scale.Backend]{
		name: "backend",
		list: listBackends, insert: insertBackend, lock: lockBackend, update: updateBackend, deleteRow: deleteBackend,
		owned:  ownedByBackend(),
		scan:   scanBackend,
		copy:   copyBackend,
		values: backendValues,
		entry: func(b b3scale.Backend) b3scale.AuditEntry {
			return b3scale.AuditEntry{Object: b3scale.AuditObject{Kind: "backend", ID: b.ID, Name: b.Host}}
		},
		view:    func(b b3scale.Backend, old *b3scale.Backend) any { return newBackendView(b, old) },
		secrets: func(b b3scale.Backend) [2]b3scale.Secret { return [2]b3scale.Secret{b.Secret, b.SecondarySecret} },
		taken:   takenOfBackend,
	}
}

// Backends reads them all, by host.
func (s *Store) Backends(ctx context.Context) ([]b3scale.Backend, error) {
	return backendKind().all(ctx, s)
}

// AddBackend inserts b under a new id, without facts about the node.
func (s *Store) AddBackend(ctx context.Context, b b3scale.Backend, by b3scale.Actor) (b3scale.Backend, error) {
	return backendKind().add(ctx, s, b, by)
}

// EditBackend changes what operators set of one backend. edit must not write
// to the store: its transaction is under way. An edit that changes nothing
// leaves no trace.
func (s *Store) EditBackend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Backend) error) (b3scale.Backend, error) {
	return backendKind().edit(ctx, s, id, by, edit)
}

// DeleteBackend deletes it with all rows of meetings there.
func (s *Store) DeleteBackend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Backend, error) {
	return backendKind().delete(ctx, s, id, by)
}

func backendValues(b b3scale.Backend) ([]any, error) {
	err := errors.Join(checkIDs(b.Host, string(b.AdminState), b.AgentRef), checkTexts(b.Secret.Reveal(), b.SecondarySecret.Reveal()))
	if err != nil {
		return nil, err
	}
	if math.IsNaN(b.LoadFactor) || math.IsInf(b.LoadFactor, 0) {
		return nil, b3scale.Errorf(b3scale.InvalidArgument, "the load factor %v is no number", b.LoadFactor)
	}
	settings, err := json.Marshal(b.Settings)
	if err != nil {
		return nil, fmt.Errorf("encode the settings of backend %s: %w", b.Host, err)
	}
	return []any{b.Host, b.Secret.Reveal(), b.SecondarySecret.Reveal(), string(b.AdminState), b.LoadFactor, string(settings), b.AgentRef}, nil
}

// Both databases name the column or its index, whatever language they speak.
func takenOfBackend(b b3scale.Backend, err error) *b3scale.Error {
	if strings.Contains(err.Error(), "agent_ref") {
		return b3scale.Errorf(b3scale.Conflict, "the agent %q belongs to another backend", b.AgentRef)
	}
	return b3scale.Errorf(b3scale.Conflict, "the host %q is taken", b.Host)
}

func copyBackend(b b3scale.Backend) (_ b3scale.Backend, err error) {
	b.Settings, err = recode(b.Settings)
	return b, err
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
func (s *Store) DeclareLost(ctx context.Context, backendID string, by b3scale.Actor) (declared bool, err error) {
	if err := checkIDs(backendID); err != nil {
		return false, fmt.Errorf("declare a backend lost: %w", err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		declared, err = declareLost(ctx, tx, backendID, by)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("declare backend %s lost: %w", backendID, err)
	}
	s.changed(declared, configHint)
	return declared, nil
}

func declareLost(ctx context.Context, tx session, backendID string, by b3scale.Actor) (bool, error) {
	n, err := tx.exec(ctx, setLost, backendID)
	if err != nil || n == 0 {
		return false, err
	}
	k := backendKind()
	k.view = func(b b3scale.Backend, old *b3scale.Backend) any { return newLostView(b, old) }
	b, err := k.scan(tx.row(ctx, k.lock, backendID))
	if err != nil {
		return false, err
	}
	was := b
	was.Lost = false
	return true, k.note(ctx, tx, by, "declare_lost", &was, &b)
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
	err = row.Scan(&b.ID, &b.Host, &b.Secret, &b.SecondarySecret, &b.AdminState, &b.LoadFactor, &settings, &b.AgentRef,
		&b.Lost, &b.LostAt, &b.ListedAt, &b.CreatedAt, &b.UpdatedAt, &b.Version)
	if err != nil {
		return b3scale.Backend{}, err
	}
	if err := json.Unmarshal([]byte(settings), &b.Settings); err != nil {
		return b3scale.Backend{}, fmt.Errorf("decode the settings of backend %s: %w", b.ID, err)
	}
	return b, nil
}
