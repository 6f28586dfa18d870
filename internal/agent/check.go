package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// errProblems makes a check fail after it has told everything.
var errProblems = errors.New("there are problems, see above")

// Check tries what an agent needs, prints what it finds and what it would
// register, and changes nothing.
func Check(ctx context.Context, opts Options, out io.Writer) error {
	good := true
	tell := func(what string, err error) {
		if err != nil {
			good = false
			_, _ = fmt.Fprintf(out, "problem  %s: %v\n", what, err)
			return
		}
		_, _ = fmt.Fprintf(out, "ok       %s\n", what)
	}
	n, err := readNode(opts.DefaultsFile, opts.ConfigFile)
	tell("settings of BigBlueButton in "+opts.ConfigFile, err)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		quiet()
		client := redisClient(ctx, &n, 3*time.Second)
		defer client.Close()
		tell("Redis at "+n.redisAddress, client.Ping(ctx).Err())
	}
	opts.checkServer(ctx, n, tell)
	if !good {
		return errProblems
	}
	return nil
}

// checkServer needs no node for most of what it tries.
func (opts Options) checkServer(ctx context.Context, n node, tell func(what string, err error)) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	calls, err := opts.newAPI()
	if err != nil {
		tell("API", err)
		return
	}
	server, err := calls.status(ctx)
	tell(fmt.Sprintf("API at %s, version %q, token of %q", opts.APIURL, server.Version, server.AccountRef), err)
	if err != nil {
		return
	}
	address := "the address of this node"
	if n.host != "" {
		address = n.host
	}
	factor := "the load factor stays"
	if opts.LoadFactor != 0 {
		factor = fmt.Sprintf("load factor %g", opts.LoadFactor)
	}
	b, err := calls.Backend(ctx, Node{})
	switch {
	case err == nil && b.Host == n.host:
		tell(fmt.Sprintf("backend %s is this node, %s; %s", b.ID, address, factor), nil)
	case err == nil:
		tell(fmt.Sprintf("backend %s would move from %s to %s; %s", b.ID, b.Host, address, factor), nil)
	case isNoBackend(err) && opts.Register:
		tell(fmt.Sprintf("a new backend would be added: %s, admin_state init, %s", address, factor), nil)
	default:
		tell("backend", err)
	}
}
