package cluster

import (
	"time"

	"b3scale"
)

// instanceRules are those that instances on one store need.
func instanceRules() []rule {
	return []rule{
		{
			name: "instances follow each other", breaks: "memory", running: true, alone: true,
			without: mutation{deaf: true, store: func(_ *world, s b3scale.Store) b3scale.Store { return unfollowed{s} }},
			scenario: func(w *world) {
				w.opened("m0")
				time.Sleep(3 * time.Second)
				m, _ := w.row("m0")
				for _, s := range w.slots {
					r := s.get().cluster.Room(w.key("m0"))
					w.must(r != nil && r.InternalID == m.InternalID, "memory", "instance %d does not know the meeting", s.number)
				}
			},
		},
		{
			name: "joins read the row", breaks: "memory", running: true, alone: true,
			without: mutation{deaf: true, store: func(_ *world, s b3scale.Store) b3scale.Store { return unread{s} }},
			scenario: func(w *world) {
				time.Sleep(700 * time.Millisecond)
				m, fit, err := w.slots[0].get().ClaimMeeting(w.ctx, b3scale.Claim{Key: w.key("m0"), BackendID: w.backends[0], Size: 15})
				w.must(fit && err == nil, "scenario", "not claimed: %v", err)
				r := w.addRoom(0, "m0")
				_, ok, err := w.slots[0].get().ConfirmMeeting(w.ctx, m.Key, m.Generation, incarnationOf(r))
				w.must(ok && err == nil, "scenario", "not confirmed: %v", err)
				for _, s := range w.slots {
					_, err := s.get().cluster.Join(w.ctx, m.Key, params("meetingID", nodeID("m0")))
					w.must(err == nil, "memory", "join at instance %d right after the create: %v", s.number, err)
				}
			},
		},
		{
			name: "one instance lists a backend", breaks: "lease", running: true, alone: true,
			without: onStore(func(s b3scale.Store) b3scale.Store { return anyLister{s} }),
			scenario: func(w *world) {
				for range 30 {
					time.Sleep(time.Second)
					for n, id := range w.backends {
						listers := 0
						for _, s := range w.slots {
							if s.get().cluster.lists(id) {
								listers++
							}
						}
						w.must(listers <= 1, "lease", "%d instances list node %d", listers, n)
					}
				}
			},
		},
	}
}
