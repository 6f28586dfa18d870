package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"strconv"
	"time"

	"b3scale"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDialect needs no locks, since there is one writer, and no hints, since
// there is one process.
func sqliteDialect() *dialect {
	return &dialect{
		now:       "now_us()",
		notify:    func(b3scale.Hint) {},
		batch:     batchByLoop,
		failureOf: sqliteFailure,
	}
}

func batchByLoop(ctx context.Context, tx session, text string, rows [][]any) ([]int64, error) {
	results := make([]int64, len(rows))
	for i, args := range rows {
		err := tx.row(ctx, text, args...).Scan(&results[i])
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
	}
	return results, nil
}

func sqliteFailure(err error) failure {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return failureOther
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return failureUnique
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return failureForeignKey
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return failureBusy
	}
	return failureOther
}

// sqliteConnector opens connections of one kind to one file. It has a driver
// of its own, because the registry that the driver package would use otherwise
// is one for the whole process.
type sqliteConnector struct {
	driver *sqlite.Driver
	dsn    string
}

func newSQLiteConnector(path string, pragmas ...string) (*sqliteConnector, error) {
	d := new(sqlite.Driver)
	// The clock is Go's: microseconds, and inside testing/synctest the bubble's.
	err := d.RegisterScalarFunction("now_us", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return time.Now().UnixMicro(), nil
	})
	if err != nil {
		return nil, err
	}
	// As a URI the path may contain anything, question marks included.
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return &sqliteConnector{driver: d, dsn: dsn.String()}, nil
}

// Connect opens a connection.
func (c *sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.driver.Open(c.dsn)
}

// Driver tells which driver opens it.
func (c *sqliteConnector) Driver() driver.Driver { return c.driver }

// Every connection gets its pragmas from the DSN, whoever opens it and when.
// The size of the cache is in KiB.
func writerPragmas(busy time.Duration) []string {
	return []string{
		"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")",
		"journal_mode(WAL)",
		"synchronous(FULL)", // a commit that was answered survives a power failure
		"foreign_keys(ON)",
		"cache_size(-65536)",
		"wal_autocheckpoint(4000)",
		"journal_size_limit(67108864)",
	}
}

func readerPragmas(busy time.Duration) []string {
	return []string{
		"busy_timeout(" + strconv.FormatInt(busy.Milliseconds(), 10) + ")",
		"query_only(ON)",
		"cache_size(-8192)",
	}
}
