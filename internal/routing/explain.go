package routing

import (
	"cmp"
	"slices"
	"time"
)

// Explanation is what Select would choose from.
type Explanation struct {
	Verdicts []Verdict      // on all backends, the best first
	RuledOut map[Filter]int // how many backends each filter rules out that none before it does
	// Emptied is the filter after which no backend was left. Err is the error
	// of Select then; otherwise it is nil.
	Emptied Filter
	Err     error
}

// Verdict is how one backend stands for a new meeting.
type Verdict struct {
	*Backend
	Out    []Reason // why it cannot get the meeting; none: it can
	Behind []Reason // why all that have none of these come first
	Load   Load
	Score  float64
	Near   bool // its score is about as low as the lowest of those in question
	Drawn  bool // the choice is drawn from these
}

// Reason is why, for programs and for people.
type Reason struct {
	Filter Filter
	Text   string
}

// Explain tells what Select would do now, and does nothing.
func (t *Table) Explain(want Wanted, now time.Time) Explanation {
	c := t.contest(want, now, nil)
	x := Explanation{Verdicts: make([]Verdict, 0, len(c.all)), RuledOut: c.out.by.byFilter()}
	slices.SortFunc(c.all, func(a, b contender) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.score, b.score), cmp.Compare(a.Host, b.Host))
	})
	for i := range c.all {
		e := &c.all[i]
		v := Verdict{Backend: e.Backend, Load: e.load, Score: e.score, Near: e.near, Drawn: e.drawn}
		for rest := e.obstacles; rest != 0; rest &= rest - 1 {
			o := rest & -rest
			why := Reason{filters[o.number()], e.reason(o, want, now)}
			if o&drawbacks == 0 {
				v.Out = append(v.Out, why)
			} else {
				v.Behind = append(v.Behind, why)
			}
		}
		x.Verdicts = append(x.Verdicts, v)
	}
	if c.drawn == 0 {
		x.Emptied, x.Err = c.out.by.last(), c.nobody()
	}
	return x
}

// rank puts those first that come first: all that may take the meeting, by
// their drawbacks.
func (e *contender) rank() obstacles {
	if e.obstacles&^drawbacks != 0 {
		return drawbacks + 1
	}
	return e.obstacles
}
