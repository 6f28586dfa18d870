package cluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/policy"
	"b3scale/internal/routing"
)

// TestExplainAgreesWithCreate asks in a thousand states what a create would do,
// and then does it: it lands where it was said, or among those that were said,
// and there is nowhere to go exactly when that was said. Under the race detector
// there are fewer states: it takes five times as long.
func TestExplainAgreesWithCreate(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	inBubble(t, plan{nodes: 12}, func(t *testing.T, s *site) {
		s.unchecked = true // the states come from nowhere: see what lands where
		r := &roulette{site: s, Rand: rand.New(rand.NewPCG(seed, 1)), came: map[string]int{}}
		for n := range explainedStates {
			r.shuffle()
			id := r.anyMeeting(n)
			r.agree(id, r.request(id))
			if t.Failed() {
				t.Fatalf("state %d of seed %d", n, seed)
			}
		}
		for what, least := range map[string]int{"one": 40, "several": 40, "many": 5, "none": 40, "limited": 10, "home": 40, "booked": 5} {
			if least = least * explainedStates / 1000; r.came[what] < least {
				t.Errorf("%q came %d times, want at least %d, with seed %d: all %v", what, r.came[what], least, seed, r.came)
			}
		}
	})
}

// roulette makes states of a cluster.
type roulette struct {
	*site
	*rand.Rand
	live []string
	past []string         // meetings that ended
	held []routing.Choice // meetings that are being placed
	came map[string]int   // how often what was said
}

var allTags = b3scale.Tags{"a", "b", "c"}

func (r *roulette) tags(most int) (tags b3scale.Tags) {
	for range r.IntN(most + 1) {
		tags = append(tags, allTags[r.IntN(len(allTags))])
	}
	return tags
}

func (r *roulette) once(in int) bool { return r.IntN(in) == 0 }

// shuffle changes something everywhere.
func (r *roulette) shuffle() {
	r.reconfigure(r.backends[r.IntN(len(r.backends))])
	now, even := time.Now(), r.once(3) // many can take it, and are about as good
	for i, n := range r.nodes {
		n.ResetRequests()
		b := r.backend(i)
		if l := b.Load(); even {
			b.SetForeign(1000 - int(l.Meetings+l.Reserved)/1000 + 40*r.IntN(2))
			b.Probed(true, now)
			b.HeardAgent(now, false)
			continue
		}
		b.SetForeign(50 * r.IntN(6))
		b.Probed(!r.once(12), now.Add(-time.Duration(r.IntN(7))*time.Second))
		b.HeardAgent(now.Add(-time.Duration(r.IntN(7))*time.Second), r.once(6))
	}
	r.limited(func(f *b3scale.FrontendSettings) {
		*f = b3scale.FrontendSettings{AllowedTags: r.tags(2)}
		if even {
			return
		}
		f.RequiredTags = r.tags(1)
		if r.once(8) {
			f.AllowedTags = b3scale.Tags{b3scale.AnyTag}
		}
		if r.once(5) {
			f.MeetingsLimit = &b3scale.MeetingsLimit{Limit: max(1, len(r.live)+r.IntN(3)-1)}
		}
		if r.once(8) {
			f.CreateOverrideParams = b3scale.Params{"maxParticipants": fmt.Sprint(1 + r.IntN(20))}
		}
	})
	for range r.IntN(3) {
		if len(r.held) > 3 {
			r.held[0].Release()
			r.held = r.held[1:]
		}
		if choice, err := r.c.table.Select(routing.Wanted{Size: r.IntN(20)}, now); err == nil {
			r.held = append(r.held, choice)
		}
	}
	if len(r.live) > 12 {
		r.over(r.live[0])
	}
}

func (r *roulette) reconfigure(backendID string) {
	r.t.Helper()
	_, err := r.c.EditBackend(r.ctx, backendID, b3scale.Actor{}, func(b *b3scale.Backend) error {
		b.AdminState = b3scale.AdminReady
		if r.once(7) {
			b.AdminState = []b3scale.AdminState{b3scale.AdminInit, b3scale.AdminStopped, b3scale.AdminError, b3scale.AdminDecommissioned}[r.IntN(4)]
		}
		b.LoadFactor = []float64{1, 1, 1, 1, 1, 1, 1, 1.5}[r.IntN(8)]
		b.AgentRef = []string{"", "agent-of-" + b.ID}[r.IntN(2)]
		b.Settings = b3scale.BackendSettings{Tags: r.tags(2)}
		if r.once(9) {
			b.Settings.MaxMeetings = 1 + r.IntN(4)
		}
		return nil
	})
	if err == nil {
		_, err = r.store.ClearLost(r.ctx, backendID)
	}
	if err == nil && r.once(10) {
		_, err = r.store.DeclareLost(r.ctx, backendID, b3scale.Actor{})
	}
	if err == nil {
		err = r.c.LoadConfig(r.ctx)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// over ends a meeting.
func (r *roulette) over(id string) {
	m, _ := r.row(id)
	r.nodes[r.nodeOf(m.BackendID)].EndNow(nodeID(id))
	r.endRow(id)
	r.live = slices.DeleteFunc(r.live, func(other string) bool { return other == id })
	r.past = append(r.past, id)
}

// anyMeeting is one that lives, a new one, or one that may still have rooms of
// old somewhere.
func (r *roulette) anyMeeting(n int) string {
	if len(r.live) > 0 && r.once(5) {
		return r.live[r.IntN(len(r.live))]
	}
	if len(r.past) == 0 || !r.once(4) {
		return fmt.Sprint("m", n)
	}
	id := r.past[len(r.past)-1]
	r.past = r.past[:len(r.past)-1]
	for range 1 + r.IntN(6) {
		r.book(r.IntN(len(r.nodes)), id)
	}
	return id
}

// request is a create as the gateway makes it of a client's.
func (r *roulette) request(id string) CreateRequest {
	p := params("name", "Meeting "+id, "meetingID", id)
	if r.once(3) {
		p.Set("meta_server-tag", []string{"a", "b;c", "c!", "none", "none!", "a;none!", "z", "z!", "b!"}[r.IntN(9)])
	}
	if r.once(4) {
		p.Set("meta_bbb-meeting-size-hint", fmt.Sprint(r.IntN(100)))
	}
	f := r.c.Frontend(frontendKey)
	call, wish := policy.Create(f, bbb.Call{Name: "create", Params: p})
	return CreateRequest{Frontend: f, MeetingID: id, Params: call.Params, Body: call.Body, Tags: wish}
}

// facts are all that an explanation must leave alone.
func (r *roulette) facts() string {
	calls := 0
	for _, n := range r.nodes {
		calls += len(n.Requests())
	}
	loads := map[string]routing.Load{}
	for _, b := range r.c.Backends() {
		loads[b.ID] = b.Load()
	}
	return fmt.Sprint(r.rows(), calls, loads, r.c.LimitHits(), r.c.PlacementStats(), r.c.Unvalidated())
}

func (r *roulette) agree(id string, req CreateRequest) {
	r.t.Helper()
	before := r.facts()
	said, err := r.c.Explain(r.ctx, req)
	if err != nil {
		r.t.Fatalf("explain %s: %v", id, err)
	}
	if after := r.facts(); after != before {
		r.t.Errorf("explain %s changed something:\n%s\n%s", id, before, after)
	}
	_, err = r.c.Create(r.ctx, req)
	if got, want := codeOf(err), codeOf(said.Refused); got != want {
		r.t.Fatalf("create %s: %v; it was said: %v", id, err, said.Refused)
	}
	kind := r.kind(&said)
	r.came[kind]++
	if err != nil {
		return
	}
	booked := len(r.orphans(id)) > 0
	if booked {
		r.came["booked"]++
	}
	m, _ := r.row(id)
	if !slices.Contains(r.live, id) {
		r.live = append(r.live, id)
	}
	drawn := map[string]bool{}
	for _, v := range said.Verdicts {
		if v.Drawn {
			drawn[v.ID] = true
		}
	}
	if said.Chosen != "" && m.BackendID != said.Chosen || said.Home == nil && !drawn[m.BackendID] {
		r.t.Errorf("%s came to node %d, which was not said: %s, chosen %q, of %d: %v", id, r.nodeOf(m.BackendID), kind,
			said.Chosen, len(drawn), slices.Collect(maps.Keys(drawn)))
	}
	if said.Home == nil { // otherwise what is kept stays
		r.remembers(id, &said, booked)
	}
}

// remembers compares what is kept of a decision with what was said.
func (r *roulette) remembers(id string, said *Explanation, booked bool) {
	r.t.Helper()
	d := r.c.table.Meeting(r.key(id)).Decision()
	able := 0
	for _, v := range said.Verdicts {
		if len(v.Out) == 0 {
			able++
		}
	}
	switch {
	case d == nil:
		r.t.Errorf("%s was placed, and nobody knows why", id)
	case booked: // the order in which claims were refused counts
	case int(d.Able) != able || int(d.Backends) != len(r.nodes) || fmt.Sprint(d.RuledOut()) != fmt.Sprint(said.RuledOut):
		r.t.Errorf("%s: kept is %+v, said was %d able, out %v", id, d, able, said.RuledOut)
	case d.Best()[0].Score != said.Verdicts[0].Score: // of equals either is the best
		r.t.Errorf("%s: the best is kept as %+v, said was %s with %v", id, d.Best()[0], said.Verdicts[0].ID, said.Verdicts[0].Score)
	}
}

func (r *roulette) kind(said *Explanation) string {
	drawn := 0
	for _, v := range said.Verdicts {
		if v.Drawn {
			drawn++
		}
	}
	switch {
	case codeOf(said.Refused) == b3scale.NoBackend:
		return "none"
	case said.Refused != nil:
		return "limited"
	case said.Home != nil:
		return "home"
	case drawn > 8:
		return "many"
	case drawn > 1:
		return "several"
	}
	return "one"
}
