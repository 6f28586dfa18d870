package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"b3scale"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// How long a call may take that makes progress all the time. Who follows by
// version looks back further than the longest transaction that writes.
const (
	longestRead  = time.Minute
	longestWrite = 5 * time.Second
)

// parsePostgres reads a URL or key=value pairs. Its errors hold nothing of
// them: what is wrong may be the password.
func parsePostgres(url b3scale.Secret, opts PostgresOptions) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url.Reveal())
	if err != nil {
		return nil, errors.New(reasonOf(err))
	}
	config.ConnectTimeout = opts.Timeout
	config.DialFunc = (&net.Dialer{
		// A peer that is gone without a word is noticed although nothing is sent.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}).DialContext
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "b3scale"
	}
	// A password with an @ in it, not written as %40, ends up in the host.
	for _, f := range append([]*pgconn.FallbackConfig{{Host: config.Host}}, config.Fallbacks...) {
		if strings.Contains(f.Host, "@") {
			return nil, errors.New("the host holds an @; in a password write it as %40")
		}
	}
	// Of several servers only the one that can write is of use.
	several := slices.ContainsFunc(config.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != config.Host || f.Port != config.Port
	})
	if several && config.ValidateConnect == nil {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if opts.Now != nil { // texts are never the same twice
		config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	}
	return config, nil
}

// The driver puts its reason behind what it calls the redacted URL, and values
// in parentheses.
var reason = regexp.MustCompile("`: ([a-z_ ]+)( \\(|$)")

func reasonOf(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		if found := reason.FindStringSubmatch(text[i:]); found != nil {
			return found[1]
		}
	}
	return "syntax error"
}

// pgConnector opens connections. A few at a time: when the server returns after
// a while, so would everybody.
type pgConnector struct {
	config *pgx.ConnConfig
	dials  chan struct{}
	limits string // SETs for a new connection
	pulse  *pulse // nil: connections are used once
}

// Connect opens a connection.
func (c *pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	select {
	case c.dials <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.dials }()
	options := []stdlib.OptionOpenDB{
		stdlib.OptionAfterConnect(c.limit),
		stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false }),
	}
	if c.pulse != nil {
		options = append(options, stdlib.OptionResetSession(c.pulse.check))
	}
	conn, err := stdlib.GetConnector(*c.config, options...).Connect(ctx)
	if err != nil {
		return nil, newConnectError(err)
	}
	return conn, nil
}

// Driver tells which driver opens it.
func (c *pgConnector) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

// limit sets the limits in the session and not in the start-up message, which
// poolers refuse to pass on.
func (c *pgConnector) limit(ctx context.Context, conn *pgx.Conn) error {
	if c.pulse != nil {
		c.pulse.born(conn)
	}
	if c.limits == "" {
		return nil
	}
	_, err := conn.Exec(ctx, c.limits)
	if err != nil {
		_ = conn.Close(ctx) // the driver would forget it
	}
	return err
}

// limitsFor are the server's own: if this process or the network dies, nobody
// waits long for its locks. Waiting for a lock ends before the caller does, so
// that the connection survives.
func limitsFor(timeout time.Duration) string {
	return fmt.Sprintf("SET statement_timeout = %d; SET lock_timeout = %d; SET idle_in_transaction_session_timeout = %d; "+
		"SET default_transaction_isolation = 'read committed'",
		longestRead.Milliseconds(), max(1, timeout.Milliseconds()*2/3), max(1, 2*timeout.Milliseconds()))
}

// connectError tells why there is no connection. The driver's own error carries
// the configuration and its password along.
type connectError struct {
	text    string
	reason  error // one that carries nothing
	passing bool
}

func newConnectError(err error) error {
	e := &connectError{text: strings.Join(strings.Fields(err.Error()), " "), passing: passing(err)}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		e.reason = refused
		return e
	}
	for _, reason := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, reason) {
			e.reason = reason
		}
	}
	return e
}

// passing reports whether an error may go away by itself: the server starts,
// stops, is full or out of reach. A wrong password stays.
func passing(err error) bool {
	if e, ok := errors.AsType[*connectError](err); ok {
		return e.passing
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresFailure(e) == failureBusy || e.Code == "25006" || len(e.Code) > 2 && slices.Contains([]string{"08", "53", "57"}, e.Code[:2])
	}
	for _, e := range []error{pgconn.ErrReadOnlyConnection, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	_, network := errors.AsType[net.Error](err) // timeouts too
	return network
}

func (e *connectError) Error() string { return e.text }

// Unwrap gives what the server said, or that there was no time.
func (e *connectError) Unwrap() error { return e.reason }
