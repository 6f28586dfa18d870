package agent

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// counters are for the log line of each minute.
type counters struct {
	messages, unknown, broken      atomic.Uint64 // of Redis
	events, sent, batches, refused atomic.Uint64
	failures, lost, gaps           atomic.Uint64
	calls, callsFailed             atomic.Uint64 // remote calls of the existing product
	heartbeats, heartbeatsFailed   atomic.Uint64
}

func (a *Agent) keepCounting(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c := &a.count
			a.log.LogAttrs(ctx, slog.LevelDebug, "counters",
				slog.Uint64("messages", c.messages.Load()), slog.Uint64("unknown", c.unknown.Load()), slog.Uint64("broken", c.broken.Load()),
				slog.Uint64("events", c.events.Load()), slog.Uint64("sent", c.sent.Load()), slog.Uint64("batches", c.batches.Load()),
				slog.Uint64("refused", c.refused.Load()), slog.Uint64("failures", c.failures.Load()), slog.Uint64("gaps", c.gaps.Load()),
				slog.Uint64("calls", c.calls.Load()), slog.Uint64("calls_failed", c.callsFailed.Load()),
				slog.Uint64("heartbeats", c.heartbeats.Load()), slog.Uint64("heartbeats_failed", c.heartbeatsFailed.Load()),
				slog.Uint64("lost", c.lost.Load()), slog.Int("unsent", a.outbox.len()))
		}
	}
}
