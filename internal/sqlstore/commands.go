package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"b3scale"
)

const (
	commandColumns = `id, seq, state, action, params, result, deadline, started_at, stopped_at, created_at`

	insertCommand = `INSERT INTO commands (id, state, action, params, deadline, created_at)
		VALUES ($1, 'requested', $2, $3, {now} + $4, {now}) RETURNING ` + commandColumns
	listCommands = `SELECT ` + commandColumns + ` FROM commands ORDER BY seq`
	readCommand  = `SELECT ` + commandColumns + ` FROM commands WHERE id = $1`
)

// AddCommand stores a command and notes it in the audit. params is JSON, or nil.
func (s *Store) AddCommand(ctx context.Context, action b3scale.CommandAction, params []byte, d time.Duration, by b3scale.Actor) (c b3scale.Command, err error) {
	if err := errors.Join(checkIDs(string(action)), checkJSON(params)); err != nil {
		return c, fmt.Errorf("add a command: %w", err)
	}
	id := b3scale.NewID()
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		c, err = scanCommand(tx.row(ctx, insertCommand, id, string(action), textOrNull(params), d.Microseconds()))
		if err != nil {
			return err
		}
		after, err := json.Marshal(commandView{c.ID, c.State, c.Action, json.RawMessage(c.Params)})
		if err != nil {
			return err
		}
		return note(ctx, tx, b3scale.AuditEntry{Actor: by, Action: "command.create", After: after,
			Object: b3scale.AuditObject{Kind: "command", ID: c.ID, Name: string(c.Action)}})
	})
	if err != nil {
		return b3scale.Command{}, fmt.Errorf("add a command: %w", err)
	}
	return c, nil
}

// commandView is what the audit keeps of a command.
type commandView struct {
	ID     string                `json:"id"`
	State  b3scale.CommandState  `json:"state"`
	Action b3scale.CommandAction `json:"action"`
	Params json.RawMessage       `json:"params"`
}

// Commands reads them all, the oldest first.
func (s *Store) Commands(ctx context.Context) ([]b3scale.Command, error) {
	var commands []b3scale.Command
	err := s.each(ctx, listCommands, func(rows *sql.Rows) error {
		c, err := scanCommand(rows)
		commands = append(commands, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read commands: %w", err)
	}
	return commands, nil
}

// Command reads one.
func (s *Store) Command(ctx context.Context, id string) (c b3scale.Command, err error) {
	if err := checkIDs(id); err != nil {
		return c, fmt.Errorf("read a command: %w", err)
	}
	err = s.read(ctx, func(ctx context.Context, tx session) error {
		c, err = scanCommand(tx.row(ctx, readCommand, id))
		if errors.Is(err, sql.ErrNoRows) {
			return b3scale.Errorf(b3scale.NotFound, "no command with the id %q", id)
		}
		return err
	})
	if err != nil {
		return b3scale.Command{}, fmt.Errorf("read command %s: %w", id, err)
	}
	return c, nil
}

// The texts of those that are not over name the states of their index.
const (
	openCommand = `state IN ('requested', 'running')`
	overdue     = openCommand + ` AND deadline <= {now}`
	waiting     = openCommand + ` AND (state = 'requested' OR lease_until <= {now})`

	anyToTake   = `SELECT EXISTS (SELECT 1 FROM commands WHERE ` + overdue + `) OR EXISTS (SELECT 1 FROM commands WHERE ` + waiting + `)`
	lockOverdue = `SELECT COUNT(*) FROM (SELECT 1 FROM commands WHERE ` + overdue + ` ORDER BY seq {lock}) AS held`
	endOverdue  = `UPDATE commands SET state = 'error', result = '"timedout"', stopped_at = {now} WHERE ` + overdue
	lockOldest  = `SELECT seq FROM commands WHERE ` + waiting + ` ORDER BY seq LIMIT 1 {lock}`
	takeCommand = `UPDATE commands SET state = 'running', holder = $2, lease_until = {now} + $3,
			started_at = CASE WHEN started_at = 0 THEN {now} ELSE started_at END
		WHERE seq = $1 RETURNING ` + commandColumns
)

// TakeCommand gives holder the oldest command that nobody is at work with.
func (s *Store) TakeCommand(ctx context.Context, holder string, lease time.Duration) (c b3scale.Command, found bool, err error) {
	if err := checkIDs(holder); err != nil {
		return c, false, fmt.Errorf("take a command: %w", err)
	}
	err = s.read(ctx, func(ctx context.Context, tx session) error { return tx.row(ctx, anyToTake).Scan(&found) })
	if err == nil && found { // mostly there is nothing, and nothing to write
		err = s.write(ctx, func(ctx context.Context, tx session) error {
			c, found, err = take(ctx, tx, holder, lease)
			return err
		})
	}
	if err != nil {
		return b3scale.Command{}, false, fmt.Errorf("take a command: %w", err)
	}
	return c, found, nil
}

func take(ctx context.Context, tx session, holder string, lease time.Duration) (c b3scale.Command, found bool, err error) {
	var n, seq int64
	if err := tx.row(ctx, lockOverdue).Scan(&n); err != nil { // all takers in one order
		return c, false, err
	}
	if n > 0 {
		if _, err := tx.exec(ctx, endOverdue); err != nil {
			return c, false, err
		}
	}
	err = tx.row(ctx, lockOldest).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	c, err = scanCommand(tx.row(ctx, takeCommand, seq, holder, lease.Microseconds()))
	return c, err == nil, err
}

const (
	finishCommand = `UPDATE commands SET state = $3, result = $4, stopped_at = {now}
		WHERE id = $1 AND holder = $2 AND state = 'running' AND lease_until > {now} AND deadline > {now}`
	purgeCommands = `DELETE FROM commands WHERE deadline < {now} - $1`
)

// FinishCommand stores how a command ended: CommandSuccess or CommandError.
// result is JSON, or nil. Whoever is too late, for the lease or for the deadline,
// changes nothing.
func (s *Store) FinishCommand(ctx context.Context, id, holder string, state b3scale.CommandState, result []byte) (finished bool, err error) {
	err = errors.Join(checkIDs(id, holder), checkJSON(result))
	if err == nil && state != b3scale.CommandSuccess && state != b3scale.CommandError {
		err = b3scale.Errorf(b3scale.InvalidArgument, "%q is no end of a command", state)
	}
	if err != nil {
		return false, fmt.Errorf("finish a command: %w", err)
	}
	err = s.write(ctx, func(ctx context.Context, tx session) error {
		n, err := tx.exec(ctx, finishCommand, id, holder, string(state), textOrNull(result))
		finished = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("finish command %s: %w", id, err)
	}
	return finished, nil
}

// PurgeCommands deletes commands whose deadline has been over for so long.
func (s *Store) PurgeCommands(ctx context.Context, gone time.Duration) error {
	if _, err := s.writeOne(ctx, purgeCommands, gone.Microseconds()); err != nil {
		return fmt.Errorf("purge commands: %w", err)
	}
	return nil
}

func checkJSON(text []byte) error {
	if text != nil && !json.Valid(text) {
		return b3scale.Errorf(b3scale.InvalidArgument, "a value is no JSON")
	}
	return checkTexts(string(text))
}

func scanCommand(row scanner) (c b3scale.Command, err error) {
	err = row.Scan(&c.ID, &c.Sequence, &c.State, &c.Action, &c.Params, &c.Result, &c.Deadline, &c.StartedAt, &c.StoppedAt, &c.CreatedAt)
	if err != nil {
		return b3scale.Command{}, err
	}
	return c, nil
}
