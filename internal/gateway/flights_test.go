package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/gateway"
)

// Identical questions that wait at the same time are one call to the node, and
// everybody gets the whole answer. Nothing is kept afterwards.
func TestIdenticalQuestionsAreOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{gateway: gateway.Options{NodeCalls: 1}}) // and it counts once
		h.create("room")
		want := h.call("getMeetingInfo", "meetingID=room").body
		h.forget()
		clear := h.silence("getMeetingInfo")
		var answers []<-chan reply
		for range 100 {
			answers = append(answers, h.goCall("getMeetingInfo", "meetingID=room"))
		}
		synctest.Wait()
		clear()
		for _, answered := range answers {
			if got := <-answered; got.body != want {
				t.Errorf("got %v, want\n%s", got, want)
			}
		}
		if asked := h.asked(); len(asked) != 1 {
			t.Errorf("the node was asked %d times: %q", len(asked), asked)
		}
		h.call("getMeetingInfo", "meetingID=room")
		if asked := h.asked(); len(asked) != 2 {
			t.Errorf("afterwards the node was asked %d times, want once more", len(asked))
		}
	})
}

// What differs in anything is a question of its own.
func TestDifferentQuestionsAreDifferentCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.create("room")
		h.create("other")
		h.do(request{target: signedBy(keyTwo, secretTwo, "create", create("room"))})
		h.forget()
		clear := h.silence("getMeetingInfo")
		var wg sync.WaitGroup
		for _, target := range []string{
			signed("getMeetingInfo", "meetingID=room"),
			signed("getMeetingInfo", "meetingID=other"),
			signed("getMeetingInfo", "meetingID=room&password=x"),
			signed("getMeetingInfo", "meetingID=room&password=y"),
			signed("getMeetingInfo", "password=x&meetingID=room"),
			signed("getMeetingInfo", "meetingID=room&new=1&new=2"),
			signedBy(keyTwo, secretTwo, "getMeetingInfo", "meetingID=room"),
		} {
			for range 2 {
				wg.Go(func() {
					if got := h.do(request{target: target}); got.outcome(h) != bbb.Success {
						t.Errorf("%s: got %v", target, got)
					}
				})
			}
		}
		synctest.Wait()
		clear()
		wg.Wait()
		if asked := h.asked(); len(asked) != 7 {
			t.Errorf("the node was asked %d times, want 7: %q", len(asked), asked)
		}
	})
}

// One who leaves does not disturb the others, not even the first. When all
// have left, the node is left alone, too.
func TestLeavingAFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.create("room")
		clear := h.silence("getMeetingInfo")
		ask := func() (<-chan reply, context.CancelFunc) {
			ctx, leave := context.WithCancel(t.Context())
			answered := h.goDo(request{target: signed("getMeetingInfo", "meetingID=room"), ctx: ctx})
			synctest.Wait()
			return answered, leave
		}
		first, leaveFirst := ask()
		second, leaveSecond := ask()
		third, leaveThird := ask()
		leaveFirst()
		<-first
		leaveThird()
		<-third
		clear()
		if got := <-second; got.outcome(t) != bbb.Success || len(h.asked()) != 1 {
			t.Errorf("got %v after %q", got, h.asked())
		}
		leaveSecond()

		clear = h.silence("getMeetingInfo")
		begin := time.Now()
		first, leaveFirst = ask()
		second, leaveSecond = ask()
		leaveFirst()
		leaveSecond()
		<-first
		<-second
		synctest.Wait()
		for f, use := range h.door.Uses() {
			if use.UnderWay != 0 {
				t.Errorf("%s: %d calls go on for nobody", f.Key, use.UnderWay)
			}
		}
		clear()
		if got := h.call("getMeetingInfo", "meetingID=room"); got.outcome(t) != bbb.Success {
			t.Errorf("after those who left: got %v", got)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("somebody had to wait for %v", waited)
		}
	})
}

// An error is for all who wait for it, in the same words.
func TestErrorsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.create("room")
		h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.Latency, Delay: time.Second})
		h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.HTMLPage})
		var answers []<-chan reply
		for range 10 {
			answers = append(answers, h.goCall("getMeetingInfo", "meetingID=room"))
		}
		bodies := map[string]bool{}
		for _, answered := range answers {
			got := <-answered
			if got.outcome(t) != "b3scaleGatewayError" {
				t.Errorf("got %v", got)
			}
			bodies[got.body] = true
		}
		if len(bodies) != 1 || len(h.asked()) != 1 {
			t.Errorf("got %v after %q", bodies, h.asked())
		}
	})
}

// Who has changed a meeting sees that: a question from before is not shared
// with one from after.
func TestChangesAreSeen(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"sendChatMessage", "insertDocument", "create", "end"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, setup{})
			h.create("room")
			clear := h.silence("getMeetingInfo")
			before := h.goCall("getMeetingInfo", "meetingID=room")
			synctest.Wait()
			h.call(change, "name=Room&meetingID=room&message=x&userName=x")
			after := h.goCall("getMeetingInfo", "meetingID=room")
			synctest.Wait()
			clear()
			<-before
			<-after
			if asked := h.nodes[0].Calls("getMeetingInfo"); len(asked) < 2 {
				t.Errorf("%s: %d questions reached the node, want one from before and one from after", change, len(asked))
			}
		})
	}
}

// Many questions at the same time, with real parallelism.
func TestManyQuestions(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for i := range 5 {
		h.create(fmt.Sprintf("room-%d", i))
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			room := fmt.Sprintf("room-%d", i%5)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%7 == 0 {
				time.AfterFunc(time.Millisecond, cancel) // somebody is impatient
			}
			got := h.do(request{target: signed("getMeetingInfo", "meetingID="+room), ctx: ctx})
			if ctx.Err() == nil && !strings.Contains(got.body, "<meetingID>"+room+"</meetingID>") {
				t.Errorf("%s: got %v", room, got)
			}
		})
	}
	wg.Wait()
}

// A panic belongs to the requests that wait, where it is told and survived.
func TestPanicInAFlight(t *testing.T) {
	t.Parallel()
	var flights gateway.Flights
	cause := func() (cause any) {
		defer func() { cause = recover() }()
		_, _ = flights.Join(t.Context(), "x", func(context.Context) (*bbb.Answer, error) { panic("it broke") })
		return nil
	}()
	if text, ok := cause.(string); !ok || !strings.Contains(text, "it broke") || !strings.Contains(text, "flights_test.go") {
		t.Errorf("got %v, want the cause and where it came from", cause)
	}
	if n := flights.Waiting(); n != 0 {
		t.Errorf("%d questions are under way", n)
	}
}
