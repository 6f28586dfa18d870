package routing

import (
	"strconv"
	"time"

	"b3scale"
)

// LoadOptions say how large a meeting is taken to be before people come.
type LoadOptions struct {
	DefaultSize int           // expected people of a meeting that says nothing; 15
	Hold        time.Duration // this long the expected size counts in full; 10 minutes
	Fade        time.Duration // and shrinks to 0 over this time; 20 minutes
}

// MaxSize is the largest size hint that counts.
const MaxSize = 500

// ExpectedSize reads the size hint of a create: meta_bbb-meeting-size-hint,
// else maxParticipants when that is smaller than the default, else the default.
func (o LoadOptions) ExpectedSize(hint, maxParticipants string) int {
	if n, err := strconv.Atoi(hint); err == nil {
		return min(max(n, 0), MaxSize)
	}
	if n, err := strconv.Atoi(maxParticipants); err == nil && n > 0 && n < o.DefaultSize {
		return n
	}
	return o.DefaultSize
}

// thousand turns people into the unit of weights.
const thousand = 1000

// weigh is what a room adds to the load of its backend: the larger of the
// people in it and those expected. So a burst of claims spreads at once, a
// room that fills early is not counted twice, and a room nobody came to is
// forgotten. People in breakout rooms count there, not in the parent.
func (o LoadOptions) weigh(r *Room, now time.Time) int64 {
	people := int64(max(r.People-r.InBreakouts, 0)) * thousand
	if r.Breakout {
		return people
	}
	return max(people, o.expected(r.Size, r.ClaimedAt, now))
}

func (o LoadOptions) expected(size int, claimedAt b3scale.Micros, now time.Time) int64 {
	full := int64(size) * thousand
	switch age := now.Sub(claimedAt.Time()); {
	case age <= o.Hold:
		return full
	case age >= o.Hold+o.Fade:
		return 0
	default:
		// Not in integers: the product of people and nanoseconds does not fit.
		return int64(float64(full) * float64(o.Hold+o.Fade-age) / float64(o.Fade))
	}
}

// Load is what a backend has to carry, in thousandths of a person.
type Load struct {
	Meetings int64 // in our meetings, or expected there
	Reserved int64 // expected in those that are being placed
	Foreign  int64 // in rooms that are not ours
	Factor   float64
}

// Load is that of the backend now.
func (b *Backend) Load() Load {
	// Reservations first: one that turns into weight meanwhile is counted
	// twice rather than not at all.
	l := Load{Reserved: b.reserved.Load(), Factor: b.LoadFactor}
	l.Meetings, l.Foreign = b.weight.Load(), b.foreign.Load()*thousand
	if l.Factor <= 0 {
		l.Factor = 1
	}
	return l
}

// Score orders backends for new meetings: lower is better.
func (l Load) Score() float64 {
	return l.Factor * float64(l.Meetings+l.Reserved+l.Foreign) / thousand
}

// Score is that of its load now.
func (b *Backend) Score() float64 { return b.Load().Score() }

// count adds (sign 1) or takes away (sign -1) a room's share of the load.
func (o *Observed) count(r *Room, sign int64) {
	o.weight.Add(sign * r.weight)
	o.meetings.Add(sign)
	o.people.Add(sign * int64(r.People))
}
