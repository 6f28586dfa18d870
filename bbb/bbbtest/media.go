package bbbtest

import "slices"

// What people do inside the client, where no balancer sees it. Each method
// reports whether it changed anything; nothing is published if not.

// Voice lets a person join the voice conference, to speak or only to listen,
// or leave it. A caller who leaves it is gone.
func (n *Node) Voice(meetingID, userID string, on, listenOnly bool) bool {
	return n.change(meetingID, userID, func(r *room, i int) bool {
		want := noVoice
		switch {
		case on && listenOnly:
			want = listening
		case on:
			want = speaking
		}
		a := &r.Attendees[i]
		if a.onVoice() == want {
			return false
		}
		if want == noVoice && a.byPhone() {
			return n.leave(r, a.InternalID, "")
		}
		n.edit(r, i, func(a *Attendee) { a.Voice, a.ListeningOnly = want == speaking, want == listening })
		return true
	})
}

// Camera starts or stops one camera of a person. An empty stream starts one
// more camera, or stops them all.
func (n *Node) Camera(meetingID, userID, stream string, on bool) bool {
	return n.change(meetingID, userID, func(r *room, i int) bool {
		a := &r.Attendees[i]
		has := len(a.Streams) > 0
		if stream != "" {
			has = slices.Contains(a.Streams, stream)
		}
		switch {
		case a.byPhone(), !on && !has, on && has && stream != "":
			return false
		case on:
			started := stream
			if started == "" { // each session has one of its own
				started = a.InternalID + "-" + n.mint("stream")
			}
			n.edit(r, i, func(a *Attendee) { a.Streams, a.Video = append(a.Streams, started), true })
		default:
			n.edit(r, i, func(a *Attendee) {
				a.Streams = slices.DeleteFunc(a.Streams, func(s string) bool { return stream == "" || s == stream })
				a.Video = len(a.Streams) > 0
			})
		}
		return true
	})
}

// Screenshare starts or stops the screen of a person. There is one in a room.
func (n *Node) Screenshare(meetingID, userID string, on bool) bool {
	return n.change(meetingID, userID, func(r *room, i int) bool {
		id := r.Attendees[i].InternalID
		if on && (r.SharedBy != "" || r.Attendees[i].byPhone()) || !on && r.SharedBy != id {
			return false
		}
		if r.SharedBy = ""; on {
			r.SharedBy = id
		}
		n.tellScreenshare(r, id, on)
		return true
	})
}

// Recording lets a person start or pause the recording of a room that was made
// with record=true.
func (n *Node) Recording(meetingID, userID string, on bool) bool {
	return n.change(meetingID, userID, func(r *room, i int) bool {
		return r.Recording && n.record(r, on, r.Attendees[i].InternalID)
	})
}

func (n *Node) record(r *room, on bool, by string) bool {
	if r.OnAir == on {
		return false
	}
	r.OnAir = on
	r.recordingMarks = r.recordingMarks || on
	n.archiveMark(r, on)
	n.tellRecording(r, on, by)
	return true
}

// Eject lets a moderator throw a person out.
func (n *Node) Eject(meetingID, userID, moderatorID string) bool {
	return n.inRoom(meetingID, func(r *room) bool {
		by := slices.IndexFunc(r.Attendees, func(a Attendee) bool { return a.is(moderatorID) })
		return by >= 0 && n.leave(r, userID, r.Attendees[by].InternalID)
	})
}

// Disconnect cuts a person's connection: devices go off at once, and the person
// leaves after Options.UserTimeout, unless Reconnect comes before.
func (n *Node) Disconnect(meetingID, userID string) bool {
	return n.change(meetingID, userID, func(r *room, i int) bool {
		if a := &r.Attendees[i]; a.Offline || a.byPhone() {
			return false
		}
		n.silence(r, i)
		n.edit(r, i, func(a *Attendee) {
			a.Offline = true
			a.absences++
		})
		id, absence := r.Attendees[i].InternalID, r.Attendees[i].absences
		n.timers.after(n.opts.UserTimeout, func() {
			n.rooms.mu.Lock()
			defer n.unlockRooms()
			for _, a := range r.Attendees {
				if a.InternalID == id && a.Offline && a.absences == absence {
					n.leave(r, id, "")
					return
				}
			}
		})
		return true
	})
}

// Reconnect brings a person back whose connection was cut.
func (n *Node) Reconnect(meetingID, userID string) bool {
	return n.change(meetingID, userID, func(r *room, i int) bool {
		if !r.Attendees[i].Offline {
			return false
		}
		n.edit(r, i, func(a *Attendee) { a.Offline = false })
		return true
	})
}

// change does something with every session of a person.
func (n *Node) change(meetingID, userID string, do func(r *room, i int) bool) bool {
	return n.inRoom(meetingID, func(r *room) bool {
		changed := false
		for i := len(r.Attendees) - 1; i >= 0; i-- { // do may take the last one away
			if i < len(r.Attendees) && r.Attendees[i].is(userID) && do(r, i) {
				changed = true
			}
		}
		return changed
	})
}
