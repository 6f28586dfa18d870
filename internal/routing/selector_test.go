package routing_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

func TestSelectRulesOut(t *testing.T) {
	t.Parallel()
	type backend = b3scale.Backend
	limits := func(s b3scale.BackendSettings) func(*backend) { return func(b *backend) { b.Settings = s } }
	state := func(s b3scale.AdminState) func(*backend) { return func(b *backend) { b.AdminState = s } }
	for _, c := range []struct {
		name    string
		change  func(*backend)
		want    routing.Wanted
		meeting int // people in a meeting on it, -1 for none
		probed  time.Duration
		out     string // why it is no candidate; "" when it is
	}{
		{name: "good", meeting: -1},
		{name: "init", change: state(b3scale.AdminInit), meeting: -1, out: "1 are not ready"},
		{name: "stopped", change: state(b3scale.AdminStopped), meeting: -1, out: "1 are not ready"},
		{name: "decommissioned", change: state(b3scale.AdminDecommissioned), meeting: -1, out: "1 are not ready"},
		{name: "error", change: state(b3scale.AdminError), meeting: -1, out: "1 are not ready"},
		{name: "no state", change: state(""), meeting: -1, out: "1 are not ready"},
		{name: "lost", change: func(b *backend) { b.Lost = true }, meeting: -1, out: "1 lost"},
		{name: "failed in this request", want: routing.Wanted{Except: map[string]bool{"a": true}}, meeting: -1, out: "1 failed in this request"},
		{name: "another failed", want: routing.Wanted{Except: map[string]bool{"b": true}}, meeting: -1},

		{name: "tag missing", want: routing.Wanted{Tags: b3scale.Tags{"gpu"}}, meeting: -1, out: "1 lack tags"},
		{name: "one of two tags missing", change: limits(b3scale.BackendSettings{Tags: b3scale.Tags{"gpu"}}), want: routing.Wanted{Tags: b3scale.Tags{"gpu", "eu"}}, meeting: -1, out: "1 lack tags"},
		{name: "all tags", change: limits(b3scale.BackendSettings{Tags: b3scale.Tags{"eu", "x", "gpu"}}), want: routing.Wanted{Tags: b3scale.Tags{"gpu", "eu"}}, meeting: -1},
		{name: "tags nobody asked for", change: limits(b3scale.BackendSettings{Tags: b3scale.Tags{"gpu"}}), meeting: -1},
		{name: "empty tag", want: routing.Wanted{Tags: b3scale.Tags{""}}, meeting: -1},
		{name: "case of a tag", change: limits(b3scale.BackendSettings{Tags: b3scale.Tags{"GPU"}}), want: routing.Wanted{Tags: b3scale.Tags{"gpu"}}, meeting: -1, out: "1 lack tags"},

		{name: "below its meetings", change: limits(b3scale.BackendSettings{MaxMeetings: 2}), meeting: 0},
		{name: "at its meetings", change: limits(b3scale.BackendSettings{MaxMeetings: 1}), meeting: 0, out: "1 full"},
		{name: "below its people", change: limits(b3scale.BackendSettings{MaxAttendees: 8}), meeting: 7},
		{name: "at its people", change: limits(b3scale.BackendSettings{MaxAttendees: 7}), meeting: 7, out: "1 full"},
		{name: "above its people", change: limits(b3scale.BackendSettings{MaxAttendees: 6}), meeting: 7, out: "1 full"},

		{name: "probed a moment ago", meeting: -1, probed: -5 * time.Second},
		{name: "probed too long ago", meeting: -1, probed: -5*time.Second - 1, out: "1 do not answer"},
	} {
		b := backend{ID: "a", AdminState: b3scale.AdminReady, LoadFactor: 1}
		if c.change != nil {
			c.change(&b)
		}
		table := routing.NewTable(usual)
		table.SetConfig(b3scale.FrontendSettings{}, nil, []backend{b}, start)
		table.Backend("a").Probed(true, start.Add(c.probed))
		if c.meeting >= 0 {
			table.Apply(row("m"), start)
			table.Observe(key("m"), "x", routing.Facts{People: c.meeting}, nil, 0, start)
		}
		choice, err := table.Select(c.want, start)
		switch {
		case c.out == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.out == "":
			choice.Release()
		case b3scale.CodeOf(err) != b3scale.NoBackend || !strings.Contains(err.Error(), "of 1 backends") || !strings.Contains(err.Error(), c.out):
			t.Errorf("%s: got %v, want it to tell %q", c.name, err, c.out)
		}
	}
}

// Right after a start a stored probe counts, until the first own one.
func TestSelectTrustsStoredProbes(t *testing.T) {
	t.Parallel()
	table := routing.NewTable(usual)
	table.SetConfig(b3scale.FrontendSettings{}, nil, []b3scale.Backend{{ID: "a", AdminState: b3scale.AdminReady}}, start)
	a := table.Backend("a")
	healthy := func(want bool, when string) {
		t.Helper()
		if got := a.Healthy(start); got != want {
			t.Errorf("%s: healthy is %v, want %v", when, got, want)
		}
	}
	healthy(false, "never probed")
	a.Restore(b3scale.MicrosOf(start.Add(-61 * time.Second)))
	healthy(false, "stored 61 s ago")
	a.Restore(b3scale.MicrosOf(start.Add(-59 * time.Second)))
	healthy(true, "stored 59 s ago")
	if a.WasProbed() || a.Reachable() {
		t.Error("a stored probe is taken for an own one")
	}
	a.Probed(false, start)
	healthy(false, "stored 59 s ago, own probe failed")
	a.Probed(true, start.Add(-4*time.Second))
	a.Probed(false, start)
	healthy(true, "probed 4 s ago, failed once since")
	if a.Reachable() || !a.WasProbed() || a.LastReached() != b3scale.MicrosOf(start.Add(-4*time.Second)) {
		t.Error("the last probe is not what is told")
	}
	a.Restore(b3scale.MicrosOf(start))
	if a.LastReached() == b3scale.MicrosOf(start) {
		t.Error("a stored probe replaced an own one")
	}
}

func TestSelectWithoutBackends(t *testing.T) {
	t.Parallel()
	_, err := routing.NewTable(usual).Select(routing.Wanted{}, start)
	e, ok := err.(*b3scale.Error) //nolint:errorlint // what the caller gets
	if !ok || e.Code != b3scale.NoBackend || e.Message != "no free backend available for meeting" || !strings.Contains(err.Error(), "of 0 backends") {
		t.Errorf("got %v", err)
	}
}

func TestSelectTakesTheLowest(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b", "c")
	table.Apply(row("1", sized(20)), start)
	table.Apply(row("2", on("b"), sized(19)), start)
	table.Apply(row("3", on("c"), sized(21)), start)
	for range 20 {
		choice, err := table.Select(routing.Wanted{Size: 0}, start)
		if err != nil || choice.ID != "b" {
			t.Fatalf("got %v, %v, want b", choice.ID, err)
		}
		choice.Release()
	}
	// A load factor makes one less preferred, people of others as well.
	table.SetBackend(b3scale.Backend{ID: "b", AdminState: b3scale.AdminReady, LoadFactor: 1.2}, start)
	table.Backend("a").SetForeign(2)
	if choice, err := table.Select(routing.Wanted{}, start); err != nil || choice.ID != "c" {
		t.Errorf("got %v, %v, want c", choice.ID, err)
	}
}

// Among equals each is taken, and a reservation counts until it is released.
func TestSelectReserves(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	taken := map[string]int{}
	for range 200 {
		choice, err := table.Select(routing.Wanted{Size: 15}, start)
		if err != nil {
			t.Fatal(err)
		}
		taken[choice.ID]++
		choice.Release()
	}
	if taken["a"] < 50 || taken["b"] < 50 {
		t.Errorf("of equals %v were taken", taken)
	}
	first, err := table.Select(routing.Wanted{Size: 15}, start)
	if err != nil {
		t.Fatal(err)
	}
	second, err := table.Select(routing.Wanted{Size: 3}, start)
	if err != nil || second.ID == first.ID {
		t.Fatalf("both went to %s (%v)", first.ID, err)
	}
	if first.Score() != 15 || second.Score() != 3 {
		t.Errorf("reserved are %v and %v, want 15 and 3", first.Score(), second.Score())
	}
	first.Release()
	second.Release()
	if first.Score() != 0 || second.Score() != 0 {
		t.Errorf("after the release %v and %v are reserved", first.Score(), second.Score())
	}
}

// place selects and claims as the cluster does.
func place(t *testing.T, table *routing.Table, id string) string {
	t.Helper()
	choice, err := table.Select(routing.Wanted{Size: 15}, start)
	if err != nil {
		t.Error(err)
		return ""
	}
	table.Apply(row(id, on(choice.ID), creating), start)
	choice.Release()
	return choice.ID
}

// A burst of creates spreads at once.
func TestBurst(t *testing.T) {
	t.Parallel()
	const meetings, backends = 200, 22
	spread := func(table *routing.Table) (fewest, most int) {
		counts := []int{}
		for _, b := range table.Backends() {
			counts = append(counts, b.Meetings())
		}
		return slices.Min(counts), slices.Max(counts)
	}
	ids := make([]string, backends)
	for i := range ids {
		ids[i] = "b" + strconv.Itoa(i)
	}
	t.Run("one after the other", func(t *testing.T) {
		t.Parallel()
		table := newTable(ids...)
		for i := range meetings {
			place(t, table, strconv.Itoa(i))
		}
		if fewest, most := spread(table); most-fewest > 2 {
			t.Errorf("the backends have %d to %d meetings", fewest, most)
		}
	})
	t.Run("all at once", func(t *testing.T) {
		t.Parallel()
		for range 20 {
			table := newTable(ids...)
			var all, selected sync.WaitGroup
			selected.Add(meetings)
			for i := range meetings {
				all.Go(func() {
					choice, err := table.Select(routing.Wanted{Size: 15}, start)
					selected.Done()
					if err != nil {
						t.Error(err)
						return
					}
					selected.Wait() // the store takes its time
					table.Apply(row(strconv.Itoa(i), on(choice.ID), creating), start)
					choice.Release()
				})
			}
			all.Wait()
			if fewest, most := spread(table); most-fewest > 2 {
				t.Errorf("the backends have %d to %d meetings", fewest, most)
			}
			checkCounts(t, table, "after the burst")
		}
	})
	// Claims come into the table while others choose.
	t.Run("a few at once", func(t *testing.T) {
		t.Parallel()
		table := newTable(ids...)
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for i := range meetings / 4 {
					place(t, table, fmt.Sprint(worker, "-", i))
				}
			})
		}
		all.Wait()
		if fewest, most := spread(table); most-fewest > 4 {
			t.Errorf("the backends have %d to %d meetings", fewest, most)
		}
		checkCounts(t, table, "after the burst")
	})
}

// When more than eight are nearly equal, also others than the lowest are
// taken: instances that do not know of each other's claims would all choose
// that one.
func TestSelectAmongMany(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		nearly int // backends within a tenth of the lowest score, that one included
		others bool
	}{{8, false}, {9, true}, {20, true}} {
		var ids []string
		for i := range c.nearly {
			ids = append(ids, fmt.Sprint(i))
		}
		table := newTable(append(ids, "far")...)
		for i, id := range ids {
			table.Apply(row("on "+id, on(id), sized(100+min(i, 1)*9)), start)
		}
		table.Apply(row("on far", on("far"), sized(111)), start)
		taken := map[string]int{}
		for range 2000 {
			choice, err := table.Select(routing.Wanted{}, start)
			if err != nil {
				t.Fatal(err)
			}
			taken[choice.ID]++
			choice.Release()
		}
		if taken["far"] > 0 {
			t.Errorf("of %d nearly equal ones and a worse one, that was taken", c.nearly)
		}
		if got := len(taken) > 1; got != c.others {
			t.Errorf("of %d nearly equal ones %v were taken", c.nearly, taken)
		}
		if c.others && len(taken) != c.nearly {
			t.Errorf("of %d nearly equal ones only %v were taken", c.nearly, slices.Sorted(maps.Keys(taken)))
		}
		// The lower of two: the lowest is taken more often than any other.
		for id, n := range taken {
			if id != "0" && n >= taken["0"] {
				t.Errorf("of %d nearly equal ones %s was taken %d times, the lowest %d times", c.nearly, id, n, taken["0"])
			}
		}
	}
}
