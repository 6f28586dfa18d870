package bbbtest

import (
	"net/http"
	"strconv"
	"strings"

	"b3scale/bbb"
)

// create makes a room, or tells of the one that is there (BBB API, create).
func (c *call) create() reply {
	n := c.node
	if f := c.checkCreate(); f != nil {
		return failed(f)
	}
	id, ok := c.lookup("meetingID")
	if !ok { // passes the checks, and breaks what follows
		if n.version.since(3, 0) {
			return failed(&bbb.Failure{Key: "validationError", Message: "Invalid meeting ID"})
		}
		return statusReply(http.StatusInternalServerError)
	}
	documents, intact := documentsIn(c.xmlBody())
	if !intact && n.version.since(3, 0) { // read before the room is made
		return statusReply(http.StatusInternalServerError)
	}
	n.rooms.mu.Lock()
	defer n.unlockRooms()
	if c.isTrue("isBreakout") {
		return c.createBreakout(id)
	}
	if r := n.rooms.byExternal(id); r != nil {
		return c.createAgain(r)
	}
	r := c.newRoom()
	r.ExternalID = id
	r.CreateTime = n.rooms.createTime(id, r.CreateTime)
	r.InternalID = internalID(id, r.CreateTime)
	answer := c.open(r)
	if !intact { // read when the room is there
		return statusReply(http.StatusInternalServerError)
	}
	r.Documents = documents
	return answer
}

func (c *call) checkCreate() *bbb.Failure {
	if f := c.authenticate(); f != nil {
		return f
	}
	var v violations
	v.meetingID(c)
	name, ok := c.lookup("name")
	switch n := bbb.Length(name); {
	case !ok:
		v.check(false, "nullError", "You must provide a meeting name")
	case n == 0:
		v.check(false, "emptyError", "You must provide a meeting name")
	default:
		v.check(n >= 2 && n <= 256, "sizeError", "Meeting name must be between 2 and 256 characters")
	}
	v.password(c, "attendeePW")
	v.password(c, "moderatorPW")
	v.integer(c, "voiceBridge", "Voice bridge must be an integral value")
	v.boolean(c, "record", "Record")
	v.boolean(c, "isBreakout", "Breakout")
	return v.first
}

// createAgain answers a create for a room that runs: with its data if the
// passwords are the same. Nothing of it is changed.
func (c *call) createAgain(r *room) reply {
	attendee, moderator := c.get("attendeePW"), c.get("moderatorPW")
	same := attendee == r.AttendeePW && moderator == r.ModeratorPW
	if c.node.version.since(3, 0) {
		same = same || attendee == "" && moderator == ""
	}
	if !same {
		return failed(bbb.ErrIDNotUnique)
	}
	return c.created(r, "duplicateWarning", "This conference was already in existence and may currently be in progress.")
}

// newRoom reads the parameters. Ids and time are the caller's to complete.
func (c *call) newRoom() *room {
	r := &room{Room: Room{
		Name:            c.get("name"),
		AttendeePW:      c.get("attendeePW"),
		ModeratorPW:     c.get("moderatorPW"),
		VoiceBridge:     c.get("voiceBridge"),
		DialNumber:      c.get("dialNumber"),
		Duration:        c.number("duration"),
		MaxUsers:        c.number("maxParticipants"),
		Recording:       c.isTrue("record"),
		GuestPolicy:     strings.ToUpper(c.get("guestPolicy")),
		MeetingEndedURL: c.get("meetingEndedURL"),
		CreateTime:      c.node.opts.Now().UnixMilli() + c.skew,
		Params:          c.req.Params.Clone(),
	}}
	r.recordingMarks = r.Recording && c.isTrue("autoStartRecording")
	for name, value := range c.req.Params.All() {
		if key, ok := metadataKey(name); ok {
			r.Metadata.Set(key, bbb.Clean(value))
		}
	}
	c.node.complete(&r.Room)
	return r
}

// complete fills what a request may leave out.
func (n *Node) complete(r *Room) {
	if r.AttendeePW == "" {
		r.AttendeePW = n.mint("attendeePW")
	}
	if r.ModeratorPW == "" {
		r.ModeratorPW = n.mint("moderatorPW")
	}
	if r.DialNumber == "" {
		r.DialNumber = "613-555-1234"
	}
	if r.GuestPolicy == "" {
		r.GuestPolicy = "ALWAYS_ACCEPT"
	}
}

// open puts a new room into the house, unless its voice bridge is taken.
func (c *call) open(r *room) reply {
	n := c.node
	if r.VoiceBridge == "" {
		r.VoiceBridge = n.freeBridge()
	} else if n.rooms.bridges[r.VoiceBridge] != nil {
		x := make(xmlText, 0, 256)
		x.raw("<response>\n")
		x.text("returncode", bbb.Failed)
		x.raw("<errors>\n<error>\n")
		x.text("key", "nonUniqueVoiceBridge")
		x.text("message", "The selected voice bridge is already in use.")
		x.raw("</error>\n</errors>\n")
		return xmlReply(x.close())
	}
	r.StartTime = max(n.opts.Now().UnixMilli(), r.CreateTime)
	n.rooms.add(r)
	n.tellCreated(r)
	return c.created(r, "", "")
}

func (c *call) created(r *room, key, message string) reply {
	x := answer()
	x.text("meetingID", r.ExternalID)
	x.text("internalMeetingID", r.InternalID)
	if r.isBreakout() {
		x.text("parentMeetingID", r.ParentID)
	} else {
		x.text("parentMeetingID", "bbb-none")
	}
	x.text("attendeePW", r.AttendeePW)
	x.text("moderatorPW", r.ModeratorPW)
	x.int("createTime", r.CreateTime)
	x.text("voiceBridge", r.VoiceBridge)
	x.text("dialNumber", r.DialNumber)
	x.text("createDate", createDate(r.CreateTime))
	x.bool("hasUserJoined", r.HasUserJoined)
	x.int("duration", int64(r.Duration))
	x.bool("hasBeenForciblyEnded", false)
	x.text("messageKey", key)
	x.text("message", message)
	x.extra(c.node.opts.ExtraElements)
	return xmlReply(x.close())
}

// metadataKey is the key of a meta_ parameter; others are ignored silently.
func metadataKey(name string) (string, bool) {
	key, ok := strings.CutPrefix(name, "meta_")
	if !ok || key == "" {
		return "", false
	}
	for i := range len(key) {
		c := key[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || key[i] != '-' && (key[i] < '0' || key[i] > '9')) {
			return "", false
		}
	}
	return strings.ToLower(key), true
}

// number reads an integer; what is none counts as 0.
func (c *call) number(name string) int {
	n, _ := strconv.Atoi(c.get(name))
	return n
}
