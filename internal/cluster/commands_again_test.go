package cluster

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
)

// A command whose end could not be stored is done again, and harms nobody: rooms
// that did not exist when it was given live on.
func TestACommandIsDoneAgain(t *testing.T) {
	t.Parallel()
	var fails atomic.Int32
	fails.Store(1)
	p := plan{nodes: 1, wrap: func(s b3scale.Store) b3scale.Store {
		return tapped{s, func(ctx context.Context, method string, call func() error) error {
			if method == "FinishCommand" && fails.Add(-1) >= 0 {
				return errDead
			}
			return call()
		}}
	}}
	inBubble(t, p, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(time.Second)
		s.created("class")
		command := s.endAllOn(s.c, s.backends[0])
		time.Sleep(30 * time.Second)
		s.created("later")
		s.over(s.c, command.ID, 2*time.Minute, b3scale.CommandSuccess, "true")
		time.Sleep(10 * time.Second)
		if ends := s.endsAt(0); len(ends) != 1 {
			t.Errorf("the node was asked to end %v; the second room was created 30 s after the command", ends)
		}
		s.livesOn(0, "later")
	})
}
