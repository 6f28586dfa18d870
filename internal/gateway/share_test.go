package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/gateway"
)

const crowded = "too many calls of this frontend are under way"

// silence lets the first node say nothing to creates until the returned
// function is called.
func (h *harness) silence(calls ...string) (end func()) {
	h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: calls})
	return h.nodes[0].ClearFaults
}

// goCall sends a call in the background.
func (h *harness) goCall(call, query string) <-chan reply {
	return h.goDo(request{target: signed(call, query)})
}

func (h *harness) goDo(r request) <-chan reply {
	answered := make(chan reply, 1)
	go func() { answered <- h.do(r) }()
	return answered
}

func create(meetingID string) string { return "name=Room&meetingID=" + meetingID }

// A frontend has only so many calls to nodes under way. More wait, for a while.
// Nobody else notices, and people still get in.
func TestShareOfAFrontend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{gateway: gateway.Options{NodeCalls: 2}})
		h.create("room")
		h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Times: 2})
		begin := time.Now()
		hanging := []<-chan reply{h.goCall("create", create("first")), h.goCall("create", create("second"))}
		synctest.Wait()

		var waiting []<-chan reply
		for _, call := range []string{"create", "end", "getMeetingInfo", "insertDocument", "sendChatMessage"} {
			waiting = append(waiting, h.goCall(call, "meetingID=room&name=Room&message=x"))
		}
		synctest.Wait()
		if asked := h.asked(); len(asked) != 2 {
			t.Errorf("the nodes were asked %q, want the two that hang", asked)
		}
		for f, use := range h.door.Uses() {
			if f.Key == keyOne && use.UnderWay != 2 {
				t.Errorf("%d calls are under way, want 2", use.UnderWay)
			}
		}
		if got := h.call("join", joinQuery); got.status != http.StatusFound {
			t.Errorf("join: got %v", got)
		}
		for _, call := range []string{"isMeetingRunning", "getMeetings"} {
			if got := h.call(call, "meetingID=room"); got.outcome(t) != bbb.Success {
				t.Errorf("%s: got %v", call, got)
			}
		}
		if got := h.do(request{target: signedBy(keyTwo, secretTwo, "create", create("room"))}); got.outcome(t) != bbb.Success {
			t.Errorf("another frontend: got %v", got)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("somebody had to wait for %v", waited)
		}
		for _, answered := range waiting {
			if got := <-answered; got.status != http.StatusOK || got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != crowded {
				t.Errorf("got %v, want it to be too much", got)
			}
		}
		if waited := time.Since(begin); waited != 10*time.Second {
			t.Errorf("they waited for %v", waited)
		}
		for f, use := range h.door.Uses() {
			if f.Key == keyOne && use.Crowded != 5 {
				t.Errorf("%d were counted, want 5", use.Crowded)
			}
		}
		if n := strings.Count(h.log.String(), "frontend waits for its calls to nodes"); n != 1 {
			t.Errorf("the log tells it %d times", n)
		}
		h.nodes[0].ClearFaults()
		for _, answered := range hanging {
			if got := <-answered; got.outcome(t) != bbb.Success {
				t.Errorf("one that hung: got %v", got)
			}
		}
		if got := h.call("getMeetingInfo", "meetingID=room"); got.outcome(t) != bbb.Success {
			t.Errorf("afterwards: got %v", got)
		}
	})
}

// Those who wait go in the order in which they came.
func TestShareIsGivenInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{gateway: gateway.Options{NodeCalls: 1}})
		clear := h.silence("create")
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { h.call("create", create(fmt.Sprintf("room-%02d", i))) })
			synctest.Wait()
		}
		clear()
		wg.Wait()
		for i, r := range h.nodes[0].Calls("create") {
			if got, want := r.Params.Get("meetingID"), nodeID(fmt.Sprintf("room-%02d", i)); got != want {
				t.Errorf("call %d was for %s, want %s", i, got, want)
			}
		}
	})
}

// Waiting is part of the time that a request has.
func TestShareWithinTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{gateway: gateway.Options{NodeCalls: 1, RequestTimeout: 8 * time.Second}})
		h.silence("create")
		begin := time.Now()
		times := make(chan time.Duration, 3)
		for i := range 3 {
			go func() {
				h.call("create", create(fmt.Sprintf("room-%d", i)))
				times <- time.Since(begin)
			}()
			synctest.Wait()
			time.Sleep(time.Second)
		}
		// The first hangs until its time is over, the second begins then and has
		// a second left, and so on.
		for i := range 3 {
			if got, want := <-times, time.Duration(8+i)*time.Second; got != want {
				t.Errorf("answer %d came after %v, want %v", i, got, want)
			}
		}
	})
}

// One who leaves while waiting is forgotten: no node hears of it, and the next
// one moves up.
func TestLeavingTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{gateway: gateway.Options{NodeCalls: 1}})
		clear := h.silence("create")
		first := h.goCall("create", create("first"))
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		gone := h.goDo(request{target: signed("create", create("gone")), ctx: ctx})
		synctest.Wait()
		last := h.goCall("create", create("last"))
		synctest.Wait()
		leave()
		<-gone
		clear()
		for _, answered := range []<-chan reply{first, last} {
			if got := <-answered; got.outcome(t) != bbb.Success {
				t.Errorf("got %v", got)
			}
		}
		for _, asked := range h.asked() {
			if strings.Contains(asked, nodeID("gone")) {
				t.Errorf("a node was asked %s", asked)
			}
		}
		for _, use := range h.door.Uses() {
			if use != (gateway.Use{}) {
				t.Errorf("it was counted: %+v", use)
			}
		}
	})
}

// The other frontend is not kept waiting by nodes of this one that hang.
func TestHangingNodesOfAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{nodes: []bbbtest.Options{{}, {}}})
		tag := func(n *bbbtest.Node, tag string) {
			if _, err := h.cluster.EditBackend(t.Context(), h.backend(n).ID, b3scale.Actor{}, func(b *b3scale.Backend) error {
				b.Settings.Tags = b3scale.Tags{tag}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		tag(h.nodes[0], "one")
		tag(h.nodes[1], "two")
		h.set(h.one, func(s *b3scale.FrontendSettings) { s.RequiredTags = b3scale.Tags{"one"} })
		h.set(h.two, func(s *b3scale.FrontendSettings) { s.RequiredTags = b3scale.Tags{"two"} })
		h.trustNodes()
		h.create("room")
		clear := h.silence()
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() { h.call([]string{"create", "getMeetingInfo"}[i%2], create(fmt.Sprintf("room&x=%d", i))) })
		}
		synctest.Wait()
		begin := time.Now()
		for i := range 20 {
			room := fmt.Sprintf("other-%d", i)
			if got := h.do(request{target: signedBy(keyTwo, secretTwo, "create", create(room))}); got.outcome(t) != bbb.Success {
				t.Errorf("create: got %v", got)
			}
			if got := h.do(request{target: signedBy(keyTwo, secretTwo, "getMeetingInfo", "meetingID="+room)}); got.outcome(t) != bbb.Success {
				t.Errorf("getMeetingInfo: got %v", got)
			}
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("the other frontend had to wait for %v", waited)
		}
		if n := len(h.nodes[0].Requests()); n != 128 {
			t.Errorf("%d calls reached the node that hangs, want 128", n)
		}
		clear()
		wg.Wait()
	})
}
