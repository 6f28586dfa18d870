package bbbtest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale/bbb"
)

// faultCases say what bbb.Client makes of every fault, and whether the node
// executed the call.
var faultCases = []struct {
	fault    Fault
	outcome  bbb.Outcome // 0 for an answer
	key      string      // of the answer
	executed bool
}{
	{Fault{Kind: Latency, Delay: time.Millisecond}, 0, "", true},
	{Fault{Kind: Latency, Delay: time.Hour}, bbb.Unknown, "", false},
	{Fault{Kind: LateAnswer, Delay: time.Hour}, bbb.Unknown, "", true},
	{Fault{Kind: LateExecution, Delay: time.Millisecond}, 0, "", true},
	{Fault{Kind: LateExecution, Delay: time.Hour}, bbb.Unknown, "", false},
	{Fault{Kind: BlackHole}, bbb.Unknown, "", false},
	{Fault{Kind: HangUp}, bbb.Unknown, "", false},
	{Fault{Kind: AnswerLost}, bbb.Unknown, "", true},
	{Fault{Kind: ServerError}, bbb.ServerError, "", false},
	{Fault{Kind: ServerErrorAfter}, bbb.ServerError, "", true},
	{Fault{Kind: BadGateway}, bbb.ServerError, "", false},
	{Fault{Kind: HTMLPage}, bbb.Malformed, "", false},
	{Fault{Kind: Truncated}, bbb.Malformed, "", true},
	{Fault{Kind: CutOff}, bbb.Unknown, "", true},
	{Fault{Kind: SlowBody, Delay: time.Microsecond}, 0, "", true},
	{Fault{Kind: SlowBody, Delay: time.Minute}, bbb.Unknown, "", true},
	{Fault{Kind: WrongSecret}, 0, "checksumError", true},
	{Fault{Kind: Empty}, 0, "", true},
	{Fault{Kind: Partial}, 0, "", true},
	{Fault{Kind: FailWith, Key: "maintenance", Message: "Come back"}, 0, "maintenance", false},
	{Fault{Kind: ClockSkew, Delay: time.Hour}, 0, "", true},
}

func TestFaultsOverSockets(t *testing.T) {
	t.Parallel()
	for _, c := range faultCases {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			t.Parallel()
			n := Start(t, Options{})
			client := bbb.NewClient(bbb.ClientOptions{})
			defer client.CloseIdle()
			n.SetFault(c.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if c.fault.Kind == BlackHole || c.outcome == bbb.Unknown && c.fault.Delay > 0 {
				go func() { // a caller who gives up once the call has come as far as it can
					for calls := n.Calls("create"); ctx.Err() == nil && (len(calls) == 0 || calls[0].Executed != c.executed); calls = n.Calls("create") {
						time.Sleep(time.Millisecond)
					}
					cancel()
				}()
			}
			checkFault(ctx, t, n, client, c.outcome, c.key)
			if got := n.Calls("create")[0].Executed; got != c.executed {
				t.Errorf("executed is %v, want %v", got, c.executed)
			}
		})
	}
}

func TestFaultsInABubble(t *testing.T) {
	t.Parallel()
	for _, c := range faultCases {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := New(Options{})
				defer n.Close()
				n.SetFault(c.fault)
				checkCreate(t, n, bbb.NewClient(bbb.ClientOptions{Transport: Transport(n)}), 10*time.Second, c.outcome, c.key)
				if got := n.Calls("create")[0].Executed; got != c.executed {
					t.Errorf("executed is %v, want %v", got, c.executed)
				}
				if _, made := n.Room("room"); made != (c.executed && c.fault.Kind != WrongSecret) {
					t.Errorf("room is there: %v, executed: %v", made, c.executed)
				}
			})
		})
	}
	if tested := len(slices.Compact(kindsOf(t))); tested != len(Kinds()) {
		t.Errorf("%d kinds of faults are tested, want %d", tested, len(Kinds()))
	}
}

func kindsOf(t *testing.T) []Kind {
	t.Helper()
	var kinds []Kind
	for _, c := range faultCases {
		kinds = append(kinds, c.fault.Kind)
	}
	return kinds
}

// checkCreate is checkFault with a deadline.
func checkCreate(t *testing.T, n *Node, client *bbb.Client, timeout time.Duration, outcome bbb.Outcome, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	checkFault(ctx, t, n, client, outcome, key)
}

// checkFault creates a room and checks what comes of it.
func checkFault(ctx context.Context, t *testing.T, n *Node, client *bbb.Client, outcome bbb.Outcome, key string) {
	t.Helper()
	answer, err := client.Do(ctx, n.API(), bbb.Call{Name: "create", Params: params("meetingID", "room", "name", "Room")})
	if got := bbb.OutcomeOf(err); got != outcome {
		t.Fatalf("outcome is %v (%v), want %v", got, err, outcome)
	}
	if outcome == 0 && answer.MessageKey() != key {
		t.Errorf("messageKey is %q, want %q", answer.MessageKey(), key)
	}
}

func TestFaultHitsItsCallsAndTimes(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.SetFault(Fault{Kind: ServerError, Calls: []string{"create", "end"}, Times: 2})
	var got []int
	for _, call := range []string{"getMeetings", "create", "", "end", "end", "create"} {
		got = append(got, ask(t, n, request{call: call}).StatusCode)
	}
	want := []int{200, 500, 200, 500, 200, 200}
	if !slices.Equal(got, want) {
		t.Errorf("statuses are %v, want %v", got, want)
	}
	if left := n.Faults(); len(left) != 0 {
		t.Errorf("faults are still on: %v", left)
	}
}

func TestFaultsAddUpAndReplaceTheirLikes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		defer n.Close()
		n.SetFault(Fault{Kind: Latency, Delay: time.Hour})
		n.SetFault(Fault{Kind: Latency, Delay: time.Second})
		n.SetFault(Fault{Kind: Latency, Delay: time.Minute, Calls: []string{"create"}})
		n.SetFault(Fault{Kind: BadGateway})
		start := time.Now()
		if got := ask(t, n, request{call: "create"}).StatusCode; got != http.StatusBadGateway {
			t.Errorf("status is %d, want 502", got)
		}
		if got := time.Since(start); got != time.Minute+time.Second {
			t.Errorf("took %v, want 1m1s", got)
		}
		n.ClearFaults()
		if got := ask(t, n, request{call: "getMeetings"}).StatusCode; got != http.StatusOK {
			t.Errorf("status is %d, want 200", got)
		}
	})
}

func TestBlackHoleGoesOnWhenCleared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		defer n.Close()
		n.SetFault(Fault{Kind: BlackHole, Times: 1})
		body := make(chan string)
		go func() { body <- get(t, n, "create", "meetingID", "room", "name", "Room") }()
		synctest.Wait()
		if n.Calls("create")[0].Executed || len(n.Rooms()) != 0 {
			t.Error("call in a black hole was executed")
		}
		n.ClearFaults()
		if got := keyOf(t, <-body); got != "" {
			t.Errorf("messageKey is %q, want none", got)
		}
		if len(n.Rooms()) != 1 {
			t.Errorf("%d rooms, want 1", len(n.Rooms()))
		}
	})
}

func TestLateExecutionOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		defer n.Close()
		client := bbb.NewClient(bbb.ClientOptions{Transport: Transport(n)})
		n.SetFault(Fault{Kind: LateExecution, Delay: 20 * time.Second, Times: 1})
		checkCreate(t, n, client, 5*time.Second, bbb.Unknown, "")
		if len(n.Rooms()) != 0 {
			t.Error("room is there before its time")
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if len(n.Rooms()) != 1 {
			t.Error("room is not there after its time")
		}
	})
}

func TestEmptyNodeStillHasItsRooms(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.AddRoom(Room{ExternalID: "room", Attendees: []Attendee{{FullName: "Ada"}}})
	n.SetFault(Fault{Kind: Empty})
	if got := key(t, n, "getMeetings"); got != "noMeetings" {
		t.Errorf("getMeetings: messageKey is %q, want noMeetings", got)
	}
	if got := key(t, n, "getMeetingInfo", "meetingID", "room"); got != "notFound" {
		t.Errorf("getMeetingInfo: messageKey is %q, want notFound", got)
	}
	if got := get(t, n, "isMeetingRunning", "meetingID", "room"); !strings.Contains(got, "<running>false<") {
		t.Errorf("isMeetingRunning: got %s", got)
	}
	n.ClearFaults()
	if got := get(t, n, "isMeetingRunning", "meetingID", "room"); !strings.Contains(got, "<running>true<") {
		t.Errorf("isMeetingRunning afterwards: got %s", got)
	}
}

func TestClockSkewShowsInCreateTime(t *testing.T) {
	t.Parallel()
	n := New(Options{Now: clock(physicsTime)})
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		n.SetFault(Fault{Kind: ClockSkew, Delay: skew})
		get(t, n, "create", "meetingID", "room", "name", "Room")
		r, _ := n.Room("room")
		if got, want := r.CreateTime, physicsTime+skew.Milliseconds(); got != want {
			t.Errorf("createTime is %d, want %d", got, want)
		}
		n.EndNow("room")
	}
}

func TestPartialListsShowTheOlderHalf(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	for _, id := range []string{"first", "second", "third"} {
		n.AddRoom(Room{ExternalID: id})
	}
	n.SetFault(Fault{Kind: Partial})
	list := get(t, n, "getMeetings")
	if !strings.Contains(list, ">first<") || strings.Contains(list, ">second<") || strings.Contains(list, ">third<") {
		t.Errorf("getMeetings shows %s, want the first room alone", list)
	}
	if got := key(t, n, "getMeetingInfo", "meetingID", "third"); got != "" {
		t.Errorf("getMeetingInfo of a room that is not listed: messageKey is %q, want none", got)
	}
}
