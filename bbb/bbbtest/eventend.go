package bbbtest

import (
	"net/url"
	"strconv"

	"b3scale/bbb"
)

// Why a meeting ended.
const (
	endedByAPI      = "ENDED_FROM_API"
	endedByUser     = "ENDED_AFTER_USER_LOGGED_OUT"
	breakoutByMod   = "BREAKOUT_ENDED_BY_MOD"
	destroyedReason = "meeting-destroyed"
)

// tellEnding publishes that a meeting is about to end. Nobody is said to leave
// it from here on.
func (n *Node) tellEnding(r *room, reason string) {
	if r.told {
		return
	}
	r.told = true
	n.toMeeting("MeetingEndingEvtMsg", r, noUser, object("meetingId", r.InternalID, "reason", reason))
}

// tellEnded publishes the end, and a little later the destruction.
func (n *Node) tellEnded(r *room) {
	if !n.publishes() {
		return
	}
	id := r.InternalID
	n.fromNode("MeetingEndedEvtMsg", "", object("meetingId", id))
	if r.isBreakout() {
		n.aboutBreakout("BreakoutRoomEndedEvtMsg", r.ParentID, object("parentId", r.ParentID, "breakoutId", id))
	}
	n.timers.after(destroyAfter, func() {
		n.rooms.mu.Lock() // keeps the two together
		defer n.unlockRooms()
		n.fromNode("DisconnectAllClientsSysMsg", id, object("meetingId", id, "reason", destroyedReason))
		n.fromNode("MeetingDestroyedEvtMsg", "", object("meetingId", id))
	})
}

func (n *Node) aboutBreakout(name, parentID string, body fields) {
	n.toClients(BreakoutChannel, "BROADCAST_TO_MEETING", name, parentID, noUser, body)
}

// tellBreakout publishes a new breakout room to its parent.
func (n *Node) tellBreakout(parent, r *room) {
	if !n.publishes() {
		return
	}
	n.aboutBreakout("BreakoutRoomStartedEvtMsg", parent.InternalID,
		object("parentMeetingId", parent.InternalID, "breakout", n.breakoutInfo(parent, r)))
}

// tellBreakouts publishes all breakout rooms of a parent.
func (n *Node) tellBreakouts(parent *room, ready bool) {
	if !n.publishes() {
		return
	}
	list := []fields{}
	for _, r := range n.rooms.breakoutsOf(parent) {
		list = append(list, n.breakoutInfo(parent, r))
	}
	n.aboutBreakout("BreakoutRoomsListEvtMsg", parent.InternalID,
		object("meetingId", parent.InternalID, "rooms", list, "roomsReady", ready).
			when(n.version.since(3, 0), "sendInviteToModerators", false))
}

// tellBreakoutUsers publishes who is in a breakout room, to its parent.
func (n *Node) tellBreakoutUsers(r *room) {
	if !n.publishes() || !r.isBreakout() || r.told {
		return
	}
	users := []fields{}
	for i := range r.Attendees {
		users = append(users, object("id", r.Attendees[i].UserID, "name", r.Attendees[i].FullName))
	}
	n.aboutBreakout("UpdateBreakoutUsersEvtMsg", r.ParentID,
		object("parentId", r.ParentID, "breakoutId", r.InternalID, "users", users))
}

// breakoutInfo holds the links that its users of the parent can join with.
// They take turns.
func (n *Node) breakoutInfo(parent, r *room) fields {
	count := max(1, len(parent.Breakouts))
	links := fields{}
	for i := range parent.Attendees {
		if a := &parent.Attendees[i]; i%count == (r.Sequence-1)%count && !a.byPhone() {
			query := "fullName=" + url.QueryEscape(a.FullName) + "&meetingID=" + r.ExternalID + "&role=" + a.Role
			links = links.add(a.InternalID, n.BaseURL()+"join?"+bbb.SignedQuery("join", query, n.opts.Secret))
		}
	}
	return object("name", r.Name, "externalId", r.ExternalID, "breakoutId", r.InternalID,
		"sequence", r.Sequence, "shortName", "Room "+strconv.Itoa(r.Sequence), "isDefaultName", true, "freeJoin", r.FreeJoin).
		when(n.version.since(2, 5), "html5JoinUrls", links).
		when(n.version.since(3, 0), "captureNotes", false, "captureSlides", false)
}
