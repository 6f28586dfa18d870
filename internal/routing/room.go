package routing

import (
	"sync/atomic"
	"time"

	"b3scale"
)

// Room is a meeting as this instance knows it: its row and what was last seen
// on the node. A Room in the table is never changed, only replaced.
type Room struct {
	b3scale.Meeting
	Facts

	// Breakout rooms follow their parent's backend. They have no row: the
	// lists of the node bring them and take them away.
	Breakout bool
	// NodeID is the id to use towards the node when it is not the encoded one.
	NodeID string

	// ListedAt is when the list was begun that showed a breakout room.
	ListedAt time.Time

	// View caches how the room is shown to its frontend. It belongs to the
	// cluster, which knows the wire format.
	View atomic.Pointer[View]

	decision *Decision // why it is where it is; nil: another instance knows, or nobody

	weight int64 // what is counted on its backend now
	crowd  *Crowd
	asOf   int64 // Facts are those of this version of the row, or newer
}

// Decision is why the meeting is where it is; nil when it was not decided here,
// or before the last start.
func (r *Room) Decision() *Decision { return r.decision }

// AsOf is the version of the row with which Facts were stored last.
func (r *Room) AsOf() int64 { return r.asOf }

// Facts are what a node last said of a room.
type Facts struct {
	Running     bool
	People      int
	InBreakouts int      // of them, those counted in its breakout rooms
	Attendees   [][]byte // <attendee> elements as the node gave them
	Unsaved     bool     // the store could not be told of them
	Count       b3scale.Headcount
}

// View is the inside of a <meeting> element in pieces that are written one
// after the other, so that a long list is never copied.
type View struct {
	Parts [][]byte
	Size  int
}

// Add appends a piece.
func (v *View) Add(part []byte) {
	v.Parts = append(v.Parts, part)
	v.Size += len(part)
}
