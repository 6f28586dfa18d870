package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// nodeReport is what a list shows besides the meetings that have rows. The
// instance that lists a backend writes it for the others.
type nodeReport struct {
	Foreign     int              `json:"foreign,omitempty"`      // people in rooms that are not ours
	InBreakouts map[string]int   `json:"in_breakouts,omitempty"` // people, by the internal id of the parent
	Breakouts   []breakoutReport `json:"breakouts,omitempty"`

	EmptySince b3scale.Micros `json:"empty_since,omitempty"` // of a decommissioned backend, see noteEmpty

	version int64
}

type breakoutReport struct {
	FrontendID  string   `json:"frontend_id"`
	MeetingID   string   `json:"meeting_id"`
	NodeID      string   `json:"node_id"`
	InternalID  string   `json:"internal_id"`
	CreateTime  int64    `json:"create_time"`
	AttendeePW  string   `json:"attendee_pw"`
	ModeratorPW string   `json:"moderator_pw"`
	Info        []byte   `json:"info"`
	Running     bool     `json:"running"`
	People      int      `json:"people"`
	Attendees   [][]byte `json:"attendees,omitempty"`
}

// saveReport tells the others what the list showed, if it is news.
func (l *listing) saveReport(ctx context.Context) error {
	l.now.report = l.before.report
	if !l.shared() {
		return nil
	}
	text, err := json.Marshal(l.report)
	if err != nil {
		return err
	}
	if !bytes.Equal(text, l.before.report) {
		if err := l.store.SaveReport(ctx, l.backend.ID, text); err != nil {
			return err
		}
		l.now.report = text
	}
	return nil
}

func reportBreakout(r *routing.Room) breakoutReport {
	return breakoutReport{
		FrontendID: r.Key.FrontendID, MeetingID: r.Key.MeetingID, NodeID: r.NodeID,
		InternalID: r.InternalID, CreateTime: r.CreateTime, AttendeePW: r.AttendeePW, ModeratorPW: r.ModeratorPW, Info: r.Info,
		Running: r.Running, People: r.People, Attendees: r.Present(),
	}
}

func (b *breakoutReport) room(backendID string) *routing.Room {
	return &routing.Room{
		Meeting: b3scale.Meeting{
			Key: b3scale.MeetingKey{FrontendID: b.FrontendID, MeetingID: b.MeetingID}, BackendID: backendID,
			Incarnation: b3scale.Incarnation{
				InternalID: b.InternalID, CreateTime: b.CreateTime, AttendeePW: b.AttendeePW, ModeratorPW: b.ModeratorPW, Info: b.Info,
			},
		},
		ListedAt: time.Now().Add(-2 * slack), // a little older than what events tell
		Facts:    routing.Facts{Running: b.Running, People: b.People, Attendees: b.Attendees},
		NodeID:   b.NodeID,
	}
}

// pollReports reads what others say of the backends that they list.
func (c *Cluster) pollReports(ctx context.Context) error {
	f := &c.following
	newest := f.reports
	err := c.store.Reports(ctx, f.reports-lookBack.Microseconds(), func(backendID string, version int64, text []byte) {
		newest = max(newest, version)
		if version <= f.latest[backendID].version {
			return
		}
		r := nodeReport{version: version}
		if err := json.Unmarshal(text, &r); err != nil {
			c.log.WarnContext(ctx, "report not understood", "backend", backendID, "error", err)
			return
		}
		f.latest[backendID] = r
		c.takeReport(backendID, r)
	})
	if err == nil {
		f.reports = newest
	}
	return err
}

// takeReport brings a report into memory, unless our own lists know better.
func (c *Cluster) takeReport(backendID string, report nodeReport) {
	b := c.table.Backend(backendID)
	if b == nil || c.lists(backendID) {
		return
	}
	b.SetForeign(report.Foreign)
	b.SetEmpty(report.EmptySince)
	now := time.Now()
	rooms := make([]*routing.Room, len(report.Breakouts))
	for i := range report.Breakouts {
		rooms[i] = report.Breakouts[i].room(backendID)
	}
	// One that was created here a moment ago may be missing in it.
	c.table.SetBreakouts(backendID, rooms, now.Add(-c.opts.ListInterval), now)
	c.settleBreakouts(rooms)
	for _, r := range c.table.MeetingsOn(backendID) {
		if in := report.InBreakouts[r.InternalID]; !r.Breakout && in != r.InBreakouts {
			facts := r.Facts
			facts.InBreakouts = in
			c.table.Observe(r.Key, r.InternalID, facts, nil, r.AsOf(), now)
		}
	}
}
