package sqlstore

import (
	"database/sql"
	"errors"
	"log/slog"
	"testing"

	"b3scale"
	"b3scale/internal/pgtest"
)

// Tables of another program are left alone: nothing is added beside them.
func TestForeignSchema(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE frontends (id UUID PRIMARY KEY); CREATE TABLE __meta__ (version INT)`); err != nil {
		t.Fatal(err)
	}
	for _, onlyCheck := range []bool{true, false} {
		if _, err := Connect(t.Context(), b3scale.Secret(dsn), PostgresOptions{Options: Options{CheckSchemaOnly: onlyCheck, Log: slog.New(slog.DiscardHandler)}}); !errors.Is(err, ErrForeignSchema) {
			t.Errorf("only check %v: %v", onlyCheck, err)
		}
	}
	var tables int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables); err != nil || tables != 2 {
		t.Errorf("there are %d tables now, %v", tables, err)
	}
}
