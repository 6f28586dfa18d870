package routing

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"b3scale"
)

var (
	crowdStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	crowdKey   = b3scale.MeetingKey{FrontendID: "f", MeetingID: "m"}
)

func personXML(name string, t Traits) ([]byte, Traits) {
	t.Who = name
	return fmt.Appendf(nil, "<attendee>%s %v</attendee>", name, t), t
}

// The sums are right whoever changes the crowd at the same time, and on the
// backend, too.
func TestCrowdCounts(t *testing.T) {
	t.Parallel()
	table := NewTable(LoadOptions{})
	table.SetConfig(b3scale.FrontendSettings{}, nil, []b3scale.Backend{{ID: "b"}}, crowdStart)
	m := b3scale.Meeting{Key: crowdKey, BackendID: "b", Generation: 1, Version: 1, State: b3scale.MeetingActive, Incarnation: b3scale.Incarnation{InternalID: "x"}}
	table.Apply(m, crowdStart)
	crowd := table.Meeting(m.Key).Crowd()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g))) //nolint:gosec // a test repeats itself
			for n := range 3000 {
				name := fmt.Sprint(r.IntN(40))
				f := Fact{ID: "w_" + name, Boot: "boot", Sequence: int64(g + 4*n), At: b3scale.MicrosOf(crowdStart), Left: r.IntN(3) == 0, Arrived: r.IntN(2) == 0,
					Draw: func([]byte) ([]byte, Traits) {
						return personXML(name, Traits{Listens: r.IntN(2) == 0, Speaks: r.IntN(2) == 0, Shows: r.IntN(2) == 0, Moderates: r.IntN(2) == 0})
					},
					WhoIs: func([]byte) string { return name },
				}
				if crowd.Take(f) == Changed {
					table.Recount(m.Key, crowd, nil, crowdStart)
				}
				if n%100 == 0 {
					if u, news := crowd.Unsaved(f.At); news && n%200 == 0 {
						crowd.Redo(u)
					}
					crowd.Replace(func(before []b3scale.Attendee, _ func(string) bool) ([]b3scale.Attendee, []string) {
						return before, nil
					},
						func([]byte) Traits { return Traits{} }, f.At, true)
				}
			}
		})
	}
	wg.Wait()
	r := table.Recount(m.Key, crowd, nil, crowdStart)
	var want b3scale.Headcount
	for _, p := range crowd.people {
		want.People++
		for flag, n := range map[flags]*int{listens: &want.Listeners, speaks: &want.Voices, shows: &want.Videos, moderates: &want.Moderators} {
			if p.flags&flag != 0 {
				*n++
			}
		}
	}
	if r.Count != want || r.People != want.People || len(r.Present()) != want.People || table.Backend("b").People() != want.People {
		t.Errorf("counted %+v, %d on the backend, %d shown, want %+v", r.Count, table.Backend("b").People(), len(r.Present()), want)
	}
}

// Who has left is remembered, but not all of them and not for ever.
func TestCrowdForgets(t *testing.T) {
	t.Parallel()
	c := &Crowd{}
	at := b3scale.MicrosOf(crowdStart)
	for n := range 3 * mostLeft {
		c.Take(Fact{ID: fmt.Sprint(n), Boot: "boot", Sequence: int64(n), At: at, Left: true, WhoIs: func([]byte) string { return "" }})
		if n%500 == 0 {
			c.Unsaved(at)
		}
		at = at.Add(time.Second)
	}
	if len(c.left) > mostLeft {
		t.Errorf("%d farewells are remembered, want at most %d", len(c.left), mostLeft)
	}
	c.Unsaved(at.Add(time.Hour))
	c.Take(Fact{ID: "last", Boot: "boot", Sequence: 1 << 40, At: at, Left: true, WhoIs: func([]byte) string { return "" }})
	if u, _ := c.Unsaved(at.Add(time.Hour)); len(c.left) > 64 || len(u.Attendees) != 1 {
		t.Errorf("%d farewells are left", len(c.left))
	}
}

// A backend whose agent is silent comes second, and only for new meetings.
func TestSelectPrefersLiveAgents(t *testing.T) {
	t.Parallel()
	table := NewTable(LoadOptions{})
	table.SetConfig(b3scale.FrontendSettings{}, nil, []b3scale.Backend{
		{ID: "silent", AdminState: b3scale.AdminReady, AgentRef: "s"}, {ID: "live", AdminState: b3scale.AdminReady, AgentRef: "l"},
		{ID: "none", AdminState: b3scale.AdminReady},
	}, crowdStart)
	for _, b := range table.Backends() {
		b.Probed(true, crowdStart)
	}
	table.Backend("silent").HeardAgent(crowdStart.Add(-6*time.Second), false)
	table.Backend("live").HeardAgent(crowdStart.Add(-4*time.Second), false)
	table.Backend("live").SetForeign(1000)
	choose := func(except ...string) string {
		t.Helper()
		w := Wanted{Except: map[string]bool{}}
		for _, id := range except {
			w.Except[id] = true
		}
		c, err := table.Select(w, crowdStart)
		if err != nil {
			t.Fatal(err)
		}
		c.Release()
		return c.ID
	}
	if got := choose(); got != "none" {
		t.Errorf("got %s", got)
	}
	if got := choose("none"); got != "live" {
		t.Errorf("without none: got %s", got)
	}
	if got := choose("none", "live"); got != "silent" {
		t.Errorf("with the silent one alone: got %s", got)
	}
	table.Backend("live").HeardAgent(crowdStart, true)
	if got := choose("none"); got != "silent" {
		t.Errorf("of a deaf and a silent one the less loaded: got %s", got)
	}
}

// Rows may be read just before what was stored is in them: who was being stored
// counts as not stored for a moment.
func TestCrowdRemembersWhatIsBeingStored(t *testing.T) {
	t.Parallel()
	c := &Crowd{}
	at := b3scale.MicrosOf(crowdStart)
	arrive := func(name string) {
		c.Take(Fact{ID: name, Boot: "boot", Sequence: 1, At: at, Arrived: true, Draw: func([]byte) ([]byte, Traits) { return personXML(name, Traits{}) }})
	}
	arrive("ann")
	c.Unsaved(at)
	arrive("bob")
	c.Unsaved(at)
	unsavedAt := func(now b3scale.Micros) (n int) {
		c.Replace(func(before []b3scale.Attendee, unsaved func(string) bool) ([]b3scale.Attendee, []string) {
			for _, a := range before {
				if unsaved(a.InternalUserID) {
					n++
				}
			}
			return before, nil
		}, func([]byte) Traits { return Traits{} }, now, true)
		return n
	}
	if n := unsavedAt(at.Add(time.Second)); n != 2 {
		t.Errorf("%d count as not stored, want 2", n)
	}
	if n := unsavedAt(at.Add(time.Minute)); n != 2 {
		t.Errorf("%d count as not stored while they are being stored, want 2", n)
	}
	c.Done(at)
	c.Done(at)
	if n := unsavedAt(at.Add(time.Minute)); n != 0 {
		t.Errorf("%d count as not stored a minute later, want 0", n)
	}
}

// A row that is read while a write of ours still waits is older than what we
// know.
func TestASlowStoreLosesNobody(t *testing.T) {
	t.Parallel()
	c := &Crowd{}
	c.Take(Fact{ID: "w_1", Boot: "b", Sequence: 1, At: 1e6, Arrived: true, Draw: func([]byte) ([]byte, Traits) { return []byte("<attendee/>"), Traits{} }})
	u, _ := c.Unsaved(1e6)
	c.Replace(func(before []b3scale.Attendee, unsaved func(string) bool) (after []b3scale.Attendee, _ []string) {
		for _, a := range before {
			if unsaved(a.InternalUserID) {
				after = append(after, a)
			}
		}
		return after, nil
	}, func([]byte) Traits { return Traits{} }, 60e6, true)
	c.Redo(u)
	if n := c.Headcount().People; n != 1 {
		t.Errorf("%d people, want 1", n)
	}
}
