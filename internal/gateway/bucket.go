package gateway

import (
	"math"
	"sync"
	"time"

	"b3scale"
)

// bucket counts calls and lets the count sink at a steady rate. The rate and
// the size come with each call, so changed ones count at once.
type bucket struct {
	mu      sync.Mutex
	level   float64 // calls that have not sunk yet
	at      time.Time
	refused uint64
}

// slack is for what is lost in adding up fractions of calls.
const slack = 1e-6

// take lets a call in, or tells when there will be room for it.
func (b *bucket) take(limit b3scale.RateLimit, now time.Time) (wait time.Duration, ok bool) {
	rate, size := limit.RequestsPerSecond, burst(limit)
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.at); passed > 0 {
		b.level = max(0, b.level-passed.Seconds()*rate)
		b.at = now
	}
	b.level = min(b.level, size) // it may have been larger
	if missing := b.level + 1 - size; missing > slack {
		b.refused++
		return time.Duration(min(missing/rate, maxWait.Seconds()) * float64(time.Second)), false
	}
	b.level++
	return 0, true
}

// maxWait bounds what we tell: a rate may be very low.
const maxWait = 24 * time.Hour

func burst(limit b3scale.RateLimit) float64 {
	if limit.Burst > 0 {
		return float64(limit.Burst)
	}
	return max(1, math.Ceil(limit.RequestsPerSecond))
}

func (b *bucket) refusals() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}
