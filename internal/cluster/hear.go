package cluster

import (
	"context"
	"encoding/json"
	"time"

	"golang.org/x/sync/errgroup"
)

// Hear is Run for a program that takes in what the agent of a node tells and is
// no instance: it follows the instances and stores events as they do, but
// probes, lists and judges nothing and asks for no lease. Where a list or a look
// would help, it asks the instances for a list. The store must be shared.
func (c *Cluster) Hear(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.follow(ctx) })
	g.Go(func() error { return c.runEvents(ctx) })
	g.Go(func() error { return c.runEnds(ctx) })
	g.Go(func() error { return c.passOn(ctx) })
	return g.Wait()
}

// SaveHeartbeat stores at once that the agent of a backend was heard, and what
// it said.
func (c *Cluster) SaveHeartbeat(ctx context.Context, backendID string, report *AgentReport) error {
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	if err := c.store.SaveHeartbeats(ctx, []string{backendID}); err != nil {
		return err
	}
	return c.store.SaveAgentReports(ctx, map[string][]byte{backendID: text})
}

// passOn does what else Run does for memory, and passes on what needs a node.
func (c *Cluster) passOn(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	fade := time.NewTicker(5 * time.Second)
	defer fade.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-look.C:
			for key := range c.looks.take(now, c.opts.LooksPerTick) {
				if r := c.table.Meeting(key); r != nil {
					c.wantList(r.BackendID, true) // a list costs more than a look, so not each time
				}
			}
		case now := <-fade.C:
			c.table.Age(now)
		case <-c.reload:
			if err := c.LoadConfig(ctx); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "configuration not read", "error", err)
				time.AfterFunc(time.Second, c.reloadSoon)
			}
		}
	}
}
