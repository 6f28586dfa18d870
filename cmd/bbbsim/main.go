// Command bbbsim runs simulated BigBlueButton nodes without media: their events,
// people and recordings, and a control listener that switches their faults.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9/logging"

	"b3scale/bbb/bbbtest"
)

func main() {
	logging.Disable() // of the Redis client; the publisher says what matters, once
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bbbsim:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, help io.Writer) error {
	var opts bbbtest.FleetOptions
	var sim simulation
	flags := flag.NewFlagSet("bbbsim", flag.ContinueOnError)
	flags.SetOutput(help)
	flags.IntVar(&opts.Nodes, "nodes", 1, "number of `nodes`")
	flags.StringVar(&opts.Listen, "listen", "127.0.0.1:8091", "`address` of node 0; node i listens i ports higher")
	flags.StringVar(&opts.Host, "host", "", "`name` of this machine in the links of the nodes; the host of -listen")
	flags.StringVar(&opts.Control, "control", "127.0.0.1:8090", "`address` of the control listener; none if empty")
	flags.StringVar(&opts.Node.Secret, "secret", "bbbsim-secret", "shared `secret` of all nodes")
	flags.StringVar(&opts.Node.Version, "version", "3.0", "BBB `version`: 2.4, 2.5, 2.6, 2.7, 3.0 or a release like 2.6.17")
	flags.DurationVar(&opts.Node.EndDelay, "end-delay", 0, "`time` between the answer of end and the end of the meeting")
	sim.flags(flags)
	flags.Usage = func() {
		fmt.Fprint(help, "Usage: bbbsim [flags]\n\nRuns simulated BigBlueButton nodes without media until it is interrupted.\n\n")
		flags.PrintDefaults()
		fmt.Fprint(help, "\n", bbbtest.ControlHelp)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := sim.prepare(ctx, &opts, help); err != nil {
		return err
	}
	return bbbtest.RunFleet(ctx, opts, out)
}
