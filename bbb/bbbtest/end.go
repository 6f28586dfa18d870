package bbbtest

import (
	"b3scale/bbb"
)

// end asks a room to end; it is gone EndDelay later.
func (c *call) end() reply {
	n := c.node
	if f := c.authenticate(); f != nil {
		return failed(f)
	}
	var v violations
	v.meetingID(c)
	n.rooms.mu.Lock()
	r := c.room()
	if n.version.since(2, 5) {
		if r == nil {
			v.add(bbb.ErrNotFound)
		}
	} else {
		password := c.get("password")
		v.check(password != "", "emptyError", "You must provide the moderator password")
		v.check(r != nil && password == r.ModeratorPW, "invalidPassword", "The supplied moderator password is incorrect")
	}
	if v.first == nil {
		n.endRoom(r)
	}
	n.unlockRooms()
	if v.first != nil {
		return failed(v.first)
	}
	x := answer()
	x.text("messageKey", "sentEndMeetingRequest")
	x.text("message", "A request to end the meeting was sent. Please wait a few seconds, and then use the "+
		"getMeetingInfo or isMeetingRunning API calls to verify that it was ended.")
	return xmlReply(x.close())
}

// room is the one that the request names. The rooms must be locked.
func (c *call) room() *room {
	if c.blind {
		return nil
	}
	return c.node.rooms.find(c.node.version, c.get("meetingID"))
}

// endRoom needs the lock of the rooms.
func (n *Node) endRoom(r *room) {
	if r.Ending {
		return
	}
	r.Ending = true
	n.tellEnding(r, endedByAPI)
	if n.opts.EndDelay <= 0 {
		n.closeRoom(r, endedByAPI)
		return
	}
	n.timers.after(n.opts.EndDelay, func() {
		n.rooms.mu.Lock()
		defer n.unlockRooms()
		n.closeRoom(r, endedByAPI)
	})
}

// closeRoom needs the lock of the rooms. Breakout rooms end with their parent.
func (n *Node) closeRoom(r *room, reason string) {
	if n.rooms.byInternal[r.InternalID] != r {
		return // gone already: the node was restarted or the room ended at once
	}
	n.tellEnding(r, reason)
	for _, breakout := range n.rooms.breakoutsOf(r) {
		n.tellEnding(breakout, breakoutByMod)
		n.rooms.remove(breakout)
		n.tellEnded(breakout)
		n.callBack(breakout)
	}
	n.rooms.remove(r)
	n.tellEnded(r)
	n.callBack(r)
}

// EndNow ends a room at once, as when its last moderator closes it, and
// reports whether it was there. The callbacks go out.
func (n *Node) EndNow(meetingID string) bool {
	n.rooms.mu.Lock()
	defer n.unlockRooms()
	r := n.rooms.any(meetingID)
	if r == nil {
		return false
	}
	reason := endedByUser
	if r.isBreakout() {
		reason = breakoutByMod
	}
	n.closeRoom(r, reason)
	return true
}

// ForgetRooms is a restart of bbb-web: all rooms are gone, nobody is told,
// not even by an event.
func (n *Node) ForgetRooms() {
	n.rooms.mu.Lock()
	defer n.rooms.mu.Unlock()
	for e := n.rooms.order.Front(); e != nil; e = n.rooms.order.Front() {
		n.rooms.remove(e.Value.(*room))
	}
}
