package routing

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"b3scale"
)

// Person is somebody in a room, as far as it was last told.
type Person struct {
	XML      []byte // <attendee>, never changed in place
	Boot     string // of the agent that told it; empty when a list did
	Sequence int64
	At       b3scale.Micros // when, by our own clock; for a list, when it was begun
	order    int64          // among the others
	who      string         // of those whom only a list has shown
	flags    flags
}

type flags uint8

const (
	listens flags = 1 << iota
	speaks
	shows
	moderates
)

// Traits are what counts about a person.
type Traits struct {
	Listens, Speaks, Shows, Moderates bool
	Who                               string // the same for a person whoever tells it, and rarely for two
}

func (t Traits) flags() (f flags) {
	for i, is := range []bool{t.Listens, t.Speaks, t.Shows, t.Moderates} {
		if is {
			f |= 1 << i
		}
	}
	return f
}

// Crowd is who is in one room. It is the same for all versions of a Room, and
// costs nothing more to change when there are many in it.
type Crowd struct {
	mu       sync.Mutex
	people   map[string]*Person // by internal user id
	left     map[string]mark    // who is not there, and what is older must not bring back
	count    b3scale.Headcount
	newest   int64 // order
	told     bool  // an event has changed it
	over     bool  // its room has ended
	unsaved  map[string]struct{}
	saving   map[string]struct{} // what was unsaved until savingAt: who reads rows may not see it yet
	saved    map[string]struct{} // what was so before that
	savingAt b3scale.Micros
	writes   int  // of what Unsaved gave, that have not come to an end
	moved    bool // the headcount is not stored
	info     bool // the XML of the room is not
	doubted  bool // the headcount was stored without knowing all that was

	arrivals []string // of those who came, see Fact; the store was not told

	listed map[string][]string // ids of those whom only a list has shown, by who they are

	// The time that is missing when the store takes the present headcount to
	// begin when it is told: for each change of n people at the time t, n times
	// what has passed since. Kept as the sums of n and of n·t.
	peak           int
	changes, times [3]int64 // of people, voices, videos
	shown          [][]byte // XML of everybody in order; nil: to be made
}

// mark is what is remembered of who has left.
type mark struct {
	boot     string
	sequence int64
	at       b3scale.Micros
	who      string
	unknown  bool // left without having been there: the arrival is still to come
}

const (
	// rememberLeft is how long who has left is remembered, and mostLeft how many.
	rememberLeft = 5 * time.Minute
	mostLeft     = 2048
	// savedFor is how long rows may be read that are older than what was stored.
	savedFor = 3 * time.Second
	// overtaken is how long an arrival without a number may come after its
	// departure.
	overtaken = 5 * time.Second
)

// Crowd is who is in the room; never nil for one in the table.
func (r *Room) Crowd() *Crowd { return r.crowd }

// Present is the XML of everybody in the room, in their order.
func (r *Room) Present() [][]byte {
	if r.Attendees != nil || r.crowd == nil || !r.crowd.Told() {
		return r.Attendees
	}
	return r.crowd.xml()
}

func (c *Crowd) xml() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown == nil && len(c.people) > 0 {
		for _, p := range c.inOrder() {
			c.shown = append(c.shown, p.XML)
		}
	}
	return c.shown
}

func (c *Crowd) inOrder() []*Person {
	return slices.SortedFunc(maps.Values(c.people), func(a, b *Person) int {
		return cmp.Compare(a.order, b.order)
	})
}

// Headcount is how many are there.
func (c *Crowd) Headcount() b3scale.Headcount {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Told reports whether events have changed it, and not lists alone.
func (c *Crowd) Told() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told
}

// Fact is what an event says of one person.
type Fact struct {
	ID       string
	Boot     string // empty: the event has no number
	Sequence int64
	At       b3scale.Micros
	Left     bool
	Arrived  bool
	Who      string // of an arrival, as Traits.Who
	Arrival  string // what the store is told of an arrival, once; may be empty
	// Draw makes the XML and the traits of who is there from those before; old
	// is nil for somebody who was not there. Nil back: the fact says too little.
	Draw func(old []byte) ([]byte, Traits)
	// WhoIs tells Traits.Who from XML.
	WhoIs func(xml []byte) string
}

// Outcome is what became of a fact.
type Outcome int

// The outcomes of a fact.
const (
	Stale   Outcome = iota // something newer is known, or it was known
	Changed                // it was taken in
	Unclear                // it is about somebody who is not known
)

// Take takes in a fact.
func (c *Crowd) Take(f Fact) Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return Stale
	}
	old := c.people[f.ID]
	if old != nil && old.Boot == f.Boot && old.Sequence >= f.Sequence {
		return Stale
	}
	gone, left := c.left[f.ID]
	if left && (gone.boot == f.Boot && gone.sequence >= f.Sequence) {
		return Stale
	}
	if f.Left {
		c.mark(f.ID)
		if old == nil {
			c.note(f, gone.who, !left || gone.unknown) // a second farewell overtakes nothing
			return Unclear
		}
		c.note(f, f.WhoIs(old.XML), false)
		c.remove(f.ID, f.At)
		return Changed
	}
	if left && !f.Arrived {
		return Stale // what is said of somebody after the farewell
	}
	if left && gone.unknown && f.Boot == gone.boot && c.unnumbered(f.Boot) && f.At-gone.at < b3scale.Micros(overtaken.Microseconds()) {
		gone.unknown = false
		c.left[f.ID] = gone
		return Stale // the departure has overtaken it
	}
	var before []byte
	if old != nil {
		before = old.XML
	}
	listed := ""
	if same := c.listed[f.Who]; old == nil && f.Arrived && len(same) > 0 {
		listed = same[0] // a list has shown the arrival before the event came
		before = c.people[listed].XML
	}
	xml, traits := f.Draw(before)
	if xml == nil {
		return Unclear
	}
	delete(c.left, f.ID)
	if listed != "" {
		c.remove(listed, f.At)
		c.mark(listed)
	}
	p := &Person{XML: xml, Boot: f.Boot, Sequence: f.Sequence, At: f.At, flags: traits.flags()}
	switch {
	case old != nil:
		p.order = old.order
	case listed == "" && f.Arrival != "": // of others the store was told with the list
		c.arrivals = append(c.arrivals, f.Arrival)
	}
	c.put(f.ID, p, f.At)
	c.mark(f.ID)
	return Changed
}

// Unnumbered is the boot of events that their agent does not number. Their
// sequence is the time when they came.
const Unnumbered = "rpc"

func (*Crowd) unnumbered(boot string) bool { return boot == Unnumbered }

// HasListed reports whether somebody is there whom only a list has shown.
func (c *Crowd) HasListed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.listed) > 0
}

// Empty lets everybody go, because the room is over or was said to be empty.
func (c *Crowd) Empty(boot string, sequence int64, at b3scale.Micros, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.people {
		c.note(Fact{ID: id, Boot: boot, Sequence: sequence, At: at}, "", false)
		c.remove(id, at)
		c.mark(id)
	}
	c.over = c.over || over
	c.told = true
}

func (c *Crowd) mark(id string) {
	if c.unsaved == nil {
		c.unsaved = map[string]struct{}{}
	}
	c.unsaved[id] = struct{}{}
	c.told = true
}

// note remembers who has left, within bounds.
func (c *Crowd) note(f Fact, who string, unknown bool) {
	if c.left == nil {
		c.left = map[string]mark{}
	}
	if len(c.left) >= mostLeft {
		c.forget(f.At)
	}
	c.left[f.ID] = mark{f.Boot, f.Sequence, f.At, who, unknown}
}

// forget makes room for more who leave: first those who left long ago.
func (c *Crowd) forget(now b3scale.Micros) {
	oldest := now.Add(-rememberLeft)
	maps.DeleteFunc(c.left, func(id string, m mark) bool {
		_, unsaved := c.unsaved[id]
		return m.at < oldest && !unsaved
	})
	for id := range c.left {
		if len(c.left) < mostLeft/2 {
			return
		}
		delete(c.left, id)
	}
}

func (c *Crowd) put(id string, p *Person, at b3scale.Micros) {
	if c.people == nil {
		c.people = map[string]*Person{}
	}
	if old := c.people[id]; old != nil {
		c.add(old, -1, at)
		c.unlist(id, old)
	}
	if p.order == 0 {
		c.newest++
		p.order = c.newest
	}
	c.people[id] = p
	if p.Boot == "" && p.who != "" {
		if c.listed == nil {
			c.listed = map[string][]string{}
		}
		c.listed[p.who] = append(c.listed[p.who], id)
	}
	c.add(p, 1, at)
}

func (c *Crowd) remove(id string, at b3scale.Micros) {
	p := c.people[id]
	c.add(p, -1, at)
	delete(c.people, id)
	c.unlist(id, p)
}

// unlist forgets that only a list has shown a person.
func (c *Crowd) unlist(id string, p *Person) {
	if p.Boot != "" || p.who == "" {
		return
	}
	if left := slices.DeleteFunc(c.listed[p.who], func(o string) bool { return o == id }); len(left) > 0 {
		c.listed[p.who] = left
	} else {
		delete(c.listed, p.who)
	}
}

// add counts a person.
func (c *Crowd) add(p *Person, n int, at b3scale.Micros) {
	is := func(f flags) int {
		if p.flags&f != 0 {
			return n
		}
		return 0
	}
	c.count.People += n
	c.count.Listeners += is(listens)
	c.count.Voices += is(speaks)
	c.count.Videos += is(shows)
	c.count.Moderators += is(moderates)
	for i, n := range [3]int{n, is(speaks), is(shows)} {
		c.changes[i] += int64(n)
		c.times[i] += int64(n) * int64(at)
	}
	c.peak = max(c.peak, c.count.People)
	c.moved = true
	c.shown = nil
}
