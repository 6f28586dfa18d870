package bbbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// FleetOptions describe the nodes of one process, as cmd/bbbsim runs them.
type FleetOptions struct {
	Nodes   int
	Listen  string  // of node 0; node i listens i ports higher. Port 0 gives each a free one
	Host    string  // in the links that nodes give out; the host of Listen, or localhost
	Control string  // of the control listener; none if empty
	Node    Options // of every node; they are called node0, node1, …

	// Events is asked for the Options.Events of each node.
	Events func(node int) func(channel string, message []byte)
	// Beside runs while the nodes do, until ctx ends; they stop with it if it
	// returns an error.
	Beside func(ctx context.Context, nodes []*Node) error
}

// RunFleet runs nodes until ctx ends. It tells out where they are.
func RunFleet(ctx context.Context, opts FleetOptions, out io.Writer) error {
	nodes, err := listenFleet(opts)
	defer func() {
		for _, n := range nodes {
			n.Close()
		}
	}()
	if err != nil {
		return err
	}
	for _, n := range nodes {
		fmt.Fprintf(out, "%s %s%s/ secret %s\n", n.Name(), n.PublicURL(), apiPath, n.opts.Secret)
	}
	if opts.Beside == nil {
		return steerUntil(ctx, opts.Control, nodes, out)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	beside := make(chan error, 1)
	go func() {
		err := opts.Beside(ctx, nodes)
		if err != nil {
			stop()
		}
		beside <- err
	}()
	err = steerUntil(ctx, opts.Control, nodes, out)
	stop()
	return errors.Join(err, <-beside)
}

// steerUntil serves the control API, if there is an address for it, until ctx
// ends.
func steerUntil(ctx context.Context, addr string, nodes []*Node, out io.Writer) error {
	if addr == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("control listener: %w", err)
	}
	fmt.Fprintf(out, "control http://%s/\n", listener.Addr())
	return serveUntil(ctx, listener, Control(nodes...))
}

// listenFleet returns the nodes that it started, even if one of them failed.
func listenFleet(opts FleetOptions) ([]*Node, error) {
	if err := opts.Node.Check(); err != nil {
		return nil, err
	}
	if opts.Nodes < 1 {
		return nil, fmt.Errorf("%d nodes are too few", opts.Nodes)
	}
	host, portText, err := net.SplitHostPort(opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen address: %w", err)
	}
	first, err := strconv.Atoi(portText)
	if err != nil || first < 0 || first+opts.Nodes > 1<<16 {
		return nil, fmt.Errorf("port %q has no room for %d nodes", portText, opts.Nodes)
	}
	var nodes []*Node
	for i := range opts.Nodes {
		node := opts.Node
		node.Name, node.LogSize = "node"+strconv.Itoa(i), -1
		if opts.Events != nil {
			node.Events = opts.Events(i)
		}
		n := New(node)
		n.line.host = opts.Host
		nodes = append(nodes, n)
		port := 0
		if first > 0 {
			port = first + i
		}
		if err := n.Listen(net.JoinHostPort(host, strconv.Itoa(port))); err != nil {
			return nodes, fmt.Errorf("%s: %w", node.Name, err)
		}
	}
	return nodes, nil
}

func serveUntil(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(stop)
	if failure := <-failed; !errors.Is(failure, http.ErrServerClosed) {
		return failure
	}
	return err
}
