package metrics

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/internal/cluster"
)

// counts is what is told to us as it happens.
type counts struct {
	frontends  lasting[string, frontendCounts]        // by key; "": nobody proved to be one
	requests   lasting[string, requestCounts]         // by resource
	backends   lasting[string, backendCounts]         // by id
	store      lasting[string, storeCounts]           // by kind
	attempts   lasting[attempt, counter]              // at telling frontends what nodes told
	turnedAway lasting[b3scale.CallbackKind, counter] // messages of nodes
	operations lasting[operation, counter]            // on files of recordings
	playbacks  lasting[string, counter]               // decisions by how they ended
	doors      map[string]*[statuses]atomic.Int64     // fixed, only the counts change
}

type frontendCounts struct {
	requests         lasting[requestKey, answered]
	checksumFailures atomic.Int64
}

type requestKey struct{ resource, result string }

// answered finds in one step what a request counts for.
type answered struct {
	counter
	all *requestCounts // of the resource
}

type requestCounts struct {
	took *histogram
	node atomic.Int64 // nanoseconds
}

type backendCounts struct {
	calls    lasting[string, histogram] // by resource
	failures lasting[cluster.CallFailure, counter]
}

type storeCounts struct {
	took     *histogram
	failures lasting[string, counter]
}

// Request is what became of one request of a frontend. Its texts are few.
type Request struct {
	Frontend string // its key; "" when nobody proved to be one
	Resource string
	Result   string
	Took     time.Duration
	Node     time.Duration // the part of it in which nodes were asked
}

// Requested counts a request.
func (m *Metrics) Requested(r Request) {
	f := m.counts.frontends.at(r.Frontend, newFrontendCounts)
	a := f.requests.at(requestKey{r.Resource, r.Result}, func() *answered {
		return &answered{all: m.counts.requests.at(r.Resource, newRequestCounts)}
	})
	a.Add(1)
	a.all.took.observe(r.Took)
	if r.Node > 0 {
		a.all.node.Add(int64(r.Node))
	}
}

// Unproven counts a wrong checksum. key is of the frontend that was meant; ""
// when there is none.
func (m *Metrics) Unproven(key string) {
	m.counts.frontends.at(key, newFrontendCounts).checksumFailures.Add(1)
}

func newFrontendCounts() *frontendCounts { return &frontendCounts{} }

func newRequestCounts() *requestCounts { return &requestCounts{took: newHistogram(requestBounds)()} }

var _ cluster.Calls = (*Metrics)(nil)

// Called counts a call to a node.
func (m *Metrics) Called(backendID, resource string, took time.Duration, failure cluster.CallFailure) {
	b := m.counts.backends.at(backendID, newBackendCounts)
	b.calls.at(resource, newCallHistogram).observe(took)
	if failure != "" {
		b.failures.at(failure, newCounter).Add(1)
	}
}

func newBackendCounts() *backendCounts { return &backendCounts{} }

var newCallHistogram = newHistogram(callBounds)

// StoreUsed counts a use of the database. failure is "" when it did what it was
// asked.
func (m *Metrics) StoreUsed(kind string, took time.Duration, failure string) {
	s := m.counts.store.at(kind, newStoreCounts)
	s.took.observe(took)
	if failure != "" {
		s.failures.at(failure, newCounter).Add(1)
	}
}

func newStoreCounts() *storeCounts { return &storeCounts{took: newHistogram(storeBounds)()} }

// Doors are where requests come in, by the beginning of their paths.
var doors = []struct{ prefix, name string }{
	{"/bbb/", "gateway"},
	{"/bigbluebutton/", "gateway"},
	{"/b3s/", "gateway"},
	{"/api/", "api"},
	{"/docs/", "api"},
	{"/metrics", "metrics"},
	{"", "other"},
}

// statuses bounds what is counted: HTTP knows no others.
const statuses = 600

func newDoors() map[string]*[statuses]atomic.Int64 {
	counts := map[string]*[statuses]atomic.Int64{}
	for _, d := range doors {
		if counts[d.name] == nil {
			counts[d.name] = &[statuses]atomic.Int64{}
		}
	}
	return counts
}

// Doors counts the answers of next.
func (m *Metrics) Doors(next http.Handler) http.Handler {
	byPrefix := make([]*[statuses]atomic.Int64, len(doors))
	for i, d := range doors {
		byPrefix[i] = m.counts.doors[d.name]
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := 0
		for !strings.HasPrefix(r.URL.Path, doors[i].prefix) {
			i++ // the last one fits all
		}
		seen := &statusWriter{ResponseWriter: w}
		defer func() { byPrefix[i][seen.counted()].Add(1) }() // also when it panics
		next.ServeHTTP(seen, r)
	})
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status that is sent: the first, and no interim one.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) counted() int {
	if w.status == 0 || w.status >= statuses {
		return http.StatusOK // net/http sends it when nothing else is set
	}
	return w.status
}
