package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// AgentReport is what an agent says of its node with a heartbeat. Members that
// are nil it does not know.
type AgentReport struct {
	Boot                  string   `json:"boot,omitempty"`
	Version               string   `json:"version,omitempty"`
	BBBVersion            string   `json:"bbb_version,omitempty"`
	Load1                 *float64 `json:"load1,omitempty"`
	CPUs                  *int     `json:"cpus,omitempty"`
	MemoryTotal           *int64   `json:"memory_total,omitempty"`
	MemoryFree            *int64   `json:"memory_free,omitempty"`
	DiskFree              *int64   `json:"disk_free,omitempty"`
	RecordingsUnprocessed *int64   `json:"recordings_unprocessed,omitempty"`
	Redis                 *bool    `json:"redis,omitempty"`
	PongAgeMS             *int64   `json:"pong_age_ms,omitempty"`
}

// pongOld is how long akka-apps may keep silent before an agent that hears
// nothing counts as deaf.
const pongOld = 30 * time.Second

// deaf reports whether the agent lives but hears nothing of the meetings.
func (r *AgentReport) deaf() bool {
	return r != nil && (r.Redis != nil && !*r.Redis || r.PongAgeMS != nil && *r.PongAgeMS > pongOld.Milliseconds())
}

// agents is what is known of the agents that speak to this instance.
type agents struct {
	mu        sync.Mutex
	byBackend map[string]*agent
	ahead     atomic.Int64 // microseconds that the store's clock is ahead of ours
}

// agent is one of them. Several instances may each hear a part of what it says.
type agent struct {
	mu     sync.Mutex
	boot   string
	past   []string // boots before; what still comes of them is too old
	next   int64    // sequence of its next event
	listed time.Time
	jumped time.Time
	parked []parked
	quiet  map[string]time.Time // rooms that no list is asked for, until then

	beat   bool // since the store was last told
	report []byte
	state  string // as it was logged last
}

func (c *Cluster) agentOn(backendID string) *agent {
	c.agents.mu.Lock()
	defer c.agents.mu.Unlock()
	a := c.agents.byBackend[backendID]
	if a == nil {
		if c.agents.byBackend == nil {
			c.agents.byBackend = map[string]*agent{}
		}
		a = &agent{quiet: map[string]time.Time{}}
		c.agents.byBackend[backendID] = a
	}
	return a
}

// BackendOfAgent is the backend whose agent has tokens of that subject; nil
// when there is none. It is asked with every heartbeat, so it asks nobody.
func (c *Cluster) BackendOfAgent(subject string) *routing.Backend {
	if subject == "" {
		return nil
	}
	return c.table.BackendOfAgent(subject)
}

// Heartbeat notes that the agent on a backend lives. It waits for nothing. It
// returns when, by the store's clock as far as we know it.
func (c *Cluster) Heartbeat(backendID string, report *AgentReport) b3scale.Micros {
	now := time.Now()
	a := c.agentOn(backendID)
	a.mu.Lock()
	a.beat = true
	if report != nil {
		a.report, _ = json.Marshal(report) // texts, numbers and flags always marshal
	}
	a.mu.Unlock()
	if b := c.table.Backend(backendID); b != nil {
		b.HeardAgent(now, report.deaf())
		if report != nil {
			b.SetAgentReport(report)
		}
	}
	return c.storeTime(now)
}

// storeTime is a time of ours by the store's clock.
func (c *Cluster) storeTime(t time.Time) b3scale.Micros {
	return b3scale.MicrosOf(t) + b3scale.Micros(c.agents.ahead.Load())
}

// ourTime is a time of the store by our clock.
func (c *Cluster) ourTime(at b3scale.Micros) b3scale.Micros {
	return at - b3scale.Micros(c.agents.ahead.Load())
}

// setClock compares the clocks: the store's was read between begin and now.
func (c *Cluster) setClock(stored b3scale.Micros, begin time.Time) {
	if time.Since(begin) > time.Second && c.agents.ahead.Load() != 0 {
		return // that says less than what is known
	}
	middle := begin.Add(time.Since(begin) / 2)
	c.agents.ahead.Store(int64(stored - b3scale.MicrosOf(middle)))
}

// saveHeartbeats tells the store whom this instance has heard since the last
// time, all at once.
func (c *Cluster) saveHeartbeats(ctx context.Context) {
	c.agents.mu.Lock()
	heard := make([]string, 0, len(c.agents.byBackend))
	reports := map[string][]byte{}
	for id, a := range c.agents.byBackend {
		a.mu.Lock()
		if a.beat {
			heard = append(heard, id)
			if a.report != nil {
				reports[id] = a.report
			}
			a.beat, a.report = false, nil
		}
		a.mu.Unlock()
	}
	c.agents.mu.Unlock()
	if len(heard) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.ProbeInterval)
	defer cancel()
	err := c.store.SaveHeartbeats(ctx, heard)
	if err == nil {
		err = c.store.SaveAgentReports(ctx, reports)
	}
	if err != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "heartbeats not stored", "error", err)
	}
}

// pollAgents learns whom the others have heard.
func (c *Cluster) pollAgents(ctx context.Context) error {
	signs, err := c.store.Agents(ctx)
	if err != nil {
		return err
	}
	for id, sign := range signs {
		b := c.table.Backend(id)
		if b == nil || sign.HeardAt == 0 {
			continue
		}
		report := reportOf(sign.Report)
		if b.HeardAgentElsewhere(c.ourTime(sign.HeardAt), report.deaf()) && report != nil {
			b.SetAgentReport(report)
		}
	}
	return nil
}

func reportOf(text []byte) *AgentReport {
	var r AgentReport
	if len(text) == 0 || json.Unmarshal(text, &r) != nil {
		return nil
	}
	return &r
}

func (c *Cluster) runJudge(ctx context.Context) error {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			c.judgeAgents(ctx)
		}
	}
}

// judgeAgents says in the log when an agent falls silent and when it is back.
func (c *Cluster) judgeAgents(ctx context.Context) {
	now := time.Now()
	for _, b := range c.table.Backends() {
		a := c.agentOn(b.ID)
		if !b.HasAgent(now) {
			continue
		}
		why := b.AgentTrouble(now)
		state := "heard"
		if why != "" {
			state = "silent"
			if b.AgentDeaf() {
				state = "deaf"
			}
		}
		a.mu.Lock()
		before := a.state
		a.state = state
		a.mu.Unlock()
		switch {
		case before == state:
		case why != "":
			c.log.WarnContext(ctx, "agent is not to be relied on", "backend", b.ID, "host", b.Host, "reason", why)
		case before != "":
			c.log.InfoContext(ctx, "agent is heard again", "backend", b.ID, "host", b.Host)
			c.wantList(b.ID, false)
		default:
			c.log.InfoContext(ctx, "agent is heard", "backend", b.ID, "host", b.Host)
		}
	}
}

// wantList asks for a list of the backend soon, and not more often than nodes
// should be asked. It reports whether one comes.
func (c *Cluster) wantList(backendID string, jump bool) bool {
	a := c.agentOn(backendID)
	now := time.Now()
	a.mu.Lock()
	if jump { // maybe another instance has what is missing here
		if now.Sub(a.jumped) < min(c.opts.ListInterval, 10*time.Second) {
			a.mu.Unlock()
			return false
		}
		a.jumped = now
	}
	wait := a.listed.Add(c.opts.ListGapMin()).Sub(now)
	if wait > 0 && a.listed.After(now) {
		a.mu.Unlock()
		return true // it is planned
	}
	a.listed = now
	if wait > 0 {
		a.listed = now.Add(wait)
	}
	a.mu.Unlock()
	if wait > 0 {
		time.AfterFunc(wait, func() {
			if c.halted.Err() == nil {
				c.listSoon(backendID)
			}
		})
	} else {
		c.listSoon(backendID)
	}
	return true
}

// ListGapMin is the least time between two lists that events ask for.
func (o Options) ListGapMin() time.Duration { return min(2*time.Second, o.ListInterval) }

// takesBoot decides about the boot id of a batch. fresh says that it was not
// known, ok that it is not one from before.
func (a *agent) takesBoot(boot string) (fresh, ok bool) {
	if a.boot == boot {
		return false, true
	}
	if slices.Contains(a.past, boot) {
		return false, false
	}
	if a.boot != "" {
		if a.past = append(a.past, a.boot); len(a.past) > 16 {
			a.past = a.past[1:]
		}
	}
	a.boot, a.next = boot, 0
	return true, true
}
