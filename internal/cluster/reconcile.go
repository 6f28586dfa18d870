package cluster

import (
	"context"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// sightings is what the previous list of a backend showed. Two lists in a row
// must agree before a row is ended, or an ended one activated.
type sightings struct {
	empty   b3scale.Micros                    // begin of the first of the lists in a row without a room of ours
	absent  map[incarnationKey]b3scale.Micros // begin of the first list without it
	present map[incarnationKey]b3scale.Micros // begin of the first list with it, its row ended
	marks   map[b3scale.MeetingKey]mark       // of what was taken in
	report  []byte                            // as it was last told to the others
}

// mark tells whether a room, or what is stored of it, has changed.
type mark struct {
	xml           uint64
	version, asOf int64
}

type incarnationKey struct {
	key        b3scale.MeetingKey
	internalID string
}

func (c *Cluster) listLoop(ctx context.Context, id string, w *watcher) {
	seen := &sightings{}
	for ctx.Err() == nil {
		next := jitter(c.opts.ListInterval)
		if b := c.table.Backend(id); b != nil && b.AgentLive(time.Now()) {
			next *= 3 // events are faster
		}
		if !c.lists(id) {
			seen = &sightings{} // another instance lists meanwhile: the next two are ours again
		} else if b := c.table.Backend(id); b != nil && (b.Reachable() || !b.WasProbed()) {
			if err := c.reconcile(ctx, b, seen); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "backend not listed", "backend", id, "error", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-w.list:
		case <-time.After(next):
		}
	}
}

// reconcile lists a backend and brings rows and rooms together. Rooms that are
// not ours, or of a frontend that is not known, are never touched.
func (c *Cluster) reconcile(ctx context.Context, b *routing.Backend, seen *sightings) error {
	begin := time.Now()
	t0, err := c.store.Now(ctx)
	if err != nil {
		return err
	}
	c.setClock(t0, begin)
	asked := time.Now()
	answer, err := c.call(ctx, b, c.opts.ListTimeout, bbb.Call{Name: "getMeetings"})
	if err != nil {
		return err
	}
	if !answer.Succeeded() {
		err := &bbb.CallError{Call: "getMeetings", Outcome: bbb.Malformed, Err: errFailed}
		b.Failed(reasonOf(err), false)
		return err
	}
	b.Took(time.Since(asked))
	l := &listing{Cluster: c, backend: b, t0: t0, asked: asked, before: seen, now: sightings{
		absent: map[incarnationKey]b3scale.Micros{}, present: map[incarnationKey]b3scale.Micros{}, marks: map[b3scale.MeetingKey]mark{},
	}}
	l.read(answer)
	if err := l.apply(ctx); err != nil {
		return err
	}
	*seen = l.now
	return nil
}

var errFailed = b3scale.Errorf(b3scale.NodeFailed, "the list is FAILED")

// listing is one list on its way into the rows.
type listing struct {
	*Cluster
	backend *routing.Backend
	t0      b3scale.Micros // before the list was asked for
	asked   time.Time      // the same by our own clock
	before  *sightings
	now     sightings

	rooms     map[b3scale.MeetingKey]*sight
	breakouts []*sight
	foreign   int // people in rooms that are not ours
	inPlace   []observation
	report    nodeReport
}

func (l *listing) read(answer *bbb.Answer) {
	l.rooms = map[b3scale.MeetingKey]*sight{}
	for e := range answer.Root().Child("meetings").Children() {
		x := readRoom(answer.Doc, e)
		x.begun = l.asked
		if x.IsBreakout {
			l.breakouts = append(l.breakouts, x)
			continue
		}
		if key, ours := l.keyOf(x.NodeID); ours && x.InternalID != "" {
			l.rooms[key] = x
		} else {
			l.foreign += x.People
		}
	}
}

func (l *listing) apply(ctx context.Context) error {
	l.takeBreakouts()
	l.noteEmpty() // whatever becomes of the rest
	for key, x := range l.rooms {
		if err := l.room(ctx, key, x); err != nil {
			return err
		}
	}
	for _, r := range l.table.MeetingsOn(l.backend.ID) {
		if r.Breakout {
			continue
		}
		if err := l.missing(ctx, r); err != nil {
			return err
		}
	}
	if err := l.observe(ctx, l.backend.ID, l.inPlace); err != nil {
		return err
	}
	if err := l.saveReport(ctx); err != nil {
		return err
	}
	if l.backend.ListedAt == 0 {
		if err := l.store.MarkListed(ctx, l.backend.ID, l.t0); err != nil {
			return err
		}
		l.reloadSoon()
	}
	return l.sweepOrphans(ctx)
}

// takeBreakouts puts the breakout rooms into memory and their people into the
// count of their parents.
func (l *listing) takeBreakouts() {
	frontendOf := map[string]string{} // by internal id of the parent
	parents := map[string]*sight{}
	for key, x := range l.rooms {
		frontendOf[x.InternalID] = key.FrontendID
		parents[x.InternalID] = x
	}
	for _, x := range l.breakouts {
		if p := parents[x.Parent]; p != nil {
			p.InBreakouts += x.People
		}
	}
	rooms, foreign := l.breakoutRooms(l.backend, l.breakouts, frontendOf)
	l.table.SetBreakouts(l.backend.ID, rooms, l.asked, time.Now())
	l.settleBreakouts(rooms)
	l.backend.SetForeign(l.foreign + foreign)
	l.report = nodeReport{Foreign: l.foreign + foreign, InBreakouts: map[string]int{}}
	for internalID, p := range parents {
		if p.InBreakouts > 0 {
			l.report.InBreakouts[internalID] = p.InBreakouts
		}
	}
	for _, r := range rooms {
		l.report.Breakouts = append(l.report.Breakouts, reportBreakout(r))
	}
}

// room brings one listed room and its row together.
func (l *listing) room(ctx context.Context, key b3scale.MeetingKey, x *sight) error {
	r := l.table.Meeting(key)
	// The first list is what creates rely on from then on, so it trusts no
	// memory: somebody may have emptied the database.
	if l.backend.ListedAt != 0 && r != nil && !r.Breakout && r.State == b3scale.MeetingActive && r.BackendID == l.backend.ID && r.InternalID == x.InternalID && !r.EndRequested() {
		l.stays(r, x)
		return nil
	}
	row, err := l.store.Meeting(ctx, key)
	if b3scale.CodeOf(err) == b3scale.NotFound {
		l.adopt(ctx, key, l.backend, x)
		return nil
	}
	if err != nil {
		return err
	}
	l.table.Apply(row, time.Now())
	here := row.BackendID == l.backend.ID
	wanted := row.EndRequestedInternalID == x.InternalID
	switch {
	case row.Live() && here && wanted:
		if row.EndRequestedAt < l.t0 {
			l.endAgain(ctx, key, x)
		}
	case row.State == b3scale.MeetingActive && here && row.InternalID == x.InternalID:
		if r := l.table.Meeting(key); r != nil {
			l.stays(r, x)
		}
	case row.State == b3scale.MeetingActive && here:
		return l.confirmSeen(ctx, row, x)
	case row.State == b3scale.MeetingCreating && here:
		return l.heal(ctx, row, x)
	case row.State == b3scale.MeetingEnded && row.EndedAt < l.t0:
		return l.returned(ctx, row, x, wanted)
	case row.State == b3scale.MeetingActive:
		if l.opts.Observe {
			return nil // others place the meetings: once the row has ended, it follows them here
		}
		_, err := l.store.BookOrphan(ctx, key, l.backend.ID, x.InternalID)
		return err
	}
	return nil
}

// stays notes what the list says of a room that is where its row says.
func (l *listing) stays(r *routing.Room, x *sight) {
	m := mark{x.mark ^ uint64(x.InBreakouts), r.Version, r.AsOf()}
	l.now.marks[r.Key] = m
	if l.before.marks[r.Key] != m || r.Unsaved || r.Running != x.Running || r.People != x.People && !r.Crowd().Told() {
		l.inPlace = append(l.inPlace, observation{r, x})
	}
}

// endAgain repeats an end that a tenant asked for and the node forgot.
func (l *listing) endAgain(ctx context.Context, key b3scale.MeetingKey, x *sight) {
	if l.opts.Observe {
		return
	}
	r := &routing.Room{Meeting: b3scale.Meeting{Key: key, Incarnation: x.Incarnation}, NodeID: x.NodeID}
	if _, err := l.endRoom(ctx, l.backend, r, bbb.Params{}); err != nil {
		l.log.WarnContext(ctx, "end not repeated", "meeting", key, "backend", l.backend.ID, "error", err)
	}
}

// heal settles a row whose create was never confirmed: the request died.
func (l *listing) heal(ctx context.Context, row b3scale.Meeting, x *sight) error {
	if row.ClaimedAt > l.t0.Add(-l.opts.HealAfter) {
		return nil
	}
	confirmed, ok, err := l.store.ConfirmMeeting(ctx, row.Key, row.Generation, l.withOrigin(row.Key, x.Incarnation))
	if err != nil {
		return err
	}
	if !ok {
		return l.end(ctx, row)
	}
	l.log.InfoContext(ctx, "meeting healed", "meeting", row.Key, "backend", l.backend.ID, "generation", row.Generation)
	l.table.Apply(confirmed, time.Now())
	return nil
}

// returned handles a room whose row has ended: seen twice, it is the meeting
// again, unless its end was asked for.
func (l *listing) returned(ctx context.Context, row b3scale.Meeting, x *sight, wanted bool) error {
	if wanted {
		l.endAgain(ctx, row.Key, x)
		return nil
	}
	k := incarnationKey{row.Key, x.InternalID}
	first, again := l.before.present[k]
	if !again || row.EndedAt > first {
		first = l.t0
	}
	l.now.present[k] = first
	if !again || first == l.t0 || !l.apart(first) {
		return nil
	}
	m, ok, err := l.store.ActivateMeeting(ctx, row, l.backend.ID, l.withOrigin(row.Key, x.Incarnation))
	if err != nil || !ok {
		return err
	}
	l.log.InfoContext(ctx, "meeting is back", "meeting", row.Key, "backend", l.backend.ID, "generation", m.Generation, "internal_id", x.InternalID)
	l.table.Apply(m, time.Now())
	return nil
}

// missing handles a row whose room the list does not show.
func (l *listing) missing(ctx context.Context, r *routing.Room) error {
	x := l.rooms[r.Key]
	switch {
	case r.State == b3scale.MeetingCreating:
		if x == nil && r.ClaimedAt < l.t0.Add(-l.opts.HealAfter) {
			return l.end(ctx, r.Meeting)
		}
	case x != nil && x.InternalID == r.InternalID, r.ConfirmedAt >= l.t0:
	default:
		k := incarnationKey{r.Key, r.InternalID}
		first, again := l.before.absent[k]
		if again && l.apart(first) {
			return l.end(ctx, r.Meeting)
		}
		if !again {
			first = l.t0
		}
		l.now.absent[k] = first
	}
	return nil
}

// apart reports whether this list was begun long enough after an earlier one to
// be another witness: a server that starts shows no rooms for a while.
func (l *listing) apart(first b3scale.Micros) bool { return l.t0 >= first.Add(l.opts.ListGap) }

// adopt gives a running room of a known frontend its row.
func (c *Cluster) adopt(ctx context.Context, key b3scale.MeetingKey, b *routing.Backend, x *sight) {
	size := x.size
	if size == 0 {
		size = c.table.Load().DefaultSize
	}
	m, ok, err := c.store.AdoptMeeting(ctx, key, b.ID, c.withOrigin(key, x.Incarnation), min(max(size, 0), routing.MaxSize))
	switch {
	case err != nil:
		c.log.WarnContext(ctx, "meeting not adopted", "meeting", key, "backend", b.ID, "error", err)
	case ok:
		c.log.InfoContext(ctx, "meeting adopted", "meeting", key, "backend", b.ID, "internal_id", x.InternalID)
		c.table.Apply(m, time.Now())
		c.observeOne(ctx, key, x)
	default:
		if err := c.reread(ctx, key); err != nil {
			c.log.WarnContext(ctx, "meeting not read", "meeting", key, "error", err)
		}
	}
}
