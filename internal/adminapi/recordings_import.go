package adminapi

import (
	"context"
	"encoding/json"
	"net/http"

	"b3scale"
	"b3scale/internal/auth"
)

// RecordingsImport takes in one format of a recording.
func (s *Server) RecordingsImport(w http.ResponseWriter, r *http.Request, params RecordingsImportParams) {
	s.withRecordings(w, r, func() error {
		o := b3scale.RecordingOverride{FrontendKey: text(params.OverrideFrontendKey), MeetingID: text(params.OverrideOriginalMeetingID), Replace: params.Replace != nil && *params.Replace}
		if isAgent(r) { // a node could give its recordings to any frontend
			refused := fieldErrors{}
			refused.refuse("override_frontend_key", o.FrontendKey != "")
			refused.refuse("override_original_meeting_id", o.MeetingID != "")
			refused.refuse("replace", o.Replace)
			if err := forbidden(refused); err != nil {
				return err
			}
		}
		if hasControls(o.MeetingID) {
			return fieldErrors{"override_original_meeting_id": {"should have no control characters"}}
		}
		document, err := readRaw(r)
		if err != nil {
			return err
		}
		beginWork(w)
		imported, err := s.Recordings.Import(r.Context(), document, o)
		if err != nil {
			return err
		}
		s.send(w, r, http.StatusOK, recordingData(&imported, s.keyOf(r.Context(), imported.FrontendID), who(r).Has(auth.Admin)))
		return nil
	})
}

// RecordingsCheck compares rows and files, and repairs what is clear.
func (s *Server) RecordingsCheck(w http.ResponseWriter, r *http.Request) {
	s.withRecordings(w, r, func() error {
		var body RecordingCheck
		if err := request(r, &body); err != nil {
			return err
		}
		repair := body.Repair != nil && *body.Repair
		if repair && !who(r).Has(auth.Admin) {
			return forbidden(fieldErrors{"repair": {notAllowed}})
		}
		if !s.checks.CompareAndSwap(false, true) { // each reads all directories
			return b3scale.Errorf(b3scale.Conflict, "another check is under way")
		}
		defer s.checks.Store(false)
		beginWork(w)
		result := RecordingCheckResult{Differences: []RecordingDifference{}}
		err := s.Recordings.Check(r.Context(), repair, func(d b3scale.RecordingDifference) {
			result.Differences = append(result.Differences, differenceOf(d))
			if !d.Repaired {
				result.Open++
				return
			}
			result.Repaired++
			s.noteRepair(r, d)
		})
		if err != nil {
			return err
		}
		s.send(w, r, http.StatusOK, result)
		return nil
	})
}

func differenceOf(d b3scale.RecordingDifference) RecordingDifference {
	return RecordingDifference{
		Kind: string(d.Kind), RecordID: orNull(d.RecordingID), Format: orNull(d.Format), Path: orNull(d.Path),
		Detail: d.Detail, Repaired: d.Repaired, Error: orNull(d.Error),
	}
}

// noteRepair tells the audit what was repaired. It is done, so there is nothing
// to fail.
func (s *Server) noteRepair(r *http.Request, d b3scale.RecordingDifference) {
	text, _ := json.Marshal(differenceOf(d)) // texts and flags always marshal
	err := s.Store.NoteAction(context.WithoutCancel(r.Context()), b3scale.AuditEntry{
		Actor: s.actor(r), Action: "recording.repair", Object: b3scale.AuditObject{Kind: "recording", ID: d.RecordingID}, After: text,
	})
	if err != nil {
		s.Log.ErrorContext(r.Context(), "repair of a recording not in the audit", "recording", d.RecordingID, "kind", d.Kind, "error", err)
	}
}
