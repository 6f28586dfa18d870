package adminapi

import (
	"net/http"
	"path/filepath"

	"b3scale"
	"b3scale/internal/auth"
)

// RootRead tells tools whether their token is good.
func (s *Server) RootRead(w http.ResponseWriter, r *http.Request) { s.StatusRead(w, r) }

// StatusRead tells what runs here. It answers also while the store is away.
func (s *Server) StatusRead(w http.ResponseWriter, r *http.Request) {
	schema, err := s.Store.Schema(r.Context())
	if err != nil {
		s.Log.WarnContext(r.Context(), "state of the database not read", "error", err)
	}
	s.send(w, r, http.StatusOK, Status{
		Version:    s.Version,
		Build:      s.Build,
		API:        "v1",
		AccountRef: who(r).Subject,
		IsAdmin:    who(r).Has(auth.Admin),
		Database:   databaseOf(schema, err),
	})
}

// CtrlMigrate brings the tables up to date.
func (s *Server) CtrlMigrate(w http.ResponseWriter, r *http.Request) {
	err := s.Store.Migrate(r.Context())
	if err == nil {
		err = s.Store.NoteAction(r.Context(), b3scale.AuditEntry{
			Actor: s.actor(r), Action: "database.migrate", Object: b3scale.AuditObject{Kind: "database"},
		})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	schema, err := s.Store.Schema(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.Log.InfoContext(r.Context(), "database migrated", "version", schema.Version, "subject", who(r).Subject)
	s.send(w, r, http.StatusOK, databaseOf(schema, nil))
}

// databaseOf tells of an error only what callers may know.
func databaseOf(schema b3scale.Schema, err error) Database {
	if err != nil {
		_, message := told(err)
		return Database{Error: &message}
	}
	d := Database{
		Available:         true,
		Migrated:          schema.Version > 0,
		PendingMigrations: schema.Pending,
	}
	if schema.Database != "" {
		d.Name = filepath.Base(schema.Database) // where the file lies is nobody's business
	}
	if d.Migrated {
		d.Migration = &Migration{Version: schema.Version, Description: schema.Description, AppliedAt: moment(schema.AppliedAt)}
	}
	return d
}
