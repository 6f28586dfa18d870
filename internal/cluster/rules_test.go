package cluster

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
)

// rule is one that the protocol cannot do without: a scenario in which nothing
// is seen to break with it, and what it stands for without it.
type rule struct {
	name     string
	without  mutation
	breaks   string // what the oracles say then
	scenario func(w *world)
	alone    bool // a matter of instances that share a store; no use on SQLite alone
	running  bool // the instances do their own work
	blunt    bool // the nodes are of 2.4
	nodes    int
}

// TestRules takes away those rules, one at a time, that no invariant is named
// after. A rule that nobody misses is none, or somebody does not look.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, breaks := range []string{"create", "verdict", "memory", "lease"} {
		checkRules(t, breaks)
	}
}

// checkRules does it with the rules that an invariant rests on.
func checkRules(t *testing.T, breaks string) {
	t.Helper()
	for _, r := range slices.Concat(fences(), orphanRules(), verdictRules(), instanceRules()) {
		if r.breaks != breaks {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			platforms := []platform{onSQLite, onPostgres}
			if r.alone {
				platforms[0] = onShared
			}
			for _, p := range platforms {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					r.check(t, p)
				})
			}
		})
	}
}

func (r rule) check(t *testing.T, p platform) {
	t.Helper()
	for _, line := range r.seen(t, p, mutation{}) {
		t.Errorf("with the rule: %s", line)
	}
	report := r.seen(t, p, r.without)
	if len(of(r.breaks, report)) == 0 {
		t.Errorf("without the rule nobody says that %s is broken; all that is said: %q", r.breaks, report)
	}
}

func (r rule) seen(t *testing.T, p platform, m mutation) []string {
	t.Helper()
	c := chaos{on: p, nodes: max(3, r.nodes), mutation: m}
	if r.blunt {
		c.patience = keepOrphan
	}
	return c.walked(t, r.running, func(_ *testing.T, w *world) { r.scenario(w) })
}

// walked runs a scenario and returns what the oracles saw.
func (c chaos) walked(t *testing.T, running bool, scenario func(t *testing.T, w *world)) (report []string) {
	t.Helper()
	c.dsn = c.on.fresh(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, c, 1)
		w.quiet.Store(true)
		for _, s := range w.slots {
			if running {
				w.start(s)
			} else {
				s.set(w.birth(s))
			}
		}
		w.c = w.slots[0].get().cluster
		if running {
			time.Sleep(12 * time.Second)
		} else {
			w.trustAll()
			w.lists(1)
		}
		scenario(t, w)
		for _, s := range w.slots {
			i := s.get()
			i.kill()
			if running {
				<-i.stopped
			}
			w.bury(i)
		}
		report = w.witness.report()
	})
	return report
}

// opened is a create, and a join, at the instance that the test works with.
func (w *world) opened(id string) { w.create(w.slots[0].get(), id) }

// own is the store as the first instance has it.
func (w *world) own() b3scale.Store { return w.slots[0].get() }

// must notes what has to be at some point of a scenario.
func (w *world) must(is bool, invariant, format string, args ...any) {
	if !is {
		w.witness.broken(invariant, format, args...)
	}
}

// lives reports whether exactly this room is on a node, and not about to end.
func (w *world) lives(node int, id, internalID string) bool {
	r := w.room(node, id)
	return r.InternalID == internalID && !r.Ending
}

// listHastily lists a node. With the mutation, what the list shows counts as
// seen before.
func (w *world) listHastily(node int) {
	seen := &sightings{}
	if w.chaos.mutation.hasty {
		seen.absent, seen.present = map[incarnationKey]b3scale.Micros{}, map[incarnationKey]b3scale.Micros{}
		for _, id := range []string{"m0", "m1"} {
			m, _ := w.row(id)
			k := incarnationKey{w.key(id), m.InternalID}
			if m.State == b3scale.MeetingEnded {
				k.internalID = m.LastEndedInternalID
			}
			long := b3scale.MicrosOf(time.Now().Add(-30 * time.Second))
			seen.absent[k], seen.present[k] = long, long
		}
	}
	w.seen[node] = seen
	w.list(node)
}

// listedMeanwhile lets a list be asked for now, and its answer come when what is done
// meanwhile is done.
func (w *world) listedMeanwhile(node int, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.list(node)
	}()
	time.Sleep(time.Second)
	do()
	<-done
}
