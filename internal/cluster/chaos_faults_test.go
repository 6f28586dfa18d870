package cluster

import (
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// fault breaks something, mostly for a while.
func (w *world) fault(wg *sync.WaitGroup) {
	number := w.n(len(w.nodes))
	n := w.nodes[number]
	later := func(from, to time.Duration, do func()) {
		wg.Go(func() {
			w.nap(from, to)
			do()
		})
	}
	some := func(f bbbtest.Fault) { // of some calls
		if f.Calls = nil; !w.chance(3) {
			f.Calls = []string{[]string{"create", "end", "getMeetingInfo"}[w.n(3)]}
		}
		n.SetFault(f)
		later(time.Second, 30*time.Second, n.ClearFaults)
	}
	switch w.n(22) {
	case 0: // a crash: the rooms are gone
		n.Down()
		n.ForgetRooms()
		later(2*time.Second, 40*time.Second, func() { _ = n.Up() })
	case 1: // bbb-web is restarted
		n.SetFault(bbbtest.Fault{Kind: bbbtest.BadGateway})
		if w.chance(2) {
			n.ForgetRooms()
		}
		later(5*time.Second, 20*time.Second, n.ClearFaults)
	case 2, 3, 4: // a cut; people talk on
		w.network.Cut(n)
		later(2*time.Second, time.Minute, func() { w.network.Heal(n) })
	case 5:
		some(bbbtest.Fault{Kind: bbbtest.BlackHole})
	case 6:
		some(bbbtest.Fault{Kind: bbbtest.ServerError})
	case 7:
		some(bbbtest.Fault{Kind: bbbtest.ServerErrorAfter, Times: 1 + w.n(3)})
	case 8:
		some(bbbtest.Fault{Kind: bbbtest.AnswerLost, Times: 1 + w.n(3)})
	case 9:
		some(bbbtest.Fault{Kind: bbbtest.LateExecution, Times: 1 + w.n(4), Delay: w.some(time.Second, 40*time.Second)})
	case 10:
		n.SetFault(bbbtest.Fault{Kind: bbbtest.Empty, Times: 1 + w.n(8)})
	case 11:
		n.SetFault(bbbtest.Fault{Kind: bbbtest.ClockSkew, Delay: time.Duration(w.n(80)-50) * 64 * 10 * time.Millisecond, Times: 1 + w.n(4)})
		n.SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Key: "busy", Calls: []string{"create"}, Times: 1})
	case 12: // rooms end by themselves
		for _, r := range n.Rooms() {
			if w.chance(3) {
				n.EndNow(r.InternalID)
			}
		}
	case 13, 14: // an operator drains a backend
		w.setAdmin(number, b3scale.AdminStopped)
		later(5*time.Second, 40*time.Second, func() { w.setAdmin(number, b3scale.AdminReady) })
	case 15: // or gives up one that answers
		w.giveUp(number)
	case 16, 17, 18: // or one that is cut off, where people talk on
		w.network.Cut(n)
		w.giveUp(number)
		later(5*time.Second, 40*time.Second, func() { w.network.Heal(n) })
	case 19, 20: // what answers tell is old when they arrive
		n.SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Delay: w.some(time.Second, 9*time.Second)})
		later(time.Second, 30*time.Second, n.ClearFaults)
	case 21: // or cleans up
		if i := w.instance(); i != nil {
			_, _ = i.PurgeMeetings(w.ctx, b3scale.MicrosOf(time.Now().Add(-30*time.Second)))
		}
	}
}

func (w *world) giveUp(node int) {
	if i := w.instance(); i != nil {
		_ = i.cluster.DeclareLost(w.ctx, w.backends[node])
	}
}

func (w *world) setAdmin(node int, state b3scale.AdminState) {
	if i := w.instance(); i != nil {
		b := i.cluster.table.Backend(w.backends[node]).Backend
		b.AdminState = state
		_, _ = i.cluster.SaveBackend(w.ctx, b)
	}
}
