package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"b3scale"
)

const (
	readDefaults = `SELECT settings FROM frontend_defaults`
	// The first writer makes the row, so that there is one to lock.
	makeDefaults = `INSERT INTO frontend_defaults (id, settings, updated_at, version) VALUES ('defaults', '{}', {now}, {now})
		ON CONFLICT (id) DO NOTHING`
	lockDefaults = `SELECT settings FROM frontend_defaults WHERE id = 'defaults' {lock}`
	saveDefaults = `UPDATE frontend_defaults SET settings = $1, updated_at = {now}, version = ` + nextVersion + ` WHERE id = 'defaults'`
)

// FrontendDefaults reads the settings that count for frontends that do not set
// them.
func (s *Store) FrontendDefaults(ctx context.Context) (defaults b3scale.FrontendSettings, err error) {
	err = s.each(ctx, readDefaults, func(rows *sql.Rows) error {
		defaults, err = scanDefaults(rows)
		return err
	})
	if err != nil {
		return b3scale.FrontendSettings{}, fmt.Errorf("read the defaults of frontends: %w", err)
	}
	return defaults, nil
}

// EditFrontendDefaults changes them. edit must not write to the store: its
// transaction is under way. An edit that changes nothing leaves no trace.
func (s *Store) EditFrontendDefaults(ctx context.Context, by b3scale.Actor, edit func(*b3scale.FrontendSettings) error) (saved b3scale.FrontendSettings, err error) {
	var refusal error // see kind.edit
	wrote := false
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		refusal, wrote = nil, false
		if _, err := tx.exec(ctx, makeDefaults); err != nil {
			return err
		}
		was, err := scanDefaults(tx.row(ctx, lockDefaults))
		if err != nil {
			return err
		}
		if saved, err = recode(was); err != nil {
			return err
		}
		if refusal = edit(&saved); refusal != nil {
			return nil
		}
		before, after, err := defaultsTexts(was, saved)
		if err != nil {
			return err
		}
		if before == after {
			saved = was
			return nil
		}
		if refusal = checkTexts(after); refusal != nil {
			return nil
		}
		wrote = true
		if _, err := tx.exec(ctx, saveDefaults, after); err != nil {
			return err
		}
		if saved, err = recode(saved); err != nil {
			return err
		}
		return noteDefaults(ctx, tx, by, was, saved)
	})
	if err != nil {
		return b3scale.FrontendSettings{}, fmt.Errorf("edit the defaults of frontends: %w", err)
	}
	if refusal != nil {
		return b3scale.FrontendSettings{}, refusal
	}
	s.changed(wrote, configHint)
	return saved, nil
}

func defaultsTexts(was, is b3scale.FrontendSettings) (before, after string, err error) {
	old, err := json.Marshal(was)
	if err != nil {
		return "", "", err
	}
	now, err := json.Marshal(is)
	return string(old), string(now), err
}

func noteDefaults(ctx context.Context, tx session, by b3scale.Actor, was, is b3scale.FrontendSettings) error {
	before, after, err := defaultsTexts(was.Masked(), is.Masked())
	if err != nil {
		return err
	}
	e := b3scale.AuditEntry{Actor: by, Action: "frontend_defaults.update", Object: b3scale.AuditObject{Kind: "frontend_defaults", ID: "defaults", Name: "defaults"}}
	if e.Before, e.After, err = differences([]byte(before), []byte(after)); err != nil {
		return err
	}
	return note(ctx, tx, e)
}

func scanDefaults(row scanner) (defaults b3scale.FrontendSettings, err error) {
	var text string
	if err := row.Scan(&text); err != nil {
		return defaults, err
	}
	if err := json.Unmarshal([]byte(text), &defaults); err != nil {
		return defaults, fmt.Errorf("decode the defaults of frontends: %w", err)
	}
	return defaults, nil
}
