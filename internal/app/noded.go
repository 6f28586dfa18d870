package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"b3scale/internal/agent"
	"b3scale/internal/cluster"
	"b3scale/internal/config"
	"b3scale/internal/routing"
	"b3scale/internal/sqlstore"
)

const nodedUsage = `b3scalenoded tells the database of b3scaled what happens on a BigBlueButton node.

It is deprecated: b3scaleagent does the same through the API, and then no node
has to reach the database. See docs/agent.md for the way there.

Usage: b3scalenoded [-a] [version]

It runs until SIGTERM or SIGINT. It finds its backend by the address of the
node, so it needs no token.

  -a, -register   add this node as a new backend if none has its address;
                  an operator must make it ready
  -h, --help      print this text
  version         print the version

Settings are environment variables:

`

// NodedMain is the command b3scalenoded. It returns the exit code.
func NodedMain(args, environ []string, stdout, stderr io.Writer) int {
	var register, version bool
	flags := flag.NewFlagSet("b3scalenoded", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&register, "register", false, "")
	flags.BoolVar(&register, "a", false, "")
	flags.BoolVar(&version, "version", false, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp), err == nil && flags.NArg() == 1 && flags.Arg(0) == "help":
		_, _ = fmt.Fprint(stdout, nodedUsage, config.DescribeNoded())
		return 0
	case err == nil && (version && flags.NArg() == 0 || flags.NArg() == 1 && flags.Arg(0) == "version"):
		_, _ = fmt.Fprintln(stdout, "b3scalenoded", Version, Build)
		return 0
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "b3scalenoded: %v; see b3scalenoded --help\n", err)
		return 1
	}
	cfg, warnings, err := config.LoadNoded(environ, config.Options{})
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "b3scalenoded: the settings are not usable:\n%v\n", err)
		for _, w := range warnings { // an unreadable file is often the cause
			_, _ = fmt.Fprintf(stderr, "warning: %s\n", w)
		}
		return 1
	}
	log := NewLogger(config.Config{LogLevel: cfg.LogLevel, LogFormat: cfg.LogFormat}, stderr)
	for _, w := range warnings {
		log.Warn(w)
	}
	for _, file := range cfg.EnvFiles {
		log.Info("settings read from file", "file", file)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)  // a second signal kills
	signal.Ignore(syscall.SIGHUP) // a reload must not
	if err := noded(ctx, cfg, register, log); err != nil {
		_, _ = fmt.Fprintf(stderr, "b3scalenoded: %v\n", err)
		return 1
	}
	return 0
}

// How to get away from b3scalenoded, in the log of each start.
const nodedCure = "b3scalectl auth authorize_node_agent makes a token for this node; " +
	"stop b3scalenoded and start b3scaleagent -a with the token: it takes over the backend that has this node's address and secret"

const (
	nodedPool     = 4 // connections; there are many nodes
	nodedPatience = 365 * 24 * time.Hour
)

// noded is an agent whose sink is a cluster in this process. That writes with
// the fences of all instances, and they learn of it as of one another.
func noded(ctx context.Context, cfg config.Noded, register bool, log *slog.Logger) (err error) {
	log.InfoContext(ctx, "b3scalenoded starts", "version", Version, "pid", os.Getpid(), "database", cfg.Store)
	log.WarnContext(ctx, "b3scalenoded is deprecated: use b3scaleagent", "how", nodedCure)
	// It never migrates: b3scaled does, and which version the cluster has is not
	// for one of its nodes to say.
	store, err := awaitStore(ctx, config.Config{Store: cfg.Store, ListenURL: cfg.ListenURL, PoolSize: nodedPool}, log, nodedPatience, 0, nil)
	if err != nil && ctx.Err() != nil {
		log.InfoContext(ctx, "stopped before the start was finished")
		return nil // we were told to
	}
	if err != nil {
		return schemaCure(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	mind := cluster.New(store, routing.NewTable(routing.LoadOptions{}), noNodes{}, log, cluster.Options{Changes: store})
	if err := mind.Load(ctx); err != nil && ctx.Err() != nil {
		return nil
	} else if err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	a, err := agent.New(agent.Options{
		Sink:         &nodeSink{mind: mind, store: store, log: log},
		Version:      "b3scalenoded/" + Version,
		Register:     register,
		LoadFactor:   float64(cfg.LoadFactor),
		ConfigFile:   cfg.BBBConfig,
		DefaultsFile: cfg.BBBDefaults,
	}, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The cluster ends after the agent, which brings it what is left.
	hearing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var hears errgroup.Group
	hears.Go(func() error {
		defer cancel()
		return mind.Hear(hearing)
	})
	err = a.Run(ctx)
	stop()
	return errors.Join(err, hears.Wait())
}

// schemaCure tells who brings the tables to the version of this program.
func schemaCure(err error) error {
	if old, ok := errors.AsType[sqlstore.SchemaError](err); ok {
		what := "are older than this b3scalenoded"
		if old.Missing {
			what = "are not there yet"
		}
		return fmt.Errorf("the tables in the database %s: start or update b3scaled first, or run b3scaled migrate; b3scalenoded changes no tables: %w", what, err)
	}
	if newer, ok := errors.AsType[sqlstore.NewerSchemaError](err); ok {
		return fmt.Errorf("the tables in the database have version %d, this b3scalenoded knows %d: install the b3scalenoded of the version that b3scaled has, or better b3scaleagent: %w", newer.Found, newer.Known, err)
	}
	return err
}
