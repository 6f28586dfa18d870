package cluster

import (
	"context"
	"sync"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// fault breaks something, mostly for a while.
func (w *world) fault(wg *sync.WaitGroup) {
	number := w.n(len(w.nodes))
	n := w.nodes[number]
	s := w.slots[w.n(len(w.slots))]
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
	switch w.n(32) {
	case 0: // a crash: the rooms are gone
		n.Down()
		n.ForgetRooms()
		later(2*time.Second, 40*time.Second, func() { _ = n.Up() })
	case 1: // bbb-web is restarted
		n.SetFault(bbbtest.Fault{Kind: bbbtest.BadGateway})
		if w.chance(2) {
			n.ForgetRooms()
		}
		later(5*time.Second, 60*time.Second, n.ClearFaults)
	case 2, 3: // a cut; people talk on
		w.cut(number)
		later(2*time.Second, time.Minute, func() { w.heal(number) })
	case 4, 5, 6: // one instance is cut off from one node
		s.network.Cut(n)
		later(2*time.Second, time.Minute, func() { s.network.Heal(n) })
	case 7:
		some(bbbtest.Fault{Kind: bbbtest.BlackHole})
	case 8:
		some(bbbtest.Fault{Kind: bbbtest.ServerError})
	case 9:
		some(bbbtest.Fault{Kind: bbbtest.ServerErrorAfter, Times: 1 + w.n(3)})
	case 10:
		some(bbbtest.Fault{Kind: bbbtest.AnswerLost, Times: 1 + w.n(3)})
	case 11:
		some(bbbtest.Fault{Kind: bbbtest.LateExecution, Times: 1 + w.n(4), Delay: w.some(time.Second, 40*time.Second)})
	case 12:
		n.SetFault(bbbtest.Fault{Kind: bbbtest.Empty, Times: 1 + w.n(8)})
	case 13:
		n.SetFault(bbbtest.Fault{Kind: bbbtest.Partial, Calls: []string{"getMeetings"}, Times: 1 + w.n(3)})
	case 14:
		n.SetFault(bbbtest.Fault{Kind: bbbtest.ClockSkew, Delay: time.Duration(w.n(80)-50) * 64 * 10 * time.Millisecond, Times: 1 + w.n(4)})
		n.SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Key: "busy", Calls: []string{"create"}, Times: 1})
	case 15: // rooms end by themselves
		for _, r := range n.Rooms() {
			if w.chance(3) {
				n.EndNow(r.InternalID)
			}
		}
	case 16, 17: // an operator drains a backend, or takes it out
		w.setAdmin(number, []b3scale.AdminState{b3scale.AdminStopped, b3scale.AdminDecommissioned}[w.n(2)])
		later(5*time.Second, 40*time.Second, func() { w.setAdmin(number, b3scale.AdminReady) })
	case 18: // or gives up one that answers
		w.giveUp(number)
	case 19, 20, 21: // or one that is cut off, where people talk on
		w.cut(number)
		w.giveUp(number)
		later(5*time.Second, 40*time.Second, func() { w.heal(number) })
	case 22, 23: // what answers tell is old when they arrive
		n.SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Delay: w.some(time.Second, 9*time.Second)})
		later(time.Second, 30*time.Second, n.ClearFaults)
	case 24: // or cleans up
		if i := w.instance(); i != nil {
			_, _ = i.PurgeMeetings(w.ctx, b3scale.MicrosOf(time.Now().Add(-30*time.Second)))
		}
	case 25: // an instance stands still
		s.weather.setStill(true)
		later(time.Second, 20*time.Second, func() { s.weather.setStill(false) })
	case 26, 27: // its store does not answer
		s.weather.setStore(storeMode(1 + w.n(w.storeFaults())))
		later(2*time.Second, 25*time.Second, func() { s.weather.setStore(storeFair) })
	case 28: // nobody's does
		mode := storeMode(1 + w.n(w.storeFaults()))
		for _, s := range w.slots {
			s.weather.setStore(mode)
			later(2*time.Second, 15*time.Second, func() { s.weather.setStore(storeFair) })
		}
	case 29: // an instance's own network is gone
		for _, n := range w.nodes {
			s.network.Cut(n)
		}
		later(5*time.Second, 50*time.Second, func() {
			for _, n := range w.nodes {
				s.network.Heal(n)
			}
		})
	case 30:
		if w.chance(3) { // everybody's is
			for i := range w.nodes {
				w.cut(i)
				later(5*time.Second, 50*time.Second, func() { w.heal(i) })
			}
		}
	case 31:
		if w.chance(3) { // an empty database beside running rooms
			wg.Go(func() { w.blackout(w.empty) })
		}
	}
}

// storeFaults is how many of the storeModes can be: a file that is written to
// does not lose answers.
func (w *world) storeFaults() int {
	if w.database.dsn == "" {
		return int(storeHangs)
	}
	return int(storeForgets)
}

// cut takes a node off everybody's network.
func (w *world) cut(node int) {
	for _, s := range w.slots {
		s.network.Cut(w.nodes[node])
	}
}

func (w *world) heal(node int) {
	for _, s := range w.slots {
		s.network.Heal(w.nodes[node])
	}
}

// wantEnding forgives the ends that are on their way: nobody will remember them.
func (w *world) wantEnding() error {
	rows, err := w.witness.db.Query(`SELECT ending FROM orphans WHERE ending <> ''`)
	if err != nil {
		return err
	}
	defer rows.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for rows.Next() {
		var room string
		if err := rows.Scan(&room); err != nil {
			return err
		}
		w.wanted[room] = true
	}
	return rows.Err()
}

// empty forgets all meetings, as the restore of an old dump does.
func (w *world) empty() {
	if err := w.wantEnding(); err != nil {
		w.witness.broken("witness", "%v", err)
	}
	for _, table := range []string{"attendees", "orphans", "meetings"} {
		w.witness.exec(`DELETE FROM ` + table)
	}
	w.witness.exec(`UPDATE backends SET listed_at = 0, version = version + 1`)
	w.count("emptied", 1)
}

// beat is the agent on the first node: it is heard whatever else is cut off
// there. Its backend must never become lost by silence.
func (w *world) beat(until time.Time) {
	for time.Now().Before(until) {
		time.Sleep(2 * time.Second)
		if i := w.instance(); i != nil && !w.nodes[0].IsDown() {
			_ = i.SaveHeartbeats(w.ctx, w.backends[:1])
		}
	}
}

func (w *world) giveUp(node int) {
	if i := w.instance(); i != nil {
		ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
		defer cancel()
		_ = i.cluster.DeclareLost(ctx, w.backends[node], b3scale.Actor{})
	}
}

func (w *world) setAdmin(node int, state b3scale.AdminState) {
	if i := w.instance(); i != nil {
		_, _ = i.cluster.EditBackend(w.ctx, w.backends[node], b3scale.Actor{}, toState(state))
	}
}
