package cluster

import (
	"context"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver, for a connection of our own

	"b3scale"
	"b3scale/internal/pgtest"
	"b3scale/internal/sqlstore"
)

// freshPostgres makes a database with the schema and the witness in it.
func freshPostgres(t *testing.T) string {
	t.Helper()
	return pgtest.FromTemplate(t, "cluster", func(dsn string) error {
		store, err := connectPostgres(context.Background(), dsn, 1, nil)
		if err != nil {
			return err
		}
		if err := store.Close(); err != nil {
			return err
		}
		db, err := database{dsn: dsn}.openSQL()
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.Exec(postgresWitness())
		return err
	})
}

// connectPostgres opens a store that does not listen: a bubble's clock stands
// still while somebody waits in a socket. Its time is real all the same, so it
// gets enough of it.
func connectPostgres(ctx context.Context, dsn string, connections int, now func() time.Time) (*sqlstore.Store, error) {
	return sqlstore.Connect(ctx, b3scale.Secret(dsn), sqlstore.PostgresOptions{
		PollOnly: true, PoolSize: connections, Timeout: 20 * time.Second, Now: now,
	})
}
