package sqlstore

import (
	"context"
	"database/sql/driver"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// pulse finds connections that died while they were idle. A server that stops
// takes all of them with it, and no call shall fail for that.
type pulse struct {
	patience time.Duration // for an answer to a ping

	mu   sync.Mutex
	died time.Time // when a connection was last found dead
}

// trusted is how long an idle connection is taken for alive when nothing came
// from it, not even its end.
const trusted = time.Second

// lastUsed is where a connection keeps when it was lent last.
const lastUsed = "b3scale.last_used"

func (p *pulse) born(conn *pgx.Conn) { conn.PgConn().CustomData()[lastUsed] = time.Now() }

// check runs before a connection is lent again.
func (p *pulse) check(ctx context.Context, conn *pgx.Conn) error {
	now := time.Now()
	since, _ := conn.PgConn().CustomData()[lastUsed].(time.Time)
	p.mu.Lock()
	doubtful := !p.died.IsZero() && !since.After(p.died)
	p.mu.Unlock()
	if doubtful {
		return driver.ErrBadConn // it is as old as one that died; to ask would cost time
	}
	if now.Sub(since) > trusted || somethingCame(conn.PgConn().Conn()) {
		ctx, cancel := context.WithTimeout(ctx, p.patience)
		defer cancel()
		if err := conn.PgConn().Ping(ctx); err != nil {
			if ctx.Err() != context.Canceled { //nolint:errorlint // a context's own error
				p.lost()
			}
			return driver.ErrBadConn
		}
	}
	conn.PgConn().CustomData()[lastUsed] = now
	return nil
}

// lost makes connections that were last used before now doubtful.
func (p *pulse) lost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.died = time.Now()
}
