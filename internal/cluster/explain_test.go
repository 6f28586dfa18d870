package cluster

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/routing"
)

// explain asks what a create would do.
func (s *site) explain(id string, change ...func(*CreateRequest)) Explanation {
	s.t.Helper()
	req := CreateRequest{
		Frontend: s.c.Frontend(frontendKey), MeetingID: id, Params: params("name", "Meeting "+id, "meetingID", nodeID(id)),
	}
	for _, c := range change {
		c(&req)
	}
	x, err := s.c.Explain(s.ctx, req)
	if err != nil {
		s.t.Fatal(err)
	}
	return x
}

func with(pairs ...string) func(*CreateRequest) {
	return func(req *CreateRequest) { req.Params.Append(params(pairs...)) }
}

func wishing(w b3scale.TagWish) func(*CreateRequest) {
	return func(req *CreateRequest) { req.Tags = w }
}

// What is told of a create besides its place. All say node 0 where anything is
// chosen at all.
func TestExplain(t *testing.T) {
	t.Parallel()
	stopped := func(nodes ...int) func(*site) {
		return func(s *site) {
			for _, n := range nodes {
				s.admin(n, b3scale.AdminStopped)
			}
		}
	}
	lives := func(s *site) { s.placed(0, "class", "Ada") }
	breakout := with("isBreakout", "true", "parentMeetingID", nodeID("class"))
	for name, c := range map[string]struct {
		plan    plan
		prepare []func(*site)
		ask     []func(*CreateRequest)
		refused error        // by its kind, or
		code    b3scale.Code // by its code
		emptied routing.Filter
		home    bool
		told    []string // in the warnings
	}{
		"new":         {},
		"lives":       {prepare: []func(*site){lives}, home: true},
		"drained":     {prepare: []func(*site){lives, stopped(0)}, home: true, told: []string{"asks there first"}},
		"lost":        {prepare: []func(*site){func(s *site) { s.placed(1, "class"); s.lose(1) }}, told: []string{"is lost: it is placed anew"}},
		"not ready":   {prepare: []func(*site){stopped(0, 1, 2)}, code: b3scale.NoBackend, emptied: "not_ready"},
		"two reasons": {prepare: []func(*site){stopped(1), func(s *site) { s.lose(0); s.lose(2) }}, code: b3scale.NoBackend, emptied: "lost"},
		"tag nobody has": {
			ask: []func(*CreateRequest){wishing(b3scale.TagWish{AnyOf: b3scale.Tags{"gpu"}, Required: true})}, code: b3scale.NoBackend, emptied: "wanted_tags",
		},
		"tag not allowed": {ask: []func(*CreateRequest){wishing(b3scale.TagWish{Refused: b3scale.Tags{"gpu"}})}, told: []string{"may not ask for these tags, which are passed over: gpu"}},
		"required tag not allowed": {
			ask:  []func(*CreateRequest){wishing(b3scale.TagWish{Refused: b3scale.Tags{"gpu"}, Required: true})},
			code: b3scale.NoBackend, emptied: "wanted_tags", told: []string{"passed over: gpu", "insists on tags and may ask for none of them"},
		},
		"booked everywhere": {prepare: []func(*site){func(s *site) {
			s.claim(0, "class")
			s.endRow("class")
			for i := range s.nodes {
				s.book(i, "class")
			}
		}}, code: b3scale.NoBackend, emptied: "booked"},
		"limit of meetings": {prepare: []func(*site){func(s *site) { s.placed(1, "other"); s.limited(meetings(1)) }}, refused: errMeetingsLimit},
		"limit, lives":      {prepare: []func(*site){lives, func(s *site) { s.limited(meetings(1)) }}, home: true},
		"limit, nowhere": {prepare: []func(*site){stopped(0, 1, 2), func(s *site) { s.claim0("other"); s.limited(meetings(1)) }},
			code: b3scale.NoBackend, emptied: "not_ready"},
		"limit of people": {prepare: []func(*site){func(s *site) {
			s.limited(attendees(1, b3scale.LimitBlocksCreate))
			s.placed(1, "other", "Ada")
			s.list(1)
		}}, refused: errAttendeesLimit},
		"limit of people who join": {prepare: []func(*site){func(s *site) {
			s.limited(attendees(1, b3scale.LimitBlocksJoin))
			s.placed(1, "other", "Ada")
			s.list(1)
		}}},
		"disabled": {prepare: []func(*site){func(s *site) {
			_, err := s.c.EditFrontend(s.ctx, s.frontend.ID, b3scale.Actor{}, func(f *b3scale.Frontend) error { f.Active = false; return nil })
			if err != nil {
				s.t.Fatal(err)
			}
		}}, told: []string{"the frontend is disabled"}},
		"observing":                {plan: plan{opts: Options{Observe: true}}, refused: errObserving},
		"unlisted":                 {plan: plan{unlisted: true}, told: []string{"the rooms of 3 backends"}},
		"breakout":                 {prepare: []func(*site){lives}, ask: []func(*CreateRequest){breakout}, home: true},
		"breakout without parent":  {ask: []func(*CreateRequest){with("isBreakout", "TRUE")}, refused: bbb.ErrParentMissing},
		"breakout, no such parent": {ask: []func(*CreateRequest){breakout}, refused: bbb.ErrParentNotFound},
		"breakout, parent lost":    {prepare: []func(*site){lives, func(s *site) { s.lose(0) }}, ask: []func(*CreateRequest){breakout}, code: b3scale.NodeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, c.plan, func(t *testing.T, s *site) {
				s.unchecked = true
				for _, prepare := range c.prepare {
					prepare(s)
				}
				s.prefer(0)
				id := "class"
				if strings.HasPrefix(name, "breakout") {
					id = "breakout"
				}
				x := s.explain(id, c.ask...)
				if c.refused != nil && !errors.Is(x.Refused, c.refused) || c.refused == nil && codeOf(x.Refused) != c.code {
					t.Errorf("refused: %v, want %v%v", x.Refused, c.refused, c.code)
				}
				if x.Emptied != c.emptied {
					t.Errorf("%q left none, want %q", x.Emptied, c.emptied)
				}
				want := s.backends[0]
				if x.Refused != nil {
					want = ""
				}
				if x.Chosen != want {
					t.Errorf("chosen is node %d, want %q", s.nodeOf(x.Chosen), want)
				}
				if (x.Home != nil) != c.home || c.home && (x.Home.BackendID != want || x.Home.OfParent != (id == "breakout")) {
					t.Errorf("home is %+v, want one: %v", x.Home, c.home)
				}
				got := strings.Join(x.Warnings, "; ")
				missing := slices.ContainsFunc(c.told, func(text string) bool { return !strings.Contains(got, text) })
				if len(x.Warnings) != len(c.told) || missing {
					t.Errorf("told is %q, want %q", x.Warnings, c.told)
				}
			})
		})
	}
}

// claim0 is a meeting on node 0, whatever its state.
func (s *site) claim0(id string) {
	s.admin(0, b3scale.AdminReady)
	s.claim(0, id)
	s.admin(0, b3scale.AdminStopped)
}

// The call is that for the node, with passwords always.
func TestExplainedCall(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		x := s.explain("class", with("attendeePW", "sent"), func(req *CreateRequest) { req.Body = []byte("<modules/>") })
		if x.Call.Name != "create" || x.Call.Params.Get("attendeePW") != "sent" || x.Call.Params.Get("moderatorPW") == "" || string(x.Call.Body) != "<modules/>" {
			t.Errorf("got %+v", x.Call)
		}
		if x.Size != 15 || s.explain("class", with("maxParticipants", "4")).Size != 4 {
			t.Error("the expected size is not that of a create")
		}
		m := s.claim(1, "class")
		if got := s.explain("class").Call.Params; got.Get("attendeePW") != m.AttendeePW || got.Get("moderatorPW") != m.ModeratorPW {
			t.Errorf("the passwords are not those of the row: %s", got.Encode())
		}
	})
}

// With several instances the row counts, and memory stays as it is.
func TestExplainReadsTheRow(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{opts: Options{Changes: deaf{}}}, func(t *testing.T, s *site) {
		s.unchecked = true
		m, fit, err := s.store.ClaimMeeting(s.ctx, b3scale.Claim{Key: s.key("class"), BackendID: s.backends[2], Size: 15})
		if err != nil || !fit {
			t.Fatal(fit, err)
		}
		x := s.explain("class")
		if x.Home == nil || *x.Home != (Home{BackendID: s.backends[2], Generation: m.Generation, State: b3scale.MeetingCreating}) {
			t.Errorf("home is %+v, want that of %+v", x.Home, m)
		}
		if s.c.table.Meeting(s.key("class")) != nil {
			t.Error("it was taken in")
		}
		if err := s.store.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.c.Explain(s.ctx, CreateRequest{Frontend: s.c.Frontend(frontendKey), MeetingID: "class"}); b3scale.CodeOf(err) != b3scale.Unavailable {
			t.Errorf("without the store: %v", err)
		}
		s.open()
	})
}

// Why a meeting is where it is stays known while it is there, to the instance
// that decided it.
func TestDecisions(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		s.trustAll()
		decision := func(id string) *routing.Decision { return s.c.Room(s.key(id)).Decision() }
		s.admin(2, b3scale.AdminStopped)
		s.prefer(1, 0)
		begun := time.Now()
		s.created("class")
		d := decision("class")
		if d == nil || d.At.Time().Before(begun.Truncate(time.Microsecond)) || d.Backends != 3 || d.Able != 2 || d.Drawn != 1 || len(d.Best()) != 2 ||
			d.Best()[0] != (routing.Rated{BackendID: s.backends[1]}) || d.Best()[1].Score != 1000 || len(d.RuledOut()) != 1 || d.RuledOut()["not_ready"] != 1 {
			t.Fatalf("got %+v", d)
		}
		s.nodes[1].Join(nodeID("class"), bbbtest.Attendee{FullName: "Ada"})
		s.list(1)
		s.created("class") // again
		if decision("class") != d {
			t.Error("lists, events or repeated creates change it")
		}
		s.lose(1)
		s.created("class")
		if moved := decision("class"); moved == nil || moved == d || moved.RuledOut()["lost"] != 1 || moved.Best()[0].BackendID != s.backends[0] {
			t.Errorf("after it moved: %+v", moved)
		}
		s.placed(0, "found")
		if decision("found") != nil {
			t.Error("nobody decided where a room is that was found")
		}
		s.restart()
		if decision("class") != nil {
			t.Error("it is kept over a restart")
		}
	})
}
