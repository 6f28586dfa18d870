package ctl

import (
	"context"
	"errors"
	"io"

	"golang.org/x/term"
)

// readHidden reads a line that the terminal does not show. A signal leaves the
// terminal as it was.
func readHidden(ctx context.Context, terminal file) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	line, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	if ctx.Err() != nil {
		_ = term.Restore(fd, before) // we end anyway
	}
	return string(line), err
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) }
