package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// longest is how long work on files may take, and who asked for it is kept
// waiting. What takes longer goes on without.
const longest = 10 * time.Minute

// movesFiles reports whether a request may be about work on files.
func movesFiles(r *http.Request) bool {
	return r.Method != http.MethodGet && strings.HasPrefix(r.URL.Path, "/api/v1/recordings")
}

// beginWork keeps the server from giving up on a connection as long as work on
// files may take. The body has been read, so nobody can hold it for that long.
func beginWork(w http.ResponseWriter) {
	connection, until := http.NewResponseController(w), time.Now().Add(longest+time.Minute)
	_ = connection.SetReadDeadline(until) // that of the request would end the work, too
	_ = connection.SetWriteDeadline(until)
}

// RecordingsVisibilityUpdate says who may see a recording.
func (s *Server) RecordingsVisibilityUpdate(w http.ResponseWriter, r *http.Request) {
	s.withRecordings(w, r, func() error {
		var body RecordingVisibilityUpdate
		if err := request(r, &body); err != nil {
			return err
		}
		id, v := text(body.RecordID), b3scale.RecordingVisibility(text(body.Visibility))
		wrong := fieldErrors{}
		if id == "" {
			wrong.add("record_id", isRequired)
		}
		if v == "" { // for which older servers hide the recording
			wrong.add("visibility", isRequired)
		}
		if err := wrong.err(); err != nil {
			return err
		}
		before, err := s.recording(r.Context(), id)
		if b3scale.CodeOf(err) == b3scale.NotFound { // who sends this knows the status, not the route
			err = statusError{http.StatusBadRequest, err.Error()}
		}
		if err != nil {
			return err
		}
		after := before
		after.Metadata = nil
		if !after.SetVisibility(v) {
			return b3scale.Errorf(b3scale.InvalidArgument, "unknown recording visibility: '%s'", strings.ToValidUTF8(string(v), "?"))
		}
		return s.changeRecording(w, r, "recording.visibility", before, after, func(ctx context.Context) (b3scale.Recording, error) {
			return s.Recordings.SetVisibility(ctx, id, v)
		})
	})
}

// RecordingsVisibilityPatch is the same by the method that some documents name.
func (s *Server) RecordingsVisibilityPatch(w http.ResponseWriter, r *http.Request) {
	s.RecordingsVisibilityUpdate(w, r)
}

// RecordingsMove gives a recording to another frontend.
func (s *Server) RecordingsMove(w http.ResponseWriter, r *http.Request, id RecordingID) {
	s.withRecordings(w, r, func() error {
		var body RecordingMove
		if err := request(r, &body); err != nil {
			return err
		}
		if text(body.FrontendID) == "" && text(body.FrontendKey) == "" {
			return fieldErrors{"frontend_key": {isRequired}}
		}
		keys, err := s.visibleKeys(r)
		if err != nil {
			return err
		}
		to := text(body.FrontendID)
		if to == "" {
			to = recordingSearch{keys: keys}.idOf(text(body.FrontendKey))
		}
		if _, known := keys[to]; !known {
			return b3scale.Errorf(b3scale.NotFound, "no frontend with this id or key")
		}
		before, err := s.recording(r.Context(), id)
		if err != nil {
			return err
		}
		after := before
		after.FrontendID = to
		return s.changeRecording(w, r, "recording.move", before, after, func(ctx context.Context) (b3scale.Recording, error) {
			return s.Recordings.Move(ctx, id, to)
		})
	})
}

// RecordingsDestroy deletes a recording and its files.
func (s *Server) RecordingsDestroy(w http.ResponseWriter, r *http.Request, id RecordingID) {
	s.withRecordings(w, r, func() error {
		before, err := s.recording(r.Context(), id)
		if err != nil {
			return err
		}
		return s.changeRecording(w, r, "recording.delete", before, b3scale.Recording{}, func(ctx context.Context) (b3scale.Recording, error) {
			return before, s.Recordings.Delete(ctx, "", []string{id})
		})
	})
}

// changeRecording writes down what is to be done, does it and shows what came
// of it. Work on files goes on when nobody waits for it any more: it would not
// be in the audit if that were written at its end.
func (s *Server) changeRecording(w http.ResponseWriter, r *http.Request, action string, before, after b3scale.Recording, do func(context.Context) (b3scale.Recording, error)) error {
	err := s.Store.NoteAction(context.WithoutCancel(r.Context()), b3scale.AuditEntry{
		Actor:  s.actor(r),
		Action: action,
		Object: b3scale.AuditObject{Kind: "recording", ID: before.ID, Name: before.MeetingID},
		Before: forRecordingAudit(before),
		After:  forRecordingAudit(after),
	})
	if err != nil {
		return err
	}
	beginWork(w)
	changed, err := do(r.Context())
	if err != nil {
		return err
	}
	s.send(w, r, http.StatusOK, recordingOf(&changed, s.keyOf(r.Context(), changed.FrontendID), who(r).Has(auth.Admin)))
	return nil
}

// forRecordingAudit has where a recording belongs and who may see it. What its
// metadata tell of people must be gone when it is.
func forRecordingAudit(r b3scale.Recording) []byte {
	if r.ID == "" {
		return nil
	}
	text, _ := json.Marshal(struct { // texts and flags always marshal
		FrontendID string `json:"frontend_id"`
		State      string `json:"state"`
		Published  bool   `json:"published"`
		Listed     bool   `json:"listed"`
		Protected  bool   `json:"protected"`
	}{r.FrontendID, r.State, r.Published, r.Metadata[b3scale.MetaListed] == "true", r.Protected()})
	return text
}

// keyOf is the key of a frontend. The store knows it best, but what is done must
// not look as if it were not because the store is away.
func (s *Server) keyOf(ctx context.Context, id string) string {
	keys, err := s.frontendKeys(ctx)
	if err == nil {
		return keys[id]
	}
	if f := s.Mind.FrontendByID(id); f != nil {
		return f.Key
	}
	return ""
}
