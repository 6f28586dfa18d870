package bbbtest

import (
	"slices"
	"time"
)

// archive is what the recorder needs of a room and the room does not show.
type archive struct {
	joined    map[string]bool // internal ids of all who came
	since     time.Time       // the recording runs since then
	onAir     time.Duration
	breakouts []string // internal ids of all breakout rooms that there were
}

// recorded is a room that is over, as its recording tells of it.
type recorded struct {
	Room
	end          time.Time
	participants int
	duration     time.Duration // of the recorded parts
	breakouts    []string
}

func (n *Node) keepsRecordings() bool { return n.opts.RecordingsDir != "" }

// The methods below need the lock of the rooms. They look at the clock only when
// there will be files.

func (n *Node) archiveJoin(r *room, internalID string) {
	if !n.keepsRecordings() {
		return
	}
	if r.kept.joined == nil {
		r.kept.joined = make(map[string]bool)
	}
	r.kept.joined[internalID] = true
}

// archiveMark notes that the recording was started or paused.
func (n *Node) archiveMark(r *room, on bool) {
	switch {
	case !n.keepsRecordings():
	case on:
		r.kept.since = n.opts.Now()
	default:
		r.kept.onAir += n.opts.Now().Sub(r.kept.since)
	}
}

// archived is a room as it ends.
func (n *Node) archived(r *room) *recorded {
	rec := &recorded{Room: r.clone(), breakouts: slices.Clone(r.kept.breakouts)}
	if n.keepsRecordings() {
		rec.end, rec.participants, rec.duration = n.opts.Now(), len(r.kept.joined), r.kept.onAir
		if r.OnAir {
			rec.duration += rec.end.Sub(r.kept.since)
		}
	}
	return rec
}
