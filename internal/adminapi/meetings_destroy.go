package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"b3scale"
	"b3scale/internal/routing"
)

// MeetingsDestroy takes a meeting out of the books, or has its node end it.
func (s *Server) MeetingsDestroy(w http.ResponseWriter, r *http.Request, id MeetingID, params MeetingsDestroyParams) {
	f, err := s.find(r, id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	action, do := "meeting.remove", s.remove
	if params.End != nil && isYes(*params.End) {
		action, do = "meeting.end", s.end
	}
	before, was := meetingOf(f), shown(f, r)
	if err := s.note(r, action, f, &before, nil); err != nil { // first: what is done cannot be taken back
		s.fail(w, r, err)
		return
	}
	if err := do(r.Context(), f.room); err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, was)
}

func isYes(text string) bool {
	return slices.Contains([]string{"yes", "true", "1"}, strings.ToLower(strings.TrimSpace(text)))
}

// remove ends the row of just the room that was found.
func (s *Server) remove(ctx context.Context, room *routing.Room) error {
	removed, err := s.Mind.RemoveMeeting(ctx, room.Key, room.InternalID)
	if err == nil && !removed {
		return unknown("meeting", internalPrefix+room.InternalID)
	}
	return err
}

func (s *Server) end(ctx context.Context, room *routing.Room) error {
	return s.Mind.EndRoom(ctx, room.Key, room.InternalID)
}

// note tells the audit what an operator does. Agents do such things all day.
func (s *Server) note(r *http.Request, action string, f found, before, after *Meeting) error {
	if isAgent(r) {
		return nil
	}
	return s.Store.NoteAction(context.WithoutCancel(r.Context()), b3scale.AuditEntry{
		Actor:  s.actor(r),
		Action: action,
		Object: b3scale.AuditObject{Kind: "meeting", ID: f.id, Name: f.room.Key.MeetingID},
		Before: forAudit(before),
		After:  forAudit(after),
	})
}

// forAudit leaves out who was there: names are kept no longer than the meeting
// runs. Passwords and tokens are hidden.
func forAudit(m *Meeting) []byte {
	if m == nil {
		return nil
	}
	kept := *m
	kept.Meeting.Attendees = nil
	kept.Meeting.Metadata = withoutTokens(kept.Meeting.Metadata)
	for _, password := range []*string{&kept.Meeting.AttendeePW, &kept.Meeting.ModeratorPW} {
		if *password != "" {
			*password = b3scale.Secret(*password).String()
		}
	}
	text, _ := json.Marshal(kept) // texts, numbers and times always marshal
	return text
}
