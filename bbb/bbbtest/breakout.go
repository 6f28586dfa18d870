package bbbtest

import (
	"net/http"
	"strconv"
	"strings"

	"b3scale/bbb"
)

// createBreakout makes a breakout room through the API. The id that was sent
// becomes the internal one, as the node's own software calls it (BBB API,
// identifiers).
func (c *call) createBreakout(id string) reply {
	n := c.node
	missing, unknown := bbb.ErrParentMissing, bbb.ErrParentNotFound
	parentID := c.get("parentMeetingID")
	parent := n.rooms.find(n.version, parentID)
	sequence, err := strconv.Atoi(c.get("sequence"))
	switch {
	case parentID == "" && n.version.since(3, 0):
		return failed(missing)
	case parent == nil && n.version.since(3, 0):
		return failed(unknown)
	case parent == nil || err != nil:
		return statusReply(http.StatusInternalServerError)
	}
	if r := n.rooms.byInternal[id]; r != nil {
		return c.createAgain(r)
	}
	_, timestamp, _ := strings.Cut(id, "-")
	r := c.newRoom()
	r.InternalID = id
	r.ExternalID = breakoutID(parent.InternalID, timestamp, sequence)
	r.FreeJoin = c.isTrue("freeJoin")
	inherit(r, parent, sequence)
	answer := c.open(r)
	if n.rooms.byInternal[r.InternalID] == r {
		n.tellBreakout(parent, r)
	}
	return answer
}

// inherit: a breakout has its parent's metadata.
func inherit(r, parent *room, sequence int) {
	r.ParentID, r.Sequence = parent.InternalID, sequence
	for name, value := range parent.Metadata.All() {
		r.Metadata.Set(name, value)
	}
}

// OpenBreakouts opens breakout rooms as moderators do inside the client, where
// no balancer sees it, and returns them.
func (n *Node) OpenBreakouts(meetingID string, count int) []Room {
	n.rooms.mu.Lock()
	defer n.unlockRooms()
	parent := n.rooms.any(meetingID)
	if parent == nil {
		return nil
	}
	now := n.opts.Now().UnixMilli()
	opened, added := make([]Room, 0, count), make([]*room, 0, count)
	for range count {
		sequence := len(parent.Breakouts) + 1
		r := &room{Room: Room{
			Name:       parent.Name + " (Room " + strconv.Itoa(sequence) + ")",
			CreateTime: now,
			StartTime:  now,
			Recording:  parent.Recording && bbb.IsTrue(parent.Params.Get("breakoutRoomsRecord")),
		}}
		r.recordingMarks = r.Recording // there is no button in there
		r.ExternalID = breakoutID(parent.InternalID, strconv.FormatInt(now, 10), sequence)
		r.InternalID = internalID(r.ExternalID, now)
		if r.VoiceBridge = parent.VoiceBridge + strconv.Itoa(sequence); n.rooms.bridges[r.VoiceBridge] != nil {
			r.VoiceBridge = n.freeBridge()
		}
		n.complete(&r.Room)
		inherit(r, parent, sequence)
		n.rooms.add(r)
		added = append(added, r)
		n.tellCreated(r)
	}
	for _, r := range added {
		n.tellBreakout(parent, r)
		opened = append(opened, r.clone())
	}
	n.tellBreakouts(parent, true)
	return opened
}
