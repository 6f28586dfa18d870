package cluster

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// lostNodes are the nodes that are called lost now.
func (s *site) lostNodes() []int {
	var nodes []int
	for i := range s.nodes {
		if s.backend(i).Lost {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// A backend that is silent for a minute and a half is lost: its meetings move
// at their next create. Its first sign of life takes the verdict back.
func TestSilentBackendIsLost(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{}, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(5 * time.Second)
		s.placed(0, "asked for", "Ada")
		s.placed(0, "left alone", "Bob")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		time.Sleep(85 * time.Second)
		if got := s.lostNodes(); len(got) > 0 {
			t.Errorf("lost nodes are %v after 85 s", got)
		}
		if _, err := s.create("asked for"); codeOf(err) != b3scale.NodeFailed { // the verdict falls while it hangs
			t.Errorf("create: %v, want %q", err, b3scale.NodeFailed)
		}
		time.Sleep(5 * time.Second)
		if got := s.lostNodes(); len(got) != 1 || got[0] != 0 {
			t.Fatalf("lost nodes are %v, want node 0", got)
		}
		moved := s.created("asked for")
		if m, _ := s.row("asked for"); m.BackendID == s.backends[0] {
			t.Error("the meeting stays on the lost backend")
		}
		if _, err := s.join("left alone"); codeOf(err) != b3scale.NotYet {
			t.Errorf("join of a meeting there: %v, want %q", err, b3scale.NotYet)
		}
		s.nodes[0].ClearFaults()
		time.Sleep(time.Minute)
		if got := s.lostNodes(); len(got) != 0 {
			t.Errorf("lost nodes are %v, want none", got)
		}
		s.oneRoom("asked for")
		if m, _ := s.row("asked for"); m.InternalID != moved {
			t.Errorf("the meeting has the room %q, want %q", m.InternalID, moved)
		}
		s.livesOn(0, "left alone")
	})
}

// No verdict falls while a backend answers now and then, or while our own
// writes fail: then nobody could tell us that they reach it.
func TestNoHastyVerdict(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		then func(s *site, silent *atomic.Bool)
		lost bool
	}{
		{"silent", func(_ *site, _ *atomic.Bool) { time.Sleep(100 * time.Second) }, true},
		{"too short", func(_ *site, _ *atomic.Bool) { time.Sleep(85 * time.Second) }, false},
		{"answers once", func(s *site, _ *atomic.Bool) {
			time.Sleep(60 * time.Second)
			s.nodes[0].ClearFaults()
			time.Sleep(3 * time.Second)
			s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
			time.Sleep(60 * time.Second)
		}, false},
		{"another instance reaches it", func(s *site, _ *atomic.Bool) {
			for range 5 {
				time.Sleep(20 * time.Second)
				if err := s.store.SaveProbes(s.ctx, "another", s.backends[:1]); err != nil {
					s.t.Error(err)
				}
			}
		}, false},
		{"the store took no writes meanwhile", func(_ *site, silent *atomic.Bool) {
			time.Sleep(60 * time.Second)
			silent.Store(true)
			time.Sleep(10 * time.Second)
			silent.Store(false)
			time.Sleep(60 * time.Second)
		}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var silent atomic.Bool
			p := plan{wrap: func(s b3scale.Store) b3scale.Store { return sulking{s, &silent} }}
			inBubble(t, p, func(t *testing.T, s *site) {
				s.run()
				time.Sleep(5 * time.Second)
				s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
				c.then(s, &silent)
				if lost := len(s.lostNodes()) > 0; lost != c.lost {
					t.Errorf("the backend is lost: %v, want %v", lost, c.lost)
				}
			})
		})
	}
}

// sulking takes no probes for a while.
type sulking struct {
	b3scale.Store
	silent *atomic.Bool
}

func (s sulking) SaveProbes(ctx context.Context, instance string, reached []string) error {
	if s.silent.Load() {
		return b3scale.Errorf(b3scale.Unavailable, "the store does not answer")
	}
	return s.Store.SaveProbes(ctx, instance, reached)
}

// When everything is dark our own network is the patient.
func TestDarknessIsOurOwn(t *testing.T) {
	t.Parallel()
	for nodes, most := range map[int]int{1: 1, 3: 1, 6: 2} {
		t.Run(fmt.Sprint(nodes, " backends"), func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: nodes}, func(t *testing.T, s *site) {
				s.run()
				time.Sleep(5 * time.Second)
				for _, n := range s.nodes {
					s.network.Cut(n)
				}
				time.Sleep(10 * time.Minute)
				if got := s.lostNodes(); len(got) > most {
					t.Errorf("%d backends are lost, want at most %d", len(got), most)
				}
			})
		})
	}
}
