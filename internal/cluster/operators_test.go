package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// nobody is the actor of tests: the program itself.
var nobody b3scale.Actor

// inFleet runs a test with several instances, on each database.
func inFleet(t *testing.T, p plan, body func(t *testing.T, s *site, all []*member)) {
	t.Helper()
	onEach(t, func(t *testing.T, on platform) {
		p.dsn = on.fresh(t)
		inBubble(t, p, func(t *testing.T, s *site) {
			all := s.members(3)
			time.Sleep(15 * time.Second) // everything is probed, and listed by somebody
			body(t, s, all)
		})
	})
}

// quiet reports whether a node was asked for nothing since the reset.
func (s *site) quiet(node int) bool { return len(s.nodes[node].Requests()) == 0 }

func TestDeleteBackend(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 2}, func(t *testing.T, s *site, all []*member) {
		s.unchecked = true // its rooms run on
		s.createdOn(0, "class")
		s.createdOn(1, "other")
		breakouts := s.nodes[0].OpenBreakouts(nodeID("class"), 1)
		time.Sleep(15 * time.Second)
		id := s.backends[0]
		deleted, err := all[0].DeleteBackend(s.ctx, id, nobody)
		if err != nil || deleted.ID != id {
			t.Fatal(deleted, err)
		}
		if r := all[0].Room(s.key("class")); r != nil || all[0].Backend(id) != nil {
			t.Errorf("the instance that deleted the backend still has it, or its meeting: %+v", r)
		}
		time.Sleep(1500 * time.Millisecond)
		for i, m := range all {
			if r := m.Room(s.key("class")); r != nil || m.Backend(id) != nil || len(m.Rooms(id)) > 0 || len(m.AllRooms()) != 1 {
				t.Errorf("instance %d still has the backend, or its meeting: %+v", i, r)
			}
			if m.RoomByInternalID("", breakouts[0].InternalID) != nil {
				t.Errorf("instance %d still has the breakout room", i)
			}
			if m.Room(s.key("other")) == nil {
				t.Errorf("instance %d has forgotten another meeting", i)
			}
		}
		time.Sleep(time.Second)
		s.nodes[0].ResetRequests()
		time.Sleep(time.Minute)
		if !s.quiet(0) {
			t.Errorf("the node is still asked: %v", s.nodes[0].Requests())
		}
		held, err := s.store.Leases(s.ctx)
		if err != nil || held[listLease+id] != "" {
			t.Errorf("its lease is held by %q (%v)", held[listLease+id], err)
		}
		// The meeting may be created again, elsewhere.
		s.created("class")
		s.livesOn(1, "class")
		if _, err := all[1].DeleteBackend(s.ctx, id, nobody); b3scale.CodeOf(err) != b3scale.NotFound {
			t.Errorf("delete again: %v, want %q", err, b3scale.NotFound)
		}
	})
}

func TestDeleteFrontend(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 1}, func(t *testing.T, s *site, all []*member) {
		s.unchecked = true // its rooms run on
		s.created("class")
		time.Sleep(15 * time.Second)
		if _, err := all[0].DeleteFrontend(s.ctx, s.frontend.ID, nobody); err != nil {
			t.Fatal(err)
		}
		if all[0].Frontend(frontendKey) != nil || len(all[0].AllRooms()) > 0 {
			t.Error("the instance that deleted the frontend still has it, or its meeting")
		}
		time.Sleep(1500 * time.Millisecond)
		for i, m := range all {
			if m.Frontend(frontendKey) != nil || m.FrontendByID(s.frontend.ID) != nil || len(m.AllRooms()) > 0 || len(m.Meetings(s.frontend.ID)) > 0 {
				t.Errorf("instance %d still has the frontend, or its meeting", i)
			}
		}
		time.Sleep(time.Minute)
		if n := len(s.endsAt(0)); n > 0 || len(s.nodes[0].Rooms()) != 1 {
			t.Errorf("the room was asked to end %d times, %d rooms are left", n, len(s.nodes[0].Rooms()))
		}
	})
}

// A backend that is added, or changed, is probed and listed soon.
func TestAddAndEditBackend(t *testing.T) {
	t.Parallel()
	p := plan{nodes: 2, opts: Options{ListInterval: time.Hour, ProbeInterval: 10 * time.Second}}
	inFleet(t, p, func(t *testing.T, s *site, all []*member) {
		s.unchecked = true // rooms that nobody knows
		if _, err := s.c.DeleteBackend(s.ctx, s.backends[1], nobody); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		s.nodes[1].ResetRequests()
		s.addRoom(1, "found", "Ada")
		b, err := all[1].AddBackend(s.ctx, b3scale.Backend{
			Host: s.nodes[1].BaseURL() + "///", Secret: b3scale.Secret(s.nodes[1].API().Secret), AdminState: b3scale.AdminInit, LoadFactor: 1,
		}, nobody)
		if err != nil {
			t.Fatal(err)
		}
		if b.Host != s.nodes[1].BaseURL() || all[1].Backend(b.ID) == nil {
			t.Errorf("added as %s, in memory: %v", b.Host, all[1].Backend(b.ID) != nil)
		}
		time.Sleep(5 * time.Second)
		for i, m := range all {
			if m.Room(s.key("found")) == nil || m.Backend(b.ID) == nil || !m.Backend(b.ID).Reachable() {
				t.Errorf("instance %d does not know the backend, or the room that runs there", i)
			}
		}
		if _, err := all[2].AddBackend(s.ctx, b3scale.Backend{Host: b.Host, Secret: "x", AdminState: b3scale.AdminInit}, nobody); b3scale.CodeOf(err) != b3scale.Conflict {
			t.Errorf("added twice: %v, want %q", err, b3scale.Conflict)
		}

		s.nodes[1].ResetRequests()
		if _, err := all[0].EditBackend(s.ctx, b.ID, nobody, toState(b3scale.AdminReady)); err != nil {
			t.Fatal(err)
		}
		if got := all[0].Backend(b.ID).AdminState; got != b3scale.AdminReady {
			t.Errorf("after the edit it is %s", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := len(s.nodes[1].Calls("isMeetingRunning")); n == 0 {
			t.Error("it was not probed at once")
		}
		time.Sleep(1500 * time.Millisecond)
		for i, m := range all {
			if got := m.Backend(b.ID).AdminState; got != b3scale.AdminReady {
				t.Errorf("instance %d: after the edit it is %s", i, got)
			}
		}
		mistake := errors.New("no")
		if _, err := all[0].EditBackend(s.ctx, b.ID, nobody, func(*b3scale.Backend) error { return mistake }); !errors.Is(err, mistake) {
			t.Errorf("a refused edit: %v", err)
		}
	})
}

// The one instance on SQLite lists an edited backend at once.
func TestEditedBackendIsListed(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 1, opts: Options{ListInterval: time.Hour}}, func(t *testing.T, s *site) {
		s.run()
		time.Sleep(time.Second)
		s.nodes[0].ResetRequests()
		s.admin(0, b3scale.AdminStopped)
		time.Sleep(100 * time.Millisecond)
		if probes, lists := len(s.nodes[0].Calls("isMeetingRunning")), len(s.nodes[0].Calls("getMeetings")); probes != 1 || lists != 1 {
			t.Errorf("%d probes and %d lists, want one of each", probes, lists)
		}
	})
}

func TestAddAndEditFrontend(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 1}, func(t *testing.T, s *site, all []*member) {
		f, err := all[0].AddFrontend(s.ctx, b3scale.Frontend{Key: "new", Secret: "secret", Active: true}, nobody)
		if err != nil {
			t.Fatal(err)
		}
		if all[0].Frontend("new") == nil {
			t.Error("the added frontend is not in memory")
		}
		rename := func(f *b3scale.Frontend) error { f.Key = "newer"; return nil }
		if _, err := all[0].EditFrontend(s.ctx, f.ID, nobody, rename); err != nil {
			t.Fatal(err)
		}
		if all[0].Frontend("newer") == nil || all[0].Frontend("new") != nil {
			t.Error("the edited frontend is not in memory, or the old one is")
		}
		time.Sleep(1500 * time.Millisecond)
		for i, m := range all {
			if got := m.Frontend("newer"); got == nil || got.ID != f.ID || m.Frontend("new") != nil || m.Frontend(frontendKey) == nil {
				t.Errorf("instance %d has %+v", i, got)
			}
		}
	})
}

func TestDeclareLost(t *testing.T) {
	t.Parallel()
	inFleet(t, plan{nodes: 2}, func(t *testing.T, s *site, all []*member) {
		s.nodes[0].Down()
		if err := all[0].DeclareLost(s.ctx, s.backends[0], nobody); err != nil {
			t.Fatal(err)
		}
		if !all[0].Backend(s.backends[0]).Lost {
			t.Error("the instance that was told does not know")
		}
		time.Sleep(1500 * time.Millisecond)
		for i, m := range all {
			if !m.Backend(s.backends[0]).Lost {
				t.Errorf("instance %d does not know", i)
			}
		}
		if err := all[1].DeclareLost(s.ctx, b3scale.NewID(), nobody); b3scale.CodeOf(err) != b3scale.NotFound {
			t.Errorf("an unknown backend: %v, want %q", err, b3scale.NotFound)
		}
	})
}

// A create that is under way when its backend is deleted finds another one.
func TestDeleteBackendDuringACreate(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.unchecked = true // the room on the deleted one runs on
		s.trustAll()
		s.prefer(0)
		s.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.LateAnswer, Delay: 3 * time.Second, Calls: []string{"create"}})
		done := make(chan error, 1)
		go func() {
			answer, err := s.create("class")
			if err == nil && !answer.Succeeded() {
				err = errors.New(answer.MessageKey())
			}
			done <- err
		}()
		time.Sleep(time.Second)
		if _, err := s.c.DeleteBackend(s.ctx, s.backends[0], nobody); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatalf("create: %v", err)
		}
		s.livesOn(1, "class")
	})
}

// roomNames are sorted meeting ids.
func roomNames(all []string) string {
	slices.Sort(all)
	return fmt.Sprint(all)
}
