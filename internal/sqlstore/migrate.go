package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// Each kind of database has migrations of its own.
const (
	sqliteFolder   = "sqlite"
	postgresFolder = "postgres"
)

// migrate brings the schema up to this program's. With onlyCheck it changes
// nothing and fails when there is something to do.
func migrate(ctx context.Context, db *sql.DB, flavour goose.Dialect, folder string, onlyCheck bool, log *slog.Logger, options ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	options = append(options, goose.WithSlog(slog.New(quiet{log.Handler()})), goose.WithDisableGlobalRegistry(true))
	provider, err := goose.NewProvider(flavour, db, files, options...)
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	if onlyCheck {
		pending, err := provider.HasPending(ctx)
		if err != nil {
			return fmt.Errorf("read the schema's version: %w", err)
		}
		if pending {
			return SchemaError{Needed: newest}
		}
	} else {
		done, err := provider.Up(ctx)
		if err != nil {
			return fmt.Errorf("migrate the schema: %w", err)
		}
		for _, m := range done {
			log.InfoContext(ctx, "schema migrated", "version", m.Source.Version, "duration", m.Duration)
		}
	}
	found, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	// A newer program may keep facts that this one would silently drop.
	if found > newest {
		return NewerSchemaError{Found: found, Known: newest}
	}
	return nil
}

// SchemaError says that there is something to migrate, where only a check was
// asked for.
type SchemaError struct {
	Missing bool  // there is no schema at all
	Needed  int64 // version
}

func (e SchemaError) Error() string {
	if e.Missing {
		return "the database has no schema: run the migrate command"
	}
	return fmt.Sprintf("the schema is older than this program, which needs version %d: run the migrate command", e.Needed)
}

// ErrForeignSchema says that the tables are somebody else's. Nothing was done.
var ErrForeignSchema = errors.New("the database has tables of the existing product, or of another one: b3scale needs a database of its own. " +
	"Make an empty one and name it in B3SCALE_DB_URL; docs/moving-over.md tells how to take frontends and backends along")

// NewerSchemaError says that a newer program has written the schema.
type NewerSchemaError struct{ Found, Known int64 }

func (e NewerSchemaError) Error() string {
	return fmt.Sprintf("the schema has version %d, this program knows %d: a newer one has written it", e.Found, e.Known)
}

// quiet keeps the migration library's remarks out of the log unless they are
// warnings: what was done is logged here, in our words.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}
