package agent

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"
)

// Heartbeat is what the server hears each second. Members that nobody knows
// are absent.
type Heartbeat struct {
	Boot       string `json:"boot"`
	Version    string `json:"version"`
	BBBVersion string `json:"bbb_version,omitempty"`
	sample
	Redis   bool   `json:"redis"`
	PongAge *int64 `json:"pong_age_ms,omitempty"` // since akka-apps was last heard
}

// sample is how the machine is.
type sample struct {
	Load1       *float64 `json:"load1,omitempty"`
	CPUs        int      `json:"cpus,omitempty"`
	MemoryTotal *uint64  `json:"memory_total,omitempty"` // bytes
	MemoryFree  *uint64  `json:"memory_free,omitempty"`  // bytes that programs could get
	DiskFree    *uint64  `json:"disk_free,omitempty"`    // bytes, where recordings are made
	Unprocessed *int     `json:"recordings_unprocessed,omitempty"`
}

// vitals is what other parts of the agent know for the heartbeat.
type vitals struct {
	redis      atomic.Bool
	pong       atomic.Int64 // ms since 1970; 0: never
	bbbVersion atomic.Pointer[string]
	sample     atomic.Pointer[takenSample]
	beat       atomic.Int64 // when the loop of heartbeats last turned, ms since 1970
}

type takenSample struct {
	sample
	at time.Time
}

// staleSample is when it is better to say nothing: a disk that does not answer
// holds up who asks it.
const staleSample = 30 * time.Second

// keepBeating says each second that we live, one call after the other. A call
// that hangs is given up in time for the next to be heard.
func (a *Agent) keepBeating(ctx context.Context) error {
	tick := time.NewTicker(a.opts.pace.heartbeat)
	defer tick.Stop()
	failed := 0
	for {
		a.vitals.beat.Store(time.Now().UnixMilli())
		if id, _ := a.backend.get(); id != "" {
			err := a.beat(ctx, id)
			switch {
			case ctx.Err() != nil:
				return nil
			case err == nil && failed > 0:
				a.log.InfoContext(ctx, "heartbeats are heard again", "failed", failed)
				failed = 0
			case err == nil:
			default:
				if failed%60 == 0 {
					a.log.WarnContext(ctx, "heartbeat not heard", "error", err, "failed", failed+1)
				}
				failed++
			}
			if isNoBackend(err) {
				a.backend.set("")
				failed = 0
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *Agent) beat(ctx context.Context, backendID string) error {
	ctx, cancel := context.WithTimeout(ctx, a.opts.pace.heartbeatDeadline)
	defer cancel()
	err := a.beats.Heartbeat(ctx, backendID, a.heartbeat(time.Now()))
	if err != nil {
		a.count.heartbeatsFailed.Add(1)
		return err
	}
	a.count.heartbeats.Add(1)
	return nil
}

func (a *Agent) heartbeat(now time.Time) Heartbeat {
	h := Heartbeat{Boot: a.boot, Version: a.opts.Version, Redis: a.vitals.redis.Load()}
	if s := a.vitals.sample.Load(); s != nil && now.Sub(s.at) < staleSample {
		h.sample = s.sample
	}
	h.CPUs = runtime.NumCPU()
	if version := a.vitals.bbbVersion.Load(); version != nil {
		h.BBBVersion = *version
	}
	if pong := a.vitals.pong.Load(); pong > 0 {
		h.PongAge = new(max(now.UnixMilli()-pong, 0))
	}
	return h
}

// notThere says that a server does not have a route at all.
func notThere(err error) bool {
	status := statusOf(err)
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed
}
