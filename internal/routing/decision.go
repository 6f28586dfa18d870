package routing

import (
	"time"

	"b3scale"
)

// bestFew is how many scores a Decision keeps.
const bestFew = 3

// Decision is what the place of a meeting was chosen from. One is kept for each
// live meeting, so it is small: the ids in it are those of the backends
// themselves.
type Decision struct {
	At       b3scale.Micros // by our clock
	Backends int32          // that there were
	Able     int32          // of them, those that could have taken the meeting
	Drawn    int32          // of them, those that the choice was drawn from

	best [bestFew]Rated
	out  tally
}

// Rated is a backend and its score.
type Rated struct {
	BackendID string
	Score     float64
}

// Best are the backends that came first, in their order.
func (d *Decision) Best() []Rated { return d.best[:min(int(d.Able), bestFew)] }

// RuledOut counts why the others could not take it, each for its first reason.
func (d *Decision) RuledOut() map[Filter]int { return d.out.byFilter() }

// Place is Apply for the row of a claim that was made here, and keeps why until
// the meeting ends or is placed anew.
func (t *Table) Place(m b3scale.Meeting, why Decision, now time.Time) { t.apply(m, &why, now) }

func (c *contest) decision(now time.Time) Decision {
	d := Decision{At: b3scale.MicrosOf(now), Backends: int32(len(c.all)), Drawn: int32(c.drawn), out: c.out.by}
	var best [bestFew]*contender
	for i := range c.all {
		e := &c.all[i]
		if e.obstacles&^drawbacks != 0 {
			continue
		}
		d.Able++
		for k := range best { // e takes the place of what is worse, which moves on
			if best[k] == nil || e.before(best[k]) {
				best[k], e = e, best[k]
			}
			if e == nil {
				break
			}
		}
	}
	for k, e := range best {
		if e != nil {
			d.best[k] = Rated{e.ID, e.score}
		}
	}
	return d
}

func (e *contender) before(other *contender) bool {
	return e.obstacles < other.obstacles || e.obstacles == other.obstacles && e.score < other.score
}
