package cluster

import (
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// orphanRules are those of rooms that have outlived their place.
func orphanRules() []rule {
	return []rule{
		{
			name: "who leaves a backend is booked there", breaks: "I4",
			without: mutation{prepare: noBooking},
			scenario: func(w *world) {
				w.placed(0, "m0", "Ada")
				w.leaves(0, 1, "m0")
			},
		},
		{
			name: "nothing is placed where it is booked", breaks: "I4",
			without: onDatabase(func(s past) b3scale.Store { return orphansIgnored{s} }),
			scenario: func(w *world) {
				w.placed(0, "m0", "Ada")
				w.leaves(0, 1, "m0")
				w.leaves(1, 0, "m0")
			},
		},
		{
			name: "nothing is booked where it lives", breaks: "I4",
			without: onDatabase(func(s past) b3scale.Store { return blindBooking{s} }),
			scenario: func(w *world) {
				w.placed(0, "m0", "Ada") // since somebody saw it elsewhere
				_, _ = w.own().BookOrphan(w.ctx, w.key("m0"), w.backends[0], "")
			},
		},
		{
			name: "second rooms are booked", breaks: "I8",
			without: onStore(func(s b3scale.Store) b3scale.Store { return unbooked{s} }),
			scenario: func(w *world) {
				w.placed(0, "m0", "Ada")
				w.addRoom(1, "m0", "Bob")
				w.addRoom(2, "m0", "Cyd")
				w.settles(4)
			},
		},
		{
			name: "an end names its room", breaks: "I6",
			without:  mutation{nodes: endsByExternalID},
			scenario: lateEnd,
		},
		{
			name: "an end by external id is remembered", breaks: "I6", blunt: true,
			without:  onStore(func(s b3scale.Store) b3scale.Store { return noPatience{s} }),
			scenario: lateBluntEnd,
		},
		{
			name: "rooms end only when the meeting was just seen elsewhere", breaks: "I6",
			without: onStore(func(s b3scale.Store) b3scale.Store { return noProof{s} }),
			scenario: func(w *world) {
				room := w.placed(0, "m0", "Ada")
				w.leaves(0, 1, "m0")
				w.nodes[1].Down()
				w.list(0)
				time.Sleep(w.c.opts.OrphanLease + time.Second)
				w.list(0)
				w.must(w.lives(0, "m0", room.InternalID), "I6", "the room with people is being ended")
			},
		},
		{
			name: "a room whose successor never lived is taken back", breaks: "I6",
			without: onDatabase(func(s past) b3scale.Store { return notCurrent{s} }),
			scenario: func(w *world) {
				room := w.placed(0, "m0", "Ada")
				w.nodes[1].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Key: "busy", Calls: []string{"create"}})
				w.leaves(0, 1, "m0")
				w.lists(3)
				w.must(w.lives(0, "m0", room.InternalID), "I6", "the room with people is being ended")
				w.must(w.state("m0") == b3scale.MeetingActive, "I8", "the room with people is not the meeting")
			},
		},
		{
			name: "what is being ended is never taken back", breaks: "I6",
			without: onDatabase(func(s past) b3scale.Store { return noDoom{s} }),
			scenario: func(w *world) {
				w.placed(0, "m0", "Ada")
				w.leaves(0, 1, "m0")
				w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateExecution, Calls: []string{"end"}, Delay: 40 * time.Second})
				w.list(0) // decides and sends, and the packet is late
				w.nodes[1].EndNow(nodeID("m0"))
				w.endRow("m0")
				time.Sleep(w.c.opts.OrphanLease)
				w.list(0)
			},
		},
		{
			name: "bookings that are younger than a list stay", breaks: "I4",
			without: onStore(func(s b3scale.Store) b3scale.Store { return anyBooking{s} }),
			scenario: func(w *world) {
				w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Calls: []string{"getMeetings"}, Delay: 8 * time.Second})
				w.listedMeanwhile(0, func() {
					w.placed(0, "m0", "Ada")
					w.leaves(0, 1, "m0")
				})
			},
		},
		{
			name: "rows with bookings are not purged", breaks: "I4",
			without: onDatabase(func(s past) b3scale.Store { return purgesAll{s} }),
			scenario: func(w *world) {
				w.placed(0, "m0", "Ada")
				w.leaves(0, 1, "m0")
				w.endRow("m0")
				_, _ = w.own().PurgeMeetings(w.ctx, b3scale.MicrosOf(time.Now().Add(time.Second)))
				w.must(w.state("m0") == b3scale.MeetingEnded, "I4", "who asked for the end of a room that is booked is forgotten")
			},
		},
		{
			name: "one sweeper at a time", breaks: "I4",
			without: onStore(func(s b3scale.Store) b3scale.Store { return anySweeper{s} }),
			scenario: func(w *world) {
				w.placed(0, "m0", "Ada")
				w.leaves(0, 1, "m0")
				before := w.counted("getMeetingInfo", "m0")[0]
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() { w.c.sweep(w.ctx, w.key("m0"), w.backends[0]) })
				}
				wg.Wait()
				looks := w.counted("getMeetingInfo", "m0")[0] - before
				w.must(looks == 1, "I4", "an orphan was looked at %d times at once", looks)
			},
		},
	}
}

// leaves makes a meeting move from one node to another, which the first one
// survives.
func (w *world) leaves(from, to int, id string) {
	w.lose(from)
	w.prefer(to)
	w.opened(id)
	w.find(from)
	time.Sleep(time.Microsecond)
}

// lateEnd: the end of an old room is late, and the meeting comes back meanwhile.
func lateEnd(w *world) {
	w.placed(0, "m0", "Ada")
	w.leaves(0, 1, "m0")
	w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateExecution, Calls: []string{"end"}, Delay: time.Minute, Times: 2})
	w.list(0)
	w.nodes[0].EndNow(nodeID("m0")) // by itself
	w.lists(2)
	w.leaves(1, 0, "m0")
	m, _ := w.row("m0")
	time.Sleep(61 * time.Second)
	w.must(m.State == b3scale.MeetingActive && w.lives(w.nodeOf(m.BackendID), "m0", m.InternalID), "I6", "the meeting on node %d was hit by an end for an old room", w.nodeOf(m.BackendID))
}

// lateBluntEnd: the same with an end that any room of the meeting fits.
func lateBluntEnd(w *world) {
	w.prefer(0)
	w.opened("m1") // with the same passwords each time
	old := w.room(0, "m1")
	w.leaves(0, 1, "m1")
	if err := w.own().NoteBluntEnd(w.ctx, w.key("m1"), w.backends[0]); err != nil {
		w.witness.broken("scenario", "%v", err)
	}
	end := bbb.Call{Name: "end", Params: params("meetingID", nodeID("m1"), "password", old.ModeratorPW)}
	w.nodes[0].EndNow(nodeID("m1")) // by itself
	w.lists(2)
	w.leaves(1, 0, "m1")
	m, _ := w.row("m1")
	if _, err := w.client.Do(w.ctx, w.nodes[0].API(), end); err != nil {
		w.witness.broken("scenario", "%v", err)
	}
	time.Sleep(5 * time.Second)
	w.must(m.State == b3scale.MeetingActive && w.lives(w.nodeOf(m.BackendID), "m1", m.InternalID), "I6", "the meeting on node %d was hit by an end for an old room", w.nodeOf(m.BackendID))
}
