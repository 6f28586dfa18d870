package sqlstore

import (
	"context"
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
	lockFrontend   = `SELECT ` + frontendColumns + ` FROM frontends WHERE id = $1 {lock}`
	updateFrontend = `UPDATE frontends SET key = $2, secret = $3, secondary_secret = $4, active = $5, settings = $6, account_ref = $7,
		updated_at = {now}, version = ` + nextVersion + ` WHERE id = $1 RETURNING ` + frontendColumns
	deleteFrontend = `DELETE FROM frontends WHERE id = $1`
)

func frontendKind() *kind[b3scale.Frontend] {
	return &kind[b3scale.Frontend]{
		name: "frontend",
		list: listFrontends, insert: insertFrontend, lock: lockFrontend, update: updateFrontend, deleteRow: deleteFrontend,
		owned:  ownedByFrontend(),
		scan:   scanFrontend,
		copy:   copyFrontend,
		values: frontendValues,
		entry: func(f b3scale.Frontend) b3scale.AuditEntry {
			return b3scale.AuditEntry{Object: b3scale.AuditObject{Kind: "frontend", ID: f.ID, Name: f.Key}}
		},
		view:    func(f b3scale.Frontend, old *b3scale.Frontend) any { return newFrontendView(f, old) },
		secrets: func(f b3scale.Frontend) [2]b3scale.Secret { return [2]b3scale.Secret{f.Secret, f.SecondarySecret} },
		refuse:  keepKey,
		spare:   keepRecordings,
		keep:    keepHosts,
		taken: func(f b3scale.Frontend, _ error) *b3scale.Error {
			return b3scale.Errorf(b3scale.Conflict, "the frontend key %q is taken", f.Key)
		},
	}
}

const stillMeeting = `SELECT (SELECT COUNT(*) FROM meetings WHERE frontend_id = $1 AND state <> 'ended') + (SELECT COUNT(*) FROM orphans WHERE frontend_id = $1)`

// keepKey: nodes know rooms by the key that their frontend had when they were
// created. With another key nobody would find them.
func keepKey(ctx context.Context, tx session, f, edited b3scale.Frontend) error {
	if f.Key == edited.Key {
		return nil
	}
	n := 0
	if err := tx.row(ctx, stillMeeting, f.ID).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return b3scale.Errorf(b3scale.Conflict, "the key cannot change while meetings of the frontend are running").Because(b3scale.ErrMeetingsRun)
	}
	return nil
}

const recordingsOwned = `SELECT COUNT(*) FROM recordings WHERE frontend_id = $1`

// keepRecordings: nothing would tell any more whose their files are.
func keepRecordings(ctx context.Context, tx session, id string) error {
	n := 0
	if err := tx.row(ctx, recordingsOwned, id).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return b3scale.Errorf(b3scale.Conflict, "the frontend has %d recordings: delete them or move them to another frontend first", n)
	}
	return nil
}

// Frontends reads them all, by key.
func (s *Store) Frontends(ctx context.Context) ([]b3scale.Frontend, error) {
	return frontendKind().all(ctx, s)
}

// AddFrontend inserts f under a new id.
func (s *Store) AddFrontend(ctx context.Context, f b3scale.Frontend, by b3scale.Actor) (b3scale.Frontend, error) {
	return frontendKind().add(ctx, s, f, by)
}

// EditFrontend changes what operators set of one frontend. edit must not write
// to the store: its transaction is under way. An edit that changes nothing
// leaves no trace.
func (s *Store) EditFrontend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Frontend) error) (b3scale.Frontend, error) {
	return frontendKind().edit(ctx, s, id, by, edit)
}

// DeleteFrontend deletes it with the rows of its meetings.
func (s *Store) DeleteFrontend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Frontend, error) {
	return frontendKind().delete(ctx, s, id, by)
}

func frontendValues(f b3scale.Frontend) ([]any, error) {
	if err := errors.Join(checkIDs(f.Key), checkIDs(f.Settings.Hosts...), checkTexts(f.Secret.Reveal(), f.SecondarySecret.Reveal(), f.AccountRef)); err != nil {
		return nil, err
	}
	settings, err := json.Marshal(f.Settings)
	if err != nil {
		return nil, fmt.Errorf("encode the settings of frontend %s: %w", f.Key, err)
	}
	return []any{f.Key, f.Secret.Reveal(), f.SecondarySecret.Reveal(), f.Active, string(settings), f.AccountRef}, nil
}

func copyFrontend(f b3scale.Frontend) (_ b3scale.Frontend, err error) {
	f.Settings, err = recode(f.Settings)
	return f, err
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
