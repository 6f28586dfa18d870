package routing_test

import (
	"fmt"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/routing"
)

// What goes takes its rooms with it, and no fact that comes late brings them
// back.
func TestRemoved(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*routing.Table){
		"a backend":  func(t *routing.Table) { t.Remove("a", start) },
		"a frontend": func(t *routing.Table) { t.Remove("f", start) },
		"a backend, by a new configuration": func(t *routing.Table) {
			t.SetConfig(b3scale.FrontendSettings{}, []b3scale.Frontend{{ID: "f", Key: "key-f"}, {ID: "g", Key: "key-g"}}, []b3scale.Backend{{ID: "b"}}, start)
		},
		"a frontend, by a new configuration": func(t *routing.Table) {
			t.SetConfig(b3scale.FrontendSettings{}, []b3scale.Frontend{{ID: "g", Key: "key-g"}}, []b3scale.Backend{{ID: "a"}, {ID: "b"}}, start)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := newTable("a", "b")
			table.SetFrontend(b3scale.Frontend{ID: "g", Key: "key-g"}, start)
			breakout := func() *routing.Room {
				return &routing.Room{Meeting: b3scale.Meeting{Key: key("group"), BackendID: "a", Incarnation: b3scale.Incarnation{InternalID: "y"}}}
			}
			other := row("other", on("b"), room("z"))
			other.Key.FrontendID = "g"
			table.Apply(row("m"), start)
			table.Apply(other, start)
			table.AddBreakout(breakout(), start)
			remove(table)
			// Somebody had read these before.
			table.Apply(row("m", version(2), generation(2)), start)
			table.Apply(row("late"), start)
			table.AddBreakout(breakout(), start)
			table.SetBackend(b3scale.Backend{ID: "b", Version: 2}, start)

			table.Each(func(r *routing.Room) {
				if r.Key != other.Key {
					t.Errorf("%s is still there", r.Key)
				}
			})
			if table.Meeting(other.Key) == nil {
				t.Error("the meeting of another frontend on another backend is gone, too")
			}
			if table.ByInternalID("", "x") != nil || table.ByInternalID("", "y") != nil {
				t.Error("a room is found by its internal id")
			}
			if n := len(table.MeetingsOn("a")) + len(table.MeetingsOf("f")); n > 0 {
				t.Errorf("%d rooms are in lists", n)
			}
			if n := table.Backend("b").Meetings(); n != 1 {
				t.Errorf("the other backend has %d meetings, want 1", n)
			}
		})
	}
}

// What an operator removed does not come back because somebody had read it
// before, but a restored database brings it back.
func TestRemovedStaysAway(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	table.Remove("a", start)
	table.Remove("f", start)
	table.SetBackend(b3scale.Backend{ID: "a", Version: 9}, start)
	table.SetFrontend(b3scale.Frontend{ID: "f", Key: "key-f", Version: 9}, start)
	if table.Backend("a") != nil || table.Frontend("key-f") != nil || table.FrontendUse("f") != nil || len(table.Backends()) != 1 {
		t.Error("what was removed came back")
	}
	table.SetConfig(b3scale.FrontendSettings{}, []b3scale.Frontend{{ID: "f", Key: "key-f"}}, []b3scale.Backend{{ID: "a"}}, start)
	table.Apply(row("m", version(3), generation(3)), start)
	if got := state(table, "m"); got != "active on a, room x, generation 3, version 3" {
		t.Errorf("after a restore: %s", got)
	}
}

func TestSetFrontend(t *testing.T) {
	t.Parallel()
	table := newTable("a")
	table.FrontendUse("f").Used(false, start)
	table.SetFrontend(b3scale.Frontend{ID: "f", Key: "renamed", Version: 2}, start)
	table.SetFrontend(b3scale.Frontend{ID: "f", Key: "older", Version: 1}, start)
	table.SetFrontend(b3scale.Frontend{ID: "g", Key: "key-f"}, start)
	if f := table.Frontend("renamed"); f == nil || f.ID != "f" || table.FrontendByID("f") != f {
		t.Errorf("the renamed frontend is %+v", f)
	}
	if f := table.Frontend("key-f"); f == nil || f.ID != "g" {
		t.Errorf("the frontend that took the key is %+v", f)
	}
	if table.Frontend("older") != nil || len(table.Backends()) != 1 {
		t.Error("there is something that should not be")
	}
	if got := table.FrontendUse("f").At(false); got != b3scale.MicrosOf(start) {
		t.Errorf("the secret was last used at %v", got)
	}
}

func TestSecretUse(t *testing.T) {
	t.Parallel()
	var use routing.SecretUse
	if use.At(false) != 0 || use.At(true) != 0 {
		t.Error("a secret was used before it was")
	}
	use.Used(true, start)
	use.Used(true, start.Add(10*time.Second))
	use.Used(true, start.Add(3*time.Second)) // was on its way
	if got := use.At(true); got != b3scale.MicrosOf(start.Add(10*time.Second)) || use.At(false) != 0 {
		t.Errorf("the secrets were last used at %v and %v", use.At(false), got)
	}
}

// The index by internal id is exact, whatever becomes of a room.
func TestByInternalID(t *testing.T) {
	t.Parallel()
	table := newTable("a", "b")
	check := func(what, backend, internal, want string) {
		t.Helper()
		got := "none"
		if r := table.ByInternalID(backend, internal); r != nil {
			if got = r.Key.MeetingID + " on " + r.BackendID; r != table.Meeting(r.Key) {
				t.Errorf("%s: the room of %q is an old one", what, internal)
			}
		}
		if got != want {
			t.Errorf("%s: the room of %q is %s, want %s", what, internal, got, want)
		}
	}
	check("nothing", "", "x", "none")
	table.Apply(row("m", creating), start)
	check("creating", "", "", "none")
	table.Apply(row("m", version(2)), start)
	check("active", "", "x", "m on a")
	check("active", "a", "x", "m on a")
	check("elsewhere", "b", "x", "none")
	table.Observe(key("m"), "x", routing.Facts{People: 3}, nil, 2, start)
	check("seen", "", "x", "m on a")
	table.Apply(row("m", version(3), room("y")), start)
	check("another room, the old one", "", "x", "none")
	check("another room", "", "y", "m on a")
	table.Apply(row("m", version(4), generation(2), on("b"), room("y")), start)
	check("moved", "a", "y", "none")
	check("moved", "b", "y", "m on b")
	table.Apply(row("twin", version(1), on("a"), room("y")), start)
	check("the same id on two nodes", "a", "y", "twin on a")
	check("the same id on two nodes", "b", "y", "m on b")
	table.Apply(row("m", version(5), generation(2), on("b"), room("y"), ended), start)
	check("one of them ended", "b", "y", "none")
	check("one of them ended", "", "y", "twin on a")
	table.End(row("twin", room("y")), start)
	check("ended", "", "y", "none")
	table.AddBreakout(&routing.Room{Meeting: b3scale.Meeting{Key: key("group"), BackendID: "a", Incarnation: b3scale.Incarnation{InternalID: "z"}}}, start)
	check("a breakout room", "a", "z", "group on a")
	table.SetBreakouts("a", nil, start.Add(time.Second), start.Add(time.Second))
	check("which is gone", "", "z", "none")
	table.AddBreakout(&routing.Room{Meeting: b3scale.Meeting{Key: key("group"), BackendID: "a", Incarnation: b3scale.Incarnation{InternalID: "z"}}}, start)
	table.RemoveBreakout(table.Meeting(key("group")))
	check("which was removed", "", "z", "none")
}

// What people are told is what the selector goes by.
func TestReasons(t *testing.T) {
	t.Parallel()
	lost := start.Add(-time.Hour)
	for _, c := range []struct {
		name  string
		b     b3scale.Backend
		seen  func(*routing.Backend)
		rooms int
		want  []string
	}{
		{name: "none", b: b3scale.Backend{AdminState: b3scale.AdminReady}},
		{name: "stopped", b: b3scale.Backend{AdminState: b3scale.AdminStopped}, want: []string{"an operator has stopped it"}},
		{name: "new", b: b3scale.Backend{AdminState: b3scale.AdminInit}, want: []string{"no operator has made it ready yet"}},
		{name: "decommissioned", b: b3scale.Backend{AdminState: b3scale.AdminDecommissioned}, want: []string{"an operator is taking it out of service"}},
		{name: "faulty", b: b3scale.Backend{AdminState: b3scale.AdminError}, want: []string{"an operator has marked it as faulty"}},
		{name: "lost", b: b3scale.Backend{AdminState: b3scale.AdminReady, Lost: true, LostAt: b3scale.MicrosOf(lost)}, want: []string{"it is lost since 2026-03-01T11:00:00Z"}},
		{
			name: "meetings", b: b3scale.Backend{AdminState: b3scale.AdminReady, Settings: b3scale.BackendSettings{MaxMeetings: 2}}, rooms: 2,
			want: []string{"it has as many meetings as max_meetings allows (2)"},
		},
		{
			name: "room for one more", rooms: 1,
			b: b3scale.Backend{AdminState: b3scale.AdminReady, Settings: b3scale.BackendSettings{MaxMeetings: 2, MaxAttendees: 11}},
		},
		{
			name: "people", b: b3scale.Backend{AdminState: b3scale.AdminReady, Settings: b3scale.BackendSettings{MaxAttendees: 20}}, rooms: 2,
			want: []string{"it has as many people as max_attendees allows (20)"},
		},
		{
			name: "silent", b: b3scale.Backend{AdminState: b3scale.AdminReady},
			seen: func(b *routing.Backend) {
				b.Probed(true, start.Add(-12*time.Second))
				b.Probed(false, start)
			},
			want: []string{"it has not answered a probe for 12 s"},
		},
		{
			name: "silent for a moment", b: b3scale.Backend{AdminState: b3scale.AdminReady},
			seen: func(b *routing.Backend) { b.Probed(true, start.Add(-4*time.Second)); b.Probed(false, start) },
		},
		{
			name: "never reached", b: b3scale.Backend{AdminState: b3scale.AdminReady},
			seen: func(b *routing.Backend) { b.Restore(0); b.Probed(false, start) },
			want: []string{"it has never answered a probe"},
		},
		{
			name: "secret", b: b3scale.Backend{AdminState: b3scale.AdminReady},
			seen: func(b *routing.Backend) { b.Restore(0); b.Probed(false, start); b.Failed("refused", true) },
			want: []string{"its secret is refused"},
		},
		{
			name: "all at once", b: b3scale.Backend{AdminState: b3scale.AdminStopped, Settings: b3scale.BackendSettings{MaxMeetings: 1}}, rooms: 1,
			want: []string{"an operator has stopped it", "it has as many meetings as max_meetings allows (1)"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			table := routing.NewTable(usual)
			c.b.ID = "a"
			table.SetConfig(b3scale.FrontendSettings{}, []b3scale.Frontend{{ID: "f", Key: "key-f"}}, []b3scale.Backend{c.b}, start)
			b := table.Backend("a")
			if c.seen != nil {
				c.seen(b)
			} else {
				b.Probed(true, start)
			}
			for i := range c.rooms {
				table.Apply(row(fmt.Sprint(i)), start)
				table.Observe(key(fmt.Sprint(i)), "x", routing.Facts{People: 10}, nil, 0, start)
			}
			got := b.Reasons(start)
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if _, err := table.Select(routing.Wanted{}, start); (err == nil) != (len(got) == 0) {
				t.Errorf("the selector says %v", err)
			}
		})
	}
}
