package cluster

import (
	"context"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Frontend finds a frontend by its key; nil when there is none.
func (c *Cluster) Frontend(key string) *b3scale.Frontend { return c.table.Frontend(key) }

// FrontendByID finds a frontend by its id; nil when there is none.
func (c *Cluster) FrontendByID(id string) *b3scale.Frontend { return c.table.FrontendByID(id) }

// FrontendAt finds the frontend that has a host name, in lower case; nil when
// there is none.
func (c *Cluster) FrontendAt(host string) *b3scale.Frontend { return c.table.FrontendAt(host) }

// Backend finds a backend; nil when there is none.
func (c *Cluster) Backend(id string) *routing.Backend { return c.table.Backend(id) }

// Running answers isMeetingRunning from memory: somebody is in the meeting, as
// far as lists, looks and events tell.
func (c *Cluster) Running(key b3scale.MeetingKey) bool {
	r := c.table.Meeting(key)
	return r != nil && r.Running
}

// Meetings are the views of all meetings of a frontend.
func (c *Cluster) Meetings(frontendID string) []*routing.View {
	rooms := c.table.MeetingsOf(frontendID)
	views := make([]*routing.View, 0, len(rooms))
	for _, r := range rooms {
		if r.State == b3scale.MeetingActive && len(r.Info) > 0 {
			views = append(views, c.view(r))
		}
	}
	return views
}

// Forward sends a call about one meeting to its backend and returns the
// answer, FAILED ones included.
func (c *Cluster) Forward(ctx context.Context, key b3scale.MeetingKey, call bbb.Call) (*bbb.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.RequestTimeout)
	defer cancel()
	r := c.table.Meeting(key)
	if r == nil || r.State != b3scale.MeetingActive {
		var err error
		if r, err = c.settled(ctx, key); err != nil {
			return nil, notInMemory(err)
		}
	}
	answer, err := c.forward(ctx, r, call)
	if err != nil || answer.Succeeded() || answer.MessageKey() != bbb.ErrNotFound.Key {
		return answer, err
	}
	// Memory may be a moment behind the other instances.
	now, err := c.current(ctx, key)
	if err == nil && now != nil && now.State == b3scale.MeetingActive && now.BackendID != r.BackendID {
		return c.forward(ctx, now, call)
	}
	c.lookSoon(key, goneLooks)
	return answer, nil
}

// notInMemory makes a meeting that neither memory knows nor the store can be
// asked about one that does not exist: questions are answered from memory.
func notInMemory(err error) error {
	if b3scale.CodeOf(err) == b3scale.Unavailable {
		return errNoMeeting
	}
	return err
}

func (c *Cluster) forward(ctx context.Context, r *routing.Room, call bbb.Call) (*bbb.Answer, error) {
	b, err := c.backendOf(r)
	if err != nil {
		return nil, err
	}
	if r.NodeID != "" {
		call.Params = call.Params.Clone()
		call.Params.Set("meetingID", r.NodeID)
	}
	limit := c.opts.CallTimeout
	if call.Body != nil {
		limit = c.opts.BodyTimeout
	}
	answer, err := c.call(ctx, b, limit, call)
	if err != nil {
		c.log.WarnContext(ctx, "call not answered", "call", call.Name, "meeting", r.Key, "backend", b.ID, "error", err)
		return nil, unreachable(err)
	}
	return answer, nil
}

// home finds a meeting, by its row, and the backend to call about it.
func (c *Cluster) home(ctx context.Context, key b3scale.MeetingKey) (*routing.Room, *routing.Backend, error) {
	r, err := c.settled(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	b, err := c.backendOf(r)
	return r, b, err
}

func (c *Cluster) backendOf(r *routing.Room) (*routing.Backend, error) {
	b := c.table.Backend(r.BackendID)
	if b == nil {
		c.reloadSoon() // another instance may have added it a moment ago
	}
	if b == nil || b.Lost {
		return nil, unreachable(nil)
	}
	return b, nil
}

// Probed reports whether every backend has been probed since the start.
func (c *Cluster) Probed() bool {
	for _, b := range c.table.Backends() {
		if !b.WasProbed() {
			return false
		}
	}
	return true
}

// Backends are all backends with what is observed of them.
func (c *Cluster) Backends() []*routing.Backend { return c.table.Backends() }
