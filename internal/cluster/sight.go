package cluster

import (
	"bytes"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// sight is a room as a node shows it, in a list or in getMeetingInfo.
type sight struct {
	b3scale.Incarnation
	routing.Facts
	NodeID     string // the external id there
	IsBreakout bool
	Parent     string // internal id of the parent, for breakout rooms
	size       int    // expected people, as far as the node tells
	mark       uint64 // equal marks mean equal bytes

	begun  time.Time          // when the node was asked
	merged []b3scale.Attendee // what the store has then, once it is told
}

var markSeed = maphash.MakeSeed()

// readRoom reads a <meeting> of a list or the <response> of getMeetingInfo.
// Breakout fields are flat siblings; some documentation nests them (BBB API,
// getMeetingInfo).
func readRoom(doc *bbb.Document, e bbb.Element) *sight {
	x := &sight{mark: maphash.Bytes(markSeed, e.Raw()), begun: time.Now()}
	edit := doc.Edit()
	for child := range e.Children() {
		switch child.Name() {
		case "returncode", "messageKey", "message":
			edit.Remove(child)
		case "meetingID":
			x.NodeID = child.Text()
		case "internalMeetingID":
			x.InternalID = child.Text()
		case "createTime":
			x.CreateTime = child.Number()
		case "attendeePW":
			x.AttendeePW = child.Text()
		case "moderatorPW":
			x.ModeratorPW = child.Text()
		case "running":
			x.Running = child.Text() == "true"
		case "participantCount":
			x.People = int(child.Number())
		case "isBreakout":
			x.IsBreakout = child.Text() == "true"
		case "parentMeetingID":
			x.Parent = child.Text()
		case "breakout":
			x.IsBreakout = true
			x.Parent = child.Child("parentMeetingID").Text()
		case "attendees":
			x.Attendees = readAttendees(child)
			if len(x.Attendees) > 0 {
				edit.SetText(child, "\n")
			}
		case "metadata":
			x.size, _ = strconv.Atoi(child.Child("bbb-meeting-size-hint").Text())
		}
	}
	x.Info = bytes.Clone(bytes.TrimSpace(edit.Inner(e)))
	return x
}

func readAttendees(e bbb.Element) [][]byte {
	var all [][]byte
	for a := range e.Children() {
		all = append(all, bytes.Clone(a.Raw()))
	}
	return all
}

// view renders a room for its frontend: the node's XML with the frontend's own
// ids. It is made once per room and kept until the room changes.
func (c *Cluster) view(r *routing.Room) *routing.View {
	if v := r.View.Load(); v != nil {
		return v
	}
	v := c.newView(r)
	r.View.Store(v)
	return v
}

func (c *Cluster) newView(r *routing.Room) *routing.View {
	raw := make([]byte, 0, len(r.Info)+len("<meeting>\n\n</meeting>\n"))
	raw = append(raw, "<meeting>\n"...)
	raw = append(raw, r.Info...)
	raw = append(raw, "\n</meeting>\n"...)
	v := &routing.View{}
	doc, err := bbb.ParseXML(raw)
	if err != nil { // cannot be: it was cut out of a document that parsed
		return v
	}
	edit := doc.Edit()
	MapIDs(edit, doc.Root())
	c.MapCallbacks(edit, doc.Root(), r.Key.FrontendID)
	if e := doc.Root().Child("meetingID"); e.Exists() {
		edit.SetText(e, r.Key.MeetingID)
	}
	people := r.Present()
	if crowd := r.Crowd(); crowd != nil && crowd.Told() {
		setCounts(edit, doc.Root(), crowd.Headcount())
	}
	attendees := doc.Root().Child("attendees")
	if len(people) == 0 || !attendees.Exists() {
		v.Add(edit.Bytes())
		return v
	}
	before, after := edit.Split(attendees)
	v.Add(before)
	v.Add([]byte("\n"))
	for _, a := range people {
		v.Add(a)
		v.Add([]byte("\n"))
	}
	v.Add(after)
	return v
}

// setCounts shows how many events say are there, where the last list said
// something else.
func setCounts(edit *bbb.Edit, meeting bbb.Element, h b3scale.Headcount) {
	numbers := map[string]int{
		"participantCount": h.People, "listenerCount": h.Listeners, "voiceParticipantCount": h.Voices,
		"videoCount": h.Videos, "moderatorCount": h.Moderators,
	}
	for child := range meeting.Children() {
		if n, counts := numbers[child.Name()]; counts && child.Number() != int64(n) {
			edit.SetText(child, strconv.Itoa(n))
			continue
		}
		switch child.Name() {
		case "running":
			if running := strconv.FormatBool(h.People > 0); child.Text() != running {
				edit.SetText(child, running)
			}
		case "hasUserJoined":
			if h.People > 0 && child.Text() != "true" {
				edit.SetText(child, "true")
			}
		}
	}
}

// MapIDs gives the elements of one meeting that carry external ids the
// frontend's own ones back. Ids that are not ours stay as they are.
func MapIDs(edit *bbb.Edit, meeting bbb.Element) {
	for child := range meeting.Children() {
		switch child.Name() {
		case "meetingID", "internalMeetingID", "parentMeetingID":
			mapID(edit, child)
		case "breakoutRooms":
			for room := range child.Children() {
				mapID(edit, room)
			}
		case "breakout":
			MapIDs(edit, child)
		}
	}
}

func mapID(edit *bbb.Edit, e bbb.Element) {
	if _, id, ok := b3scale.DecodeMeetingID(e.Text()); ok {
		edit.SetText(e, id)
	}
}

// createdInfo makes the XML of a room that was just created and not yet
// listed, in the shape of getMeetings: from the create's answer, its unknown
// elements included, and its parameters.
func createdInfo(answer *bbb.Answer, params *bbb.Params) []byte {
	root := answer.Root()
	var b strings.Builder
	text := func(name, value string) {
		b.WriteString("<" + name + ">" + bbb.EscapeXML(value) + "</" + name + ">\n")
	}
	from := func(names ...string) {
		for _, name := range names {
			if e := root.Child(name); e.Exists() {
				text(name, e.Text())
			}
		}
	}
	text("meetingName", strings.TrimSpace(params.Get("name")))
	from("meetingID", "internalMeetingID", "createTime", "createDate", "voiceBridge", "dialNumber", "attendeePW", "moderatorPW")
	text("running", "false")
	from("duration", "hasUserJoined")
	text("recording", strconv.FormatBool(strings.EqualFold(params.Get("record"), "true")))
	from("hasBeenForciblyEnded")
	text("startTime", root.Child("createTime").Text())
	for _, name := range []string{"endTime", "participantCount", "listenerCount", "voiceParticipantCount", "videoCount"} {
		text(name, "0")
	}
	maxUsers, _ := strconv.Atoi(params.Get("maxParticipants")) // what is no number counts as none
	text("maxUsers", strconv.Itoa(maxUsers))
	text("moderatorCount", "0")
	b.WriteString("<attendees>\n</attendees>\n<metadata>\n")
	for name, value := range params.All() {
		if key, ok := strings.CutPrefix(name, "meta_"); ok && isMetaKey(key) {
			text(strings.ToLower(key), value)
		}
	}
	b.WriteString("</metadata>\n")
	text("isBreakout", "false")
	for child := range root.Children() {
		if !createElements[child.Name()] {
			b.Write(child.Raw())
			b.WriteByte('\n')
		}
	}
	return []byte(strings.TrimSpace(b.String()))
}

// createElements are those that createdInfo has placed already, or that belong
// to the answer and not to the room.
var createElements = map[string]bool{
	"returncode": true, "meetingID": true, "internalMeetingID": true, "parentMeetingID": true, "attendeePW": true,
	"moderatorPW": true, "createTime": true, "voiceBridge": true, "dialNumber": true, "createDate": true,
	"hasUserJoined": true, "duration": true, "hasBeenForciblyEnded": true, "messageKey": true, "message": true,
}

// isMetaKey follows the nodes: letters, digits and -, a letter first (BBB API,
// create, meta_KEY).
func isMetaKey(key string) bool {
	for i, c := range []byte(key) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return key != ""
}
