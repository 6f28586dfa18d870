package routing_test

import (
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

func TestFrontendCount(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	var breakouts routing.BreakoutCount
	is := func(what string, meetings, people, moderators int) {
		t.Helper()
		want := routing.FrontendCount{Meetings: meetings, People: people, Moderators: moderators, Breakouts: breakouts}
		if got := table.FrontendCount("f"); got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	is("nothing", 0, 0, 0)
	table.Apply(row("one", creating), start)
	is("one is being created", 1, 0, 0)
	table.Apply(row("one", version(2)), start)
	table.Apply(row("two", room("y")), start)
	table.Observe(key("one"), "x", routing.Facts{People: 5, InBreakouts: 2, Count: b3scale.Headcount{People: 5, Moderators: 1}}, nil, 0, start)
	is("people in one", 2, 5, 1)
	table.AddBreakout(breakout("group", "a", 2), start)
	breakouts = routing.BreakoutCount{Rooms: 1, People: 2}
	is("two of them in a breakout room", 2, 5, 1)
	table.Apply(row("one", version(3), generation(2), on("b"), room("z")), start)
	is("one has moved", 2, 0, 0)
	table.Observe(key("one"), "z", routing.Facts{People: 3}, nil, 0, start)
	table.End(row("two", room("y")), start)
	is("two has ended", 1, 3, 0)
	table.SetBreakouts("a", nil, start.Add(time.Second), start)
	breakouts = routing.BreakoutCount{}
	is("the breakout room is gone", 1, 3, 0)
	table.AddBreakout(breakout("group", "a", 2), start)
	table.Remove("f", start)
	is("the frontend is gone", 0, 0, 0)
}
