package cluster

import (
	"context"
	"errors"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// CreateRequest is a create as it is to reach a node.
type CreateRequest struct {
	Frontend  *b3scale.Frontend
	MeetingID string     // the frontend's own id
	Params    bbb.Params // as for the node, with the encoded id; passwords only if the client sent some
	Form      bool       // send the parameters in the body
	Body      []byte     // XML, or nil
	Tags      b3scale.TagWish
}

// rounds is how often a create looks at the row before it gives up. Between
// them it pauses if the place stays the same: an old room that is being ended
// there takes the node some seconds to close.
const rounds = 6

var pauses = [rounds]time.Duration{50 * time.Millisecond, 250 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// Create places the meeting if it has no place, creates it there, and returns
// the node's answer once the outcome is durable. FAILED answers of the node
// are answers.
func (c *Cluster) Create(ctx context.Context, req CreateRequest) (_ *bbb.Answer, err error) {
	defer func() { c.placements.ended(err) }()
	ctx, cancel := c.detached(ctx)
	defer cancel()
	if bbb.IsTrue(req.Params.Get("isBreakout")) {
		return c.createBreakout(ctx, req)
	}
	if c.opts.Observe {
		return nil, errObserving
	}
	a := &creation{
		Cluster: c,
		req:     req,
		key:     b3scale.MeetingKey{FrontendID: req.Frontend.ID, MeetingID: req.MeetingID},
		nodeID:  req.Params.Get("meetingID"),
		failed:  map[string]bool{},
	}
	for round := range rounds {
		if round > 0 {
			c.placements.retries.Add(1)
		}
		m, err := a.place(ctx)
		if err != nil {
			return nil, err
		}
		answer, again, err := a.create(ctx, m)
		if !again {
			return answer, err
		}
		if !a.failed[m.BackendID] {
			pause(ctx, pauses[round])
		}
	}
	return nil, b3scale.Errorf(b3scale.Unavailable, "the meeting could not be created now, please try again")
}

var errObserving = b3scale.Errorf(b3scale.Observing, "this installation only observes: it creates and ends no meetings")

// creation is one create request on its way through the rounds.
type creation struct {
	*Cluster
	req    CreateRequest
	key    b3scale.MeetingKey
	nodeID string

	failed    map[string]bool // backends that failed in this request
	abandoned []int64         // generations seen refused, or once unknown, while creating
	moved     bool            // the one move after an unknown outcome is used
	passwords struct{ attendee, moderator string }
}

// create asks the node of m and stores what it answered. again asks for
// another round.
func (a *creation) create(ctx context.Context, m b3scale.Meeting) (answer *bbb.Answer, again bool, err error) {
	b := a.table.Backend(m.BackendID)
	if b == nil { // removed or added a moment ago, by another instance
		a.reloadSoon()
		return nil, true, nil
	}
	call, origin, left := a.relayed(a.req.nodeCall(m.AttendeePW, m.ModeratorPW), a.key, m.Generation)
	if left != nil {
		a.log.WarnContext(ctx, "create sent without callbacks: with its XML it is too long", "meeting", a.key, "params", left)
	}
	answer, err = a.call(ctx, b, a.limit(), call)
	if o := bbb.OutcomeOf(err); o == bbb.ServerError || o == bbb.Malformed {
		a.placements.retries.Add(1)
		answer, err = a.call(ctx, b, a.limit(), call) // it may have been executed: the same node once more
	}
	if err != nil {
		return a.notAnswered(ctx, m, err)
	}
	if !answer.Succeeded() {
		return a.refusedByNode(ctx, b, m, answer)
	}
	room := incarnation(answer)
	if room.InternalID == "" {
		return nil, false, unreachable(errors.New("create: SUCCESS without an internal id"))
	}
	room.Info = createdInfo(answer, &call.Params)
	if answer.MessageKey() != duplicateKey {
		room.Origin = origin // else another create has made it
	}
	return a.confirm(ctx, m, room, answer)
}

func (a *creation) limit() time.Duration {
	if a.req.Body != nil || a.req.Params.Get("preUploadedPresentation") != "" {
		return a.opts.BodyTimeout
	}
	return a.opts.CreateTimeout
}

// nodeCall adds the row's passwords where the client sent none.
func (req *CreateRequest) nodeCall(attendeePW, moderatorPW string) bbb.Call {
	params := req.Params.Clone()
	if params.Get("attendeePW") == "" && attendeePW != "" {
		params.Set("attendeePW", attendeePW)
	}
	if params.Get("moderatorPW") == "" && moderatorPW != "" {
		params.Set("moderatorPW", moderatorPW)
	}
	return bbb.Call{Name: "create", Params: params, Form: req.Form, Body: req.Body}
}

// notAnswered decides what follows from a call without a usable answer.
func (a *creation) notAnswered(ctx context.Context, m b3scale.Meeting, err error) (*bbb.Answer, bool, error) {
	a.log.WarnContext(ctx, "create not answered", "meeting", a.key, "backend", m.BackendID, "generation", m.Generation, "error", err)
	outcome := bbb.OutcomeOf(err)
	switch {
	case m.State != b3scale.MeetingCreating:
		// It lives there, and people may be in it.
	case outcome == bbb.Refused:
		a.abandon(m)
		return nil, true, nil
	case outcome == bbb.Unknown && !a.moved:
		// Nobody was told of a room there; should there be one, the claim of
		// the next place books it as an orphan.
		a.moved = true
		a.abandon(m)
		return nil, true, nil
	}
	return nil, false, unreachable(err)
}

// refusedByNode handles a FAILED answer.
func (a *creation) refusedByNode(ctx context.Context, b *routing.Backend, m b3scale.Meeting, answer *bbb.Answer) (*bbb.Answer, bool, error) {
	if answer.MessageKey() != bbb.ErrIDNotUnique.Key {
		if m.State == b3scale.MeetingCreating {
			if err := a.end(ctx, m); err != nil {
				return nil, false, err
			}
		}
		return answer, false, nil
	}
	x, err := a.info(ctx, b, a.nodeID, a.opts.CallTimeout)
	switch {
	case err != nil:
		return nil, false, unreachable(err)
	case x == nil:
		return nil, true, nil // it went away in between
	}
	if a.samePasswords(x) {
		answer = duplicateAnswer(x)
	}
	return a.confirm(ctx, m, a.withOrigin(a.key, x.Incarnation), answer)
}

// samePasswords reports whether the client may have this room: it sent no
// passwords, or the room's.
func (a *creation) samePasswords(x *sight) bool {
	same := func(given, have string) bool { return given == "" || given == have }
	return same(a.req.Params.Get("attendeePW"), x.AttendeePW) && same(a.req.Params.Get("moderatorPW"), x.ModeratorPW)
}

// confirm makes the room durable and returns the answer.
func (a *creation) confirm(ctx context.Context, m b3scale.Meeting, room b3scale.Incarnation, answer *bbb.Answer) (*bbb.Answer, bool, error) {
	if m.State == b3scale.MeetingActive && m.InternalID == room.InternalID && !m.EndRequested() {
		return answer, false, nil // the usual repeat: nothing to write
	}
	confirmed, ok, err := a.store.ConfirmMeeting(ctx, a.key, m.Generation, room)
	if err != nil {
		return nil, false, err
	}
	if ok {
		if m.State == b3scale.MeetingCreating {
			a.placements.placed.Add(1)
		}
		a.table.Apply(confirmed, time.Now())
		a.log.InfoContext(ctx, "meeting created", "meeting", a.key, "backend", m.BackendID, "generation", m.Generation, "internal_id", room.InternalID)
		return answer, false, nil
	}
	now, err := a.store.Meeting(ctx, a.key)
	if err != nil && b3scale.CodeOf(err) != b3scale.NotFound {
		return nil, false, err
	}
	if err == nil {
		a.table.Apply(now, time.Now())
	}
	if err != nil || now.Generation == m.Generation {
		return nil, true, nil // a newer room, or it ended: ask again
	}
	a.log.InfoContext(ctx, "meeting was placed elsewhere meanwhile", "meeting", a.key, "backend", m.BackendID, "generation", m.Generation)
	if _, err := a.store.BookOrphan(ctx, a.key, m.BackendID, room.InternalID); err != nil {
		return nil, false, err
	}
	a.sweep(ctx, a.key, m.BackendID)
	return nil, true, nil
}

// incarnation reads a create's answer.
func incarnation(answer *bbb.Answer) b3scale.Incarnation {
	root := answer.Root()
	return b3scale.Incarnation{
		InternalID:  root.Child("internalMeetingID").Text(),
		CreateTime:  root.Child("createTime").Number(),
		AttendeePW:  root.Child("attendeePW").Text(),
		ModeratorPW: root.Child("moderatorPW").Text(),
	}
}

// duplicateKey says that the room was there before.
const duplicateKey = "duplicateWarning"

// duplicateAnswer is the answer to a repeated create, made from what the node
// says of the room.
func duplicateAnswer(x *sight) *bbb.Answer {
	doc, err := bbb.ParseXML(append(append([]byte("<room>"), x.Info...), "</room>"...))
	if err != nil { // cannot be: it was cut out of a document that parsed
		doc, _ = bbb.ParseXML([]byte("<room/>"))
	}
	room := doc.Root()
	b := bbb.NewAnswer(bbb.Success)
	for _, name := range []string{"meetingID", "internalMeetingID"} {
		b.Text(name, room.Child(name).Text())
	}
	b.Text("parentMeetingID", "bbb-none")
	for _, name := range []string{
		"attendeePW", "moderatorPW", "createTime", "voiceBridge", "dialNumber", "createDate", "hasUserJoined", "duration", "hasBeenForciblyEnded",
	} {
		b.Text(name, room.Child(name).Text())
	}
	b.Text("messageKey", duplicateKey).Text("message", "This conference was already in existence and may currently be in progress.")
	return bbb.NewOwnAnswer(b.Bytes())
}
