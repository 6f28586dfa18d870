package bbbtest

import (
	"slices"
	"sync"
	"time"

	"b3scale/bbb"
)

// Request is one API call that arrived at a node.
type Request struct {
	Call        string // "" is the root document
	Method      string
	RawQuery    string
	ContentType string
	Params      bbb.Params // of query and form, without the checksum
	Body        []byte
	Time        time.Time
	Executed    bool // false if a fault came before the execution
}

// Requests are the calls that arrived, oldest first.
func (n *Node) Requests() []Request { return n.log.list(func(*logEntry) bool { return true }) }

// Calls are those requests of one name.
func (n *Node) Calls(name string) []Request {
	return n.log.list(func(e *logEntry) bool { return e.Call == name })
}

// ResetRequests forgets the requests.
func (n *Node) ResetRequests() { n.log.reset() }

type logEntry struct{ Request }

// requestLog is a ring that grows to its size first.
type requestLog struct {
	mu      sync.Mutex
	size    int
	entries []*logEntry
	next    int // where the oldest one stands, once the ring is full
}

func (l *requestLog) init(size int) { l.size = size }

func (l *requestLog) add(c *call) *logEntry {
	if l.size <= 0 {
		return nil
	}
	e := &logEntry{Request{
		Call: c.name, Method: c.method, RawQuery: c.rawQuery, ContentType: c.contentType,
		Params: c.req.Params, Body: c.body, Time: c.node.opts.Now(),
	}}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) < l.size {
		l.entries = append(l.entries, e)
		return e
	}
	l.entries[l.next] = e
	l.next = (l.next + 1) % l.size
	return e
}

func (l *requestLog) executed(e *logEntry) {
	if e == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Executed = true
}

func (l *requestLog) list(wanted func(*logEntry) bool) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Request
	for _, half := range [][]*logEntry{l.entries[l.next:], l.entries[:l.next]} {
		for _, e := range half {
			if wanted(e) {
				r := e.Request
				r.Params, r.Body = r.Params.Clone(), slices.Clone(r.Body)
				out = append(out, r)
			}
		}
	}
	return out
}

func (l *requestLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.next = nil, 0
}
