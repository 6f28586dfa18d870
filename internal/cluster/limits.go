package cluster

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Limit names a limit of frontends in counters and in the log.
type Limit string

// The limits that can be hit.
const (
	LimitAttendees Limit = "attendees" // a join was refused
	LimitWarning   Limit = "warning"   // a join was let in that is above a limit which only warns
	LimitCreate    Limit = "create"    // a create was refused because of too many people
	LimitMeetings  Limit = "meetings"  // a create was refused because of too many meetings
)

// LimitHit is one limit of one frontend.
type LimitHit struct {
	FrontendID string
	Limit      Limit
}

// LimitHits count how often each limit was hit since the start.
func (c *Cluster) LimitHits() map[LimitHit]int64 {
	all := map[LimitHit]int64{}
	c.limits.byFrontend.Range(func(id, v any) bool {
		l := v.(*frontendLimits)
		l.mu.Lock()
		defer l.mu.Unlock()
		for limit, h := range l.hits {
			all[LimitHit{id.(string), limit}] = h.n
		}
		return true
	})
	return all
}

// limits is what is remembered of frontends' limits.
type limits struct {
	byFrontend sync.Map // id -> *frontendLimits
	unreserved atomic.Int64
}

type frontendLimits struct {
	places, claims turns // those who may ask the store at a time

	mu      sync.Mutex
	hits    map[Limit]*hits
	opening int // breakout rooms that nodes are asked for
	taken   int // as the store counted when somebody last wanted a place
	takenAt time.Time
}

// hits of one limit.
type hits struct {
	n      int64
	toldAt time.Time // in the log
	untold int
}

const tellEvery = time.Minute

func (l *limits) of(frontendID string) *frontendLimits {
	v, ok := l.byFrontend.Load(frontendID)
	if !ok {
		v, _ = l.byFrontend.LoadOrStore(frontendID, &frontendLimits{places: newTurns(), claims: newTurns(), hits: map[Limit]*hits{}})
	}
	return v.(*frontendLimits)
}

// forget drops what is remembered of frontends that are gone.
func (l *limits) forget(gone func(frontendID string) bool) {
	l.byFrontend.Range(func(id, _ any) bool {
		if gone(id.(string)) {
			l.byFrontend.Delete(id)
		}
		return true
	})
}

var (
	errAttendeesLimit = limitReached("attendeesLimitReached", "The number of people allowed in all meetings together has been reached.")
	errMeetingsLimit  = limitReached("meetingsLimitReached", "The number of meetings allowed at the same time has been reached.")
)

// limitReached is an error that API calls are answered with under a key of ours:
// nodes have no such limits.
func limitReached(key, message string) error {
	return b3scale.Errorf(b3scale.LimitReached, "%s", message).Because(&bbb.Failure{Key: key, Message: message})
}

// admit decides whether one more may join a meeting, and reserves the place. An
// instance that observes refuses nobody.
func (c *Cluster) admit(ctx context.Context, r *routing.Room, params *bbb.Params) error {
	f := c.table.FrontendByID(r.Key.FrontendID)
	if f == nil || c.opts.Observe {
		return nil
	}
	l := f.Policy.AttendeesLimit
	if l == nil || l.Limit <= 0 || l.ModeratorsExempt && moderates(params, r) {
		return nil
	}
	beside := 0
	if r.Breakout {
		beside = c.inBreakouts(f)
	}
	if l.Mode == b3scale.LimitWarns {
		// What memory knows will do: nobody is kept waiting for a warning.
		if there := c.attendees(f) + beside; there >= l.Limit {
			c.hit(ctx, f, LimitWarning, r.Key, there, l.Limit)
		}
	}
	if !blocksJoins(l) {
		return nil
	}
	taken := c.attendees(f)
	if left := l.Limit - beside; left > 0 {
		n, ok, err := c.reserve(ctx, b3scale.Place{
			Key: r.Key, Holder: holderKey(r.Key.MeetingID, params), Arrival: joinArrivalKey(r.Key.MeetingID, params),
			Hold: c.opts.PlaceHold, Limit: left, ModeratorsExempt: l.ModeratorsExempt, Look: c.nearlyFull(f, left),
		})
		if err != nil || ok {
			return err
		}
		taken = n
	}
	c.hit(ctx, f, LimitAttendees, r.Key, taken+beside, l.Limit)
	return errAttendeesLimit
}

// moderates reports whether a join makes a moderator: a role counts more than a
// password (BBB API, join). Nodes refuse wrong passwords.
func moderates(params *bbb.Params, r *routing.Room) bool {
	switch role := bbb.Clean(params.Get("role")); {
	case strings.EqualFold(role, "MODERATOR"):
		return true
	case strings.EqualFold(role, "VIEWER"):
		return false
	}
	password := bbb.Clean(params.Get("password"))
	return password != "" && password == r.ModeratorPW
}

// mayCreate refuses a meeting that does not live yet when the frontend has all
// the people that it may have. Memory counts: those who come while a meeting is
// being created would not have been refused either.
func (c *Cluster) mayCreate(ctx context.Context, f *b3scale.Frontend, key b3scale.MeetingKey) error {
	there, full := c.crowded(f, key)
	if !full {
		return nil
	}
	c.hit(ctx, f, LimitCreate, key, there, f.Policy.AttendeesLimit.Limit)
	return errAttendeesLimit
}

// crowded reports whether mayCreate refuses.
func (c *Cluster) crowded(f *b3scale.Frontend, key b3scale.MeetingKey) (there int, full bool) {
	l := f.Policy.AttendeesLimit
	if l == nil || l.Limit <= 0 || l.Mode != b3scale.LimitBlocksCreate || c.table.Meeting(key) != nil {
		return 0, false
	}
	there = c.attendees(f)
	return there, there >= l.Limit
}

// claimMeeting claims within the frontend's limit of meetings.
func (c *Cluster) claimMeeting(ctx context.Context, f *b3scale.Frontend, claim b3scale.Claim) (b3scale.Meeting, bool, error) {
	if l := f.Policy.MeetingsLimit; l != nil && l.Limit > 0 {
		claim.MaxMeetings = l.Limit
		leave, err := c.turnToClaim(ctx, f.ID)
		if err != nil {
			return b3scale.Meeting{}, false, err
		}
		defer leave()
	}
	since := c.silent.answers.Load()
	m, fit, err := c.store.ClaimMeeting(ctx, claim)
	c.answered(since, err)
	if b3scale.CodeOf(err) == b3scale.LimitReached {
		c.hit(ctx, f, LimitMeetings, claim.Key, claim.MaxMeetings, claim.MaxMeetings)
		err = errMeetingsLimit
	}
	return m, fit, err
}

// mayOpenBreakout refuses a breakout room of an API client when the frontend has
// as many meetings and breakout rooms as it may have. Memory counts: the store
// knows no breakout rooms. Call done when the room is in memory, or never will be.
func (c *Cluster) mayOpenBreakout(ctx context.Context, f *b3scale.Frontend, key b3scale.MeetingKey) (done func(), err error) {
	l := c.limits.of(f.ID)
	l.mu.Lock()
	l.opening++
	others := l.opening - 1
	l.mu.Unlock()
	done = func() {
		l.mu.Lock()
		l.opening--
		l.mu.Unlock()
	}
	if there, full := c.tooManyRooms(f, key, others); full {
		done()
		c.hit(ctx, f, LimitMeetings, key, there, f.Policy.MeetingsLimit.Limit)
		return nil, errMeetingsLimit
	}
	return done, nil
}

// tooManyRooms reports whether mayOpenBreakout refuses while so many others are
// being opened.
func (c *Cluster) tooManyRooms(f *b3scale.Frontend, key b3scale.MeetingKey, others int) (there int, full bool) {
	l := f.Policy.MeetingsLimit
	if l == nil || l.Limit <= 0 || c.table.Meeting(key) != nil {
		return 0, false
	}
	n := c.table.FrontendCount(f.ID)
	there = n.Meetings + n.Breakouts.Rooms + others
	return there, there >= l.Limit
}

// attendees counts whom a frontend's limit counts, as memory knows them.
func (c *Cluster) attendees(f *b3scale.Frontend) int {
	n := c.table.FrontendCount(f.ID)
	if f.Policy.AttendeesLimit.ModeratorsExempt {
		return n.People - n.Moderators
	}
	return n.People
}

// inBreakouts is the same for those in breakout rooms, who are attendees, too, if
// they came there from their meeting.
func (c *Cluster) inBreakouts(f *b3scale.Frontend) int {
	n := c.table.FrontendCount(f.ID).Breakouts
	if f.Policy.AttendeesLimit.ModeratorsExempt {
		return n.People - n.Moderators
	}
	return n.People
}

// reserves reports whether people who join the frontend's meetings have
// reservations, which end when they arrive.
func (c *Cluster) reserves(frontendID string) bool {
	f := c.table.FrontendByID(frontendID)
	return f != nil && blocksJoins(f.Policy.AttendeesLimit)
}

func blocksJoins(l *b3scale.AttendeesLimit) bool {
	return l != nil && l.Limit > 0 && (l.Mode == "" || l.Mode == b3scale.LimitBlocksJoin)
}

// hit counts, and tells of it in the log: of the first one, and then once a
// minute how many there were.
func (c *Cluster) hit(ctx context.Context, f *b3scale.Frontend, limit Limit, key b3scale.MeetingKey, has, most int) {
	level, others := c.limits.of(f.ID).hit(limit, time.Now())
	c.log.Log(ctx, level, "limit reached", "frontend", f.Key, "limit", limit, "meeting", key, "has", has, "may_have", most, "others_since", others)
}

func (l *frontendLimits) hit(limit Limit, now time.Time) (level slog.Level, others int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hits[limit]
	if h == nil {
		h = &hits{}
		l.hits[limit] = h
	}
	h.n++
	if !h.toldAt.IsZero() && now.Sub(h.toldAt) < tellEvery {
		h.untold++
		return slog.LevelDebug, h.untold
	}
	others, h.toldAt, h.untold = h.untold, now, 0
	return slog.LevelWarn, others
}
