package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"path"
	"strconv"
	"strings"

	"b3scale"
)

// tables say how to look at the schema of one kind of database, and how to
// bring it up to date.
type tables struct {
	folder string // of its migrations
	// applied reads them: version, when in microseconds, and the database's name.
	applied string
	migrate func(ctx context.Context) error
}

// The library notes times by the clock of the database, as text or as times
// without a zone.
const (
	appliedSQLite = `SELECT version_id, CAST(strftime('%s', tstamp) AS BIGINT) * 1000000,
		(SELECT file FROM pragma_database_list WHERE name = 'main') FROM goose_db_version WHERE is_applied ORDER BY version_id`
	appliedPostgres = `SELECT version_id, CAST(EXTRACT(EPOCH FROM CAST(tstamp AS TIMESTAMP WITH TIME ZONE)) * 1000000 AS BIGINT),
		current_database() FROM goose_db_version WHERE is_applied ORDER BY version_id`
)

// Schema tells which version the tables have.
func (s *Store) Schema(ctx context.Context) (b3scale.Schema, error) {
	var schema b3scale.Schema
	done := make(map[int64]bool)
	err := s.each(ctx, s.tables.applied, func(rows *sql.Rows) error {
		err := rows.Scan(&schema.Version, &schema.AppliedAt, &schema.Database) // the last one stays
		done[schema.Version] = true
		return err
	})
	if err != nil {
		return b3scale.Schema{}, fmt.Errorf("read the schema's version: %w", err)
	}
	known, err := descriptions(s.tables.folder)
	if err != nil {
		return b3scale.Schema{}, fmt.Errorf("read the migrations: %w", err)
	}
	for version, description := range known {
		if version == schema.Version {
			schema.Description = description
		}
		if !done[version] {
			schema.Pending++
		}
	}
	return schema, nil
}

// Migrate brings the tables up to date, as opening does.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.read(ctx, func(context.Context, session) error { return nil }) // not after Close
	if err == nil {
		if err = s.tables.migrate(ctx); err != nil && b3scale.CodeOf(err) == "" {
			err = b3scale.Errorf(b3scale.Unavailable, "the schema could not be migrated").Because(err)
		}
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// descriptions are the names of the migrations in words, by version:
// 00002_blunt_ends.sql is "blunt ends".
func descriptions(folder string) (map[int64]string, error) {
	files, err := migrations.ReadDir("migrations/" + folder)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]string)
	for _, f := range files {
		number, name, _ := strings.Cut(strings.TrimSuffix(f.Name(), path.Ext(f.Name())), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, err
		}
		found[version] = strings.ReplaceAll(name, "_", " ")
	}
	return found, nil
}
