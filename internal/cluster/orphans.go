package cluster

import (
	"context"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// keepOrphan is how long an orphan stays booked after an end by external id.
// Such an end may arrive late, and would hit the next room of the meeting.
const keepOrphan = 5 * time.Minute

// sweepOrphans looks at what is booked on the listed backend. An orphan whose
// room is not listed is deleted if it was booked before the list was asked
// for; the others are settled.
func (l *listing) sweepOrphans(ctx context.Context) error {
	orphans, err := l.store.Orphans(ctx, l.backend.ID)
	if err != nil {
		return err
	}
	l.placements.noteOrphans(l.backend.ID, l.t0, orphans)
	var gone []b3scale.MeetingKey
	for _, o := range orphans {
		if l.rooms[o.Key] != nil {
			l.sweep(ctx, o.Key, l.backend.ID)
		} else {
			gone = append(gone, o.Key)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return l.store.DeleteOrphans(ctx, l.backend.ID, gone, l.t0, keepOrphan)
}

// sweep settles one orphan: the room is ended, taken back, or left for later.
// It is ended only when its meeting was just seen alive elsewhere, or its end
// was asked for.
func (c *Cluster) sweep(ctx context.Context, key b3scale.MeetingKey, backendID string) {
	if c.opts.Observe {
		return
	}
	b := c.table.Backend(backendID)
	nodeID := c.nodeID(key)
	if b == nil || nodeID == "" {
		return
	}
	leased, err := c.store.LeaseOrphan(ctx, key, backendID, c.opts.OrphanLease)
	if err != nil || !leased {
		return
	}
	x, err := c.info(ctx, b, nodeID, c.opts.CallTimeout)
	if err != nil || x == nil {
		return // gone: the next list deletes the booking
	}
	elsewhere, err := c.aliveElsewhere(ctx, key, backendID, nodeID)
	if err != nil {
		return
	}
	settled, m, err := c.store.SettleOrphan(ctx, key, backendID, c.withOrigin(key, x.Incarnation), elsewhere)
	if err != nil {
		c.log.WarnContext(ctx, "orphan not settled", "meeting", key, "backend", backendID, "error", err)
		return
	}
	switch settled {
	case b3scale.OrphanTakenBack:
		c.log.InfoContext(ctx, "meeting taken back", "meeting", key, "backend", backendID, "generation", m.Generation, "internal_id", x.InternalID)
		c.table.Apply(m, time.Now())
	case b3scale.OrphanEnds:
		c.log.InfoContext(ctx, "orphaned room is being ended", "meeting", key, "backend", backendID, "internal_id", x.InternalID)
		room := &routing.Room{Meeting: b3scale.Meeting{Key: key, Incarnation: x.Incarnation}, NodeID: nodeID}
		if _, err := c.endRoom(ctx, b, room, bbb.Params{}); err != nil {
			c.log.WarnContext(ctx, "orphaned room not ended", "meeting", key, "backend", backendID, "error", err)
		}
	case b3scale.OrphanWaits, b3scale.OrphanGone:
	}
}

// aliveElsewhere looks at the room that the row calls active on another
// backend. A row whose room is gone is ended, so that the orphan may become
// the meeting again.
func (c *Cluster) aliveElsewhere(ctx context.Context, key b3scale.MeetingKey, backendID, nodeID string) (*b3scale.Alive, error) {
	row, err := c.store.Meeting(ctx, key)
	if b3scale.CodeOf(err) == b3scale.NotFound || err == nil && (row.State != b3scale.MeetingActive || row.BackendID == backendID) {
		return nil, nil //nolint:nilnil // unexported: nothing elsewhere is an answer
	}
	if err != nil {
		return nil, err
	}
	b := c.table.Backend(row.BackendID)
	if b == nil {
		return nil, nil //nolint:nilnil // as above
	}
	x, err := c.info(ctx, b, nodeID, c.opts.CallTimeout)
	switch {
	case err != nil:
		return nil, nil //nolint:nilnil,nilerr // not seen alive: no proof
	case x == nil || x.InternalID != row.InternalID:
		return nil, c.end(ctx, row)
	}
	return &b3scale.Alive{Generation: row.Generation, InternalID: row.InternalID}, nil
}
