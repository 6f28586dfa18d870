package adminapi

import (
	"context"
	"encoding/json"
	"net/http"

	"b3scale"
)

// LogLevel is how much the log of this instance tells.
type LogLevel interface {
	// Names are the level that counts, and the one of the settings.
	Names() (current, configured string)
	// Change takes the name of a level, or "" for the one of the settings.
	Change(ctx context.Context, name, by string) error
}

// LogRead shows the level of this instance's log.
func (s *Server) LogRead(w http.ResponseWriter, r *http.Request) {
	if s.Level == nil {
		s.fail(w, r, errNoLevel)
		return
	}
	s.send(w, r, http.StatusOK, s.logSettings())
}

// LogPatch changes the level of this instance's log.
func (s *Server) LogPatch(w http.ResponseWriter, r *http.Request) {
	if s.Level == nil {
		s.fail(w, r, errNoLevel)
		return
	}
	before := s.logSettings()
	level := before.Level
	body := struct {
		Level *string `json:"level"`
	}{&level}
	err := request(r, &body)
	if err == nil && body.Level != nil && *body.Level == "" || err == nil && s.Level.Change(r.Context(), text(body.Level), who(r).Subject) != nil {
		err = fieldErrors{"level": {isNoLevel}}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	after := s.logSettings()
	s.noteLog(r, before, after)
	s.send(w, r, http.StatusOK, after)
}

// isNoLevel tells what a level may be.
const isNoLevel = "should be trace, debug, info, warn, error, fatal, panic or a number from -1 to 5, as a text"

var errNoLevel = b3scale.Errorf(b3scale.NotFound, "the level of this log cannot be changed")

func (s *Server) logSettings() LogSettings {
	level, configured := s.Level.Names()
	return LogSettings{Instance: s.Instance, Level: level, Configured: configured}
}

// noteLog puts a change into the audit. A database that is away must not keep
// an operator from seeing more: the log itself tells who changed its level.
func (s *Server) noteLog(r *http.Request, before, after LogSettings) {
	was, _ := json.Marshal(before) // texts always have a JSON
	is, _ := json.Marshal(after)
	err := s.Store.NoteAction(r.Context(), b3scale.AuditEntry{
		Actor: s.actor(r), Action: "log.update", Object: b3scale.AuditObject{Kind: "log", ID: s.Instance}, Before: was, After: is,
	})
	if err != nil {
		s.Log.WarnContext(r.Context(), "change of the log level not in the audit", "error", err)
	}
}
