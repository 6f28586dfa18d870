package cluster

import (
	"context"
	"slices"
	"strconv"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Room is the live meeting as memory has it; nil when there is none.
func (c *Cluster) Room(key b3scale.MeetingKey) *routing.Room { return c.table.Meeting(key) }

// RoomByInternalID finds a live room by the id that its node gave it; nil when
// there is none. An empty backendID stands for any backend.
func (c *Cluster) RoomByInternalID(backendID, internalID string) *routing.Room {
	return c.table.ByInternalID(backendID, internalID)
}

// Rooms are the live rooms on a backend, breakout rooms included.
func (c *Cluster) Rooms(backendID string) []*routing.Room { return c.table.MeetingsOn(backendID) }

// AllRooms are all live rooms, breakout rooms included.
func (c *Cluster) AllRooms() []*routing.Room {
	var rooms []*routing.Room
	c.table.Each(func(r *routing.Room) { rooms = append(rooms, r) })
	return rooms
}

// RemoveMeeting ends the row of exactly this room, because somebody who should
// know says that the room is gone. The node is not asked: if the room lives all
// the same, two lists bring it back. It reports whether there was such a row.
func (c *Cluster) RemoveMeeting(ctx context.Context, key b3scale.MeetingKey, internalID string) (bool, error) {
	if r := c.table.Meeting(key); r != nil && r.Breakout {
		if r.InternalID != internalID {
			return false, nil
		}
		c.table.RemoveBreakout(r)
		c.listSoon(r.BackendID) // which tells the others
		return true, nil
	}
	row, err := c.store.Meeting(ctx, key)
	switch {
	case b3scale.CodeOf(err) == b3scale.NotFound:
		return false, c.reread(ctx, key)
	case err != nil:
		return false, err
	case row.State == b3scale.MeetingCreating && internalID == "":
		return false, errCreating
	case !row.Live() || row.InternalID != internalID:
		c.table.Apply(row, time.Now())
		return false, nil
	}
	return c.endRow(ctx, row)
}

// EndRoom asks the node to end exactly this room, as a frontend does with End.
// An empty internalID stands for the one that is being created.
func (c *Cluster) EndRoom(ctx context.Context, key b3scale.MeetingKey, internalID string) error {
	ctx, cancel := c.detached(ctx)
	defer cancel()
	if c.opts.Observe {
		return errObserving
	}
	r, b, err := c.home(ctx, key)
	if err != nil {
		return err
	}
	if internalID != "" && r.InternalID != internalID {
		return errNoMeeting // there is a new one by now
	}
	answer, err := c.requestEnd(ctx, b, r, bbb.Params{})
	switch {
	case err != nil:
		return err
	case answer.Succeeded():
		return nil
	case answer.MessageKey() == bbb.ErrNotFound.Key:
		return errNoMeeting
	}
	return endFailed(answer)
}

// EditRoom stores what somebody knows better about exactly this room: its XML,
// unless info is nil, and its people, unless attendees is nil. It reports
// whether the room was still there.
func (c *Cluster) EditRoom(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string, info []byte, attendees []b3scale.Attendee) (bool, error) {
	r := c.table.Meeting(key)
	if r == nil || r.Breakout || r.Generation != generation || r.InternalID != internalID || r.State != b3scale.MeetingActive {
		return false, nil
	}
	seen := b3scale.Sighting{Key: key, Generation: generation, InternalID: internalID, Info: info, AttendeesReplaced: attendees != nil}
	facts := r.Facts
	if attendees != nil {
		seen.Attendees = belonging(attendees, r)
		seen.Headcount = headcountOf(attendees)
		facts = routing.Facts{Running: len(attendees) > 0, People: len(attendees), InBreakouts: r.InBreakouts}
	}
	if info != nil {
		doc, err := bbb.ParseXML(slices.Concat([]byte("<meeting>"), info, []byte("</meeting>")))
		if err != nil {
			return false, b3scale.Errorf(b3scale.InvalidArgument, "the XML of the meeting is malformed").Because(err)
		}
		x := readRoom(doc, doc.Root())
		facts.Running, facts.People, seen.Info = x.Running, x.People, x.Info
	}
	versions, err := c.store.SaveSightings(ctx, r.BackendID, []b3scale.Sighting{seen})
	if err != nil {
		return false, err
	}
	if versions[0] == 0 { // nothing to store, or another room is there by now
		return info == nil && attendees == nil, c.reread(ctx, key)
	}
	now := time.Now()
	crowd := r.Crowd()
	if attendees != nil {
		people := slices.Clone(seen.Attendees)
		inOrder(people)
		facts.Attendees, facts.Count = crowd.Replace(func([]b3scale.Attendee, func(string) bool) ([]b3scale.Attendee, []string) { return people, nil }, traitsOf, b3scale.MicrosOf(now), true)
	}
	c.observed(key, internalID, crowd, facts, seen.Info, versions[0], now)
	return true, nil
}

// belonging makes the rows of people in a room. Who has no internal user id is
// named by the place, as in a list.
func belonging(attendees []b3scale.Attendee, r *routing.Room) []b3scale.Attendee {
	rows := slices.Clone(attendees)
	for i := range rows {
		rows[i].BackendID, rows[i].InternalMeetingID = r.BackendID, r.InternalID
		if rows[i].InternalUserID == "" {
			rows[i].InternalUserID = "list:" + strconv.Itoa(i)
		}
	}
	return rows
}
