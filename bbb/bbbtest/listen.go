package bbbtest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// Start makes a node that listens on a free port of the loopback interface
// until the test ends.
func Start(t TB, opts Options) *Node {
	t.Helper()
	n := New(opts)
	if err := n.Listen("127.0.0.1:0"); err != nil {
		t.Fatalf("start node: %v", err)
	}
	t.Cleanup(n.Close)
	return n
}

// Listen serves the node on an address until Close.
func (n *Node) Listen(addr string) error { return n.line.listen(addr, n) }

// Down takes the node off the network: connections are refused, open ones are
// closed. Its rooms live on.
func (n *Node) Down() { n.line.down() }

// Up puts the node back on the network, on the same port.
func (n *Node) Up() error { return n.line.up(n) }

// IsDown reports whether the node is off the network.
func (n *Node) IsDown() bool { return n.line.isDown() }

// line is the node's connection to the network.
type line struct {
	mu     sync.Mutex
	addr   string // where it listens, once it did
	host   string // what people call that; set before it listens
	server *http.Server
	off    bool
	closed bool
	cut    chan struct{} // closed while the line is off
	served sync.WaitGroup
}

func (l *line) init() { l.cut = make(chan struct{}) }

// address is where people and callers find the node, "" if it never listened.
func (l *line) address() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addr == "" {
		return ""
	}
	return publicAddress(l.addr, l.host)
}

// publicAddress is what a browser can open: never 0.0.0.0.
func publicAddress(addr, host string) string {
	listening, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if host == "" {
		host = listening
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			host = "localhost"
		}
	}
	return net.JoinHostPort(host, port)
}

func (l *line) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.off
}

// gone is closed when the line is cut.
func (l *line) gone() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

func (l *line) listen(addr string, h http.Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addr != "" || l.closed {
		return errors.New("node listens already or is closed")
	}
	return l.serve(addr, h)
}

// serve needs the lock.
func (l *line) serve(addr string, h http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	l.addr = listener.Addr().String()
	l.server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	server := l.server
	l.served.Go(func() { _ = server.Serve(listener) })
	return nil
}

func (l *line) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.takeOff()
}

// takeOff needs the lock.
func (l *line) takeOff() {
	if l.off {
		return
	}
	l.off = true
	close(l.cut)
	if l.server != nil {
		_ = l.server.Close()
		l.server = nil
	}
}

func (l *line) up(h http.Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.New("node is closed")
	}
	if !l.off {
		return nil
	}
	if l.addr != "" {
		if err := l.serveAgain(h); err != nil {
			return err
		}
	}
	l.off = false
	l.cut = make(chan struct{})
	return nil
}

// serveAgain tries for a while: something else may have the port for a moment.
func (l *line) serveAgain(h http.Handler) error {
	var err error
	for range 20 {
		if err = l.serve(l.addr, h); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("listen again: %w", err)
}

func (l *line) close() {
	l.mu.Lock()
	l.closed = true
	l.takeOff()
	l.mu.Unlock()
	l.served.Wait()
}
