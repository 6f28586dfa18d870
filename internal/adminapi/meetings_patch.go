package adminapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"

	"b3scale"
)

// MeetingsPatch corrects what is known of a meeting.
func (s *Server) MeetingsPatch(w http.ResponseWriter, r *http.Request, id MeetingID) {
	body, err := readBody(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	f, err := s.correct(r, id, body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, shown(f, r))
}

// correct tries again once: the room may have been created anew meanwhile.
func (s *Server) correct(r *http.Request, id string, body []byte) (found, error) {
	for range 2 {
		f, err := s.find(r, id)
		if err != nil {
			return found{}, err
		}
		before := meetingOf(f)
		want, err := merged(f, before.Meeting, body)
		if err != nil {
			return found{}, err
		}
		if reflect.DeepEqual(want, before.Meeting) {
			return f, nil
		}
		var attendees []b3scale.Attendee
		if !slices.Equal(want.Attendees, before.Meeting.Attendees) {
			attendees = []b3scale.Attendee{} // nobody is not nothing
			for _, xml := range correctedAttendees(f.room.Present(), want.Attendees) {
				attendees = append(attendees, b3scale.Attendee{XML: xml})
			}
		}
		after := before
		after.Meeting = want
		if err := s.note(r, "meeting.update", f, &before, &after); err != nil {
			return found{}, err
		}
		info := correctedInfo(f.room.Info, want)
		done, err := s.Mind.EditRoom(r.Context(), f.room.Key, f.room.Generation, f.room.InternalID, info, attendees)
		if err != nil {
			return found{}, err
		}
		if !done {
			continue
		}
		return s.find(r, id)
	}
	return found{}, b3scale.Errorf(b3scale.Conflict, "the meeting has changed meanwhile: try again")
}

// merged is what is to be shown of a meeting. have is what is shown now.
func merged(f found, have MeetingInfo, body []byte) (MeetingInfo, error) {
	switch {
	case f.room.Breakout:
		return MeetingInfo{}, b3scale.Errorf(b3scale.Conflict, "breakout rooms are as their node shows them")
	case f.room.State != b3scale.MeetingActive:
		return MeetingInfo{}, b3scale.Errorf(b3scale.Conflict, "the meeting is being created")
	}
	want := have
	want.Metadata = maps.Clone(have.Metadata)
	// The decoder would mix what is in the present arrays into the new ones.
	var given struct {
		Meeting struct{ Attendees, BreakoutRooms json.RawMessage } `json:"meeting"`
	}
	if err := decode(body, &given); err != nil {
		return MeetingInfo{}, err
	}
	if given.Meeting.Attendees != nil {
		want.Attendees = nil
	}
	if given.Meeting.BreakoutRooms != nil {
		want.BreakoutRooms = nil
	}
	into := struct {
		Meeting *MeetingInfo `json:"meeting"`
	}{&want}
	if err := decode(body, &into); err != nil {
		return MeetingInfo{}, err
	}
	if len(want.Attendees)+len(have.Attendees) == 0 { // null and nothing are the same
		want.Attendees = have.Attendees
	}
	if len(want.BreakoutRooms)+len(have.BreakoutRooms) == 0 {
		want.BreakoutRooms = have.BreakoutRooms
	}
	if len(want.Metadata)+len(have.Metadata) == 0 {
		want.Metadata = have.Metadata
	}
	return want, checkCorrection(have, want)
}

// maxPeople bounds what is believed of a room: it is counted as load.
const maxPeople = 1_000_000

// metadataName is what nodes make elements of (BBB API, create, meta_KEY).
var metadataName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)

func checkCorrection(have, want MeetingInfo) error {
	wrong := fieldErrors{}
	for name, same := range map[string]bool{
		"MeetingID":         have.MeetingID == want.MeetingID,
		"InternalMeetingID": have.InternalMeetingID == want.InternalMeetingID,
		"CreateTime":        have.CreateTime == want.CreateTime,
		"AttendeePW":        have.AttendeePW == want.AttendeePW,
		"ModeratorPW":       have.ModeratorPW == want.ModeratorPW,
		"IsBreakout":        have.IsBreakout == want.IsBreakout,
		"Breakout":          reflect.DeepEqual(have.Breakout, want.Breakout),
	} {
		if !same {
			wrong.add("meeting."+name, notAllowed)
		}
	}
	for name, n := range map[string]int{
		"ParticipantCount":      want.ParticipantCount,
		"ListenerCount":         want.ListenerCount,
		"VoiceParticipantCount": want.VoiceParticipantCount,
		"VideoCount":            want.VideoCount,
		"MaxUsers":              want.MaxUsers,
		"ModeratorCount":        want.ModeratorCount,
	} {
		if n < 0 || n > maxPeople {
			wrong.add("meeting."+name, fmt.Sprintf("should be between 0 and %d", maxPeople))
		}
	}
	for name := range want.Metadata {
		if _, known := have.Metadata[name]; !known && !metadataName.MatchString(name) {
			wrong.add("meeting.Metadata", "names have letters, digits and -, a letter first")
		}
	}
	return wrong.err()
}
