package cluster

import (
	"context"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// NodeState is whether a backend answers, whatever the operator wants of it.
type NodeState string

// The states of nodes.
const (
	NodeInit  NodeState = "init"  // nobody has probed it yet
	NodeReady NodeState = "ready" // it answers
	NodeError NodeState = "error" // it does not
)

// NodeView is what is known of a backend besides its row.
type NodeView struct {
	State       NodeState
	LastContact b3scale.Micros // when any instance last reached it; 0: never
	Heartbeat   b3scale.Micros // when its agent was last heard; 0: never
	Latency     time.Duration  // of the last list or probe that it answered
	LastError   string         // why our last call brought no answer; empty when it did
	Meetings    int            // ours, breakout rooms included
	Attendees   int            // in them
	Eligible    bool           // it may get new meetings
	Reasons     []string       // why not
}

// NodeViews are the views of all backends by id.
func (c *Cluster) NodeViews(ctx context.Context) (map[string]NodeView, error) {
	probes, err := c.store.Probes(ctx)
	if err != nil {
		return nil, err
	}
	heartbeats, err := c.store.Heartbeats(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	views := map[string]NodeView{}
	for _, b := range c.table.Backends() {
		reasons := b.Reasons(now)
		views[b.ID] = NodeView{
			State:       nodeState(b, probes[b.ID], now),
			LastContact: max(probes[b.ID], b.LastReached()),
			Heartbeat:   heartbeats[b.ID],
			Latency:     b.Latency(),
			LastError:   b.LastError(),
			Meetings:    b.Meetings(),
			Attendees:   b.People(),
			Eligible:    len(reasons) == 0,
			Reasons:     reasons,
		}
	}
	return views, nil
}

// nodeState trusts our own probes. Before the first of them it takes what
// others have stored.
func nodeState(b *routing.Backend, stored b3scale.Micros, now time.Time) NodeState {
	switch {
	case b.WasProbed() && b.Reachable(), !b.WasProbed() && b.Healthy(now):
		return NodeReady
	case b.WasProbed() || stored != 0:
		return NodeError
	}
	return NodeInit
}
