package cluster

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"

	"b3scale"
	"b3scale/bbb"
)

// PlacementStats count what became of creates since the start.
type PlacementStats struct {
	Placed        int64                  // meetings that got a room on the backend that was chosen
	Retries       int64                  // rounds after the first, and calls repeated at the same node
	FailOvers     int64                  // places given up for another backend
	Failures      map[b3scale.Code]int64 // creates that ended without an answer of a node, by reason: a code or ByPolicy
	OrphansBooked int64                  // by anybody, on the backends that this instance lists
	OrphansOpen   int                    // there, as of their last lists
}

// ByPolicy is the reason of creates that were refused for what their frontend
// asked. No operator can help there.
const ByPolicy b3scale.Code = "policy"

// placements counts it.
type placements struct {
	placed, retries, failOvers atomic.Int64

	mu       sync.Mutex
	failures map[b3scale.Code]int64
	booked   int64
	open     map[string]int            // orphans by backend
	newest   map[string]b3scale.Micros // of their bookings that are counted
}

// PlacementStats tells what became of creates.
func (c *Cluster) PlacementStats() PlacementStats {
	p := &c.placements
	s := PlacementStats{Placed: p.placed.Load(), Retries: p.retries.Load(), FailOvers: p.failOvers.Load(), Failures: map[b3scale.Code]int64{}}
	backends := c.table.Backends()
	listed := make([]string, 0, len(backends))
	for _, b := range backends {
		if c.lists(b.ID) { // of the others somebody else tells
			listed = append(listed, b.ID)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(s.Failures, p.failures)
	s.OrphansBooked = p.booked
	for _, id := range listed {
		s.OrphansOpen += p.open[id]
	}
	return s
}

// ended notes how a create ended. Code "" is of errors that nobody gave one.
func (p *placements) ended(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures == nil {
		p.failures = map[b3scale.Code]int64{}
	}
	p.failures[reasonToFail(err)]++
}

func reasonToFail(err error) b3scale.Code {
	code := b3scale.CodeOf(err)
	_, refused := errors.AsType[*bbb.Failure](err)
	if refused && code == "" || code == b3scale.InvalidArgument || errors.Is(err, b3scale.ErrTagsRefused) {
		return ByPolicy
	}
	return code
}

// noteOrphans takes in what is booked on a backend that is being listed. What
// was booked before its first list here was counted by who listed it then.
func (p *placements) noteOrphans(backendID string, asked b3scale.Micros, orphans []b3scale.Orphan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open, p.newest = map[string]int{}, map[string]b3scale.Micros{}
	}
	before, known := p.newest[backendID]
	if !known {
		before = asked
	}
	p.newest[backendID] = before
	for _, o := range orphans {
		if o.BookedAt > before {
			p.booked++
		}
		p.newest[backendID] = max(p.newest[backendID], o.BookedAt)
	}
	p.open[backendID] = len(orphans)
}

// forget drops what is known of a backend that is gone.
func (p *placements) forget(backendID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, backendID)
	delete(p.newest, backendID)
}
