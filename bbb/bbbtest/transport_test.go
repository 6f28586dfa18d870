package bbbtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"b3scale/bbb"
)

func TestTransportRoutesByHost(t *testing.T) {
	t.Parallel()
	one, two := New(Options{Name: "one"}), New(Options{Name: "two", Secret: "another"})
	client := bbb.NewClient(bbb.ClientOptions{Transport: Transport(one, two)})
	for _, n := range []*Node{one, two} {
		checkCreate(t, n, client, time.Minute, 0, "")
		if len(n.Rooms()) != 1 {
			t.Errorf("%s has %d rooms, want 1", n.Name(), len(n.Rooms()))
		}
	}
	stranger := bbb.Node{BaseURL: "https://three.bbb.test/bigbluebutton/api/", Secret: "x"}
	_, err := client.Do(t.Context(), stranger, bbb.Call{Name: "getMeetings"})
	if got := bbb.OutcomeOf(err); got != bbb.Refused {
		t.Errorf("unknown host: outcome is %v (%v), want refused", got, err)
	}
}

func TestTransportSendsBodies(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	client := bbb.NewClient(bbb.ClientOptions{Transport: Transport(n)})
	create := bbb.Call{Name: "create", Params: params("meetingID", "room", "name", "Room")}
	create.Form = true
	if a, err := client.Do(t.Context(), n.API(), create); err != nil || !a.Succeeded() {
		t.Errorf("form: %v", err)
	}
	insert := bbb.Call{Name: "insertDocument", Params: params("meetingID", "room"), Body: []byte(
		`<modules><module name="presentation"><document name="a"/><document name="b"/></module></modules>`)}
	if a, err := client.Do(t.Context(), n.API(), insert); err != nil || !a.Succeeded() {
		t.Errorf("XML: %v", err)
	}
	if r, _ := n.Room("room"); r.Documents != 2 {
		t.Errorf("%d documents, want 2", r.Documents)
	}
}

func TestDownInProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		defer n.Close()
		client := bbb.NewClient(bbb.ClientOptions{Transport: Transport(n)})
		checkCreate(t, n, client, time.Minute, 0, "")

		n.SetFault(Fault{Kind: Latency, Delay: time.Minute})
		failed := make(chan error)
		go func() {
			_, err := client.Do(t.Context(), n.API(), bbb.Call{Name: "getMeetings"})
			failed <- err
		}()
		synctest.Wait()
		n.Down()
		if err := <-failed; bbb.OutcomeOf(err) != bbb.Unknown {
			t.Errorf("call in flight: %v, want unknown", err)
		}
		n.ClearFaults()
		checkCreate(t, n, client, time.Minute, bbb.Refused, "")
		if err := n.Up(); err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(t.Context(), n.API(), bbb.Call{Name: "getMeetings"})
		if err != nil || answer.MessageKey() != "" {
			t.Errorf("after Up: %v, want the room", err)
		}
	})
}

func TestDownOverSockets(t *testing.T) {
	t.Parallel()
	n := Start(t, Options{})
	address := n.BaseURL()
	client := bbb.NewClient(bbb.ClientOptions{})
	defer client.CloseIdle()
	checkCreate(t, n, client, time.Minute, 0, "")
	client.CloseIdle() // a call that tries the dead connection first cannot be sure
	n.Down()
	checkCreate(t, n, client, time.Minute, bbb.Refused, "")
	if err := n.Up(); err != nil {
		t.Fatal(err)
	}
	if n.BaseURL() != address {
		t.Errorf("base URL is %s, want %s", n.BaseURL(), address)
	}
	if a, err := client.Do(t.Context(), n.API(), bbb.Call{Name: "getMeetings"}); err != nil || a.MessageKey() != "" {
		t.Errorf("after Up: %v, want the room", err)
	}
}

func TestCutIsOneCallersView(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		defer n.Close()
		here, there := Transport(n), Transport(n)
		mine, others := bbb.NewClient(bbb.ClientOptions{Transport: here}), bbb.NewClient(bbb.ClientOptions{Transport: there})
		here.Cut(n)
		start := time.Now()
		checkCreate(t, n, mine, time.Minute, bbb.Refused, "")
		if got := time.Since(start); got != dialTimeout {
			t.Errorf("dialling took %v, want %v", got, dialTimeout)
		}
		checkCreate(t, n, mine, time.Second, bbb.Refused, "")
		checkCreate(t, n, others, time.Minute, 0, "")
		here.Heal(n)
		if _, err := mine.Do(t.Context(), n.API(), bbb.Call{Name: "getMeetings"}); err != nil {
			t.Errorf("after Heal: %v", err)
		}
	})
}

func TestAnswerDoesNotPassACut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		defer n.Close()
		network := Transport(n)
		client := bbb.NewClient(bbb.ClientOptions{Transport: network})
		n.SetFault(Fault{Kind: Latency, Delay: time.Second})
		time.AfterFunc(time.Millisecond, func() { network.Cut(n) })
		checkCreate(t, n, client, time.Minute, bbb.Unknown, "")
		if len(n.Rooms()) != 1 {
			t.Error("the request had passed, but was not executed")
		}
	})
}

func TestTransportLooksAtTheContextFirst(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := bbb.NewClient(bbb.ClientOptions{Transport: Transport(n)}).Do(ctx, n.API(), bbb.Call{Name: "getMeetings"})
	if got := bbb.OutcomeOf(err); got != bbb.Refused || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want refused because of the context", err)
	}
	if len(n.Requests()) != 0 {
		t.Error("the node saw a request")
	}
}

func TestSlowBodyObeysTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{})
		defer n.Close()
		n.SetFault(Fault{Kind: SlowBody, Delay: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.API().URL("getMeetings", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := Transport(n).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if len(got) != 10 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %q, %v; want 10 bytes until the deadline", got, err)
		}
	})
}

func TestClosedNodeRefuses(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	n.Close()
	n.Close()
	checkCreate(t, n, bbb.NewClient(bbb.ClientOptions{Transport: Transport(n)}), time.Minute, bbb.Refused, "")
	if n.Up() == nil || n.Listen("127.0.0.1:0") == nil {
		t.Error("a closed node can be opened again")
	}
}

func TestTwoNodesOfOneNameAreAMistake(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Transport(New(Options{}), New(Options{}))
}
