package app_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clients use a fleet as frontends do, and note every answer that a frontend
// would not be content with.
type clients struct {
	fleet *fleet
	ask   door
	// resting: only meetings that exist are used, none is created and none ended.
	resting atomic.Bool
	busy    sync.RWMutex // held to read by those who create or end

	mu      sync.Mutex
	alive   map[string]string // acknowledged meetings and their internal ids
	ids     []string          // of alive
	ended   map[string]bool   // their end was asked for
	counts  map[string]int
	slowest map[string]time.Duration
	wrong   []string
}

func newClients(f *fleet, ask door) *clients {
	return &clients{
		fleet: f, ask: ask,
		alive: map[string]string{}, ended: map[string]bool{}, counts: map[string]int{}, slowest: map[string]time.Duration{},
	}
}

// run keeps the clients busy until the returned function is called, which also
// waits for their last answers.
func (c *clients) run(ctx context.Context, workers int) (stop func()) {
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stopped:
					return
				case <-time.After(5 * time.Millisecond): // people think
				}
				c.step(ctx, fmt.Sprintf("m-%d", w), i)
			}
		})
	}
	return sync.OnceFunc(func() {
		close(stopped)
		wg.Wait()
	})
}

// rest returns when nobody creates or ends any more.
func (c *clients) rest() {
	c.busy.Lock()
	defer c.busy.Unlock()
	c.resting.Store(true)
}

// step is one call. Of every two meetings of a client one is created again now
// and then, the other is ended.
func (c *clients) step(ctx context.Context, client string, i int) {
	name := func(round int) string { return fmt.Sprintf("%s-%d", client, round) }
	const round = 12
	switch i % round {
	case 0, 1:
		c.busy.RLock()
		defer c.busy.RUnlock()
		if i%round == 0 && !c.resting.Load() {
			c.create(ctx, name(i/round))
		}
		if i%round == 1 && !c.resting.Load() && i/round%2 == 1 && i/round > 8 {
			c.end(ctx, name(i/round-8))
		}
	case 2, 3:
		if c.resting.Load() {
			c.createAgain(ctx, c.any(i))
		} else {
			c.createAgain(ctx, name(i/round/2*2))
		}
	case 4:
		c.call(ctx, "getMeetings", "", func(got answer) string { return got.unlike("<returncode>SUCCESS") })
	case 5, 6:
		if id := c.any(i); id != "" {
			c.call(ctx, "isMeetingRunning", "meetingID="+id, func(got answer) string { return got.unlike("<returncode>SUCCESS") })
		}
	case 7:
		if id := c.any(i); id != "" {
			c.call(ctx, "getMeetingInfo", "meetingID="+id, func(got answer) string {
				return c.unlessOver(id, got.unlike("<internalMeetingID>"+c.internalID(id)+"<"))
			})
		}
	default:
		if id := c.any(i); id != "" {
			c.join(ctx, id)
		}
	}
}

// call notes what is wrong with the answer, if anything.
func (c *clients) call(ctx context.Context, call, query string, wrong func(answer) string) answer {
	begin := time.Now()
	got := c.ask(ctx, signed(call, query), func(got answer) bool { return wrong(got) == "" })
	took := time.Since(begin)
	problem := wrong(got)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[call]++
	c.slowest[call] = max(c.slowest[call], took)
	if problem != "" {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s %s after %v: %s", begin.Format("15:04:05.000"), call, query, took.Round(time.Millisecond), problem))
	}
	return got
}

func (c *clients) create(ctx context.Context, id string) {
	got := c.call(ctx, "create", "name=Class&meetingID="+id, func(got answer) string { return got.unlike("<returncode>SUCCESS") })
	if internalID := got.internalID(); internalID != "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.alive[id] = internalID
		c.ids = append(c.ids, id)
	}
}

func (c *clients) createAgain(ctx context.Context, id string) {
	if internalID := c.internalID(id); internalID != "" {
		c.call(ctx, "create", "name=Class&meetingID="+id, func(got answer) string {
			return got.unlike("<internalMeetingID>" + internalID + "<")
		})
	}
}

// end asks for the end of a meeting. One who asks again may hear that it is
// gone.
func (c *clients) end(ctx context.Context, id string) {
	if c.internalID(id) == "" {
		return
	}
	c.mu.Lock()
	c.ended[id] = true
	delete(c.alive, id)
	c.ids = slices.DeleteFunc(c.ids, func(other string) bool { return other == id })
	c.mu.Unlock()
	c.call(ctx, "end", "meetingID="+id, func(got answer) string {
		if strings.Contains(got.body, "<messageKey>notFound<") {
			return ""
		}
		return got.unlike("<returncode>SUCCESS")
	})
}

// join expects to be sent to the room.
func (c *clients) join(ctx context.Context, id string) {
	c.call(ctx, "join", "fullName=Ada&role=VIEWER&meetingID="+id, func(got answer) string {
		urls, _ := c.fleet.homes(id)
		if got.status == http.StatusFound && len(urls) == 1 && strings.HasPrefix(got.location, urls[0]) {
			return ""
		}
		return c.unlessOver(id, fmt.Sprintf("%d to %q, its room is at %q: %s", got.status, got.location, urls, got.body))
	})
}

// unlike says how the answer differs from one that has the part.
func (a answer) unlike(part string) string {
	if a.status == http.StatusOK && strings.Contains(a.body, part) {
		return ""
	}
	return fmt.Sprintf("%d %s, want %q in it", a.status, strings.ReplaceAll(a.body, "\n", ""), part)
}

// unlessOver forgives what happens to a meeting that somebody ends meanwhile.
func (c *clients) unlessOver(id, problem string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended[id] {
		return ""
	}
	return problem
}

// any is one of the meetings, "" when there is none.
func (c *clients) any(i int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) == 0 {
		return ""
	}
	return c.ids[i*7919%len(c.ids)]
}

func (c *clients) internalID(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alive[id]
}

func (c *clients) acknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.alive) + len(c.ended)
}

// known are the meetings that should live and those that should not.
func (c *clients) known() (alive map[string]string, ended map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.alive), maps.Clone(c.ended)
}

// contentment fails the test if any answer was wrong, and tells what was done.
func (c *clients) contentment(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, wrong := range c.wrong {
		if i == 10 {
			t.Errorf("and %d more", len(c.wrong)-i)
			break
		}
		t.Error(wrong)
	}
	t.Logf("calls %v, slowest %v", c.counts, c.slowest)
}
