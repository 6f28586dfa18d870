package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"b3scale/internal/config"
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
  check     try the settings, addresses, database, clock, recordings and every backend;
            tell all problems, and what to do
  healthy   ask the daemon of these settings whether it lives, as container engines do
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
	case "", "check", "healthy", "migrate":
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
	case "healthy":
		err = healthy(ctx, cfg.Listen)
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
