package routing_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

func TestExpectedSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hint, maxParticipants string
		want                  int
	}{
		{"", "", 15},
		{"30", "", 30},
		{"1", "", 1},
		{"0", "", 0},
		{"-5", "", 0},
		{"500", "", 500},
		{"501", "", 500},
		{"1000000000", "", 500},
		{"30", "5", 30},
		{"3", "5", 3},
		{"many", "", 15},
		{"many", "5", 5},
		{"1.5", "", 15},
		{"", "5", 5},
		{"", "14", 14},
		{"", "15", 15},
		{"", "200", 15},
		{"", "0", 15}, // unlimited
		{"", "-1", 15},
		{"", "few", 15},
	} {
		if got := usual.ExpectedSize(c.hint, c.maxParticipants); got != c.want {
			t.Errorf("hint %q, maxParticipants %q: got %d, want %d", c.hint, c.maxParticipants, got, c.want)
		}
	}
	if got := (routing.LoadOptions{DefaultSize: 3}).ExpectedSize("", "5"); got != 3 {
		t.Errorf("with another default: got %d, want 3", got)
	}
}

// Expected people count in full at first and fade then; those who are there
// count all the time.
func TestLoadFades(t *testing.T) {
	t.Parallel()
	minutes := func(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }
	day := 24 * time.Hour
	for _, c := range []struct {
		name   string
		load   routing.LoadOptions
		size   int
		people int
		age    time.Duration
		want   float64
	}{
		{"new", usual, 15, 0, 0, 15},
		{"claimed by a clock that is ahead", usual, 15, 0, -time.Hour, 15},
		{"at the end of the hold", usual, 15, 0, minutes(10), 15},
		{"a quarter gone", usual, 20, 0, minutes(15), 15},
		{"half gone", usual, 15, 0, minutes(20), 7.5},
		{"nearly gone", usual, 20, 0, minutes(29), 1},
		{"gone", usual, 15, 0, minutes(30), 0},
		{"long gone", usual, 500, 0, 1000 * day, 0},
		{"nobody expected", usual, 0, 0, 0, 0},
		{"fills early", usual, 15, 10, 0, 15},
		{"fuller than expected", usual, 15, 16, 0, 16},
		{"half gone, with people", usual, 15, 5, minutes(20), 7.5},
		{"half gone, with more people", usual, 15, 8, minutes(20), 8},
		{"old, with people", usual, 500, 3, day, 3},
		{"large", usual, 500, 0, minutes(20), 250},
		{"no fade", routing.LoadOptions{Hold: minutes(10)}, 15, 0, minutes(10), 15},
		{"no fade, later", routing.LoadOptions{Hold: minutes(10)}, 15, 0, minutes(10) + 1, 0},
		{"no hold", routing.LoadOptions{Fade: minutes(10)}, 15, 0, minutes(5), 7.5},
		{"neither", routing.LoadOptions{}, 15, 0, time.Second, 0},
		{"longest times", routing.LoadOptions{Hold: day, Fade: day}, 500, 0, day + day/4, 375},
		{"longest fade, just begun", routing.LoadOptions{Fade: day}, 500, 0, minutes(14.4), 495},
	} {
		table := routing.NewTable(c.load)
		table.SetConfig(b3scale.FrontendSettings{}, nil, []b3scale.Backend{{ID: "a", LoadFactor: 1}}, start)
		table.Apply(row("m", sized(c.size)), start)
		table.Observe(key("m"), "x", routing.Facts{People: c.people}, nil, 0, start)
		table.Age(start.Add(c.age))
		if got := table.Backend("a").Score(); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s: after ageing the score is %v, want %v", c.name, got, c.want)
		}
		// The same when the room is seen at that age.
		table.Observe(key("m"), "x", routing.Facts{People: c.people}, nil, 0, start.Add(c.age))
		if got := table.Backend("a").Score(); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s: seen at that age the score is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestScore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		factor  float64
		rooms   [][2]int // expected and present people
		foreign int
		want    float64
	}{
		{"empty", 1, nil, 0, 0},
		{"sum of the larger numbers", 1, [][2]int{{15, 20}, {15, 3}, {0, 0}, {0, 2}}, 0, 37},
		{"load factor", 2.5, [][2]int{{15, 0}}, 0, 37.5},
		{"unset load factor", 0, [][2]int{{15, 0}}, 0, 15},
		{"negative load factor", -1, [][2]int{{15, 0}}, 0, 15},
		{"small load factor", 0.01, [][2]int{{15, 0}}, 0, 0.15},
		{"rooms that are not ours", 1, [][2]int{{15, 0}}, 40, 55},
		{"rooms that are not ours and a load factor", 2, nil, 40, 80},
	} {
		table := routing.NewTable(usual)
		table.SetConfig(b3scale.FrontendSettings{}, nil, []b3scale.Backend{{ID: "a", LoadFactor: c.factor}}, start)
		for i, r := range c.rooms {
			id := fmt.Sprint(i)
			table.Apply(row(id, sized(r[0])), start)
			table.Observe(key(id), "x", routing.Facts{People: r[1]}, nil, 0, start)
		}
		table.Backend("a").SetForeign(c.foreign)
		if got := table.Backend("a").Score(); math.Abs(got-c.want) > 0.001 {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// People in breakout rooms count once: there, and not in the parent.
func TestBreakoutsCountOnce(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	late := start.Add(time.Hour) // when nobody is expected any more
	table.Apply(row("parent"), late)
	table.Observe(key("parent"), "x", routing.Facts{People: 30, InBreakouts: 24}, nil, 0, late)
	table.SetBreakouts("a", []*routing.Room{breakout("1", "a", 12), breakout("2", "a", 12)}, late.Add(time.Microsecond), late)
	if got := table.Backend("a").Score(); got != 30 {
		t.Errorf("got %v, want 30", got)
	}
	// A breakout room expects nobody, and a parent never counts less than 0.
	table.SetBreakouts("a", []*routing.Room{breakout("1", "a", 0)}, late.Add(time.Microsecond), late)
	table.Observe(key("parent"), "x", routing.Facts{People: 3, InBreakouts: 24}, nil, 0, late)
	if got := table.Backend("a").Score(); got != 0 {
		t.Errorf("got %v, want 0", got)
	}
}
