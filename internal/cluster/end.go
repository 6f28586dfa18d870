package cluster

import (
	"context"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// End asks the node to end the meeting and returns its answer. Nodes end
// asynchronously: the row ends when a look at the node finds the room gone.
//
// The room is named by its internal id, so that a late end can never hit the
// next room of the same meeting.
func (c *Cluster) End(ctx context.Context, key b3scale.MeetingKey, params bbb.Params) (*bbb.Answer, error) {
	ctx, cancel := c.detached(ctx)
	defer cancel()
	if c.opts.Observe {
		return nil, errObserving
	}
	r, b, err := c.home(ctx, key)
	if err != nil {
		return nil, err
	}
	return c.requestEnd(ctx, b, r, params)
}

// requestEnd asks for the end of the room that was seen.
func (c *Cluster) requestEnd(ctx context.Context, b *routing.Backend, r *routing.Room, params bbb.Params) (*bbb.Answer, error) {
	key := r.Key
	answer, err := c.endRoom(ctx, b, r, params)
	if err != nil {
		return nil, unreachable(err)
	}
	switch {
	case r.Breakout:
		c.listSoon(b.ID)
	case answer.Succeeded():
		m, ok, err := c.store.RequestEnd(ctx, key, r.Generation, r.InternalID)
		if err != nil {
			c.log.ErrorContext(ctx, "end request not stored", "meeting", key, "error", err)
		} else if ok {
			c.table.Apply(m, time.Now())
		}
		c.log.InfoContext(ctx, "meeting is being ended", "meeting", key, "backend", b.ID, "internal_id", r.InternalID)
		c.lookSoon(key, endLooks)
	case answer.MessageKey() == bbb.ErrNotFound.Key:
		if err := c.end(ctx, r.Meeting); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// endRoom sends the end of exactly this room. Nodes before 2.5 know no
// internal ids and answer invalidPassword: there the room is looked at first
// and then ended by its external id.
func (c *Cluster) endRoom(ctx context.Context, b *routing.Backend, r *routing.Room, params bbb.Params) (*bbb.Answer, error) {
	if params.Get("password") == "" && r.ModeratorPW != "" {
		params.Set("password", r.ModeratorPW)
	}
	external := r.NodeID
	if external == "" {
		external = c.nodeID(r.Key)
	}
	params.Set("meetingID", r.InternalID)
	answer, err := c.call(ctx, b, c.opts.CallTimeout, bbb.Call{Name: "end", Params: params})
	if err != nil || answer.Succeeded() || answer.MessageKey() != "invalidPassword" {
		return answer, err
	}
	x, err := c.info(ctx, b, external, c.opts.CallTimeout)
	switch {
	case err != nil:
		return nil, err
	case x == nil || x.InternalID != r.InternalID:
		return bbb.NewOwnAnswer(bbb.ErrNotFound.Answer()), nil
	}
	if err := c.store.NoteBluntEnd(ctx, r.Key, b.ID); err != nil {
		return nil, err // it may arrive late: nobody would know
	}
	params.Set("meetingID", external)
	return c.call(ctx, b, c.opts.CallTimeout, bbb.Call{Name: "end", Params: params})
}

// end ends exactly the row that was seen, in the store and then in memory.
func (c *Cluster) end(ctx context.Context, seen b3scale.Meeting) error {
	_, err := c.endRow(ctx, seen)
	return err
}

// endRow reports whether the row was still the same.
func (c *Cluster) endRow(ctx context.Context, seen b3scale.Meeting) (bool, error) {
	ended, err := c.store.EndMeeting(ctx, seen)
	if err != nil {
		return false, err
	}
	if !ended {
		return false, c.reread(ctx, seen.Key)
	}
	c.table.End(seen, time.Now())
	c.log.InfoContext(ctx, "meeting ended", "meeting", seen.Key, "backend", seen.BackendID, "generation", seen.Generation, "internal_id", seen.InternalID)
	return true, nil
}
