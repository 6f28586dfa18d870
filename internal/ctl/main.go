package ctl

import (
	"context"
	"errors"
	"io"
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
	exitGood     = 0
	exitBad      = 1
	exitNoChange = 64
)

// errNoChange ends a command that found everything as it should be. It has
// said so already.
var errNoChange = errors.New("no changes")

// Main is the command b3scalectl. It returns the exit code.
func Main(args []string, opts Options) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills
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
	return exitBad
}
