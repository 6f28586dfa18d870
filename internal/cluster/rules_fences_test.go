package cluster

import (
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// fences are the rules of claims, confirmations and ends.
func fences() []rule {
	return []rule{
		{
			name: "a claim is durable before the create", breaks: "I2",
			without: onStore(func(s b3scale.Store) b3scale.Store { return unwritten{s} }),
			scenario: func(w *world) {
				w.prefer(0, 1, 2)
				w.opened("m0")
				w.nodes[0].Down()
				w.opened("m1") // is refused and moves
				w.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"create"}})
				w.opened("m2") // is refused, hangs and moves again
				w.lose(0)
				w.opened("m0")
			},
		},
		{
			name: "a confirmation is durable before the answer", breaks: "I3",
			without: onStore(func(s b3scale.Store) b3scale.Store { return unconfirmed{s} }),
			scenario: func(w *world) {
				w.opened("m0")
				w.opened("m0")
				w.claim(1, "m1")
				w.addRoom(1, "m1")
				w.opened("m1") // idNotUnique, and a look
				w.nodes[0].ForgetRooms()
				time.Sleep(time.Second)
				w.opened("m0")
			},
		},
		{
			name: "confirm the same generation", breaks: "I5",
			without:  onStore(func(s b3scale.Store) b3scale.Store { return anyGeneration{s} }),
			scenario: lateCreate,
		},
		{
			name: "confirm no older room", breaks: "I5",
			without:  onDatabase(func(s past) b3scale.Store { return unfenced{s, "create_time"} }),
			scenario: lateLists,
		},
		{
			name: "confirm no room that has ended", breaks: "I5",
			without: onDatabase(func(s past) b3scale.Store { return unfenced{s, "last_ended"} }),
			scenario: func(w *world) {
				w.prefer(0)
				w.opened("m1") // with passwords of its own, so that the room is told again
				w.endRow("m1") // a look found nothing, but there it is
				w.prefer(0)
				w.opened("m1")
			},
		},
		{
			name: "confirm no room that is being ended", breaks: "I5",
			without: onDatabase(func(s past) b3scale.Store { return unfenced{s, "end_requested"} }),
			scenario: func(w *world) {
				w.prefer(2)
				w.opened("m1")
				w.end(w.c, "m1")
				w.opened("m1") // its end takes a moment
			},
		},
		{
			name: "end the room that was seen", breaks: "I5",
			without:  onStore(func(s b3scale.Store) b3scale.Store { return anyRoom{s} }),
			scenario: lateLook,
		},
		{
			name: "an active row does not move", breaks: "I1",
			without: onDatabase(func(s past) b3scale.Store { return moverOfActive{s} }),
			scenario: func(w *world) {
				w.prefer(0)
				w.opened("m0")
				m, _ := w.row("m0")
				// It became active after this request had given it up.
				_, _, _ = w.own().ClaimMeeting(w.ctx, b3scale.Claim{Key: m.Key, BackendID: w.backends[1], Abandoned: []int64{m.Generation}})
			},
		},
		{
			name: "HTTP 500 moves nothing", breaks: "create",
			without: mutation{nodes: errorsAreUnknown},
			scenario: func(w *world) {
				w.prefer(0, 1)
				w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerErrorAfter, Calls: []string{"create"}, Times: 2})
				w.opened("m0")
				m, _ := w.row("m0")
				w.must(m.BackendID == w.backends[0], "create", "a meeting whose node says 500 has moved")
			},
		},
		{
			name: "rows that stay in creating are healed", breaks: "I8",
			without: mutation{opts: func(o *Options) { o.HealAfter = 24 * time.Hour }},
			scenario: func(w *world) {
				w.claim(0, "m0")
				w.claim(0, "m1")
				w.addRoom(0, "m1", "Ada")
				time.Sleep(time.Minute)
				w.settles(4)
			},
		},
		{
			name: "rooms without a row are adopted", breaks: "I8",
			without: onStore(func(s b3scale.Store) b3scale.Store { return unadopted{s} }),
			scenario: func(w *world) {
				w.addRoom(0, "m0", "Ada")
				w.settles(4)
			},
		},
		{
			name: "one list ends nothing", breaks: "I5",
			without: mutation{hasty: true},
			scenario: func(w *world) {
				w.placed(0, "m1", "Ada")
				w.placed(0, "m0", "Ada")
				time.Sleep(time.Minute)
				w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Partial, Calls: []string{"getMeetings"}, Times: 1})
				w.listHastily(0)
				w.must(w.state("m0") == b3scale.MeetingActive, "I5", "a list that is not complete has ended a meeting")
			},
		},
		{
			name: "one list brings nothing back", breaks: "I5",
			without: mutation{hasty: true},
			scenario: func(w *world) {
				w.placed(0, "m0", "Ada")
				w.endRow("m0")
				time.Sleep(time.Minute)
				w.listHastily(0)
				w.must(w.state("m0") == b3scale.MeetingEnded, "I5", "one list has made a room the meeting again")
			},
		},
		{
			name: "a list tells nothing of what came after it began", breaks: "I5",
			without: onStore(func(s b3scale.Store) b3scale.Store { return ahead{s} }),
			scenario: func(w *world) {
				w.claim(0, "m0")
				w.listedMeanwhile(0, func() {})
				w.must(w.state("m0") == b3scale.MeetingCreating, "I5", "a list has ended a claim that is a moment old")
			},
		},
		{
			name: "no room comes back whose end was requested", breaks: "I5",
			without: onDatabase(func(s past) b3scale.Store { return activatesWanted{s} }),
			scenario: func(w *world) {
				r := w.placed(0, "m0", "Ada")
				m, _ := w.row("m0")
				w.endRow("m0")
				seen, _ := w.row("m0")
				// The request arrives between the look at the row and its activation.
				_, _, _ = w.own().RequestEnd(w.ctx, m.Key, m.Generation, m.InternalID)
				_, _, _ = w.own().ActivateMeeting(w.ctx, seen, w.backends[0], incarnationOf(r))
			},
		},
	}
}

// settles lists a few times; then everything must fit together.
func (w *world) settles(lists int) {
	w.lists(lists)
	for _, p := range w.unsettled() {
		w.witness.broken("I8", "%s", p)
	}
}

// lateCreate: the node takes its time, and loses the meeting meanwhile.
func lateCreate(w *world) {
	w.prefer(0, 1)
	w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateExecution, Calls: []string{"create"}, Delay: 15 * time.Second})
	var wg sync.WaitGroup
	wg.Go(func() { w.opened("m0") })
	time.Sleep(time.Second)
	w.lose(0)
	w.opened("m0")
	wg.Wait()
}

// lateLists are always one room behind.
func lateLists(w *world) {
	w.prefer(0)
	w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"getMeetings"}, Delay: 5 * time.Second})
	for range 3 {
		w.nodes[0].ForgetRooms()
		time.Sleep(time.Second)
		w.opened("m0")
		w.listedMeanwhile(0, func() {
			w.nodes[0].ForgetRooms()
			time.Sleep(time.Second)
			w.opened("m0")
		})
		m, _ := w.row("m0")
		w.must(m.State == b3scale.MeetingActive && w.lives(0, "m0", m.InternalID), "I5", "the row has the room %q", m.InternalID)
	}
}

// lateLook: a look finds no room, and its answer comes when there is one again.
func lateLook(w *world) {
	w.placed(0, "m0")
	w.nodes[0].ForgetRooms()
	w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"getMeetingInfo"}, Delay: 5 * time.Second})
	var wg sync.WaitGroup
	wg.Go(func() { w.c.look(w.ctx, w.key("m0")) })
	time.Sleep(time.Second)
	w.opened("m0")
	wg.Wait()
}
