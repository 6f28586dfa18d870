package sqlstore

import (
	"context"
	"errors"
	"time"

	"b3scale"
)

// Observer is told of every use of the database. It must not wait.
type Observer interface {
	// Used tells how long it took, waiting for a connection included. failure is
	// "" when the database did what it was asked, be it to say no.
	Used(kind UseKind, took time.Duration, failure UseFailure)
}

// UseKind is what the database was asked for.
type UseKind string

// The kinds of uses. Those that are long go through many rows.
const (
	UseRead      UseKind = "read"
	UseReadLong  UseKind = "read_long"
	UseWrite     UseKind = "write"
	UseWriteLong UseKind = "write_long"
)

// UseKinds are all of them.
var UseKinds = []UseKind{UseRead, UseReadLong, UseWrite, UseWriteLong}

// UseFailure is why the database did not do it.
type UseFailure string

// The failures of uses.
const (
	UseTimeout UseFailure = "timeout" // no answer in time
	UseFailed  UseFailure = "failed"  // it is away, or full, or broken
)

// UseFailures are all of them.
var UseFailures = []UseFailure{UseTimeout, UseFailed}

// observed runs one use and translates its error. Whoever goes away before the
// end says nothing about the database.
func (s *Store) observed(ctx context.Context, kind UseKind, use func(context.Context) error) error {
	if s.observer == nil {
		return s.translate(use(ctx))
	}
	begin := time.Now()
	cause := use(ctx)
	err := s.translate(cause)
	switch {
	case b3scale.CodeOf(err) != b3scale.Unavailable:
		s.observer.Used(kind, time.Since(begin), "")
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(cause, errClosed):
	case errors.Is(cause, context.DeadlineExceeded):
		s.observer.Used(kind, time.Since(begin), UseTimeout)
	default:
		s.observer.Used(kind, time.Since(begin), UseFailed)
	}
	return err
}
