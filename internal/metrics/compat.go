package metrics

import (
	"cmp"

	"b3scale"
	"b3scale/internal/routing"
)

// The series of the existing product that are not among ours, by its names.
var (
	meetingAttendees = family("meeting_attendees",
		"People in meetings: video are those with a camera, audio all others. For the dashboards of the existing product.",
		"frontend", "backend", "type", "meeting")
	meetingDurations = family("meeting_durations",
		"Seconds since the beginning of meetings that somebody is in, added up. For the dashboards of the existing product.",
		"frontend", "backend", "meeting")
	frontendAttendees = family("frontend_attendees",
		"People in the meetings of a frontend. For the dashboards of the existing product; the same as b3scale_frontend_participants.",
		"frontend")
)

// allMeetings is the label of all meetings together.
const allMeetings = "all"

func (c *collector) showCompat(out sink, s *survey) {
	type labels struct{ frontend, backend, meeting string }
	sums := map[labels]people{}
	for k, p := range s.pairs {
		l := labels{c.frontendLabel(k.frontendID), cmp.Or(s.labels[k.backendID], undefined), k.meeting}
		sums[l] = sums[l].plus(p)
	}
	attendees := map[string]int{}
	for l, p := range sums {
		video := min(p.Videos, p.People)
		out.gauge(meetingAttendees, float64(video), l.frontend, l.backend, "video", l.meeting)
		out.gauge(meetingAttendees, float64(p.People-video), l.frontend, l.backend, "audio", l.meeting)
		out.gauge(meetingDurations, p.lasting.Seconds(), l.frontend, l.backend, l.meeting)
		attendees[l.frontend] += p.People
	}
	for frontend, n := range attendees {
		out.gauge(frontendAttendees, float64(n), frontend)
	}
}

func (c *collector) frontendLabel(id string) string {
	if f := c.Table.FrontendByID(id); f != nil {
		return valid(f.Key)
	}
	return undefined
}

// meetingLabel is the id that the meeting has on the nodes.
func (c *collector) meetingLabel(r *routing.Room) string {
	if r.NodeID != "" {
		return valid(r.NodeID)
	}
	return b3scale.EncodeMeetingID(c.frontendLabel(r.Key.FrontendID), r.Key.MeetingID)
}
