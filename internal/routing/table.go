package routing

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"b3scale"
)

const shardCount = 256

// tombstone is how long an ended meeting is remembered, so that a fact that
// was on its way when it ended cannot bring it back.
const tombstone = time.Minute

// Table is the routing table of one instance. All methods may be called at
// the same time. Frontends and backends are copied on change and read without
// locks; meetings lie in shards, so that a look-up costs the same with a
// hundred of them and with a hundred thousand.
type Table struct {
	load      LoadOptions
	seed      maphash.Seed
	config    atomic.Pointer[config]
	configMu  sync.Mutex // one writer of config at a time
	shards    [shardCount]shard
	frontends rosters
	backends  rosters
	internal  internalIDs
	observed  sync.Map // backend id -> *Observed
	counters  sync.Map // frontend id -> *counter
	uses      sync.Map // frontend id -> *SecretUse
	gone      sync.Map // ids of frontends and backends that were removed -> true

	selecting  sync.Mutex  // held while a backend is chosen
	contenders []contender // of the last choice, to be used again
}

type shard struct {
	mu      sync.RWMutex
	rooms   map[b3scale.MeetingKey]*Room
	waiting map[b3scale.MeetingKey]chan struct{}
}

// NewTable makes an empty table.
func NewTable(load LoadOptions) *Table {
	t := &Table{load: load, seed: maphash.MakeSeed()}
	t.internal.seed = t.seed
	t.config.Store(&config{})
	for i := range t.shards {
		t.shards[i].rooms = map[b3scale.MeetingKey]*Room{}
		t.shards[i].waiting = map[b3scale.MeetingKey]chan struct{}{}
	}
	return t
}

// Load tells how meetings are weighed.
func (t *Table) Load() LoadOptions { return t.load }

// Meeting finds a live meeting; nil when there is none.
func (t *Table) Meeting(key b3scale.MeetingKey) *Room {
	s := t.shard(key)
	s.mu.RLock()
	r := s.rooms[key]
	s.mu.RUnlock()
	if r == nil || !r.Live() {
		return nil
	}
	return r
}

// Changed returns a channel that is closed at the next change of the meeting.
// Take it before looking the meeting up, or a change in between is missed.
func (t *Table) Changed(key b3scale.MeetingKey) <-chan struct{} {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.waiting[key]
	if ch == nil {
		ch = make(chan struct{})
		s.waiting[key] = ch
	}
	return ch
}

// MeetingsOf are the live meetings of a frontend, breakout rooms included, in
// an order that stays the same while nothing changes.
func (t *Table) MeetingsOf(frontendID string) []*Room { return t.frontends.of(frontendID) }

// MeetingsOn are the live meetings on a backend, breakout rooms included.
func (t *Table) MeetingsOn(backendID string) []*Room { return t.backends.of(backendID) }

// Apply takes in a row. An older version than the known one changes nothing.
// What was seen of the room stays while it is the same room.
func (t *Table) Apply(m b3scale.Meeting, now time.Time) { t.apply(m, nil, now) }

func (t *Table) apply(m b3scale.Meeting, why *Decision, now time.Time) {
	s := t.shard(m.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.rooms[m.Key]
	if old != nil && !old.Breakout && old.outdates(&m) {
		return
	}
	if !m.Live() || t.isGone(m.Key.FrontendID, m.BackendID) {
		t.put(s, old, ended(m, m.Version, now), now)
		return
	}
	r := &Room{Meeting: m, decision: why}
	if old != nil && old.InternalID == m.InternalID && m.InternalID != "" {
		r.Facts, r.asOf = old.Facts, old.asOf
		if r.Info == nil {
			r.Info = old.Info
		}
	}
	t.put(s, old, r, now)
}

// Restore takes in a row that is older than what was known before it was read:
// the store itself has gone back, as after a fail-over to a standby that was
// behind. It does nothing when known is no longer what is known.
func (t *Table) Restore(known *Room, m b3scale.Meeting, now time.Time) {
	s := t.shard(m.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[m.Key] != known {
		return
	}
	r := &Room{Meeting: m}
	if known.InternalID == m.InternalID {
		r.Facts = known.Facts
	}
	if !m.Live() || t.isGone(m.Key.FrontendID, m.BackendID) {
		r = ended(m, m.Version, now)
	}
	t.put(s, known, r, now)
}

// Stale reports whether the row has a version that is not known here, be it of
// the row itself or of what is stored with it.
func (t *Table) Stale(key b3scale.MeetingKey, version int64) bool {
	s := t.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.rooms[key]
	return r == nil || r.Breakout || r.Version < version || r.State == b3scale.MeetingActive && r.asOf < version
}

// Each calls yield for every live meeting, breakout rooms included.
func (t *Table) Each(yield func(*Room)) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		rooms := make([]*Room, 0, len(s.rooms))
		for _, r := range s.rooms {
			if r.Live() {
				rooms = append(rooms, r)
			}
		}
		s.mu.RUnlock()
		for _, r := range rooms {
			yield(r)
		}
	}
}

// outdates reports whether m was read before what is known. An ended
// generation never lives again, so a version of it that was stored between the
// last one known here and its end does not bring it back.
func (r *Room) outdates(m *b3scale.Meeting) bool {
	return r.Version > m.Version || !r.Live() && (r.Version == m.Version || m.Live() && r.Generation >= m.Generation)
}

// ended is what is remembered of a meeting for a while after its end.
func ended(m b3scale.Meeting, version int64, now time.Time) *Room {
	return &Room{Meeting: b3scale.Meeting{
		Key: m.Key, Generation: m.Generation, State: b3scale.MeetingEnded, Version: version, EndedAt: b3scale.MicrosOf(now),
	}}
}

// End forgets exactly the row that was seen; another generation or another
// room of it stays.
func (t *Table) End(seen b3scale.Meeting, now time.Time) {
	s := t.shard(seen.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.rooms[seen.Key]
	if old != nil && (old.Generation > seen.Generation || old.Generation == seen.Generation && old.Version > seen.Version && old.InternalID != seen.InternalID) {
		return
	}
	version := seen.Version
	if old != nil {
		version = max(version, old.Version)
	}
	t.put(s, old, ended(seen, version, now), now)
}

// Observe takes in what a node said of a room. It is dropped when another room
// is there by now, or when newer facts are. asOf is the version of the row with
// which they are stored; 0: they are what is stored already. info replaces the
// stored XML unless it is nil.
func (t *Table) Observe(key b3scale.MeetingKey, internalID string, facts Facts, info []byte, asOf int64, now time.Time) {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.rooms[key]
	if old == nil || !old.Live() || old.InternalID != internalID || asOf < old.asOf {
		return
	}
	r := &Room{Meeting: old.Meeting, Facts: facts, Breakout: old.Breakout, NodeID: old.NodeID, asOf: max(asOf, old.asOf)}
	if info != nil {
		r.Info = info
	}
	t.put(s, old, r, now)
}

// Recount takes in what events have changed in the crowd of a room, and its XML
// unless info is nil. It returns the room as it then is; nil when it is gone.
func (t *Table) Recount(key b3scale.MeetingKey, crowd *Crowd, info []byte, now time.Time) *Room {
	return t.revise(key, crowd, now, func(r *Room) {
		r.Count = crowd.Headcount()
		r.People = r.Count.People
		r.Running = r.People > 0
		r.Attendees = nil // the crowd has them
		if info != nil {
			r.Info = info
		}
	})
}

// SetRunning notes whether a room is said to run.
func (t *Table) SetRunning(key b3scale.MeetingKey, crowd *Crowd, running bool, now time.Time) {
	t.revise(key, crowd, now, func(r *Room) { r.Running = running })
}

// Saved notes that what is known of the people in a room is stored with a
// version of its row.
func (t *Table) Saved(key b3scale.MeetingKey, crowd *Crowd, version int64, now time.Time) {
	t.revise(key, crowd, now, func(r *Room) { r.asOf = max(r.asOf, version) })
}

func (t *Table) revise(key b3scale.MeetingKey, crowd *Crowd, now time.Time, change func(*Room)) *Room {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.rooms[key]
	if old == nil || !old.Live() || old.crowd != crowd {
		return nil
	}
	r := &Room{Meeting: old.Meeting, Facts: old.Facts, Breakout: old.Breakout, NodeID: old.NodeID, asOf: old.asOf, crowd: crowd}
	change(r)
	t.put(s, old, r, now)
	return r
}

// SetBreakouts replaces the breakout rooms that are known on a backend by those
// of a list that was asked for at the given time. Rooms that were added since
// stay.
func (t *Table) SetBreakouts(backendID string, rooms []*Room, asked, now time.Time) {
	present := make(map[b3scale.MeetingKey]bool, len(rooms))
	for _, r := range rooms {
		present[r.Key] = true
		t.AddBreakout(r, now)
	}
	for _, r := range t.MeetingsOn(backendID) {
		if r.Breakout && !present[r.Key] && r.ClaimedAt.Time().Before(asked) {
			t.RemoveBreakout(r)
		}
	}
}

// RemoveBreakout forgets a breakout room, unless it was replaced since.
func (t *Table) RemoveBreakout(r *Room) {
	s := t.shard(r.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Breakout && s.rooms[r.Key] == r {
		t.take(r)
		delete(s.rooms, r.Key)
	}
}

// AddBreakout takes in one breakout room, unless a meeting has its key.
func (t *Table) AddBreakout(r *Room, now time.Time) {
	s := t.shard(r.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.isGone(r.Key.FrontendID, r.BackendID) {
		return
	}
	if old := s.rooms[r.Key]; old == nil || old.Breakout || !old.Live() {
		r.Breakout = true
		r.State = b3scale.MeetingActive
		r.ClaimedAt = b3scale.MicrosOf(now)
		t.put(s, old, r, now)
	}
}

// Age lets expected sizes fade and forgets what ended a while ago. Call it
// every few seconds.
func (t *Table) Age(now time.Time) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for key, r := range s.rooms {
			if !r.Live() {
				if now.Sub(r.EndedAt.Time()) > tombstone {
					delete(s.rooms, key)
				}
				continue
			}
			if w := t.load.weigh(r, now); w != r.weight {
				t.observedOf(r.BackendID).weight.Add(w - r.weight)
				r.weight = w // guarded by the shard's lock
			}
		}
		for key, ch := range s.waiting { // nobody waits for long
			if s.rooms[key] == nil {
				close(ch)
				delete(s.waiting, key)
			}
		}
		s.mu.Unlock()
	}
}

// put replaces old by r everywhere and wakes who waits. The shard is locked.
func (t *Table) put(s *shard, old, r *Room, now time.Time) {
	s.rooms[r.Key] = r
	lived := old != nil && old.Live()
	if r.crowd == nil && r.Live() && r.InternalID != "" {
		if lived && old.crowd != nil && old.InternalID == r.InternalID && old.BackendID == r.BackendID {
			r.crowd = old.crowd
		} else {
			r.crowd = &Crowd{}
		}
	}
	if lived && r.decision == nil && old.Generation == r.Generation {
		r.decision = old.decision
	}
	if r.Live() {
		// In the place of the old one: a list that is read meanwhile must not
		// miss the meeting.
		t.frontends.put(r.Key.FrontendID, r)
		t.backends.put(r.BackendID, r)
		t.internal.put(r)
	} else if lived {
		t.frontends.take(old.Key.FrontendID, old)
	}
	if lived && (!r.Live() || r.InternalID != old.InternalID) {
		t.internal.take(old)
	}
	if lived && (!r.Live() || r.BackendID != old.BackendID) {
		t.backends.take(old.BackendID, old)
	}
	if ch := s.waiting[r.Key]; ch != nil {
		close(ch)
		delete(s.waiting, r.Key)
	}
	// Last, after all that may have to wait: until the claim's reservation is
	// released, which comes next, the meeting counts twice.
	if lived {
		t.observedOf(old.BackendID).count(old, -1)
	}
	if r.Live() {
		r.weight = t.load.weigh(r, now)
		t.observedOf(r.BackendID).count(r, 1)
	}
	t.countFrontend(r.Key.FrontendID, old, r)
}

// take removes a live room from the load and the rosters. The shard is locked.
func (t *Table) take(r *Room) {
	t.observedOf(r.BackendID).count(r, -1)
	t.countFrontend(r.Key.FrontendID, r, nil)
	t.frontends.take(r.Key.FrontendID, r)
	t.backends.take(r.BackendID, r)
	t.internal.take(r)
}

func (t *Table) shard(key b3scale.MeetingKey) *shard {
	return &t.shards[maphash.Comparable(t.seed, key)%shardCount]
}
