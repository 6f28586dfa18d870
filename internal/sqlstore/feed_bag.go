package sqlstore

import (
	"sync"
	"time"

	"b3scale"
)

// hintMissed stands for hints that are lost: whoever receives it misses any.
var hintMissed = b3scale.Hint{Kind: "missed"}

// bagSize bounds the hints that wait on either side. It is a burst that no
// incident should make, in a few megabytes.
const bagSize = 1 << 14

// bag collects hints, each once, until they are taken.
type bag struct {
	filled chan struct{} // receives when there is something to take

	mu    sync.Mutex
	hints map[b3scale.Hint]time.Time // since when
}

func newBag() *bag {
	return &bag{filled: make(chan struct{}, 1), hints: map[b3scale.Hint]time.Time{}}
}

func (b *bag) add(hints ...b3scale.Hint) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range hints {
		b.put(h, now)
	}
}

// putBack puts hints back that were taken.
func (b *bag) putBack(hints map[b3scale.Hint]time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for h, since := range hints {
		b.put(h, since)
	}
}

func (b *bag) put(h b3scale.Hint, since time.Time) {
	if old, ok := b.hints[h]; ok && !since.Before(old) {
		return // it waits since then
	}
	b.hints[h] = since
	if len(b.hints) > bagSize {
		b.hints = map[b3scale.Hint]time.Time{hintMissed: since}
	}
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// take empties the bag.
func (b *bag) take() map[b3scale.Hint]time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.hints
	b.hints = make(map[b3scale.Hint]time.Time)
	return taken
}
