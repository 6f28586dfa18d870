package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"b3scale/internal/agent"
	"b3scale/internal/config"
)

const usage = `b3scaleagent tells b3scaled what happens on a BigBlueButton node.

Usage: b3scaleagent [-a] [--check] [version]

It runs until SIGTERM or SIGINT.

  -a, -register   add this node as a new backend if none is bound to the token;
                  an operator must make it ready
  --check         try the settings, Redis and the API, print what would be
                  registered, change nothing; exit code 1 if there is a problem
  -h, --help      print this text
  version         print the version

Settings are environment variables:

`

// command returns the exit code.
func command(args, environ []string, stdout, stderr io.Writer) int {
	var register, check, version bool
	flags := flag.NewFlagSet("b3scaleagent", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&register, "register", false, "")
	flags.BoolVar(&register, "a", false, "")
	flags.BoolVar(&check, "check", false, "")
	flags.BoolVar(&version, "version", false, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp), err == nil && flags.NArg() == 1 && flags.Arg(0) == "help":
		_, _ = fmt.Fprint(stdout, usage, config.DescribeAgent())
		return 0
	case err == nil && (version && flags.NArg() == 0 || flags.NArg() == 1 && flags.Arg(0) == "version"):
		_, _ = fmt.Fprintln(stdout, "b3scaleagent", Version, Build)
		return 0
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "b3scaleagent: %v; see b3scaleagent --help\n", err)
		return 1
	}
	cfg, warnings, err := config.LoadAgent(environ, config.Options{})
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "b3scaleagent: the settings are not usable:\n%v\n", err)
		for _, w := range warnings { // an unreadable file is often the cause
			_, _ = fmt.Fprintf(stderr, "warning: %s\n", w)
		}
		return 1
	}
	log := logger(cfg, stderr)
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
	opts := options(cfg, register, environ)
	if check {
		err = agent.Check(ctx, opts, stdout)
	} else {
		err = run(ctx, opts, log)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "b3scaleagent: %v\n", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, opts agent.Options, log *slog.Logger) error {
	log.InfoContext(ctx, "b3scaleagent starts", "version", Version, "pid", os.Getpid(), "api", opts.APIURL)
	a, err := agent.New(opts, log)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func options(cfg config.Agent, register bool, environ []string) agent.Options {
	getenv := func(name string) string {
		for _, line := range environ {
			if text, found := strings.CutPrefix(line, name+"="); found {
				return text
			}
		}
		return ""
	}
	return agent.Options{
		APIURL:       cfg.APIURL,
		Token:        cfg.Token.Reveal(),
		Version:      Version,
		Register:     register,
		LoadFactor:   float64(cfg.LoadFactor),
		ConfigFile:   cfg.BBBConfig,
		DefaultsFile: cfg.BBBDefaults,
		NotifySocket: getenv("NOTIFY_SOCKET"),
		Watchdog:     watchdog(getenv, os.Getpid()),
	}
}

// watchdog is how often systemd wants to hear from us; 0: it does not, or from
// another process.
func watchdog(getenv func(string) string, pid int) time.Duration {
	if owner := getenv("WATCHDOG_PID"); owner != "" && owner != strconv.Itoa(pid) {
		return 0
	}
	us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 || us > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

func logger(cfg config.Agent, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == config.LogText {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}
