package routing_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var usual = routing.LoadOptions{DefaultSize: 15, Hold: 10 * time.Minute, Fade: 20 * time.Minute}

// newTable has one frontend and healthy backends of these ids.
func newTable(backends ...string) *routing.Table {
	t := routing.NewTable(usual)
	var all []b3scale.Backend
	for _, id := range backends {
		all = append(all, b3scale.Backend{ID: id, AdminState: b3scale.AdminReady, LoadFactor: 1})
	}
	t.SetConfig(b3scale.FrontendSettings{}, []b3scale.Frontend{{ID: "f", Key: "key-f"}}, all, start)
	for _, b := range t.Backends() {
		b.Probed(true, start)
	}
	return t
}

func key(id string) b3scale.MeetingKey {
	return b3scale.MeetingKey{FrontendID: "f", MeetingID: id}
}

// row is an active meeting on backend a, claimed at the start.
func row(id string, change ...func(*b3scale.Meeting)) b3scale.Meeting {
	m := b3scale.Meeting{
		Key: key(id), Generation: 1, BackendID: "a", State: b3scale.MeetingActive,
		Incarnation: b3scale.Incarnation{InternalID: "x"}, ClaimedAt: b3scale.MicrosOf(start), Size: 15, Version: 1,
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

func version(n int64) func(*b3scale.Meeting)    { return func(m *b3scale.Meeting) { m.Version = n } }
func generation(n int64) func(*b3scale.Meeting) { return func(m *b3scale.Meeting) { m.Generation = n } }
func on(backend string) func(*b3scale.Meeting) {
	return func(m *b3scale.Meeting) { m.BackendID = backend }
}
func room(id string) func(*b3scale.Meeting)   { return func(m *b3scale.Meeting) { m.InternalID = id } }
func sized(people int) func(*b3scale.Meeting) { return func(m *b3scale.Meeting) { m.Size = people } }
func ended(m *b3scale.Meeting)                { m.State = b3scale.MeetingEnded }
func creating(m *b3scale.Meeting)             { m.State, m.InternalID = b3scale.MeetingCreating, "" }
func endRequested(m *b3scale.Meeting)         { m.EndRequestedInternalID = m.InternalID }

// state tells of a meeting in one word.
func state(t *routing.Table, id string) string {
	r := t.Meeting(key(id))
	if r == nil {
		return "none"
	}
	return fmt.Sprintf("%s on %s, room %s, generation %d, version %d", r.State, r.BackendID, r.InternalID, r.Generation, r.Version)
}

func TestApplyTakesTheHighestVersion(t *testing.T) {
	t.Parallel()
	const first = "active on a, room x, generation 1, version 1"
	for _, c := range []struct {
		name string
		rows []b3scale.Meeting
		want string
	}{
		{"one", []b3scale.Meeting{row("m")}, first},
		{"the same again", []b3scale.Meeting{row("m"), row("m")}, first},
		{"creating, then active", []b3scale.Meeting{row("m", creating), row("m", version(2))}, "active on a, room x, generation 1, version 2"},
		{"in the wrong order", []b3scale.Meeting{row("m", version(2)), row("m", creating)}, "active on a, room x, generation 1, version 2"},
		{"moved", []b3scale.Meeting{row("m"), row("m", version(5), generation(2), on("b"), room("y"))}, "active on b, room y, generation 2, version 5"},
		{"moved, told late", []b3scale.Meeting{row("m", version(5), generation(2), on("b"), room("y")), row("m", version(4))}, "active on b, room y, generation 2, version 5"},
		{"ended", []b3scale.Meeting{row("m"), row("m", version(2), ended)}, "none"},
		{"ended with the same version", []b3scale.Meeting{row("m"), row("m", ended)}, "none"},
		{"only ended", []b3scale.Meeting{row("m", ended)}, "none"},
		{"ended, then told late", []b3scale.Meeting{row("m", version(3), ended), row("m", version(2))}, "none"},
		{"ended, then told with that version", []b3scale.Meeting{row("m", version(3), ended), row("m", version(3))}, "none"},
		{"ended and created again", []b3scale.Meeting{row("m", version(3), ended), row("m", version(4), generation(2))}, "active on a, room x, generation 2, version 4"},
		{"ended twice", []b3scale.Meeting{row("m", version(3), ended), row("m", version(2), ended), row("m", version(3))}, "none"},
	} {
		table := newTable("a", "b")
		for _, m := range c.rows {
			table.Apply(m, start)
		}
		if got := state(table, "m"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		checkCounts(t, table, c.name)
	}
}

// checkCounts compares what backends count with the rooms they have.
func checkCounts(t *testing.T, table *routing.Table, name string) {
	t.Helper()
	byFrontend := table.MeetingsOf("f")
	for _, b := range table.Backends() {
		rooms := table.MeetingsOn(b.ID)
		people := 0
		for _, r := range rooms {
			people += r.People
			if !slices.Contains(byFrontend, r) {
				t.Errorf("%s: %s on %s is not in the frontend's list", name, r.Key, b.ID)
			}
			if table.Meeting(r.Key) != r {
				t.Errorf("%s: %s on %s is another room than the table's", name, r.Key, b.ID)
			}
		}
		if b.Meetings() != len(rooms) || b.People() != people {
			t.Errorf("%s: %s counts %d meetings and %d people, has %d and %d", name, b.ID, b.Meetings(), b.People(), len(rooms), people)
		}
		if len(rooms) == 0 && b.Score() != 0 {
			t.Errorf("%s: %s has no rooms and the score %v", name, b.ID, b.Score())
		}
	}
	var want routing.FrontendCount
	for _, r := range byFrontend {
		if r.Breakout {
			want.Breakouts.Rooms++
			want.Breakouts.People += r.People
			want.Breakouts.Moderators += r.Count.Moderators
		} else {
			want.Meetings++
			want.People += r.People
			want.Moderators += r.Count.Moderators
		}
	}
	if got := table.FrontendCount("f"); got != want {
		t.Errorf("%s: the frontend counts %+v, has %+v", name, got, want)
	}
}

// What was seen of a room stays with that room and goes with it.
func TestApplyKeepsWhatWasSeen(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	table.Apply(row("m"), start)
	table.Observe(key("m"), "x", routing.Facts{Running: true, People: 3}, []byte("<a/>"), 0, start)
	table.Apply(row("m", version(2)), start)
	if r := table.Meeting(key("m")); r.People != 3 || !r.Running || string(r.Info) != "<a/>" {
		t.Errorf("after another version of its row: %+v", r.Facts)
	}
	table.Apply(row("m", version(3), room("y")), start)
	if r := table.Meeting(key("m")); r.People != 0 || r.Running || r.Info != nil {
		t.Errorf("after another room: %+v with %q", r.Facts, r.Info)
	}
	checkCounts(t, table, "after another room")
}

func TestEndIsFenced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		rows []b3scale.Meeting
		seen b3scale.Meeting
		late []b3scale.Meeting // told after the end
		want string
	}{
		{name: "what is there", rows: []b3scale.Meeting{row("m")}, seen: row("m"), want: "none"},
		{name: "nothing is there", seen: row("m"), want: "none"},
		{name: "an older version of it", rows: []b3scale.Meeting{row("m", version(2))}, seen: row("m"), want: "none"},
		{name: "a newer version of it", rows: []b3scale.Meeting{row("m")}, seen: row("m", version(2)), want: "none"},
		{name: "memory is a generation behind", rows: []b3scale.Meeting{row("m")}, seen: row("m", version(5), generation(2)), want: "none"},
		{
			name: "another generation", rows: []b3scale.Meeting{row("m", version(5), generation(2), on("b"), room("y"))}, seen: row("m"),
			want: "active on b, room y, generation 2, version 5",
		},
		{
			name: "another room", rows: []b3scale.Meeting{row("m", version(2), room("y"))}, seen: row("m"),
			want: "active on a, room y, generation 1, version 2",
		},
		{
			name: "confirmed meanwhile", rows: []b3scale.Meeting{row("m", version(2))}, seen: row("m", creating),
			want: "active on a, room x, generation 1, version 2",
		},
		{name: "the same row, told late", rows: []b3scale.Meeting{row("m")}, seen: row("m"), late: []b3scale.Meeting{row("m")}, want: "none"},
		{
			// Its end was requested by one request while another found the
			// room gone: the store has ended the row after this version.
			name: "a later version of the same room, told late", rows: []b3scale.Meeting{row("m")}, seen: row("m"),
			late: []b3scale.Meeting{row("m", version(2), endRequested)}, want: "none",
		},
		{
			name: "created again", rows: []b3scale.Meeting{row("m")}, seen: row("m"),
			late: []b3scale.Meeting{row("m", version(3), generation(2), creating)}, want: "creating on a, room , generation 2, version 3",
		},
	} {
		table := newTable("a", "b")
		for _, m := range c.rows {
			table.Apply(m, start)
		}
		table.End(c.seen, start)
		for _, m := range c.late {
			table.Apply(m, start)
		}
		if got := state(table, "m"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		checkCounts(t, table, c.name)
	}
}

// An ended meeting is remembered for a minute and then forgotten.
func TestTombstonesGo(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	table.Apply(row("m", version(5)), start)
	table.End(row("m", version(5)), start)
	for after, want := range map[time.Duration]string{59 * time.Second: "none", 61 * time.Second: "active on a, room x, generation 1, version 4"} {
		other := newTable("a")
		other.Apply(row("m", version(5)), start)
		other.End(row("m", version(5)), start)
		other.Age(start.Add(after))
		other.Apply(row("m", version(4)), start)
		if got := state(other, "m"); got != want {
			t.Errorf("after %v: got %s, want %s", after, got, want)
		}
	}
	table.Age(start.Add(time.Hour))
	table.Apply(row("m", version(6), generation(2)), start)
	table.Age(start.Add(2 * time.Hour))
	if got := state(table, "m"); got == "none" {
		t.Error("a live meeting is forgotten")
	}
}

func TestObserveIsFenced(t *testing.T) {
	t.Parallel()
	seen := routing.Facts{Running: true, People: 7}
	for _, c := range []struct {
		name string
		row  *b3scale.Meeting
		room string
		want int
	}{
		{"its room", new(row("m")), "x", 7},
		{"another room", new(row("m")), "y", 0},
		{"no room yet", new(row("m", creating)), "x", 0},
		{"ended", new(row("m", ended)), "x", 0},
		{"unknown", nil, "x", 0},
	} {
		table := newTable("a")
		if c.row != nil {
			table.Apply(*c.row, start)
		}
		table.Observe(key("m"), c.room, seen, []byte("<info/>"), 0, start)
		people := 0
		if r := table.Meeting(key("m")); r != nil {
			people = r.People
		}
		if people != c.want || table.Backend("a").People() != c.want {
			t.Errorf("%s: the room has %d people, its backend %d, want %d", c.name, people, table.Backend("a").People(), c.want)
		}
		checkCounts(t, table, c.name)
	}
	table := newTable("a")
	table.Apply(row("m"), start)
	table.Observe(key("m"), "x", seen, []byte("<info/>"), 0, start)
	table.Observe(key("m"), "x", routing.Facts{}, nil, 0, start)
	if r := table.Meeting(key("m")); string(r.Info) != "<info/>" || r.People != 0 {
		t.Errorf("without XML: got %q, %+v", r.Info, r.Facts)
	}
}

// Rooms are replaced, never changed: what somebody holds stays as it was.
func TestRoomsAreNeverChanged(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	table.Apply(row("m"), start)
	before := table.Meeting(key("m"))
	table.Observe(key("m"), "x", routing.Facts{People: 7}, []byte("<info/>"), 0, start)
	table.Apply(row("m", version(2), room("y")), start)
	table.End(row("m", version(2), room("y")), start)
	if before.People != 0 || before.InternalID != "x" || before.Info != nil || !before.Live() {
		t.Errorf("the room that was held is now %+v", before)
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	closed := func(ch <-chan struct{}) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
	table := newTable("a")
	for _, step := range []struct {
		name   string
		change func()
		want   bool
	}{
		{"another meeting", func() { table.Apply(row("other"), start) }, false},
		{"a new meeting", func() { table.Apply(row("m", creating), start) }, true},
		{"its room", func() { table.Apply(row("m", version(2)), start) }, true},
		{"an older version", func() { table.Apply(row("m", creating), start) }, false},
		{"a sighting", func() { table.Observe(key("m"), "x", routing.Facts{People: 1}, nil, 0, start) }, true},
		{"a sighting of another room", func() { table.Observe(key("m"), "y", routing.Facts{}, nil, 0, start) }, false},
		{"the end of another generation", func() { table.End(row("m", generation(0)), start) }, false},
		{"its end", func() { table.End(row("m", version(2)), start) }, true},
	} {
		one, two := table.Changed(key("m")), table.Changed(key("m"))
		step.change()
		if got := closed(one); got != step.want || got != closed(two) {
			t.Errorf("%s: told of a change: %v, want %v", step.name, got, step.want)
		}
	}
}

func breakout(id, backend string, people int) *routing.Room {
	return &routing.Room{
		Meeting: b3scale.Meeting{Key: key(id), BackendID: backend, Incarnation: b3scale.Incarnation{InternalID: "of " + id}},
		Facts:   routing.Facts{People: people, Running: people > 0},
	}
}

func TestBreakoutsAreReplaced(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	table.Apply(row("parent"), start)
	ids := func() []string {
		var all []string
		for _, r := range table.MeetingsOf("f") {
			if r.Breakout {
				all = append(all, r.Key.MeetingID+" on "+r.BackendID)
			}
		}
		slices.Sort(all)
		return all
	}
	for _, step := range []struct {
		name   string
		change func()
		want   []string
	}{
		{"two", func() {
			table.SetBreakouts("a", []*routing.Room{breakout("1", "a", 2), breakout("2", "a", 3)}, start.Add(time.Second), start)
		}, []string{"1 on a", "2 on a"}},
		{"one went, one came", func() {
			table.SetBreakouts("a", []*routing.Room{breakout("2", "a", 4), breakout("3", "a", 0)}, start.Add(time.Second), start)
		}, []string{"2 on a", "3 on a"}},
		{"those of another backend", func() { table.SetBreakouts("b", []*routing.Room{breakout("4", "b", 1)}, start.Add(time.Second), start) }, []string{"2 on a", "3 on a", "4 on b"}},
		{"one more", func() { table.AddBreakout(breakout("5", "a", 1), start) }, []string{"2 on a", "3 on a", "4 on b", "5 on a"}},
		{"a meeting has its key", func() { table.AddBreakout(breakout("parent", "b", 1), start) }, []string{"2 on a", "3 on a", "4 on b", "5 on a"}},
		{"one is elsewhere now", func() {
			table.SetBreakouts("b", []*routing.Room{breakout("4", "b", 1), breakout("5", "b", 1)}, start.Add(time.Second), start)
		}, []string{"2 on a", "3 on a", "4 on b", "5 on b"}},
		{"the old place lists none", func() { table.SetBreakouts("a", nil, start.Add(time.Second), start) }, []string{"4 on b", "5 on b"}},
		{"a meeting takes its key", func() { table.Apply(row("4"), start) }, []string{"5 on b"}},
		{"none", func() { table.SetBreakouts("b", nil, start.Add(time.Second), start) }, nil},
	} {
		step.change()
		if got := ids(); !slices.Equal(got, step.want) {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
		checkCounts(t, table, step.name)
	}
	if got := state(table, "parent"); got != "active on a, room x, generation 1, version 1" {
		t.Errorf("the parent is %s", got)
	}
	if got := state(table, "4"); got != "active on a, room x, generation 1, version 1" {
		t.Errorf("the meeting that took a breakout's key is %s", got)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	if f := table.Frontend("key-f"); f == nil || f.ID != "f" || table.FrontendByID("f") != f {
		t.Errorf("the frontend is %+v", f)
	}
	if table.Frontend("f") != nil || table.FrontendByID("key-f") != nil || table.Backend("c") != nil {
		t.Error("there is something that should not be")
	}
	held := table.Backend("a")
	table.Apply(row("m", sized(20)), start)
	held.SetForeign(5)

	table.SetBackend(b3scale.Backend{ID: "a", AdminState: b3scale.AdminReady, LoadFactor: 2}, start)
	table.SetBackend(b3scale.Backend{ID: "c", AdminState: b3scale.AdminReady, LoadFactor: 1}, start)
	if got := table.Backend("a").Score(); got != 50 {
		t.Errorf("after a new load factor the score is %v, want 50", got)
	}
	if held.LoadFactor != 1 || len(table.Backends()) != 3 || table.Frontend("key-f") == nil {
		t.Error("a single backend replaced more than itself")
	}
	table.SetConfig(b3scale.FrontendSettings{}, []b3scale.Frontend{{ID: "f", Key: "new-key"}}, []b3scale.Backend{{ID: "a", AdminState: b3scale.AdminReady, LoadFactor: 3}}, start)
	a := table.Backend("a")
	if a.Score() != 75 || !a.Healthy(start) || a.Meetings() != 1 || len(table.Backends()) != 1 || table.Frontend("key-f") != nil {
		t.Errorf("after a new configuration: score %v, %d meetings, %d backends", a.Score(), a.Meetings(), len(table.Backends()))
	}
	held.Probed(false, start.Add(time.Second))
	if a.Reachable() {
		t.Error("what is observed through an older copy is not seen")
	}
}

// Rooms count on a backend that the table hears of later.
func TestBackendsThatComeLater(t *testing.T) {
	t.Parallel()
	table := newTable("b")
	table.Apply(row("early"), start) // on backend a
	table.SetBackend(b3scale.Backend{ID: "a", AdminState: b3scale.AdminReady, LoadFactor: 1}, start)
	checkCounts(t, table, "a backend that came later")
	if got := table.Backend("a").Score(); got != 15 {
		t.Errorf("a backend that came later has the score %v, want 15", got)
	}
	table.End(row("early"), start)
	checkCounts(t, table, "its last meeting ended")
}

// A list keeps its order while nothing changes and has each meeting once.
func TestRosters(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	for i := range 50 {
		table.Apply(row(fmt.Sprint(i), on(string("ab"[i%2]))), start)
	}
	ids := func(rooms []*routing.Room) (all []string) {
		for _, r := range rooms {
			all = append(all, r.Key.MeetingID)
		}
		return all
	}
	if one, two := ids(table.MeetingsOf("f")), ids(table.MeetingsOf("f")); len(one) != 50 || !slices.Equal(one, two) {
		t.Errorf("got %q, then %q", one, two)
	}
	for i := 0; i < 50; i += 3 {
		table.End(row(fmt.Sprint(i)), start)
		table.End(row(fmt.Sprint(i)), start)
	}
	for i := 1; i < 50; i += 3 {
		table.Apply(row(fmt.Sprint(i), version(2), generation(2), on("b")), start)
	}
	got := ids(table.MeetingsOf("f"))
	slices.Sort(got)
	if len(got) != 33 || len(slices.Compact(got)) != 33 {
		t.Errorf("got %q", got)
	}
	if n := len(table.MeetingsOn("a")) + len(table.MeetingsOn("b")); n != 33 {
		t.Errorf("the backends have %d meetings, want 33", n)
	}
	if table.MeetingsOf("unknown") != nil || table.MeetingsOn("unknown") != nil {
		t.Error("somebody unknown has meetings")
	}
	checkCounts(t, table, "rosters")
}
