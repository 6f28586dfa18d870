package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// The invariants of docs/consistency.md. Each test first walks into everything
// at once, then takes away one by one the rules that the invariant rests on.
// The chaos tests look for the ways that nobody thought of.

// walk runs a scenario on a cluster that is being watched, on each database.
func walk(t *testing.T, scenario func(t *testing.T, w *world)) {
	t.Helper()
	onEach(t, func(t *testing.T, p platform) {
		for _, line := range (chaos{on: p, nodes: 3}).walked(t, false, scenario) {
			t.Error(line)
		}
	})
}

// One row per key; generations only grow; the backend never changes within one.
func TestI1OneHome(t *testing.T) {
	t.Parallel()
	checkRules(t, "I1")
	walk(t, func(t *testing.T, w *world) {
		w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.HangUp, Calls: []string{"create"}})
		w.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"create"}, Delay: 10 * time.Second})
		var wg sync.WaitGroup
		for i := range 10 {
			for caller := range 6 {
				wg.Go(func() {
					time.Sleep(time.Duration(caller*i) * 100 * time.Millisecond)
					w.opened(fmt.Sprint("m", i))
				})
			}
		}
		for i := range w.nodes {
			time.Sleep(3 * time.Second)
			w.lose(i)
			time.Sleep(3 * time.Second)
			w.find(i)
		}
		wg.Wait()
		w.repair()
		w.lists(4)
		for _, p := range w.unsettled() {
			t.Error(p)
		}
	})
}

// No create is sent before its place is durable.
func TestI2ClaimBeforeCreate(t *testing.T) {
	t.Parallel()
	checkRules(t, "I2")
}

// SUCCESS implies that the room was durable as the meeting.
func TestI3AnswerAfterConfirm(t *testing.T) {
	t.Parallel()
	checkRules(t, "I3")
	// A store that fails in between means failure.
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, plan{wrap: func(s b3scale.Store) b3scale.Store { return failing{s} }})
		answer, err := s.create("class")
		if codeOf(err) != b3scale.Unavailable {
			t.Errorf("create: %v, error %v; want %q", answer, err, b3scale.Unavailable)
		}
	})
}

// failing takes claims and then no confirmation.
type failing struct{ b3scale.Store }

func (failing) ConfirmMeeting(context.Context, b3scale.MeetingKey, int64, b3scale.Incarnation) (b3scale.Meeting, bool, error) {
	return b3scale.Meeting{}, false, b3scale.Errorf(b3scale.Unavailable, "the store does not answer")
}

// Whenever a meeting leaves a backend, that is booked; it does not return
// before the booking is settled.
func TestI4ThePastIsBooked(t *testing.T) {
	t.Parallel()
	checkRules(t, "I4")
	walk(t, func(t *testing.T, w *world) {
		w.placed(0, "m0", "Ada")
		for _, lost := range []int{0, 1} {
			w.lose(lost)
			w.prefer(0, 1, 2)
			w.opened("m0")
			w.find(lost)
		}
		w.livesOn(2, "m0")
		if got := w.orphans("m0"); len(got) != 2 {
			t.Errorf("orphans on nodes %v, want them on 0 and 1", got)
		}
		w.lose(2)
		if _, err := w.site.create("m0"); codeOf(err) != b3scale.NoBackend {
			t.Errorf("create: %v, want %q", err, b3scale.NoBackend)
		}
		w.find(2)
		w.lists(3)
		w.oneRoom("m0")
	})
}

// Nothing about one room changes the row of another.
func TestI5Fences(t *testing.T) {
	t.Parallel()
	checkRules(t, "I5")
}

// A sweeper never ends the room that is the meeting, and none with people in
// it unless the meeting lives elsewhere or its end was asked for.
func TestI6NoMurder(t *testing.T) {
	t.Parallel()
	checkRules(t, "I6")
}

// Whatever hangs at a node holds nothing: the store takes writes, memory
// answers, and everybody else works on.
func TestI7NothingHeld(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, p platform) {
		inBubble(t, plan{nodes: 4, dsn: p.fresh(t)}, nothingHeld)
	})
}

func nothingHeld(t *testing.T, s *site) {
	const each = 12 // more than there are connections to the store
	for i := range each {
		s.placed(1, fmt.Sprint("active-", i))
		s.placed(2, fmt.Sprint("other-", i))
		s.book(1, fmt.Sprint("other-", i))
	}
	s.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
	ctx, cancel := context.WithCancel(s.ctx)
	var wg sync.WaitGroup
	s.prefer(1)
	for i := range each {
		wg.Go(func() { _, _ = s.create(fmt.Sprint("new-", i)) })
		wg.Go(func() { _, _ = s.create(fmt.Sprint("active-", i)) })
		wg.Go(func() { _, _ = s.end(fmt.Sprint("active-", i)) })
		wg.Go(func() { s.c.look(ctx, s.key(fmt.Sprint("active-", i))) })
		wg.Go(func() { s.c.sweep(ctx, s.key(fmt.Sprint("other-", i)), s.backends[1]) })
		wg.Go(func() { _ = s.c.reconcile(ctx, s.backend(1), &sightings{}) })
		wg.Go(func() { _ = s.c.Ask(ctx, s.backends[1]) })
	}
	synctest.Wait() // all of them hang
	if n := len(s.nodes[1].Requests()); n < 7*each {
		t.Fatalf("%d calls hang, want %d", n, 7*each)
	}
	s.nothingOpen()
	begin := time.Now()
	s.prefer(0)
	for i := range 2 * each {
		s.created(fmt.Sprint("meanwhile-", i))
		s.list(0)
	}
	s.ended("meanwhile-0")
	if got := s.joined("meanwhile-1"); got != 0 {
		t.Errorf("join led to node %d, want 0", got)
	}
	if _, err := s.join("active-1"); err != nil {
		t.Errorf("join: %v", err)
	}
	s.admin(3, b3scale.AdminStopped)
	s.lose(3)
	if took := time.Since(begin); took > time.Millisecond { // of fake time, which stands still while somebody works
		t.Errorf("everybody else took %v", took)
	}
	cancel()
	s.nodes[1].ClearFaults()
	wg.Wait()
	s.unchecked = true
}

// nothingOpen: the server knows of no transaction, lock or query of ours.
func (s *site) nothingOpen() {
	s.t.Helper()
	if s.database.dsn == "" {
		return // there is one writer, and it takes what comes next
	}
	db, err := s.database.openSQL()
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	for what, query := range map[string]string{
		"connections at work": `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`,
		"locks":               `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database() AND pid <> pg_backend_pid()`,
	} {
		n := 0
		if err := db.QueryRow(query).Scan(&n); err != nil || n > 0 {
			s.t.Errorf("%d %s while nodes are called, error %v", n, what, err)
		}
	}
}

// When the faults stop, four lists of every backend bring rows and rooms
// together, whatever state they were left in.
func TestI8Convergence(t *testing.T) {
	t.Parallel()
	checkRules(t, "I8")
	walk(t, func(_ *testing.T, w *world) {
		w.placed(0, "fine", "Ada")
		w.claim(0, "stuck")
		w.claim(0, "stuck with a room")
		w.addRoom(0, "stuck with a room", "Ada")
		w.claim(0, "stuck, room elsewhere")
		w.addRoom(1, "stuck, room elsewhere", "Ada")
		w.placed(0, "replaced")
		w.placed(0, "ended, room there", "Ada")
		w.endRow("ended, room there")
		w.placed(0, "twice", "Ada")
		w.addRoom(1, "twice", "Bob")
		w.placed(0, "thrice", "Ada")
		w.addRoom(1, "thrice", "Bob")
		w.addRoom(2, "thrice", "Cyd")
		w.placed(0, "booked, nothing there")
		w.book(1, "booked, nothing there")
		w.placed(0, "booked, ended")
		w.addRoom(1, "booked, ended", "Ada")
		w.book(1, "booked, ended")
		w.endRow("booked, ended")
		w.nodes[0].EndNow(nodeID("booked, ended"))
		w.placed(1, "gone")
		w.nodes[1].EndNow(nodeID("gone"))
		w.addRoom(2, "unknown", "Ada")
		w.nodes[0].EndNow(nodeID("replaced"))
		time.Sleep(61 * time.Second)
		w.addRoom(0, "replaced", "Ada")
		w.lists(4)
		for _, p := range w.unsettled() {
			w.witness.broken("I8", "%s", p)
		}
		for _, id := range []string{"fine", "stuck with a room", "ended, room there", "unknown", "replaced"} {
			if w.state(id) != b3scale.MeetingActive {
				w.witness.broken("I8", "%s is %s, want it active", id, w.state(id))
			}
		}
	})
}
