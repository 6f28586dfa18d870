package cluster

import (
	"context"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// saveUsesEvery is how often it is stored which secrets are in use.
const saveUsesEvery = 30 * time.Second

// SecretUsed notes that a frontend proved itself with one of its secrets.
func (c *Cluster) SecretUsed(f *b3scale.Frontend, secondary bool) {
	if use := c.table.FrontendUse(f.ID); use != nil {
		use.Used(secondary, time.Now())
	}
}

// SecretUses tell when secrets of frontends and backends were last used with
// success, here or at another instance. Those never used are left out.
func (c *Cluster) SecretUses(ctx context.Context) (map[b3scale.SecretSlot]b3scale.Micros, error) {
	uses, err := c.store.SecretUses(ctx)
	if err != nil {
		return nil, err
	}
	all := map[b3scale.SecretSlot]b3scale.Micros{}
	for slot, at := range uses {
		all[slot] = at
	}
	for slot, at := range c.ownUses() {
		all[slot] = max(all[slot], at)
	}
	return all, nil
}

func (c *Cluster) ownUses() map[b3scale.SecretSlot]b3scale.Micros {
	uses := map[b3scale.SecretSlot]b3scale.Micros{}
	note := func(id string, use *routing.SecretUse) {
		for _, secondary := range []bool{false, true} {
			if at := use.At(secondary); at != 0 {
				uses[b3scale.SecretSlot{OwnerID: id, Secondary: secondary}] = at
			}
		}
	}
	c.table.EachFrontend(func(f *b3scale.Frontend) {
		if use := c.table.FrontendUse(f.ID); use != nil {
			note(f.ID, use)
		}
	})
	for _, b := range c.table.Backends() {
		note(b.ID, b.SecretUse())
	}
	return uses
}

// saveSecretUses stores now and then, and in the end, what was used here.
func (c *Cluster) saveSecretUses(ctx context.Context) error {
	saved := map[b3scale.SecretSlot]b3scale.Micros{}
	for ctx.Err() == nil {
		pause(ctx, jitter(saveUsesEvery))
		c.saveUses(context.WithoutCancel(ctx), saved)
	}
	return nil
}

func (c *Cluster) saveUses(ctx context.Context, saved map[b3scale.SecretSlot]b3scale.Micros) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	news := c.ownUses()
	for slot, at := range news {
		if saved[slot] == at {
			delete(news, slot)
		}
	}
	if len(news) == 0 {
		return
	}
	if err := c.store.SaveSecretUses(ctx, news); err != nil {
		c.log.WarnContext(ctx, "uses of secrets not stored", "error", err)
		return
	}
	for slot, at := range news {
		saved[slot] = at
	}
}
