package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/routing"
)

// Explanation is what a create would do now.
type Explanation struct {
	routing.Explanation // how all backends stand for it if it is placed

	Home     *Home // where it goes without any choice; nil: it is placed
	Chosen   string
	Refused  error    // why it would not be created at all, as far as we know without asking a node
	Size     int      // expected people
	Call     bbb.Call // as it would reach the node; passwords and tokens in it may be of the kind that is yet to be made
	Warnings []string
}

// Home is where a meeting lives, or its parent.
type Home struct {
	BackendID  string
	Generation int64
	State      b3scale.MeetingState
	OfParent   bool
}

// someGeneration stands for the one that a claim would make.
const someGeneration = 1

// Explain tells what Create would do, and does nothing: nothing is claimed or
// reserved, no node is asked, nothing is counted. Chosen is the backend that
// the meeting would come to, empty where there are several equally good ones.
func (c *Cluster) Explain(ctx context.Context, req CreateRequest) (Explanation, error) {
	x := Explanation{Size: c.expectedSize(&req), Warnings: c.warnings(&req)}
	want := req.wants(x.Size)
	x.Explanation = c.table.Explain(want, time.Now())
	key := b3scale.MeetingKey{FrontendID: req.Frontend.ID, MeetingID: req.MeetingID}
	if bbb.IsTrue(req.Params.Get("isBreakout")) {
		err := c.explainBreakout(ctx, &x, req)
		return x, err
	}
	m, found, err := c.asStored(ctx, key)
	if err != nil {
		return x, err
	}
	x.Call, _, _ = c.relayed(req.nodeCall(passwordOr(""), passwordOr("")), key, someGeneration)
	stays := found && c.explainHome(&x, &m)
	switch {
	case stays:
		x.Call, _, _ = c.relayed(req.nodeCall(m.AttendeePW, m.ModeratorPW), key, m.Generation)
	case c.full(&x, req.Frontend, key, found):
	case x.Err != nil:
		x.Refused = x.Err
	default:
		if err := c.passOverBooked(ctx, &x, key, want); err != nil {
			return x, err
		}
	}
	if c.opts.Observe {
		x.Refused = errObserving
	}
	x.choose()
	return x, nil
}

// choose names the backend when there is only one. What is refused goes nowhere.
func (x *Explanation) choose() {
	drawn := 0
	for i := range x.Verdicts {
		v := &x.Verdicts[i]
		v.Drawn = v.Drawn && x.Home == nil && x.Refused == nil
		if v.Drawn {
			drawn++
			x.Chosen = v.ID
		}
	}
	if drawn > 1 {
		x.Chosen = ""
	}
	if x.Home != nil && x.Refused == nil {
		x.Chosen = x.Home.BackendID
	}
}

// warnings are what the caller should know besides.
func (c *Cluster) warnings(req *CreateRequest) (all []string) {
	warn := func(really bool, format string, args ...any) {
		if really {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	asked := 0
	for _, b := range c.table.Backends() {
		if unlisted(b) {
			asked++
		}
	}
	wish := &req.Tags
	warn(!req.Frontend.Active, "the frontend is disabled: all its calls are refused")
	warn(len(wish.Refused) > 0, "the frontend may not ask for these tags, which are passed over: %s", strings.Join(wish.Refused, ", "))
	warn(len(wish.Refused) > 0 && wish.Required && len(wish.AnyOf) == 0 && !wish.Untagged,
		"the meeting insists on tags and may ask for none of them: no backend will do")
	warn(!c.Probed(), "not every backend has been probed since the start: a create waits for that before it gives up")
	warn(asked > 0, "nobody has listed the rooms of %d backends yet: a create asks them first whether the meeting runs there", asked)
	return all
}

// asStored is a meeting's row, without taking anything in.
func (c *Cluster) asStored(ctx context.Context, key b3scale.MeetingKey) (m b3scale.Meeting, found bool, err error) {
	r := c.table.Meeting(key)
	if !c.shared() || r != nil && r.Breakout {
		if r == nil {
			return m, false, nil
		}
		return r.Meeting, true, nil
	}
	m, err = c.store.Meeting(ctx, key)
	if b3scale.CodeOf(err) == b3scale.NotFound {
		return m, false, nil
	}
	return m, m.Live(), err
}

// explainHome reports whether a create goes where the meeting is. See lives,
// which asks the node as well.
func (c *Cluster) explainHome(x *Explanation, m *b3scale.Meeting) bool {
	b := c.table.Backend(m.BackendID)
	if b == nil || b.Lost {
		x.Warnings = append(x.Warnings, "the backend on which the meeting lives is lost: it is placed anew")
		return false
	}
	x.Home = &Home{BackendID: b.ID, Generation: m.Generation, State: m.State}
	if b.AdminState != b3scale.AdminReady {
		x.Warnings = append(x.Warnings, "its backend gets no new meetings: a create asks there first whether the room still exists, and places the meeting anew if it does not")
	}
	return true
}

// full reports whether a limit of the frontend refuses the meeting, in the
// order in which claims find that out.
func (c *Cluster) full(x *Explanation, f *b3scale.Frontend, key b3scale.MeetingKey, lives bool) bool {
	if _, crowded := c.crowded(f, key); crowded {
		x.Refused = errAttendeesLimit
		return true
	}
	l := f.Policy.MeetingsLimit
	if x.Err != nil || lives || l == nil || l.Limit <= 0 || c.table.FrontendCount(f.ID).Meetings < l.Limit {
		return false
	}
	x.Refused = errMeetingsLimit
	return true
}

// passOverBooked does what claims do: the store refuses backends on which an
// earlier room of the meeting may still be, and the next ones are looked at.
// Those that a claim could have taken before it came to that are still in it.
func (c *Cluster) passOverBooked(ctx context.Context, x *Explanation, key b3scale.MeetingKey, want routing.Wanted) error {
	want.Booked = map[string]bool{}
	drawn := map[string]bool{}
	for x.Err == nil {
		refused := false
		for i := range x.Verdicts {
			v := &x.Verdicts[i]
			if !v.Drawn || drawn[v.ID] {
				continue
			}
			orphans, err := c.store.Orphans(ctx, v.ID)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(orphans, func(o b3scale.Orphan) bool { return o.Key == key }) {
				want.Booked[v.ID], refused = true, true
			} else {
				drawn[v.ID] = true
			}
		}
		if !refused {
			break
		}
		x.Explanation = c.table.Explain(want, time.Now())
	}
	if len(drawn) == 0 {
		x.Refused = x.Err
	}
	for i := range x.Verdicts {
		x.Verdicts[i].Drawn = drawn[x.Verdicts[i].ID]
	}
	return nil
}

// explainBreakout tells of a breakout room, which goes where its parent is.
func (c *Cluster) explainBreakout(ctx context.Context, x *Explanation, req CreateRequest) error {
	key := b3scale.MeetingKey{FrontendID: req.Frontend.ID, MeetingID: req.MeetingID}
	x.Call, _, _ = c.relayed(bbb.Call{Name: "create", Params: req.Params.Clone(), Form: req.Form, Body: req.Body}, key, 0)
	parent := req.Params.Get("parentMeetingID")
	if parent == "" {
		x.Refused = bbb.ErrParentMissing
	}
	m, found, err := c.asStored(ctx, c.parentKey(req.Frontend, parent))
	if err != nil {
		return err
	}
	b := c.table.Backend(m.BackendID)
	switch {
	case x.Refused != nil:
	case !found:
		x.Refused = bbb.ErrParentNotFound
	case b == nil || b.Lost:
		x.Refused = unreachable(nil)
	default:
		x.Home = &Home{BackendID: m.BackendID, Generation: m.Generation, State: m.State, OfParent: true}
		if _, full := c.tooManyRooms(req.Frontend, key, 0); full {
			x.Refused = errMeetingsLimit
		}
	}
	if c.opts.Observe {
		x.Refused = errObserving
	}
	x.choose()
	return nil
}
