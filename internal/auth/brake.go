package auth

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	freeFailures = 5                // of one network at once, before it must wait
	forgiveEvery = 12 * time.Second // one failure: five in a minute are free
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	mostFailures = freeFailures + 6 // remembered: the pause is the longest, and all is forgiven in about two minutes

	maxNetworks   = 4096 // remembered
	maxWaiting    = 256  // requests in a pause
	maxWaitingOne = 8    // of them of one network

	retryAfter = "2" // seconds: who waits now has got an answer by then
)

// brake remembers which networks have failed lately, and how often.
type brake struct {
	mu      sync.Mutex
	found   map[netip.Prefix]*list.Element
	recent  *list.List // of *network, that with the latest failure first
	waiting int
}

// network is one IPv4 address or the /64 of an IPv6 address: whoever has one
// address of that usually has all.
type network struct {
	prefix   netip.Prefix
	forgiven time.Time // when nothing is remembered against it any more
	waiting  int
}

func newBrake() *brake {
	return &brake{found: make(map[netip.Prefix]*list.Element), recent: list.New()}
}

// hold is what a failed request waits for.
type hold struct {
	brake   *brake
	network *network
	pause   time.Duration // zero: nothing
}

// note remembers a failure of client. It is false when the request should wait
// but too many do. The caller must wait for the hold.
func (b *brake) note(client string) (hold, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.network(networkOf(client))
	pause := n.fail(time.Now())
	if pause == 0 {
		return hold{}, true
	}
	if n.waiting >= maxWaitingOne || b.waiting >= maxWaiting {
		return hold{}, false
	}
	n.waiting++
	b.waiting++
	return hold{brake: b, network: n, pause: pause}, true
}

// network finds or makes the record, and forgets the one that has been quiet
// for longest when there are too many.
func (b *brake) network(prefix netip.Prefix) *network {
	if e, ok := b.found[prefix]; ok {
		b.recent.MoveToFront(e)
		return e.Value.(*network)
	}
	if b.recent.Len() >= maxNetworks {
		oldest := b.recent.Remove(b.recent.Back()).(*network)
		delete(b.found, oldest.prefix)
	}
	n := &network{prefix: prefix}
	b.found[prefix] = b.recent.PushFront(n)
	return n
}

// fail adds a failure and gives the pause for it.
func (n *network) fail(now time.Time) time.Duration {
	if n.forgiven.Before(now) {
		n.forgiven = now
	}
	n.forgiven = n.forgiven.Add(forgiveEvery)
	if most := now.Add(mostFailures * forgiveEvery); n.forgiven.After(most) {
		n.forgiven = most
	}
	failures := int((n.forgiven.Sub(now) + forgiveEvery - 1) / forgiveEvery)
	if failures <= freeFailures {
		return 0
	}
	return min(firstPause<<(failures-freeFailures-1), longestPause)
}

// wait ends with the pause, or with the request.
func (h hold) wait(ctx context.Context) {
	if h.pause == 0 {
		return
	}
	timer := time.NewTimer(h.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	h.brake.mu.Lock()
	defer h.brake.mu.Unlock()
	h.network.waiting--
	h.brake.waiting--
}

// networkOf is the zero prefix for what is no address, such as the peer at a
// socket file: these are all one.
func networkOf(client string) netip.Prefix {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap() // prefixes have no zones
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(addr, bits).Masked()
}
