package bbbtest

import (
	"strconv"
	"strings"
	"time"

	"b3scale/bbb"
)

// xmlText builds an answer: one element per line, no indentation.
type xmlText []byte

func (x *xmlText) raw(s string) { *x = append(*x, s...) }

func (x *xmlText) text(name, value string) {
	for _, s := range [...]string{"<", name, ">", bbb.EscapeXML(tidy(value)), "</", name, ">\n"} {
		*x = append(*x, s...)
	}
}

func (x *xmlText) bool(name string, value bool) { x.text(name, strconv.FormatBool(value)) }

func (x *xmlText) int(name string, value int64) { x.text(name, strconv.FormatInt(value, 10)) }

// answer begins a successful answer; close ends it.
func answer() *xmlText {
	x := make(xmlText, 0, 1024)
	x.raw("<response>\n")
	x.text("returncode", bbb.Success)
	return &x
}

func (x *xmlText) close() []byte {
	x.raw("</response>")
	return *x
}

// extra puts unknown elements into an answer.
func (x *xmlText) extra(elements string) {
	if elements != "" {
		x.raw(elements)
		x.raw("\n")
	}
}

// tidy collapses white space as the templates of nodes do: to a line break if
// there is one in it, else to a blank.
func tidy(s string) string {
	if !strings.ContainsAny(s, "\t\n\r") && !strings.Contains(s, "  ") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		run := i
		for i < len(s) && strings.IndexByte(" \t\n\r", s[i]) >= 0 {
			i++
		}
		switch {
		case i == run:
			b.WriteByte(s[i])
			i++
		case strings.ContainsAny(s[run:i], "\n\r"):
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// createDate is Java's Date.toString().
func createDate(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
}

// grouped prints a number as the locale of some nodes does: 1,500.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// info is the inside of a getMeetingInfo answer, list a <meeting> of
// getMeetings. Both stay rendered until the room changes.
func (n *Node) info(r *room) []byte {
	if r.infoXML == nil {
		x := answer()
		n.fields(x, &r.Room, false)
		r.infoXML = x.close()
	}
	return r.infoXML
}

func (n *Node) listed(r *room) []byte {
	if r.listXML == nil {
		x := make(xmlText, 0, 1024)
		x.raw("<meeting>\n")
		n.fields(&x, &r.Room, true)
		x.raw("</meeting>\n")
		r.listXML = x
	}
	return r.listXML
}

// fields renders a room as version and call do: who is counted and listed, and
// where thousands are grouped (BBB API, rendering details and getMeetingInfo).
func (n *Node) fields(x *xmlText, r *Room, inList bool) {
	v := n.version
	count := func(name string, value int) {
		plain := v.since(2, 5) && !inList || v.since(3, 0) && name == "maxUsers"
		if plain {
			x.text(name, strconv.Itoa(value))
			return
		}
		x.text(name, grouped(value))
	}
	sum := counts(r, v)
	x.text("meetingName", r.Name)
	x.text("meetingID", r.ExternalID)
	x.text("internalMeetingID", r.InternalID)
	x.int("createTime", r.CreateTime)
	x.text("createDate", createDate(r.CreateTime))
	x.text("voiceBridge", r.VoiceBridge)
	x.text("dialNumber", r.DialNumber)
	x.text("attendeePW", r.AttendeePW)
	x.text("moderatorPW", r.ModeratorPW)
	x.bool("running", len(r.Attendees) > 0)
	x.int("duration", int64(r.Duration))
	x.bool("hasUserJoined", r.HasUserJoined)
	x.bool("recording", r.Recording)
	x.bool("hasBeenForciblyEnded", false)
	x.int("startTime", r.StartTime)
	x.int("endTime", 0)
	count("participantCount", sum.people)
	count("listenerCount", sum.listeners)
	count("voiceParticipantCount", sum.voices)
	count("videoCount", sum.videos)
	count("maxUsers", r.MaxUsers)
	count("moderatorCount", sum.moderators)
	x.raw("<attendees>\n")
	for i := range r.Attendees {
		if a := &r.Attendees[i]; !a.Offline || inList || !v.since(3, 0) {
			x.attendee(a, v)
		}
	}
	x.raw("</attendees>\n<metadata>\n")
	for name, value := range r.Metadata.All() {
		x.text(name, value)
	}
	x.raw("</metadata>\n")
	x.bool("isBreakout", r.isBreakout())
	if r.isBreakout() {
		x.text("parentMeetingID", r.ParentID)
		x.text("sequence", grouped(r.Sequence))
		x.bool("freeJoin", r.FreeJoin)
	}
	if len(r.Breakouts) > 0 {
		x.raw("<breakoutRooms>\n")
		for _, id := range r.Breakouts {
			x.text("breakout", id)
		}
		x.raw("</breakoutRooms>\n")
	}
	x.extra(n.opts.ExtraElements)
}

// attendee renders one person. Up to 2.7 customdata stands there only if there
// is some, since 3.0 for everybody in a web client.
func (x *xmlText) attendee(a *Attendee, v version) {
	x.raw("<attendee>\n")
	x.text("userID", a.UserID)
	x.text("fullName", a.FullName)
	x.text("role", a.Role)
	x.bool("isPresenter", a.Presenter)
	x.bool("isListeningOnly", a.ListeningOnly)
	x.bool("hasJoinedVoice", a.Voice)
	x.bool("hasVideo", a.Video)
	x.text("clientType", a.ClientType)
	if a.Userdata.Len() > 0 || v.since(3, 0) && a.ClientType == html5 {
		x.raw("<customdata>\n")
		for name, value := range a.Userdata.All() {
			x.text(name, value)
		}
		x.raw("</customdata>\n")
	}
	x.raw("</attendee>\n")
}

type headcount struct {
	people, listeners, voices, videos, moderators int
}

// counts looks at everybody up to 2.7, since 3.0 only at who is online.
func counts(r *Room, v version) headcount {
	var c headcount
	for i := range r.Attendees {
		a := &r.Attendees[i]
		if a.Offline && v.since(3, 0) {
			continue
		}
		c.people++
		if a.ListeningOnly {
			c.listeners++
		}
		if a.Voice {
			c.voices++
		}
		if a.Video {
			c.videos++
		}
		if a.Role == Moderator {
			c.moderators++
		}
	}
	return c
}
