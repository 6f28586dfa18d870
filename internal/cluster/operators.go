package cluster

import (
	"context"
	"strings"
	"time"

	"b3scale"
)

// What operators change is in the store first and in our own memory when the
// call returns. Hardly anything needs to be read again for that: a failure in
// between would tell the operator that nothing was done. Other instances follow.

// AddFrontend takes a frontend into service.
func (c *Cluster) AddFrontend(ctx context.Context, f b3scale.Frontend, by b3scale.Actor) (b3scale.Frontend, error) {
	added, err := c.store.AddFrontend(ctx, f, by)
	if err == nil {
		c.configured(func(now time.Time) { c.table.SetFrontend(added, now) })
	}
	return added, err
}

// EditFrontend changes a frontend. edit may be called again.
func (c *Cluster) EditFrontend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Frontend) error) (b3scale.Frontend, error) {
	edited, err := c.store.EditFrontend(ctx, id, by, edit)
	if err == nil {
		c.configured(func(now time.Time) { c.table.SetFrontend(edited, now) })
	}
	return edited, err
}

// DeleteFrontend forgets a frontend and its meetings. Their rooms run on, and
// belong to nobody.
func (c *Cluster) DeleteFrontend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Frontend, error) {
	deleted, err := c.store.DeleteFrontend(ctx, id, by)
	if err == nil {
		c.configured(func(now time.Time) { c.table.Remove(id, now) })
		c.log.InfoContext(ctx, "frontend deleted", "frontend", id, "key", deleted.Key)
	}
	return deleted, err
}

// FrontendDefaults are the settings of frontends that do not set them, as the
// store has them.
func (c *Cluster) FrontendDefaults(ctx context.Context) (b3scale.FrontendSettings, error) {
	return c.store.FrontendDefaults(ctx)
}

// EditFrontendDefaults changes them. edit may be called again. They have no
// version that tells which of two edits came later, so they are read again.
func (c *Cluster) EditFrontendDefaults(ctx context.Context, by b3scale.Actor, edit func(*b3scale.FrontendSettings) error) (b3scale.FrontendSettings, error) {
	edited, err := c.store.EditFrontendDefaults(ctx, by, edit)
	if err != nil {
		return edited, err
	}
	if err := c.LoadConfig(ctx); err != nil { // it is done
		c.log.WarnContext(ctx, "defaults of frontends not read", "error", err)
		c.configured(func(now time.Time) { c.table.SetDefaults(edited, now) })
		c.reloadSoon()
	}
	return edited, nil
}

// AddBackend takes a backend into service: it is probed and listed at once.
func (c *Cluster) AddBackend(ctx context.Context, b b3scale.Backend, by b3scale.Actor) (b3scale.Backend, error) {
	b.Host = withSlash(b.Host)
	added, err := c.store.AddBackend(ctx, b, by)
	if err == nil {
		c.configured(func(now time.Time) { c.table.SetBackend(added, now) })
	}
	return added, err
}

// EditBackend changes a backend, which is then probed and listed soon. edit may
// be called again.
func (c *Cluster) EditBackend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Backend) error) (b3scale.Backend, error) {
	edited, err := c.store.EditBackend(ctx, id, by, func(b *b3scale.Backend) error {
		if err := edit(b); err != nil {
			return err
		}
		b.Host = withSlash(b.Host)
		return nil
	})
	if err != nil {
		return edited, err
	}
	c.configured(func(now time.Time) { c.table.SetBackend(edited, now) })
	c.probeNow(id)
	c.listSoon(id)
	return edited, nil
}

// DeleteBackend forgets a backend and the meetings there, whoever is in them.
// Their rooms run on, and belong to nobody.
func (c *Cluster) DeleteBackend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Backend, error) {
	deleted, err := c.store.DeleteBackend(ctx, id, by)
	if err == nil {
		c.forgetBackend(ctx, id, deleted.Host)
	}
	return deleted, err
}

func (c *Cluster) forgetBackend(ctx context.Context, id, host string) {
	c.configured(func(now time.Time) { c.table.Remove(id, now) })
	c.log.InfoContext(ctx, "backend deleted", "backend", id, "host", host)
}

// DeclareLost passes the verdict that a backend is lost: its meetings are
// placed elsewhere at their next create. The operator knows better than any
// probe; the first good probe takes the verdict back.
func (c *Cluster) DeclareLost(ctx context.Context, id string, by b3scale.Actor) error {
	passed, err := c.store.DeclareLost(ctx, id, by)
	if err != nil {
		return err
	}
	err = c.LoadConfig(ctx)
	if passed && err != nil { // it is done, and others know it
		c.log.WarnContext(ctx, "verdict not read", "backend", id, "error", err)
		c.reloadSoon()
		return nil
	}
	if err != nil {
		return err
	}
	if c.table.Backend(id) == nil {
		return b3scale.Errorf(b3scale.NotFound, "no backend %q", id)
	}
	if passed {
		c.log.WarnContext(ctx, "backend declared lost", "backend", id)
	}
	return nil
}

// configured brings memory up to what was just stored. A LoadConfig that read
// before that has ended before.
func (c *Cluster) configured(change func(now time.Time)) {
	c.configMu.Lock()
	defer c.configMu.Unlock()
	change(time.Now())
}

// withSlash ends a base URL with one slash: calls are appended to it.
func withSlash(host string) string { return strings.TrimRight(host, "/") + "/" }
