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
	Node        *AgentReport   // what its agent said of it last; nil: nothing
}

// NodeViews are the views of all backends by id.
func (c *Cluster) NodeViews(ctx context.Context) (map[string]NodeView, error) {
	probes, err := c.store.Probes(ctx)
	if err != nil {
		return nil, err
	}
	agents, err := c.store.Agents(ctx)
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
			Heartbeat:   heardAt(c, b, agents[b.ID]),
			Latency:     b.Latency(),
			LastError:   b.LastError(),
			Meetings:    b.Meetings(),
			Attendees:   b.People(),
			Eligible:    len(reasons) == 0,
			Reasons:     reasons,
			Node:        nodeReportOf(b, agents[b.ID]),
		}
	}
	return views, nil
}

// heardAt is when an agent was last heard: by us a moment ago, or as others say.
func heardAt(c *Cluster, b *routing.Backend, stored b3scale.AgentSign) b3scale.Micros {
	if at := b.AgentHeard(); at != 0 && stored.HeardAt == 0 {
		return c.storeTime(at.Time())
	}
	return stored.HeardAt
}

func nodeReportOf(b *routing.Backend, stored b3scale.AgentSign) *AgentReport {
	if r, ok := b.AgentReport().(*AgentReport); ok {
		return r
	}
	return reportOf(stored.Report)
}

// StateOf is whether a backend answers, as far as this instance knows.
func StateOf(b *routing.Backend, now time.Time) NodeState { return nodeState(b, b.LastReached(), now) }

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
