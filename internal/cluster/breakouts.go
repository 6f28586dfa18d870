package cluster

import (
	"context"
	"errors"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// createBreakout sends the create of a breakout room to its parent's backend.
// Breakout rooms are never claimed: without their parent they are nothing, so
// they cannot live elsewhere and need no place of their own.
func (c *Cluster) createBreakout(ctx context.Context, req CreateRequest) (*bbb.Answer, error) {
	if c.opts.Observe {
		return nil, errObserving
	}
	parent, ok := req.Params.Lookup("parentMeetingID")
	if !ok || parent == "" {
		return nil, bbb.ErrParentMissing
	}
	r, b, err := c.home(ctx, c.parentKey(req.Frontend, parent))
	if errors.Is(err, errNoMeeting) {
		return nil, bbb.ErrParentNotFound
	}
	if err != nil {
		return nil, err
	}
	if r.NodeID != "" {
		req.Params.Set("parentMeetingID", r.NodeID)
	}
	key := b3scale.MeetingKey{FrontendID: req.Frontend.ID, MeetingID: req.MeetingID}
	done, err := c.mayOpenBreakout(ctx, req.Frontend, key)
	if err != nil {
		return nil, err
	}
	defer done()
	call, _, _ := c.relayed(bbb.Call{Name: "create", Params: req.Params.Clone(), Form: req.Form, Body: req.Body}, key, 0)
	answer, err := c.call(ctx, b, c.opts.CreateTimeout, call)
	if err != nil {
		return nil, unreachable(err)
	}
	if answer.Succeeded() {
		room := incarnation(answer)
		room.Info = createdInfo(answer, &call.Params)
		c.table.AddBreakout(&routing.Room{
			Meeting: b3scale.Meeting{Key: key, BackendID: b.ID, Incarnation: room},
			NodeID:  room.InternalID,
		}, time.Now())
		c.listSoon(b.ID)
	}
	return answer, nil
}

// parentKey finds the parent by its encoded id or by the internal id of its
// room: nodes take both (BBB API, create, breakouts).
func (c *Cluster) parentKey(f *b3scale.Frontend, parent string) b3scale.MeetingKey {
	if frontendKey, id, ok := b3scale.DecodeMeetingID(parent); ok && frontendKey == f.Key {
		return b3scale.MeetingKey{FrontendID: f.ID, MeetingID: id}
	}
	for _, r := range c.table.MeetingsOf(f.ID) {
		if r.InternalID == parent {
			return r.Key
		}
	}
	return b3scale.MeetingKey{}
}

// breakoutRooms makes table entries of the breakout rooms in a list. A room
// belongs to the frontend that created it, else to that of its parent; rooms of
// neither are not ours.
//
// The id of a create becomes the internal id of a breakout room, and the node
// finds the room by that one only (BBB API, identifiers).
func (c *Cluster) breakoutRooms(b *routing.Backend, breakouts []*sight, frontendOf map[string]string) (rooms []*routing.Room, foreign int) {
	for _, x := range breakouts {
		nodeID := x.InternalID
		key, ours := c.keyOf(nodeID)
		if !ours {
			nodeID = x.NodeID
			key = b3scale.MeetingKey{FrontendID: frontendOf[x.Parent], MeetingID: nodeID}
		}
		if key.FrontendID == "" || x.InternalID == "" { // without an id of its own nobody can be told of
			foreign += x.People
			continue
		}
		rooms = append(rooms, &routing.Room{
			Meeting: b3scale.Meeting{Key: key, BackendID: b.ID, Incarnation: x.Incarnation},
			Facts:   x.Facts, ListedAt: x.begun,
			NodeID: nodeID,
		})
	}
	return rooms, foreign
}

// settleBreakouts brings the people of a list into rooms that were just put into
// memory.
func (c *Cluster) settleBreakouts(rooms []*routing.Room) {
	now := time.Now()
	for _, r := range rooms {
		known := c.table.Meeting(r.Key)
		if known == nil || !known.Breakout || known.Crowd() == nil || known.InternalID != r.InternalID {
			continue
		}
		x := &sight{Facts: r.Facts, begun: r.ListedAt}
		facts, crowd := known.Facts, known.Crowd()
		facts.Attendees, facts.Count = c.shown(crowd, x, now)
		c.observed(known.Key, known.InternalID, crowd, facts, nil, known.AsOf(), now)
	}
}

// keyOf decodes a node's id to the meeting of a frontend that we know.
func (c *Cluster) keyOf(nodeID string) (b3scale.MeetingKey, bool) {
	frontendKey, id, ok := b3scale.DecodeMeetingID(nodeID)
	if !ok {
		return b3scale.MeetingKey{}, false
	}
	f := c.table.Frontend(frontendKey)
	if f == nil {
		return b3scale.MeetingKey{}, false
	}
	return b3scale.MeetingKey{FrontendID: f.ID, MeetingID: id}, true
}
