//go:build unix

package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// toggleOnSignal toggles the level at every SIGUSR1 until ctx ends.
func (l *Level) toggleOnSignal(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				l.Toggle(ctx, "SIGUSR1")
			}
		}
	}()
}
