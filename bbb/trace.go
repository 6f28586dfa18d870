package bbb

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Trace follows one request of a client to the nodes, in the manner of
// net/http/httptrace: what every call sends on, where the request went, and how
// much of its time the nodes took. Its methods may run at the same time; on nil
// they do nothing.
type Trace struct {
	RequestID string // sent as X-Request-Id
	Parent    string // sent as traceparent
	State     string // sent as tracestate

	mu    sync.Mutex
	node  string
	took  time.Duration
	calls int       // under way
	since time.Time // when the first of them began
}

type traceKey struct{}

// WithTrace gives a context in which Client.Do adds to trace.
func WithTrace(ctx context.Context, trace *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

// TraceOf gives the trace of a context, or nil.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Chose notes the node that the request is for, by its base URL. The last one
// counts.
func (t *Trace) Chose(baseURL string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.node = baseURL
}

// Node tells the base URL of the node that the request is for, "" for none, and
// how long one or more nodes were asked so far.
func (t *Trace) Node() (baseURL string, took time.Duration) {
	if t == nil {
		return "", 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	took = t.took
	if t.calls > 0 {
		took += time.Since(t.since)
	}
	return t.node, took
}

// begin notes a call. What runs at the same time counts once.
func (t *Trace) begin(baseURL string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.node = baseURL
	if t.calls == 0 {
		t.since = time.Now()
	}
	t.calls++
}

func (t *Trace) end() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls--; t.calls == 0 {
		t.took += time.Since(t.since)
	}
}

// sendOn sets the headers of a call.
func (t *Trace) sendOn(h http.Header) {
	if t == nil {
		return
	}
	for name, value := range map[string]string{"X-Request-Id": t.RequestID, "Traceparent": t.Parent, "Tracestate": t.State} {
		if value != "" {
			h.Set(name, value)
		}
	}
}
