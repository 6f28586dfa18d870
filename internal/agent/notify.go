package agent

import (
	"context"
	"net"
	"time"
)

// notifier tells systemd how we are. It does not matter when it cannot.
type notifier struct{ socket string }

func (n notifier) send(state string) {
	if n.socket == "" {
		return
	}
	// A name that begins with @ is in the abstract namespace; net knows that.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(state))
}

// keepWatchdog tells systemd that we live as long as the loop of heartbeats
// turns: without it, nobody would notice that we hang.
func (a *Agent) keepWatchdog(ctx context.Context, tell notifier) error {
	if a.opts.Watchdog <= 0 || tell.socket == "" {
		return nil
	}
	tick := time.NewTicker(a.opts.Watchdog / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			turned := time.UnixMilli(a.vitals.beat.Load())
			if time.Since(turned) < a.opts.Watchdog+2*a.opts.pace.heartbeatDeadline {
				tell.send("WATCHDOG=1")
			}
		}
	}
}
