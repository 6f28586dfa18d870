package ctl

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Options are what one run needs.
type Options struct {
	Version string
	Build   string
	Environ []string // as os.Environ gives it

	// Terminals are told from pipes when these are files.
	In       io.Reader
	Out, Err io.Writer
}

// Exit codes.
const (
	exitGood      = 0
	exitBad       = 1
	exitImpatient = 3
	exitNoChange  = 64
	exitSignal    = 128 // and the number of the signal, as shells have it
)

// errNoChange ends a command that found everything as it should be. It has
// said so already.
var errNoChange = errors.New("no changes")

// exitError is an error with an exit code of its own, because scripts have to
// tell it from all others.
type exitError struct {
	code int
	error
}

// Main is the command b3scalectl. It returns the exit code.
func Main(args []string, opts Options) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	s := newSession(opts)
	root := s.command()
	root.SetArgs(arrange(root, args))
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, errNoChange):
		return exitNoChange
	}
	s.complain("b3scalectl: %v", s.explain(ctx, err))
	if e, own := errors.AsType[exitError](err); own {
		return e.code
	}
	if i, came := errors.AsType[interruption](context.Cause(ctx)); came {
		return exitSignal + int(i.signal)
	}
	return exitBad
}

// interruption is the cause of a context that a signal has ended.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string { return i.signal.String() }

// Is makes it what it is for those who know contexts only.
func (i interruption) Is(target error) bool { return target == context.Canceled }

// untilSignal ends with the first signal. A second one kills.
func untilSignal(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case came := <-signals:
			signal.Stop(signals)
			number, _ := came.(syscall.Signal) // both are
			cancel(interruption{number})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
