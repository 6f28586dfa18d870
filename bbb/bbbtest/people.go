package bbbtest

import (
	"slices"
	"strings"
)

// Rooms are the running rooms, oldest first.
func (n *Node) Rooms() []Room {
	n.rooms.mu.Lock()
	defer n.rooms.mu.Unlock()
	out := make([]Room, 0, n.rooms.order.Len())
	for e := n.rooms.order.Front(); e != nil; e = e.Next() {
		out = append(out, e.Value.(*room).clone())
	}
	return out
}

func (n *Node) roomCount() int {
	n.rooms.mu.Lock()
	defer n.rooms.mu.Unlock()
	return n.rooms.order.Len()
}

// Room finds a running room by its external or internal id.
func (n *Node) Room(id string) (Room, bool) {
	n.rooms.mu.Lock()
	defer n.rooms.mu.Unlock()
	r := n.rooms.any(id)
	if r == nil {
		return Room{}, false
	}
	return r.clone(), true
}

// AddRoom puts a running room there, whoever made it, and returns it. Only
// ExternalID is needed. It panics if a room of one of its ids runs already. Its
// events are those of a room that was made and entered just now, except that
// nobody becomes presenter by entering.
func (n *Node) AddRoom(r Room) Room {
	n.rooms.mu.Lock()
	defer n.unlockRooms()
	if r.CreateTime == 0 {
		r.CreateTime = n.rooms.createTime(r.ExternalID, n.opts.Now().UnixMilli())
	}
	if r.StartTime == 0 {
		r.StartTime = r.CreateTime
	}
	if r.InternalID == "" {
		r.InternalID = internalID(r.ExternalID, r.CreateTime)
	}
	if n.rooms.byInternal[r.InternalID] != nil || n.rooms.byExternal(r.ExternalID) != nil {
		panic("bbbtest: room " + r.ExternalID + " is there already") // a test that contradicts itself
	}
	if r.Name == "" {
		r.Name = r.ExternalID
	}
	if r.VoiceBridge == "" {
		r.VoiceBridge = n.freeBridge()
	}
	n.complete(&r)
	added := &room{Room: r.clone()}
	people := added.Attendees
	added.Attendees = nil
	n.rooms.add(added)
	n.tellCreated(added)
	if parent := n.rooms.byInternal[r.ParentID]; parent != nil {
		n.tellBreakout(parent, added)
	}
	for i := range people {
		n.introduce(&people[i])
		n.tellRegistered(added, &people[i])
		n.seat(added, people[i])
	}
	return added.clone()
}

// introduce completes an attendee.
func (n *Node) introduce(a *Attendee) {
	if a.ClientType == "" {
		a.ClientType = html5
	}
	if a.InternalID == "" && a.byPhone() && strings.HasPrefix(a.UserID, "v_") {
		a.InternalID = a.UserID
	}
	if a.InternalID == "" {
		a.InternalID = n.mint("userID")
		if a.byPhone() {
			a.InternalID = "v_" + strings.TrimPrefix(a.InternalID, "w_")
		}
	}
	if a.UserID == "" {
		a.UserID = a.InternalID
	}
	a.Voice = a.Voice || a.byPhone() && !a.ListeningOnly
	if a.FullName == "" {
		a.FullName = a.UserID
	}
	if a.Role = strings.ToUpper(a.Role); a.Role == "" {
		a.Role = Viewer
	}
}

// Join puts a person into a room without a join call and reports whether the
// room is there.
func (n *Node) Join(meetingID string, a Attendee) bool {
	a = a.clone()
	return n.inRoom(meetingID, func(r *room) bool {
		n.introduce(&a)
		n.tellRegistered(r, &a)
		n.enter(r, a)
		return true
	})
}

// enter lets a person in. The first moderator becomes presenter. It needs the
// lock of the rooms.
func (n *Node) enter(r *room, a Attendee) {
	n.seat(r, a)
	if i := len(r.Attendees) - 1; r.Attendees[i].Role == Moderator && !r.Attendees[i].byPhone() && !r.hasPresenter() {
		n.edit(r, i, func(a *Attendee) { a.Presenter = true })
		n.tellPresenter(r, &r.Attendees[i]) // real nodes say it again
	}
}

// seat puts a person into a room, first without and then with what they use.
func (n *Node) seat(r *room, a Attendee) {
	alone := a.clone()
	alone.Presenter, alone.Voice, alone.ListeningOnly, alone.Video, alone.Offline, alone.Streams = false, false, false, false, false, nil
	first := !r.HasUserJoined
	r.Attendees = append(r.Attendees, alone)
	r.HasUserJoined = true
	n.archiveJoin(r, alone.InternalID)
	n.tellJoined(r, &alone)
	if first && r.recordingMarks {
		n.record(r, true, "system")
	}
	n.edit(r, len(r.Attendees)-1, func(b *Attendee) { *b = a })
	n.tellBreakoutUsers(r)
}

// edit changes a person, keeps their devices and the room's presenter
// consistent, and publishes the difference.
func (n *Node) edit(r *room, i int, change func(*Attendee)) {
	before := r.Attendees[i].clone()
	a := &r.Attendees[i]
	change(a)
	a.InternalID = before.InternalID
	switch {
	case a.Video != before.Video && !a.Video:
		a.Streams = nil
	case a.Video && len(a.Streams) == 0:
		a.Streams = []string{a.InternalID + "-" + n.mint("stream")}
	}
	a.Video = len(a.Streams) > 0
	if a.Presenter && !before.Presenter {
		for j := range r.Attendees {
			if j != i && r.Attendees[j].Presenter {
				n.edit(r, j, func(other *Attendee) { other.Presenter = false })
			}
		}
	}
	r.changed()
	n.tellChange(r, &before, a)
}

func (r *room) hasPresenter() bool {
	return slices.ContainsFunc(r.Attendees, func(a Attendee) bool { return a.Presenter })
}

// Leave takes a person out of a room, as one who logs out, and reports whether
// they were there. The id of a person is the external one, here and below, or
// the internal one of one of their sessions.
func (n *Node) Leave(meetingID, userID string) bool {
	return n.inRoom(meetingID, func(r *room) bool { return n.leave(r, userID, "") })
}

// leave needs the lock of the rooms. by is who throws the person out, if
// anybody. Devices go off first.
func (n *Node) leave(r *room, userID, by string) bool {
	found, lostPresenter := false, false
	for i := 0; i < len(r.Attendees); {
		if !r.Attendees[i].is(userID) {
			i++
			continue
		}
		found = true
		n.silence(r, i)
		gone := r.Attendees[i]
		r.Attendees = slices.Delete(r.Attendees, i, i+1)
		r.changed()
		lostPresenter = lostPresenter || gone.Presenter
		n.tellLeft(r, &gone, by)
		n.tellBreakoutUsers(r)
	}
	if lostPresenter {
		n.replacePresenter(r)
	}
	return found
}

// silence switches off what a person uses.
func (n *Node) silence(r *room, i int) {
	if id := r.Attendees[i].InternalID; r.SharedBy == id {
		n.tellScreenshare(r, id, false)
		r.SharedBy = ""
	}
	n.edit(r, i, func(a *Attendee) { a.Voice, a.ListeningOnly, a.Video = false, false, false })
}

// replacePresenter gives the presentation to the next moderator.
func (n *Node) replacePresenter(r *room) {
	for i := range r.Attendees {
		if a := &r.Attendees[i]; a.Role == Moderator && !a.byPhone() && !a.Offline {
			n.edit(r, i, func(a *Attendee) { a.Presenter = true })
			return
		}
	}
}

// Change edits a person in a room: microphone, camera, role, connection. A new
// presenter takes the place of the last one.
func (n *Node) Change(meetingID, userID string, edit func(*Attendee)) bool {
	return n.inRoom(meetingID, func(r *room) bool {
		found := false
		for i := range r.Attendees {
			if r.Attendees[i].is(userID) {
				n.edit(r, i, edit)
				found = true
			}
		}
		return found
	})
}

func (n *Node) inRoom(meetingID string, do func(*room) bool) bool {
	n.rooms.mu.Lock()
	defer n.unlockRooms()
	r := n.rooms.any(meetingID)
	return r != nil && do(r)
}

// disables reports whether a feature was switched off at create.
func (r *Room) disables(feature string) bool {
	return slices.Contains(strings.Split(r.Params.Get("disabledFeatures"), ","), feature)
}
