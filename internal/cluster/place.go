package cluster

import (
	"context"
	"crypto/rand"
	"math/big"
	"slices"
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// place returns the row that counts: where the meeting lives, or where this
// request has just claimed a place for it.
func (a *creation) place(ctx context.Context) (b3scale.Meeting, error) {
	known := a.table.Meeting(a.key)
	row, found, err := a.row(ctx, a.key)
	if err == nil && !found && known != nil && a.shared() {
		err = a.LoadConfig(ctx) // rows do not vanish, unless somebody has emptied the database: then nothing was listed
	}
	if err == nil && !found {
		var adopted bool
		if adopted, err = a.adoptUnlisted(ctx); adopted && err == nil {
			row, found, err = a.row(ctx, a.key)
		}
	}
	if err != nil {
		return row, err
	}
	if found {
		lives, err := a.lives(ctx, row)
		if lives || err != nil {
			return row, err
		}
	}
	return a.claim(ctx)
}

// lives reports whether the row still holds for this request.
func (a *creation) lives(ctx context.Context, row b3scale.Meeting) (bool, error) {
	b := a.table.Backend(row.BackendID)
	if b == nil || b.Lost || row.State == b3scale.MeetingCreating && slices.Contains(a.abandoned, row.Generation) {
		return false, nil
	}
	if b.AdminState == b3scale.AdminReady {
		return true, nil
	}
	// A drained backend keeps the rooms that it has and gets no new ones.
	x, err := a.info(ctx, b, a.nodeID, a.opts.CallTimeout)
	switch {
	case err == nil && x != nil:
		return true, nil
	case err == nil:
		return false, a.end(ctx, row)
	case row.State == b3scale.MeetingCreating:
		a.abandon(row)
		return false, nil
	default:
		return false, unreachable(err)
	}
}

func (a *creation) abandon(row b3scale.Meeting) {
	a.abandoned = append(a.abandoned, row.Generation)
	a.failed[row.BackendID] = true
	a.placements.failOvers.Add(1)
}

// claim chooses candidates until the store accepts one, or tells that the
// meeting lives somewhere already.
func (a *creation) claim(ctx context.Context) (b3scale.Meeting, error) {
	if err := a.mayCreate(ctx, a.req.Frontend, a.key); err != nil {
		return b3scale.Meeting{}, err
	}
	a.choosePasswords()
	size := a.expectedSize(&a.req)
	for {
		choice, err := a.choose(ctx, size)
		if err != nil {
			return b3scale.Meeting{}, err
		}
		m, fit, err := a.claimMeeting(ctx, a.req.Frontend, b3scale.Claim{
			Key: a.key, BackendID: choice.ID, Size: size, Abandoned: a.abandoned,
			AttendeePW: a.passwords.attendee, ModeratorPW: a.passwords.moderator,
		})
		if err == nil && fit {
			a.settle(m, &choice)
		}
		choice.Release()
		if err != nil {
			return m, err
		}
		if fit {
			return m, nil
		}
		a.failed[choice.ID] = true
	}
}

// settle takes in what the claim came to. Why it is there is only kept if it was
// this claim that brought it there.
func (a *creation) settle(m b3scale.Meeting, choice *routing.Choice) {
	ours := m.BackendID == choice.ID && m.State == b3scale.MeetingCreating &&
		m.AttendeePW == a.passwords.attendee && m.ModeratorPW == a.passwords.moderator
	if ours {
		a.table.Place(m, choice.Why, time.Now())
	} else {
		a.table.Apply(m, time.Now())
	}
}

// expectedSize is how many people are taken to come.
func (c *Cluster) expectedSize(req *CreateRequest) int {
	return c.table.Load().ExpectedSize(req.Params.Metadata("bbb-meeting-size-hint"), req.Params.Get("maxParticipants"))
}

// choose selects a candidate. Right after the start it waits for the first
// round of probes before it says that there is none.
func (a *creation) choose(ctx context.Context, size int) (routing.Choice, error) {
	want := a.req.wants(size)
	want.Except = a.failed
	for {
		choice, err := a.table.Select(want, time.Now())
		if err == nil || a.Probed() || ctx.Err() != nil {
			return choice, err
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// wants is what the meeting needs of its backend.
func (req *CreateRequest) wants(size int) routing.Wanted {
	return routing.Wanted{Tags: req.Frontend.Policy.RequiredTags, Wish: req.Tags, Size: size}
}

// choosePasswords keeps what the client sent and makes up the rest. Nodes
// before 3.0 repeat a create only if its passwords are given and equal, so
// every create of a generation sends the same ones.
func (a *creation) choosePasswords() {
	if a.passwords.attendee == "" {
		a.passwords.attendee = passwordOr(a.req.Params.Get("attendeePW"))
		a.passwords.moderator = passwordOr(a.req.Params.Get("moderatorPW"))
	}
}

func passwordOr(given string) string {
	if given != "" {
		return given
	}
	return newPassword()
}

// newPassword makes one as nodes do, only longer.
func newPassword() string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
	b := make([]byte, 12)
	for i := range b {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters)))) // never fails, see crypto/rand
		b[i] = letters[n.Int64()]
	}
	return string(b)
}

// unlistedPatience is how long creates wait for a backend whose rooms nobody
// has listed yet. After that it is the backend that is sick, and must not keep
// the others from working.
const unlistedPatience = time.Minute

var errStillLooking = b3scale.Errorf(b3scale.NotYet, "the servers are still being looked at, please try again in a moment")

// adoptUnlisted asks backends whose rooms nobody has listed yet: with a fresh
// or restored database the meeting may be running there, and would be taken
// for a wrong room later. One that answers probes but not this question is no
// reason to believe that it has none.
func (a *creation) adoptUnlisted(ctx context.Context) (adopted bool, err error) {
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, b := range a.table.Backends() {
		if !unlisted(b) {
			continue
		}
		wg.Go(func() {
			x, infoErr := a.info(ctx, b, a.nodeID, a.opts.CallTimeout)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case infoErr == nil && x != nil && !x.IsBreakout:
				a.adopt(ctx, a.key, b, x)
				adopted = true
			case infoErr != nil && bbb.OutcomeOf(infoErr) != bbb.Refused:
				a.log.WarnContext(ctx, "a backend that was never listed does not answer", "backend", b.ID, "meeting", a.key, "error", infoErr)
				err = errStillLooking
			}
		})
	}
	wg.Wait()
	if adopted {
		return true, nil
	}
	return false, err
}

// unlisted reports whether a create has to ask a backend for its room first.
func unlisted(b *routing.Backend) bool {
	return b.ListedAt == 0 && !b.Lost && (!b.WasProbed() || b.Reachable()) && patientWith(b)
}

func patientWith(b *routing.Backend) bool {
	first := b.FirstReached()
	return first == 0 || time.Since(first.Time()) < unlistedPatience
}
