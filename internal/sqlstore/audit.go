package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"b3scale"
)

const (
	insertAudit = `INSERT INTO audit (at, subject, address, request_id, action, kind, object_id, name, before, after)
		VALUES ({now}, $1, $2, $3, $4, $5, $6, $7, $8, $9)`
	selectAudit = `SELECT id, at, subject, address, request_id, action, kind, object_id, name, before, after FROM audit`

	defaultAuditLimit = 1000
)

// NoteAction adds an entry with an id and a time of its own.
func (s *Store) NoteAction(ctx context.Context, e b3scale.AuditEntry) error {
	err := s.write(ctx, func(ctx context.Context, tx session) error { return note(ctx, tx, e) })
	if err != nil {
		return fmt.Errorf("note %s in the audit: %w", e.Action, err)
	}
	return nil
}

// note adds an entry in the transaction of the change. Odd texts are mended: no
// change is refused because of what its request was called.
func note(ctx context.Context, tx session, e b3scale.AuditEntry) error {
	_, err := tx.exec(ctx, insertAudit, mendID(e.Actor.Subject), mendID(e.Actor.Address), mendID(e.Actor.RequestID),
		mendID(e.Action), mendID(e.Object.Kind), mendID(e.Object.ID), mendText(e.Object.Name),
		textOrNull(mend(e.Before)), textOrNull(mend(e.After)))
	return err
}

// Audit reads the entries that match, the newest first.
func (s *Store) Audit(ctx context.Context, q b3scale.AuditQuery, yield func(b3scale.AuditEntry)) error {
	text, args := auditText(q)
	err := s.each(ctx, text, func(rows *sql.Rows) error {
		var e b3scale.AuditEntry
		err := rows.Scan(&e.ID, &e.At, &e.Actor.Subject, &e.Actor.Address, &e.Actor.RequestID,
			&e.Action, &e.Object.Kind, &e.Object.ID, &e.Object.Name, &e.Before, &e.After)
		if err == nil {
			yield(e)
		}
		return err
	}, args...)
	if err != nil {
		return fmt.Errorf("read the audit: %w", err)
	}
	return nil
}

// auditText holds only the conditions that were asked for, so that the database
// finds the index for them.
func auditText(q b3scale.AuditQuery) (string, []any) {
	var conditions []string
	var args []any
	where := func(condition string, arg any) {
		args = append(args, arg)
		conditions = append(conditions, fmt.Sprintf(condition, len(args)))
	}
	if q.Kind != "" {
		where("kind = $%d", mendID(q.Kind))
	}
	if q.ObjectID != "" {
		where("object_id = $%d", mendID(q.ObjectID))
	}
	if q.Subject != "" {
		where("subject = $%d", mendID(q.Subject))
	}
	if q.Since != 0 {
		where("at >= $%d", int64(q.Since))
	}
	if q.Until != 0 {
		where("at < $%d", int64(q.Until))
	}
	if q.BeforeID != 0 {
		where("id < $%d", q.BeforeID)
	}
	text := selectAudit
	if len(conditions) > 0 {
		text += " WHERE " + strings.Join(conditions, " AND ")
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultAuditLimit
	}
	args = append(args, limit)
	return fmt.Sprintf("%s ORDER BY id DESC LIMIT $%d", text, len(args)), args
}
