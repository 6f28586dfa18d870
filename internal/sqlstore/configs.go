package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"b3scale"
)

// kind is a sort of rows that operators write: frontends or backends.
type kind[T any] struct {
	name                                  string
	list, insert, lock, update, deleteRow string
	owned                                 ownedRows
	scan                                  func(scanner) (T, error)
	// copy shares nothing with its argument.
	copy func(T) (T, error)
	// values checks v and gives what operators set, in the order of the texts.
	values func(v T) ([]any, error)
	// entry begins an entry of the audit: the object alone.
	entry func(v T) b3scale.AuditEntry
	// view is v as the audit has it; old is what it was before, or nil.
	view func(v T, old *T) any
	// refuse says why v must not become edited, which it knows from other rows;
	// may be nil.
	refuse func(ctx context.Context, tx session, v, edited T) error
	// spare says why the row with the id must not be deleted, which nothing can
	// change any more; may be nil.
	spare func(ctx context.Context, tx session, id string) error
	// keep brings other rows in step with v, which was just saved; may be nil.
	keep func(ctx context.Context, tx session, v T) error
	// secrets are the primary and the secondary one.
	secrets func(v T) [2]b3scale.Secret
	// taken says which unique value of v somebody else has.
	taken func(v T, err error) *b3scale.Error
}

func (k *kind[T]) all(ctx context.Context, s *Store) ([]T, error) {
	var all []T
	err := s.each(ctx, k.list, func(rows *sql.Rows) error {
		v, err := k.scan(rows)
		all = append(all, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %ss: %w", k.name, err)
	}
	return all, nil
}

func (k *kind[T]) add(ctx context.Context, s *Store, v T, by b3scale.Actor) (saved T, err error) {
	var none T
	values, err := k.values(v)
	if err != nil {
		return none, fmt.Errorf("add a %s: %w", k.name, err)
	}
	args := append([]any{b3scale.NewID()}, values...)
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		saved, err = k.save(ctx, s, tx, k.insert, v, args)
		if err != nil {
			return err
		}
		return k.note(ctx, tx, by, "create", nil, &saved)
	})
	if err != nil {
		return none, fmt.Errorf("add a %s: %w", k.name, err)
	}
	s.changed(true, configHint)
	return saved, nil
}

// edit writes only what operators set, and nothing when that is as it was.
func (k *kind[T]) edit(ctx context.Context, s *Store, id string, by b3scale.Actor, change func(*T) error) (saved T, err error) {
	var none T
	if err := checkIDs(id); err != nil {
		return none, fmt.Errorf("edit a %s: %w", k.name, err)
	}
	// A refusal ends a transaction that wrote nothing; as an error it would make
	// SQLite's writer do everything again that others wrote beside it.
	var refusal error
	wrote := false
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		refusal, wrote = nil, false
		was, err := k.scan(tx.row(ctx, k.lock, id))
		if errors.Is(err, sql.ErrNoRows) {
			refusal = k.unknown(id)
			return nil
		}
		if err != nil {
			return err
		}
		edited, err := k.copy(was)
		if err != nil {
			return err
		}
		if refusal = change(&edited); refusal != nil {
			return nil
		}
		values, err := k.values(edited)
		if err != nil {
			refusal = fmt.Errorf("edit %s %s: %w", k.name, id, err)
			return nil
		}
		old, err := k.values(was)
		if err != nil {
			return err
		}
		if saved = was; slices.Equal(values, old) {
			return nil
		}
		if k.refuse != nil {
			if refusal = k.refuse(ctx, tx, was, edited); refusal != nil {
				return nil
			}
		}
		// When it was last used is told of a secret, not of its place.
		now := k.secrets(edited)
		for i, secret := range k.secrets(was) {
			if secret == now[i] {
				continue
			}
			if _, err := tx.exec(ctx, forgetUse, id, i == 1); err != nil {
				return err
			}
		}
		wrote = true
		saved, err = k.save(ctx, s, tx, k.update, edited, append([]any{id}, values...))
		if err != nil {
			return err
		}
		return k.note(ctx, tx, by, "update", &was, &saved)
	})
	if err != nil {
		return none, fmt.Errorf("edit %s %s: %w", k.name, id, err)
	}
	if refusal != nil {
		return none, refusal
	}
	s.changed(wrote, configHint)
	return saved, nil
}

func (k *kind[T]) save(ctx context.Context, s *Store, tx session, text string, v T, args []any) (T, error) {
	saved, err := k.scan(tx.row(ctx, text, args...))
	if s.dialect.failureOf(err) == failureUnique {
		return saved, k.taken(v, err).Because(err)
	}
	if err == nil && k.keep != nil {
		err = k.keep(ctx, tx, saved)
	}
	return saved, err
}

// note adds the change to the audit. before and after may be nil.
func (k *kind[T]) note(ctx context.Context, tx session, by b3scale.Actor, verb string, before, after *T) (err error) {
	of := after
	if of == nil {
		of = before
	}
	e := k.entry(*of)
	e.Actor, e.Action = by, k.name+"."+verb
	if before != nil {
		if e.Before, err = json.Marshal(k.view(*before, nil)); err != nil {
			return err
		}
	}
	if after != nil {
		if e.After, err = json.Marshal(k.view(*after, before)); err != nil {
			return err
		}
	}
	if before != nil && after != nil {
		if e.Before, e.After, err = differences(e.Before, e.After); err != nil {
			return err
		}
	}
	return note(ctx, tx, e)
}

func (k *kind[T]) unknown(id string) error {
	return b3scale.Errorf(b3scale.NotFound, "no %s with the id %q", k.name, id)
}

// recode copies v by its JSON.
func recode[T any](v T) (again T, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return again, err
	}
	return again, json.Unmarshal(text, &again)
}
