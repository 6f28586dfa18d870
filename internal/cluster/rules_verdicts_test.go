package cluster

import (
	"fmt"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// verdictRules keep backends that live from being called lost.
func verdictRules() []rule {
	return []rule{
		{
			name: "who reaches a backend has a veto", breaks: "verdict", running: true, alone: true,
			without: onStore(func(s b3scale.Store) b3scale.Store { return noVeto{s} }),
			scenario: func(w *world) {
				w.slots[0].network.Cut(w.nodes[0])
				time.Sleep(time.Minute)
				w.must(!w.isLost(0), "verdict", "lost although others reach it")
			},
		},
		{
			name: "so has the agent", breaks: "verdict", running: true,
			without: onStore(func(s b3scale.Store) b3scale.Store { return noAgents{s} }),
			scenario: func(w *world) {
				w.cut(0)
				w.beat(time.Now().Add(time.Minute))
				w.must(!w.isLost(0), "verdict", "lost although its agent is heard")
			},
		},
		{
			name: "not all are lost at once", breaks: "verdict", running: true, nodes: 6,
			without:  onStore(func(s b3scale.Store) b3scale.Store { return noBudget{s} }),
			scenario: darkness,
		},
		{
			name: "verdicts are passed one after the other", breaks: "verdict", running: true, nodes: 6, alone: true,
			without:  onStore(func(s b3scale.Store) b3scale.Store { return unlockedBudget{s} }),
			scenario: darkness,
		},
		{
			name: "who could not tell the others waits anew", breaks: "verdict", running: true, alone: true,
			without: mutation{outer: func(s b3scale.Store) b3scale.Store { return boastful{s} }},
			scenario: func(w *world) {
				w.slots[0].network.Cut(w.nodes[0])
				time.Sleep(15 * time.Second)
				w.everybody(func(we *weather) { we.store = storeRefuses })
				time.Sleep(45 * time.Second)
				// The one that is cut off is the first to find the store again.
				w.slots[0].weather.setStore(storeFair)
				time.Sleep(15 * time.Second)
				w.everybody(func(we *weather) { we.store = storeFair })
				time.Sleep(10 * time.Second)
				w.must(!w.wasLost(0), "verdict", "lost although others reach it, whom nobody could hear")
			},
		},
		{
			name: "standing still is not silence", breaks: "verdict", running: true, alone: true,
			without: mutation{opts: func(o *Options) { o.ProbeTimeout = 2 * time.Minute }},
			scenario: func(w *world) {
				w.slots[0].network.Cut(w.nodes[0])
				time.Sleep(15 * time.Second)
				w.everybody(func(we *weather) { we.still = true })
				time.Sleep(45 * time.Second)
				w.slots[0].weather.setStill(false)
				time.Sleep(15 * time.Second)
				w.everybody(func(we *weather) { we.still = false })
				time.Sleep(10 * time.Second)
				w.must(!w.wasLost(0), "verdict", "lost although others reached it before all stood still")
			},
		},
		{
			name: "the first good probe takes the verdict back", breaks: "verdict", running: true,
			without: onStore(func(s b3scale.Store) b3scale.Store { return lostUntilSwept{s} }),
			scenario: func(w *world) {
				for i := range 8 {
					w.placed(0, fmt.Sprint("m", i), "Ada")
				}
				w.cut(0)
				time.Sleep(45 * time.Second)
				w.must(w.isLost(0), "scenario", "not lost after 45 s")
				w.opened("m0") // one user comes
				w.heal(0)
				// The old room is not to go away by itself before.
				w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"getMeetings", "end"}})
				time.Sleep(7 * time.Second)
				w.must(!w.isLost(0), "verdict", "still lost because of one orphan")
			},
		},
		{
			name: "backends that were never listed are asked", breaks: "I6", running: true,
			without: onStore(func(s b3scale.Store) b3scale.Store { return allListed{s} }),
			scenario: func(w *world) {
				rooms := map[string]string{}
				for i := range 9 {
					id := fmt.Sprint("m", 3*i)
					rooms[id] = w.addRoom(i%3, id, "Ada").InternalID
				}
				w.everybody(func(we *weather) { we.still = true }) // no list comes before the creates
				w.blackout(w.empty)
				w.everybody(func(we *weather) { we.still = false })
				for i, s := range w.slots {
					w.bury(s.get())
					s.set(w.birth(s))
					w.c = s.get().cluster
					w.trust()
					for id := range rooms {
						if i == 0 {
							w.create(s.get(), id)
						}
					}
				}
				for _, s := range w.slots {
					i := s.get()
					go func() {
						defer close(i.stopped)
						_ = i.cluster.Run(i.ctx)
					}()
				}
				time.Sleep(40 * time.Second)
				for id, internal := range rooms {
					m, _ := w.row(id)
					w.must(m.State == b3scale.MeetingActive && m.InternalID == internal && w.lives(w.nodeOf(m.BackendID), id, internal), "I6", "%s: the running room is not the meeting", id)
				}
			},
		},
	}
}

// darkness: nobody reaches any node: our own network is the patient.
func darkness(w *world) {
	for i := range w.nodes {
		w.cut(i)
	}
	time.Sleep(90 * time.Second)
	lost := 0
	for i := range w.nodes {
		if w.isLost(i) {
			lost++
		}
	}
	w.must(lost <= max(1, (len(w.nodes)-1)/2), "verdict", "%d of %d backends are lost", lost, len(w.nodes))
}

func (w *world) everybody(change func(*weather)) {
	for _, s := range w.slots {
		s.weather.set(change)
	}
}

// wasLost: or was at some time.
func (w *world) wasLost(node int) bool {
	return w.witness.exists(`SELECT 1 FROM backends WHERE id = $1 AND lost_at > 0`, w.backends[node])
}

// isLost reads the verdict from the database.
func (w *world) isLost(node int) bool {
	return w.witness.exists(`SELECT 1 FROM backends WHERE id = $1 AND lost`, w.backends[node])
}
