package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"b3scale"
	"b3scale/internal/config"
	"b3scale/internal/sqlstore"
)

// How long a start waits for PostgreSQL, and how long between two attempts:
// after a power failure databases often come up later than we do.
const (
	storePatience = 30 * time.Second
	storeRetry    = 3 * time.Second
)

// openStore opens the database that the settings name, once. observer may be
// nil, and timeout 0 for the store's own.
func openStore(ctx context.Context, cfg config.Config, log *slog.Logger, timeout time.Duration, observer sqlstore.Observer) (*sqlstore.Store, error) {
	opts := sqlstore.Options{Log: log, CheckSchemaOnly: !cfg.AutoMigrate, Observer: observer}
	if cfg.Store.Kind == config.SQLite {
		return sqlstore.Open(ctx, cfg.Store.Path, opts)
	}
	return sqlstore.Connect(ctx, cfg.Store.Source, sqlstore.PostgresOptions{
		Options: opts, ListenURL: cfg.ListenURL.Source, PollOnly: cfg.ListenURL.Off, PoolSize: cfg.PoolSize, Timeout: timeout,
	})
}

// awaitStore opens the database and waits for one that does not answer yet.
// What will not get better by waiting, such as a wrong password, is told at
// once.
func awaitStore(ctx context.Context, cfg config.Config, log *slog.Logger, patience, timeout time.Duration, observer sqlstore.Observer) (*sqlstore.Store, error) {
	deadline := time.Now().Add(patience)
	for {
		store, err := openStore(ctx, cfg, log, timeout, observer)
		if err == nil || ctx.Err() != nil || b3scale.CodeOf(err) != b3scale.Unavailable {
			return store, err
		}
		switch left := time.Until(deadline); {
		case patience == 0:
			return nil, err
		case left < storeRetry:
			return nil, fmt.Errorf("gave up after %s: %w", patience, err)
		}
		log.WarnContext(ctx, "the database does not answer yet", "url", cfg.Store, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(storeRetry):
		}
	}
}
