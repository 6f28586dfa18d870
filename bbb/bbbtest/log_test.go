package bbbtest

import (
	"strconv"
	"testing"
)

func TestRequestsAreRemembered(t *testing.T) {
	t.Parallel()
	n := New(Options{Now: clock(physicsTime)})
	ask(t, n, request{call: "create", method: "POST", query: "meetingID=room", contentType: "application/x-www-form-urlencoded", body: "name=A+room"})
	ask(t, n, request{})
	n.SetFault(Fault{Kind: HangUp, Times: 1})
	func() {
		defer func() { _ = recover() }() // the handler closes the connection
		get(t, n, "end", "meetingID", "room")
	}()
	all := n.Requests()
	if len(all) != 3 || all[0].Call != "create" || all[1].Call != "" || all[2].Call != "end" {
		t.Fatalf("got %+v", all)
	}
	r := n.Calls("create")[0]
	if r.Method != "POST" || r.Params.Get("name") != "A room" || r.Params.Get("meetingID") != "room" || r.Params.Get("checksum") != "" ||
		string(r.Body) != "name=A+room" || r.Time.UnixMilli() != physicsTime || !r.Executed {
		t.Errorf("got %+v", r)
	}
	if all[2].Executed {
		t.Error("a call that a fault stopped counts as executed")
	}
	n.ResetRequests()
	if got := len(n.Requests()); got != 0 {
		t.Errorf("%d requests after the reset, want none", got)
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	n, off := New(Options{LogSize: 3}), New(Options{LogSize: -1})
	for i := range 5 {
		get(t, n, "isMeetingRunning", "meetingID", "room-"+strconv.Itoa(i))
		get(t, off, "isMeetingRunning", "meetingID", "room")
	}
	var got string
	for _, r := range n.Requests() {
		got += r.Params.Get("meetingID") + " "
	}
	if want := "room-2 room-3 room-4 "; got != want {
		t.Errorf("remembered are %q, want %q", got, want)
	}
	if len(off.Requests()) != 0 {
		t.Error("requests are remembered although that is off")
	}
}
