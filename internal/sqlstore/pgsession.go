package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// pgSession is a borrowed connection. The driver keeps its prepared statements.
type pgSession struct {
	conn *sql.Conn
	pool *pool
	more func() // gives a long job more time; nil for others
}

func (s *pgSession) exec(ctx context.Context, text string, args ...any) (int64, error) {
	result, err := s.conn.ExecContext(ctx, s.expand(text), args...)
	if err != nil {
		return 0, err
	}
	s.progress()
	return result.RowsAffected()
}

func (s *pgSession) row(ctx context.Context, text string, args ...any) scanner {
	return s.conn.QueryRowContext(ctx, s.expand(text), args...)
}

func (s *pgSession) rows(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return s.conn.QueryContext(ctx, s.expand(text), args...)
}

func (s *pgSession) progress() {
	if s.more != nil {
		s.more()
	}
}

// expand fills in the placeholders of a text, once for all connections.
func (s *pgSession) expand(text string) string {
	if s.pool.now != nil {
		d := *s.pool.dialect
		d.now = clockAt(s.pool.now())
		return d.expand(text)
	}
	if known, ok := s.pool.texts.Load(text); ok {
		return known.(string)
	}
	expanded := s.pool.dialect.expand(text)
	s.pool.texts.Store(text, expanded)
	return expanded
}

// maxPipeline bounds what is sent before any answer is read, so that a long job
// can tell that it makes progress.
const maxPipeline = 256

// batch sends a text with many rows of arguments without waiting in between.
// Outside of a transaction all of it is one.
func (s *pgSession) batch(ctx context.Context, text string, rows [][]any) ([]int64, error) {
	results := make([]int64, len(rows))
	group := len(rows)
	if s.more != nil {
		group = maxPipeline
	}
	for from := 0; from < len(rows); from += group {
		to := min(from+group, len(rows))
		if err := s.pipeline(ctx, text, rows[from:to], results[from:to]); err != nil {
			return nil, err
		}
		s.progress()
	}
	return results, nil
}

func (s *pgSession) pipeline(ctx context.Context, text string, rows [][]any, results []int64) error {
	return s.raw(func(conn *pgx.Conn) error {
		var b pgx.Batch
		text := s.expand(text)
		for _, args := range rows {
			b.Queue(text, args...)
		}
		answers := conn.SendBatch(ctx, &b)
		for i := range rows {
			err := answers.QueryRow().Scan(&results[i])
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				_ = answers.Close() // it says the same
				return err
			}
		}
		return answers.Close()
	})
}

func (s *pgSession) raw(use func(*pgx.Conn) error) error {
	return s.conn.Raw(func(conn any) error { return use(conn.(*stdlib.Conn).Conn()) })
}

// transaction runs a job in one. What is lost before the commit is certainly
// undone; what becomes of a commit without an answer nobody knows.
func (s *pgSession) transaction(ctx context.Context, run job) error {
	if err := s.control(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", "BEGIN"); err != nil {
		return repeatable{err}
	}
	err := run(ctx, s)
	if err == nil {
		return s.control(ctx, "COMMIT", "COMMIT")
	}
	if broken(err) {
		return repeatable{err} // the server rolls back when the connection ends
	}
	if lost := s.control(ctx, "ROLLBACK", "ROLLBACK"); lost != nil {
		return repeatable{errors.Join(err, lost)}
	}
	return err
}

// control sends a statement of transaction control. The server answers a COMMIT
// with ROLLBACK when a statement of the transaction failed.
func (s *pgSession) control(ctx context.Context, text, want string) error {
	return s.raw(func(conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, text)
		if err == nil && tag.String() != want {
			err = fmt.Errorf("the answer to %s was %s", want, tag)
		}
		return err
	})
}
