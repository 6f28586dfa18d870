package cluster

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// Six people open the same class at the same moment, in 300 classes, over real
// connections: every class has one room, and everybody is told of it. What
// passwords they send differs from class to class, and so do the nodes.
func TestSimultaneousCreates(t *testing.T) {
	t.Parallel()
	modes := []struct {
		name      string
		passwords func(caller int) []string
		refused   bool // who sends others than the room's is told so
	}{
		{"no passwords", func(int) []string { return nil }, false},
		{"the same passwords", func(int) []string { return []string{"attendeePW", "guest", "moderatorPW", "host"} }, false},
		{"other passwords each", func(i int) []string {
			return []string{"attendeePW", fmt.Sprint("guest-", i), "moderatorPW", fmt.Sprint("host-", i)}
		}, true},
	}
	versions := []string{"2.4", "2.6", "2.7", "3.0"}
	s := newSite(t, plan{nodes: 10, sockets: true, node: func(i int, o *bbbtest.Options) { o.Version = versions[i%len(versions)] }})
	s.run()
	const meetings, callers = 300, 6
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		rooms [meetings]map[string]int // internal id → callers who were told of it
	)
	for i := range meetings {
		rooms[i] = map[string]int{}
		mode := modes[i%len(modes)]
		for caller := range callers {
			wg.Go(func() {
				answer, err := s.create(fmt.Sprint("class-", i), mode.passwords(caller)...)
				if err != nil {
					t.Errorf("%s, class-%d: %v", mode.name, i, err)
					return
				}
				if !answer.Succeeded() {
					if !mode.refused || answer.MessageKey() != "idNotUnique" {
						t.Errorf("%s, class-%d: FAILED %s", mode.name, i, answer.MessageKey())
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				rooms[i][internalIDOf(answer)]++
			})
		}
	}
	wg.Wait()
	homes := map[string]int{}
	for _, n := range s.nodes {
		for _, r := range n.Rooms() {
			homes[r.ExternalID]++
		}
	}
	for i, told := range rooms {
		id, mode := fmt.Sprint("class-", i), modes[i%len(modes)]
		if homes[nodeID(id)] != 1 {
			t.Errorf("%s, %s: %d rooms, want 1", mode.name, id, homes[nodeID(id)])
		}
		want := callers
		if mode.refused {
			want = 1
		}
		row, _ := s.row(id)
		if len(told) != 1 || told[row.InternalID] != want || row.State != b3scale.MeetingActive {
			t.Errorf("%s, %s: callers were told of %v, want %d of %q, the room of its row, which is %s", mode.name, id, told, want, row.InternalID, row.State)
		}
	}
}

// The lesson begins: 200 classes within 10 s on 22 backends end up evenly.
func TestBurstSpreadsEvenly(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{0, 3 * time.Second} {
		t.Run(fmt.Sprint("creates take ", latency), func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 22}, func(t *testing.T, s *site) {
				for _, n := range s.nodes {
					n.SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Calls: []string{"create"}, Delay: latency})
				}
				s.run()
				synctest.Wait()
				var wg sync.WaitGroup
				for i := range 200 {
					wg.Go(func() { s.created(fmt.Sprint("class-", i)) })
					time.Sleep(50 * time.Millisecond)
				}
				wg.Wait()
				least, most := 200, 0
				for i := range s.nodes {
					n := s.backend(i).Meetings()
					least, most = min(least, n), max(most, n)
				}
				if most-least > 2 {
					t.Errorf("between %d and %d meetings per backend, want them to differ by at most 2", least, most)
				}
			})
		})
	}
}

// One backend is a black hole. Whoever is sent there waits; all others create
// as many meetings in the same time as before.
func TestBlackHoleSlowsNobodyElse(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 4}, func(t *testing.T, s *site) {
		for _, n := range s.nodes {
			n.SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Calls: []string{"create"}, Delay: 250 * time.Millisecond})
		}
		s.run()
		synctest.Wait()
		for i := range 8 {
			s.placed(0, fmt.Sprint("stuck-", i), "Ada")
			s.placed(1+i%3, fmt.Sprint("fine-", i), "Ada")
		}
		// work counts what 8 callers get done in 10 s.
		work := func(round string) (again, fresh int64) {
			var wg sync.WaitGroup
			var a, f atomic.Int64
			end := time.Now().Add(10 * time.Second)
			for caller := range 8 {
				wg.Go(func() {
					for i := 0; time.Now().Before(end); i++ {
						if i%2 == 0 {
							s.created(fmt.Sprint("fine-", caller))
							a.Add(1)
						} else {
							s.created(fmt.Sprint(round, "-", caller, "-", i))
							f.Add(1)
						}
					}
				})
			}
			wg.Wait()
			return a.Load(), f.Load()
		}
		againBefore, freshBefore := work("before")
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
		var stuck sync.WaitGroup
		for i := range 8 {
			stuck.Go(func() {
				if _, err := s.create(fmt.Sprint("stuck-", i)); codeOf(err) != b3scale.NodeFailed {
					t.Errorf("create stuck-%d: %v, want %q", i, err, b3scale.NodeFailed)
				}
			})
		}
		time.Sleep(6 * time.Second) // the probes have noticed
		again, fresh := work("after")
		if again < againBefore*9/10 || fresh < freshBefore*9/10 {
			t.Errorf("before %d repeated and %d new creates, beside the black hole %d and %d", againBefore, freshBefore, again, fresh)
		}
		stuck.Wait()
	})
}
