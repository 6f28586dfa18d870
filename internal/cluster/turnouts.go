package cluster

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"b3scale"
	"b3scale/internal/routing"
)

// runEvents stores what events have changed, soon and in batches.
func (c *Cluster) runEvents(ctx context.Context) error {
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			c.flush(ctx)
			return nil
		case now := <-flush.C:
			c.unpark(now)
			c.flush(ctx)
		}
	}
}

// runHeartbeats stores who was heard. Nothing else waits for it, and it for
// nothing else.
func (c *Cluster) runHeartbeats(ctx context.Context) error {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			c.saveHeartbeats(ctx)
		}
	}
}

// runEnds ends the rows of rooms that agents say are over.
func (c *Cluster) runEnds(ctx context.Context) error {
	retry := time.NewTicker(2 * time.Second)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.events.wake:
		case <-retry.C:
		}
		c.events.mu.Lock()
		ends := c.events.ends
		c.events.ends = nil
		c.events.mu.Unlock()
		var g errgroup.Group
		g.SetLimit(8)
		for crowd, m := range ends {
			g.Go(func() error {
				if r := c.table.Meeting(m.Key); r != nil && r.Crowd() == crowd {
					m = r.Meeting
				}
				c.saveLast(ctx, crowd, m)
				if err := c.end(ctx, m); err != nil && ctx.Err() == nil {
					c.log.WarnContext(ctx, "end of a meeting not stored", "meeting", m.Key, "backend", m.BackendID, "error", err)
					c.events.mu.Lock()
					if c.events.ends == nil {
						c.events.ends = map[*routing.Crowd]b3scale.Meeting{}
					}
					c.events.ends[crowd] = m
					c.events.mu.Unlock()
				}
				return nil
			})
		}
		_ = g.Wait() // none fails
	}
}

// saveLast stores what happened in a room until its end, for the ledger.
func (c *Cluster) saveLast(ctx context.Context, crowd *routing.Crowd, m b3scale.Meeting) {
	c.events.mu.Lock()
	delete(c.events.dirty, crowd)
	c.events.mu.Unlock()
	c.flushRooms(ctx, m.BackendID, []dirtyRoom{{key: m.Key, crowd: crowd}})
}

type dirtyRoom struct {
	key     b3scale.MeetingKey
	crowd   *routing.Crowd
	unsaved routing.Unsaved
}

// flush stores what events have changed since the last one.
func (c *Cluster) flush(ctx context.Context) {
	c.events.mu.Lock()
	dirty := c.events.dirty
	c.events.dirty = nil
	c.events.mu.Unlock()
	rooms := map[string][]dirtyRoom{}
	for crowd, key := range dirty {
		if r := c.table.Meeting(key); r != nil && r.Crowd() == crowd {
			rooms[r.BackendID] = append(rooms[r.BackendID], dirtyRoom{key: key, crowd: crowd})
		}
	}
	var g errgroup.Group
	g.SetLimit(4)
	for backendID, all := range rooms {
		for some := range slices.Chunk(all, flushRooms) {
			g.Go(func() error {
				c.flushRooms(ctx, backendID, some)
				return nil
			})
		}
	}
	_ = g.Wait() // none fails
}

func (c *Cluster) flushRooms(ctx context.Context, backendID string, rooms []dirtyRoom) {
	now := time.Now()
	var told []b3scale.Turnout
	var of []*dirtyRoom
	for i := range rooms {
		d := &rooms[i]
		r := c.table.Meeting(d.key)
		if r == nil || r.Crowd() != d.crowd || r.State != b3scale.MeetingActive {
			continue
		}
		u, news := d.crowd.Unsaved(b3scale.MicrosOf(now))
		if !news {
			continue
		}
		d.unsaved = u
		t := b3scale.Turnout{
			Key: d.key, Generation: r.Generation, InternalID: r.InternalID, Attendees: u.Attendees, Forget: u.Forget, Arrivals: u.Arrivals,
			Headcount: u.Headcount, Peak: u.Peak, LatePeople: u.People, LateVoice: u.Voice, LateVideo: u.Video, Known: r.AsOf(),
		}
		if u.Info {
			t.Info = r.Info
		}
		for i := range t.Attendees {
			t.Attendees[i].SeenAt = c.storeTime(t.Attendees[i].SeenAt.Time())
		}
		told, of = append(told, t), append(of, d)
	}
	if len(told) == 0 {
		return
	}
	stored, err := c.store.SaveTurnouts(ctx, backendID, told)
	if err != nil {
		if ctx.Err() == nil {
			c.log.WarnContext(ctx, "events not stored", "backend", backendID, "error", err)
		}
		for _, d := range of {
			d.crowd.Redo(d.unsaved)
			c.soil(d.crowd, d.key)
		}
		return
	}
	for i, d := range of {
		if stored[i].Version == 0 { // it has moved, or ended
			if err := c.reread(ctx, d.key); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "meeting not read", "meeting", d.key, "error", err)
			}
			r := c.table.Meeting(d.key)
			if r != nil && r.Crowd() == d.crowd && r.Generation != told[i].Generation { // the same room in a new generation
				d.crowd.Redo(d.unsaved)
				c.soil(d.crowd, d.key)
			} else {
				d.crowd.Done(b3scale.MicrosOf(time.Now()))
			}
			continue
		}
		d.crowd.Done(b3scale.MicrosOf(time.Now()))
		switch {
		case stored[i].Complete || !c.shared():
			c.table.Saved(d.key, d.crowd, stored[i].Version, now)
		default:
			d.crowd.Doubt()
		}
	}
}
