package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lasting is a map that is read without locks. It is copied when it grows,
// which it does only until everything was there once.
type lasting[K comparable, V any] struct {
	mu  sync.Mutex
	all atomic.Pointer[map[K]*V]
}

// at finds the value of a key, or makes it.
func (l *lasting[K, V]) at(key K, fresh func() *V) *V {
	if v := l.each()[key]; v != nil {
		return v
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.each()
	if v := old[key]; v != nil {
		return v
	}
	all := make(map[K]*V, len(old)+1)
	maps.Copy(all, old)
	all[key] = fresh()
	l.all.Store(&all)
	return all[key]
}

// each is the map as it is now. Do not change it.
func (l *lasting[K, V]) each() map[K]*V {
	if all := l.all.Load(); all != nil {
		return *all
	}
	return nil
}

// keep forgets what is not to stay.
func (l *lasting[K, V]) keep(stays func(K) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := maps.Clone(l.each())
	before := len(all)
	maps.DeleteFunc(all, func(key K, _ *V) bool { return !stays(key) })
	if len(all) < before {
		l.all.Store(&all)
	}
}

// counter counts.
type counter struct{ atomic.Int64 }

func newCounter() *counter { return &counter{} }

// histogram counts durations by their length.
type histogram struct {
	bounds []time.Duration // upper ones, ascending
	counts []atomic.Uint64 // one more than bounds
	sum    atomic.Int64    // nanoseconds
}

func newHistogram(bounds []time.Duration) func() *histogram {
	return func() *histogram { return &histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)} }
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(h.bounds) && d > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

func (h *histogram) metric(desc *prometheus.Desc, labels ...string) (prometheus.Metric, error) {
	buckets := make(map[float64]uint64, len(h.bounds))
	var count uint64
	for i, bound := range h.bounds {
		count += h.counts[i].Load()
		buckets[bound.Seconds()] = count
	}
	count += h.counts[len(h.bounds)].Load()
	return prometheus.NewConstHistogram(desc, count, time.Duration(h.sum.Load()).Seconds(), buckets, labels...)
}

// The bounds of histograms. Joins take tens of microseconds, a node that
// fetches a presentation half a minute. Calls have few, because there are as
// many of these histograms as backends and resources.
var (
	requestBounds = []time.Duration{
		100 * time.Microsecond, 500 * time.Microsecond, 2500 * time.Microsecond, 10 * time.Millisecond, 50 * time.Millisecond,
		100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second,
	}
	callBounds = []time.Duration{
		25 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second, 2500 * time.Millisecond, 10 * time.Second,
	}
	storeBounds = []time.Duration{
		100 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond,
		100 * time.Millisecond, 300 * time.Millisecond, 1500 * time.Millisecond, 10 * time.Second,
	}
)
