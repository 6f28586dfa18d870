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
// ExternalID is needed. It panics if a room of one of its ids runs already.
func (n *Node) AddRoom(r Room) Room {
	n.rooms.mu.Lock()
	defer n.rooms.mu.Unlock()
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
	for i := range added.Attendees {
		n.introduce(&added.Attendees[i])
		added.HasUserJoined = true
	}
	n.rooms.add(added)
	return added.clone()
}

// introduce completes an attendee.
func (n *Node) introduce(a *Attendee) {
	if a.UserID == "" {
		a.UserID = n.mint("userID")
	}
	if a.FullName == "" {
		a.FullName = a.UserID
	}
	if a.Role = strings.ToUpper(a.Role); a.Role == "" {
		a.Role = Viewer
	}
	if a.ClientType == "" {
		a.ClientType = html5
	}
}

// Join puts a person into a room without a join call and reports whether the
// room is there.
func (n *Node) Join(meetingID string, a Attendee) bool {
	a.Userdata = a.Userdata.Clone()
	return n.inRoom(meetingID, func(r *room) bool {
		n.introduce(&a)
		r.enter(a)
		return true
	})
}

// Leave takes a person out of a room and reports whether they were there.
func (n *Node) Leave(meetingID, userID string) bool {
	return n.inRoom(meetingID, func(r *room) bool { return r.leave(userID) })
}

func (r *room) leave(userID string) bool {
	before := len(r.Attendees)
	r.Attendees = slices.DeleteFunc(r.Attendees, func(a Attendee) bool { return a.UserID == userID })
	r.changed()
	return len(r.Attendees) < before
}

// Change edits a person in a room: microphone, camera, role, connection.
func (n *Node) Change(meetingID, userID string, edit func(*Attendee)) bool {
	return n.inRoom(meetingID, func(r *room) bool {
		found := false
		for i := range r.Attendees {
			if r.Attendees[i].UserID == userID {
				edit(&r.Attendees[i])
				found = true
			}
		}
		r.changed()
		return found
	})
}

func (n *Node) inRoom(meetingID string, do func(*room) bool) bool {
	n.rooms.mu.Lock()
	defer n.rooms.mu.Unlock()
	r := n.rooms.any(meetingID)
	return r != nil && do(r)
}

// disables reports whether a feature was switched off at create.
func (r *room) disables(feature string) bool {
	return slices.Contains(strings.Split(r.Params.Get("disabledFeatures"), ","), feature)
}
