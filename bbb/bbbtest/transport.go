package bbbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Network is an http.RoundTripper that reaches nodes without sockets. It is
// one caller's view: a node that is cut off here answers through another
// Network.
type Network struct {
	nodes map[string]*Node // by host with port

	mu      sync.Mutex
	cut     map[*Node]bool
	changed chan struct{} // closed when cut changes
}

// dialTimeout is how long a caller tries to reach a node that is cut off.
const dialTimeout = 3 * time.Second

// Transport returns a network of these nodes, each under the host of its
// PublicURL. It starts no goroutines: a call runs in the one that makes it.
func Transport(nodes ...*Node) *Network {
	t := &Network{nodes: make(map[string]*Node, len(nodes)), cut: map[*Node]bool{}, changed: make(chan struct{})}
	for _, n := range nodes {
		host := n.publicHost()
		if t.nodes[host] != nil {
			panic("bbbtest: two nodes are called " + host) // a test that contradicts itself
		}
		t.nodes[host] = n
	}
	return t
}

// Cut lets no packet pass between the caller and the node: dialling times out,
// answers on their way never arrive.
func (t *Network) Cut(n *Node) { t.setCut(n, true) }

// Heal undoes Cut.
func (t *Network) Heal(n *Node) { t.setCut(n, false) }

func (t *Network) setCut(n *Node, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut[n] = cut
	close(t.changed)
	t.changed = make(chan struct{})
}

// RoundTrip makes one request.
func (t *Network) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	body, err := readBody(r) // closes it, whatever happens
	if err != nil {
		return nil, err
	}
	n, err := t.dial(ctx, r.URL)
	if err != nil {
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	answer := n.answer(ctx, r, body)
	if err := t.passes(ctx, n); err != nil {
		return nil, err
	}
	if answer.hangUp {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	if r.Method == http.MethodHead {
		answer.body = nil
	}
	return answer.response(ctx, n, r), nil
}

// dial returns the node at the address, or the error of a connection that did
// not come about.
func (t *Network) dial(ctx context.Context, u *url.URL) (*Node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	host := strings.ToLower(u.Host)
	n := t.nodes[host]
	if n == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	}
	timeout := time.NewTimer(dialTimeout)
	defer timeout.Stop()
	for {
		changed := t.isCut(n)
		if changed == nil {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timeout.C:
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("i/o timeout")}
		}
	}
	if n.IsDown() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("connect: %w", syscall.ECONNREFUSED)}
	}
	return n, nil
}

// passes waits until packets come through from the node.
func (t *Network) passes(ctx context.Context, n *Node) error {
	for {
		changed := t.isCut(n)
		if changed == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// isCut returns nil if packets pass, or else what tells of the next change.
func (t *Network) isCut(n *Node) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.cut[n] {
		return nil
	}
	return t.changed
}

func (r *reply) response(ctx context.Context, n *Node, req *http.Request) *http.Response {
	sent := r.body
	if r.cutOff > 0 && r.cutOff < len(sent) {
		sent = sent[:r.cutOff]
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)),
		StatusCode:    r.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        r.header(),
		ContentLength: int64(len(r.body)),
		Body:          &bodyReader{ctx: ctx, node: n, rest: sent, short: len(sent) < len(r.body), pace: r.pace},
		Request:       req,
	}
}

// bodyReader hands out a body as slowly and as far as a fault says.
type bodyReader struct {
	ctx   context.Context //nolint:containedctx // a body obeys the context of its request, as in net/http
	node  *Node
	rest  []byte
	short bool // it ends before its announced length
	pace  time.Duration
}

func (b *bodyReader) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	switch {
	case len(b.rest) == 0 && b.short:
		return 0, io.ErrUnexpectedEOF
	case len(b.rest) == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if b.pace > 0 {
		p = p[:1]
		if !b.node.wait(b.ctx, b.pace) {
			if err := b.ctx.Err(); err != nil {
				return 0, err
			}
			return 0, io.ErrUnexpectedEOF
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *bodyReader) Close() error {
	b.rest = nil
	return nil
}
