package adminapi

import (
	"slices"
	"strings"

	"b3scale/bbb"
	"b3scale/internal/routing"
)

// meetingInfo is a room as the API shows it. id is its id as the nodes know
// it. Whether somebody is there is what was heard last, be it in a list or
// otherwise; all else is as the node's XML has it.
func meetingInfo(r *routing.Room, id string) MeetingInfo {
	m := infoOf(parseInfo(r.Info).Root())
	m.MeetingID = id
	m.InternalMeetingID = r.InternalID
	m.Running = r.Running
	m.ParticipantCount = r.People
	if r.Breakout && m.Breakout == nil { // it was just created: the node has not listed it yet
		m.IsBreakout, m.Breakout = true, &Breakout{}
	}
	if m.CreateTime == 0 {
		m.CreateTime = r.CreateTime
	}
	if m.AttendeePW == "" {
		m.AttendeePW = r.AttendeePW
	}
	if m.ModeratorPW == "" {
		m.ModeratorPW = r.ModeratorPW
	}
	for _, xml := range r.Present() {
		m.Attendees = append(m.Attendees, attendeeOf(parseAttendee(xml).Root()))
	}
	return m
}

const openMeeting, closeMeeting = "<meeting>\n", "\n</meeting>"

// parseInfo makes a document of what is stored of a room. It was cut out of
// one that parsed; should it not parse all the same, it is an empty one.
func parseInfo(info []byte) *bbb.Document {
	doc, err := bbb.ParseXML(slices.Concat([]byte(openMeeting), info, []byte(closeMeeting)))
	if err != nil {
		doc, _ = bbb.ParseXML([]byte(openMeeting + closeMeeting))
	}
	return doc
}

// parseAttendee does the same with one person.
func parseAttendee(xml []byte) *bbb.Document {
	doc, err := bbb.ParseXML(xml)
	if err != nil {
		doc, _ = bbb.ParseXML([]byte("<attendee></attendee>"))
	}
	return doc
}

// infoOf reads the children of a <meeting>. Breakout fields are flat siblings;
// some documentation nests them.
func infoOf(meeting bbb.Element) MeetingInfo {
	var m MeetingInfo
	texts, numbers, times, flags := m.members()
	var breakout Breakout
	for e := range meeting.Children() {
		name := e.Name()
		switch {
		case texts[name] != nil:
			*texts[name] = e.Text()
		case numbers[name] != nil:
			*numbers[name] = int(e.Number())
		case times[name] != nil:
			*times[name] = e.Number()
		case flags[name] != nil:
			*flags[name] = isTrue(e)
		}
		switch name {
		case "createTime":
			m.CreateTime = e.Number()
		case "attendeePW":
			m.AttendeePW = e.Text()
		case "moderatorPW":
			m.ModeratorPW = e.Text()
		case "isBreakout":
			m.IsBreakout = isTrue(e)
		case "metadata":
			m.Metadata = make(map[string]string)
			for entry := range e.Children() {
				m.Metadata[entry.Name()] = entry.Text()
			}
		case "attendees":
			m.Attendees = []Attendee{}
		case "breakoutRooms":
			m.BreakoutRooms = []string{}
			for room := range e.Children() {
				m.BreakoutRooms = append(m.BreakoutRooms, room.Text())
			}
		case "breakout":
			m.IsBreakout = true
			for part := range e.Children() {
				breakout.read(part)
			}
		default:
			breakout.read(e)
		}
	}
	if m.IsBreakout {
		m.Breakout = &breakout
	}
	return m
}

// members are what has an element of its own and may be corrected, by the name
// of the element.
func (m *MeetingInfo) members() (texts map[string]*string, numbers map[string]*int, times map[string]*int64, flags map[string]*bool) {
	return map[string]*string{
			"meetingName": &m.MeetingName,
			"createDate":  &m.CreateDate,
			"voiceBridge": &m.VoiceBridge,
			"dialNumber":  &m.DialNumber,
		}, map[string]*int{
			"duration":              &m.Duration,
			"participantCount":      &m.ParticipantCount,
			"listenerCount":         &m.ListenerCount,
			"voiceParticipantCount": &m.VoiceParticipantCount,
			"videoCount":            &m.VideoCount,
			"maxUsers":              &m.MaxUsers,
			"moderatorCount":        &m.ModeratorCount,
		}, map[string]*int64{
			"startTime": &m.StartTime,
			"endTime":   &m.EndTime,
		}, map[string]*bool{
			"running":              &m.Running,
			"recording":            &m.Recording,
			"hasBeenForciblyEnded": &m.HasBeenForciblyEnded,
		}
}

func (b *Breakout) read(e bbb.Element) {
	switch e.Name() {
	case "parentMeetingID":
		b.ParentMeetingID = e.Text()
	case "sequence":
		b.Sequence = int(e.Number())
	case "freeJoin":
		b.FreeJoin = isTrue(e)
	}
}

// attendeeOf reads an <attendee>. Nodes do not tell their own ids of people.
func attendeeOf(attendee bbb.Element) Attendee {
	var a Attendee
	texts, flags := a.members()
	for e := range attendee.Children() {
		if p := texts[e.Name()]; p != nil {
			*p = e.Text()
		} else if p := flags[e.Name()]; p != nil {
			*p = isTrue(e)
		}
	}
	return a
}

func (a *Attendee) members() (texts map[string]*string, flags map[string]*bool) {
	return map[string]*string{
			"userID":         &a.UserID,
			"internalUserID": &a.InternalUserID,
			"fullName":       &a.FullName,
			"role":           &a.Role,
			"clientType":     &a.ClientType,
		}, map[string]*bool{
			"isPresenter":     &a.IsPresenter,
			"isListeningOnly": &a.IsListeningOnly,
			"hasJoinedVoice":  &a.HasJoinedVoice,
			"hasVideo":        &a.HasVideo,
		}
}

func isTrue(e bbb.Element) bool { return strings.EqualFold(strings.TrimSpace(e.Text()), "true") }
