package routing_test

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// One backend for each reason, in the words that people read. The order is that
// in which they would be taken.
func TestExplainSaysWhy(t *testing.T) {
	t.Parallel()
	type tags = b3scale.Tags
	all := []b3scale.Backend{
		{ID: "best"}, {ID: "equal"}, {ID: "near"}, {ID: "far", LoadFactor: 2}, {ID: "other"}, {ID: "mute", AgentRef: "agent"}, {ID: "both", AgentRef: "agent"},
		{ID: "stopped", AdminState: b3scale.AdminStopped}, {ID: "lost", Lost: true, LostAt: b3scale.MicrosOf(start)}, {ID: "failed"}, {ID: "booked"},
		{ID: "tagless"}, {ID: "full"}, {ID: "crowded"}, {ID: "silent"},
	}
	for i := range all {
		b := &all[i]
		b.Host = "https://" + b.ID + ".example.org/"
		b.Settings.Tags = tags{"eu", "gpu"}
		if b.AdminState == "" {
			b.AdminState = b3scale.AdminReady
		}
		switch b.ID {
		case "other", "both":
			b.Settings.Tags = tags{"eu"}
		case "tagless":
			b.Settings.Tags = nil
		case "full":
			b.Settings.MaxMeetings = 1
		case "crowded":
			b.Settings.MaxAttendees = 3
		}
	}
	table := routing.NewTable(usual)
	table.SetConfig(b3scale.FrontendSettings{}, nil, all, start)
	for _, b := range table.Backends() {
		if b.ID != "silent" {
			b.Probed(true, start)
		}
		b.SetForeign(100)
		b.HeardAgent(start.Add(-time.Minute), false)
	}
	table.Backend("near").SetForeign(110)
	table.Apply(row("m", on("full"), sized(20)), start)
	table.Apply(row("n", on("crowded")), start)
	table.Observe(key("n"), "x", routing.Facts{People: 3}, nil, 0, start)
	want := routing.Wanted{
		Tags: tags{"eu"}, Wish: b3scale.TagWish{AnyOf: tags{"gpu"}}, Size: 15,
		Except: map[string]bool{"failed": true}, Booked: map[string]bool{"booked": true},
	}
	for _, b := range all {
		if b.AgentRef == "" { // others are silent for a minute, and have an agent by its token
			table.Backend(b.ID).HeardAgent(start, false)
		}
	}
	x := table.Explain(want, start)
	var got []string
	for _, v := range x.Verdicts {
		line := v.ID + ":"
		for _, why := range slices.Concat(v.Out, v.Behind) {
			line += fmt.Sprintf(" %s (%s)", why.Filter, why.Text)
		}
		if v.Drawn != (v.ID == "best" || v.ID == "equal") || v.Near != (v.Drawn || v.ID == "near") {
			t.Errorf("%s: drawn is %t, near is %t", v.ID, v.Drawn, v.Near)
		}
		if v.Load != v.Backend.Load() || v.Score != v.Load.Score() {
			t.Errorf("%s: load is %+v with score %v", v.ID, v.Load, v.Score)
		}
		got = append(got, line)
	}
	const missing = `it does not have the tags that the meeting would like: "gpu": others come first`
	const mute = `its agent has been silent for 60 s: it gets new meetings only when no other backend can take them`
	for i, text := range []string{
		"best:", "equal:", "near:", "far:", "other: not_preferred (" + missing + ")", "mute: agent_silent (" + mute + ")",
		"both: not_preferred (" + missing + ") agent_silent (" + mute + ")",
		"booked: booked (an earlier room of this meeting may still be there)", "failed: failed (it failed in this request)",
		"lost: lost (it is lost since 2026-03-01T12:00:00Z)", "silent: silent (it has never answered a probe)",
		"stopped: not_ready (an operator has stopped it)",
		`tagless: required_tags (it lacks tags that the frontend requires: "eu") not_preferred (` + missing + ")",
		"crowded: max_attendees (it has as many people as max_attendees allows (3))",
		"full: max_meetings (it has as many meetings as max_meetings allows (1))",
	} {
		if i >= len(got) || got[i] != text {
			t.Fatalf("got\n%s\nwant %s", strings.Join(got, "\n"), text)
		}
	}
	if x.Err != nil || x.Emptied != "" || len(x.RuledOut) != 8 || x.RuledOut["lost"] != 1 {
		t.Errorf("got %v, %q, %v", x.Err, x.Emptied, x.RuledOut)
	}

	want.Wish = b3scale.TagWish{AnyOf: tags{"none such"}, Required: true}
	x = table.Explain(want, start)
	if b3scale.CodeOf(x.Err) != b3scale.NoBackend || x.Emptied != "wanted_tags" || x.RuledOut["wanted_tags"] != 10 {
		t.Errorf("got %v, %q, %v", x.Err, x.Emptied, x.RuledOut)
	}
	for _, v := range x.Verdicts {
		if v.Drawn || v.Near || len(v.Out) == 0 {
			t.Errorf("%s may take it: %+v", v.ID, v)
		}
	}
	if got := x.Verdicts[0].Out[0].Text; got != `the meeting insists on tags that it does not have: "none such"` {
		t.Errorf("got %q", got)
	}
}

// A backend that only stands behind others and cannot take anything either is
// not taken for one that can.
func TestExplainWithoutCandidates(t *testing.T) {
	t.Parallel()
	table := routing.NewTable(usual)
	table.SetConfig(b3scale.FrontendSettings{}, nil, []b3scale.Backend{{ID: "a", AdminState: b3scale.AdminStopped, AgentRef: "agent"}}, start)
	a := table.Backend("a")
	a.Probed(true, start)
	a.HeardAgent(start, true)
	want := routing.Wanted{Wish: b3scale.TagWish{AnyOf: b3scale.Tags{"eu"}}}
	if x := table.Explain(want, start); x.Err == nil || x.Verdicts[0].Near || len(x.Verdicts[0].Behind) != 2 {
		t.Errorf("got %+v", x)
	}
	if _, err := table.Select(want, start); b3scale.CodeOf(err) != b3scale.NoBackend {
		t.Errorf("got %v", err)
	}
	if x := routing.NewTable(usual).Explain(want, start); x.Err == nil || x.Emptied != "" || len(x.Verdicts) != 0 {
		t.Errorf("without backends: %+v", x)
	}
}

// A decision stays with its placement, and goes with it.
func TestDecisionStays(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	choice, err := table.Select(routing.Wanted{Size: 15}, start)
	if err != nil {
		t.Fatal(err)
	}
	claimed := row("m", creating, on(choice.ID))
	table.Place(claimed, choice.Why, start)
	choice.Release()
	decided := func(when string, want bool) {
		t.Helper()
		if d := table.Meeting(key("m")).Decision(); (d != nil) != want || d != nil && (d.Able != 2 || d.Drawn != 2 || d.At != b3scale.MicrosOf(start)) {
			t.Errorf("%s: got %+v, want one: %t", when, d, want)
		}
	}
	decided("claimed", true)
	table.Apply(row("m", on(choice.ID), version(2)), start)
	decided("confirmed", true)
	table.Observe(key("m"), "x", routing.Facts{People: 1}, nil, 3, start)
	decided("seen", true)
	moved := row("m", on("b"), version(4))
	moved.Generation = 2
	table.Apply(moved, start)
	decided("moved by another instance", false)
	table.Apply(row("m", ended, version(5)), start)
	if table.Meeting(key("m")) != nil {
		t.Error("it has ended")
	}
}

// What is kept of a decision costs each meeting no more than 512 bytes. Not
// parallel: others would be measured, too.
func TestDecisionsAreSmall(t *testing.T) {
	const meetings = 5_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	fill := func(place func(table *routing.Table, m b3scale.Meeting, why routing.Decision)) uint64 {
		table := newTable("a", "b", "c", "d")
		before := heap()
		for i := range meetings {
			choice, err := table.Select(routing.Wanted{Size: 15}, start)
			if err != nil {
				t.Fatal(err)
			}
			place(table, row(strconv.Itoa(i), on(choice.ID)), choice.Why)
			choice.Release()
		}
		after := heap()
		runtime.KeepAlive(table)
		return (after - before) / meetings
	}
	without := fill(func(table *routing.Table, m b3scale.Meeting, _ routing.Decision) { table.Apply(m, start) })
	with := fill(func(table *routing.Table, m b3scale.Meeting, why routing.Decision) { table.Place(m, why, start) })
	t.Logf("a meeting takes %d bytes, with its decision %d", without, with)
	if with <= without || with-without > 512 {
		t.Errorf("a meeting takes %d bytes, with its decision %d", without, with)
	}
}
