package cluster

import (
	"context"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Join returns the address at which a browser enters the meeting: the node's,
// signed anew. NotFound when there is no such meeting; NotYet when it is still
// being created or its backend is lost, and the caller should try again soon;
// LimitReached when the frontend has all the people that it may have.
func (c *Cluster) Join(ctx context.Context, key b3scale.MeetingKey, params bbb.Params) (string, error) {
	r, err := c.settled(ctx, key)
	if b3scale.CodeOf(err) == b3scale.Unavailable {
		err = b3scale.Errorf(b3scale.NotYet, "the database does not answer at the moment").Because(err)
	}
	if err != nil {
		return "", err
	}
	b := c.table.Backend(r.BackendID)
	if b == nil {
		c.reloadSoon() // another instance may have added it a moment ago
	}
	if b == nil || b.Lost {
		return "", b3scale.Errorf(b3scale.NotYet, "the server of this meeting is not reachable at the moment")
	}
	bbb.TraceOf(ctx).Chose(b.Host)
	if err := c.admit(ctx, r, &params); err != nil {
		return "", err
	}
	if r.NodeID != "" {
		params.Set("meetingID", r.NodeID)
	}
	if !r.Running && !b.AgentLive(time.Now()) {
		c.lookSoon(key, joinLooks)
	}
	return nodeOf(b).URL("join", params.Encode()), nil
}

// settled finds a meeting by its row and waits a moment for one that is being
// created.
func (c *Cluster) settled(ctx context.Context, key b3scale.MeetingKey) (*routing.Room, error) {
	r, err := c.current(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, errNoMeeting
	case r.State == b3scale.MeetingActive:
		return r, nil
	}
	timeout := time.NewTimer(c.opts.JoinWait)
	defer timeout.Stop()
	for {
		changed := c.table.Changed(key)
		switch r = c.table.Meeting(key); {
		case r == nil:
			return nil, errNoMeeting
		case r.State == b3scale.MeetingActive:
			return r, nil
		}
		select {
		case <-changed:
		case <-timeout.C:
			return nil, errCreating
		case <-ctx.Done():
			return nil, errCreating
		}
	}
}

var (
	errNoMeeting = b3scale.Errorf(b3scale.NotFound, "%s", bbb.ErrNotFound.Message)
	errCreating  = b3scale.Errorf(b3scale.NotYet, "the meeting is being prepared")
)
