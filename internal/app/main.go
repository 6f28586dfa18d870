package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"b3scale/internal/config"
	"b3scale/internal/sqlstore"
)

// Version and Build are set by the linker.
var (
	Version = "dev"
	Build   = "0000000" // the commit
)

const usage = `b3scaled places BigBlueButton meetings on many servers.

Usage: b3scaled [command]

Without a command it serves until SIGTERM or SIGINT. SIGUSR1 changes the log level to
debug, and at the next time back.

Commands:
  check     try the settings, the address, the database and every backend; tell all problems
  migrate   bring the database up to date and exit
  version   print the version
  help      print this text

Settings are environment variables:

`

// Main is the command b3scaled. It returns the exit code.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	if len(args) > 1 {
		_, _ = fmt.Fprintf(stderr, "b3scaled: %q takes no arguments; see b3scaled --help\n", command)
		return 1
	}
	switch command {
	case "help", "--help", "-help", "-h":
		_, _ = fmt.Fprint(stdout, usage, config.Describe())
		return 0
	case "version", "--version":
		_, _ = fmt.Fprintln(stdout, "b3scaled", Version, Build)
		return 0
	case "", "check", "migrate":
	default:
		_, _ = fmt.Fprintf(stderr, "b3scaled: unknown command %q; see b3scaled --help\n", command)
		return 1
	}
	cfg, warnings, err := config.Load(environ, config.Options{})
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "b3scaled: the settings are not usable:\n%v\n", err)
		for _, w := range warnings { // an unreadable file is often the cause
			_, _ = fmt.Fprintf(stderr, "warning: %s\n", w)
		}
		return 1
	}
	log, level := NewLog(cfg, stderr)
	for _, w := range warnings {
		log.Warn(w)
	}
	for _, file := range cfg.EnvFiles {
		log.Info("settings read from file", "file", file)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGHUP) // a reload must not kill
	switch command {
	case "check":
		err = check(ctx, cfg, stdout)
	case "migrate":
		err = migrate(ctx, cfg, log)
	default:
		level.toggleOnSignal(ctx)
		err = serve(ctx, cfg, log, level)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "b3scaled: %v\n", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, cfg config.Config, log *slog.Logger, level *Level) error {
	log.InfoContext(ctx, "b3scaled starts", "version", Version, "pid", os.Getpid())
	a, err := New(ctx, cfg, log, Options{StorePatience: storePatience, Level: level})
	if err != nil && ctx.Err() != nil {
		log.InfoContext(ctx, "stopped before the start was finished")
		return nil // we were told to
	}
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func migrate(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	cfg.AutoMigrate = true
	store, err := openStore(ctx, cfg, log, 0, nil)
	if err != nil {
		return err
	}
	return store.Close()
}

// errProblems makes check fail after it has told everything.
var errProblems = errors.New("there are problems, see above")

// check tells every problem at once and changes nothing.
func check(ctx context.Context, cfg config.Config, stdout io.Writer) error {
	good := true
	tell := func(what string, err error) {
		if err == nil {
			_, _ = fmt.Fprintf(stdout, "ok       %s\n", what)
			return
		}
		good = false
		_, _ = fmt.Fprintf(stdout, "problem  %s: %v\n", what, err)
	}
	checkListeners(ctx, cfg, tell)
	checkStore(ctx, cfg, tell)
	if !good {
		return errProblems
	}
	return nil
}

// checkListeners keeps each one open until all are: two of the same address
// are found only then.
func checkListeners(ctx context.Context, cfg config.Config, tell func(what string, err error)) {
	for _, l := range []struct{ name, address string }{{nameListen, cfg.Listen}, {nameMetricsListen, cfg.MetricsListen}} {
		if l.address == "" {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.address)
		if err == nil {
			defer func() { _ = listener.Close() }() // nobody has come
		}
		tell("listen on "+l.name+"="+l.address, err)
	}
}

func checkStore(ctx context.Context, cfg config.Config, tell func(what string, err error)) {
	store := fmt.Sprintf("store %s", cfg.Store)
	migrates := cfg.AutoMigrate
	cfg.AutoMigrate = false
	_, missing := os.Stat(cfg.Store.Path)
	if cfg.Store.Kind == config.SQLite && errors.Is(missing, fs.ErrNotExist) && migrates {
		tell(store+": it is created at the first start", nil)
		return
	}
	a, err := New(ctx, cfg, slog.New(slog.DiscardHandler), Options{})
	schema, old := errors.AsType[sqlstore.SchemaError](err)
	switch {
	case err == nil:
		tell(store, nil)
		a.checkBackends(ctx, tell)
		_ = a.Stop() // it only read
	case migrates && schema.Missing:
		tell(store+": it is created at the first start", nil)
	case migrates && old:
		tell(store+": it is migrated at the next start", nil)
	default:
		tell(store, err)
	}
}

func (a *App) checkBackends(ctx context.Context, tell func(what string, err error)) {
	if err := a.cluster.LoadConfig(ctx); err != nil {
		tell("read the backends", err)
		return
	}
	for _, b := range a.cluster.Backends() {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		tell("backend "+b.Host, a.cluster.Ask(ctx, b.ID))
		cancel()
	}
}
