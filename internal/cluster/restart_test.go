package cluster

import (
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// shown is the XML of all meetings as the frontend sees it.
func (s *site) shown() string {
	var b strings.Builder
	for _, v := range s.c.Meetings(s.frontend.ID) {
		for _, part := range v.Parts {
			b.Write(part)
		}
	}
	return b.String()
}

// What is known of a meeting survives a restart, whoever brought it.
func TestKnowledgeSurvivesARestart(t *testing.T) {
	t.Parallel()
	enter := func(s *site) { s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: "Ada"}) }
	cases := []struct {
		name   string
		bring  func(*site)
		people int
	}{
		{"create", func(s *site) { s.created("class") }, 0},
		{"list", func(s *site) { s.created("class"); enter(s); s.list(0) }, 1},
		{"look", func(s *site) { s.created("class"); enter(s); s.c.look(s.ctx, s.key("class")) }, 1},
		{"look, then list", func(s *site) { s.created("class"); enter(s); s.c.look(s.ctx, s.key("class")); s.list(0) }, 1},
		{"list, then look at another room", func(s *site) {
			s.created("class")
			s.list(0)
			s.nodes[0].ForgetRooms()
			time.Sleep(time.Second)
			s.addRoom(0, "class", "Ada")
			s.c.look(s.ctx, s.key("class"))
		}, 1},
		{"another room in a list", func(s *site) {
			s.created("class")
			s.nodes[0].ForgetRooms()
			time.Sleep(time.Second)
			s.addRoom(0, "class", "Ada")
			s.list(0)
		}, 1},
		{"adoption", func(s *site) { s.addRoom(0, "class", "Ada", "Bob"); s.list(0) }, 2},
		{"adoption by a create", func(s *site) { s.addRoom(0, "class", "Ada", "Bob"); s.created("class") }, 2},
		{"return", func(s *site) {
			s.placed(0, "class", "Ada")
			s.endRow("class")
			s.list(0)
			s.list(0)
			s.list(0)
		}, 1},
		{"somebody left", func(s *site) {
			s.created("class")
			s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: "Bob", UserID: "bob"})
			enter(s)
			s.list(0)
			s.nodes[0].Leave(nodeID("class"), "bob")
			s.list(0)
		}, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 1, unlisted: true, node: func(_ int, o *bbbtest.Options) {
				o.ExtraElements = `<future kind="new"><a>ü &amp; b</a></future>`
			}}, func(t *testing.T, s *site) {
				c.bring(s)
				before := s.shown()
				s.restart()
				r := s.c.Room(s.key("class"))
				if r == nil {
					t.Fatal("the meeting is not known after the restart")
				}
				if r.People != c.people || len(r.Attendees) != c.people || r.Running != (c.people > 0) {
					t.Errorf("running is %v with %d people, %d attendees; want %d", r.Running, r.People, len(r.Attendees), c.people)
				}
				if after := s.shown(); after != before {
					t.Errorf("before the restart the frontend saw\n%s\nand after it\n%s", before, after)
				}
			})
		})
	}
}

// What we do not understand reaches the frontend as the node wrote it: from
// the create on, from lists, looks, and after a restart.
func TestUnknownElementsSurvive(t *testing.T) {
	t.Parallel()
	const future = "<future kind=\"new\"  x='1'><![CDATA[<a>]]><b/>ü &amp; &#x263A;</future>"
	inBubble(t, plan{nodes: 1, node: func(_ int, o *bbbtest.Options) { o.ExtraElements = future }}, func(t *testing.T, s *site) {
		s.created("class", "meta_course", "Physics <101>")
		for _, stage := range []struct {
			name string
			do   func()
		}{
			{"create", func() {}},
			{"list", func() { s.list(0) }},
			{"look", func() {
				s.nodes[0].Join(nodeID("class"), bbbtest.Attendee{FullName: "Ada"})
				s.c.look(s.ctx, s.key("class"))
			}},
			{"restart", s.restart},
			{"list after the restart", func() { s.list(0) }},
		} {
			stage.do()
			got := s.shown()
			for _, want := range []string{
				future, "<meetingID>class</meetingID>", "<course>Physics &lt;101&gt;</course>", "<meetingName>Meeting class</meetingName>",
			} {
				if strings.Count(got, want) != 1 {
					t.Errorf("after %s the frontend sees %q %d times in\n%s", stage.name, want, strings.Count(got, want), got)
				}
			}
			if strings.Contains(got, "returncode") || strings.Contains(got, nodeID("class")) {
				t.Errorf("after %s the frontend sees\n%s", stage.name, got)
			}
		}
	})
}

// Meetings look the same before their first list and after it: frontends read
// both.
func TestCreatedMeetingsLookLikeListedOnes(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2.4", "2.7", "3.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 1, node: func(_ int, o *bbbtest.Options) { o.Version = version }}, func(t *testing.T, s *site) {
				s.created("class", "record", "true", "duration", "90", "maxParticipants", "30", "meta_Course-2", "a b", "meta_endCallbackUrl", "https://moodle.example.org/?a=1&b=2")
				created := s.shown()
				s.list(0)
				if listed := s.shown(); created != listed {
					t.Errorf("after the create the frontend sees\n%s\nafter the list\n%s", created, listed)
				}
			})
		})
	}
}

// A fresh instance serves joins at once, and knows its loads.
func TestRestart(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.createdOn(1, "class")
		s.createdOn(0, "gone")
		s.endRow("gone")
		s.claim(0, "half")
		s.restart()
		if got := s.joined("class"); got != 1 {
			t.Errorf("join led to node %d, want 1", got)
		}
		if _, err := s.join("gone"); codeOf(err) != b3scale.NotFound {
			t.Errorf("join of an ended meeting: %v, want %q", err, b3scale.NotFound)
		}
		for i, want := range []float64{15, 15} {
			if got := s.backend(i).Score(); got != want {
				t.Errorf("load of node %d is %v, want %v", i, got, want)
			}
		}
		s.created("half")
	})
}

// Right after the start a stored probe speaks for a backend, if it is fresh.
func TestStoredProbesCountUntilTheFirstOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ago  time.Duration
		code b3scale.Code
	}{{30 * time.Second, ""}, {90 * time.Second, b3scale.NoBackend}} {
		t.Run(c.ago.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, plan{nodes: 1, opts: Options{RequestTimeout: time.Second}}, func(t *testing.T, s *site) {
				if err := s.store.SaveProbes(s.ctx, "before", s.backends); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.ago)
				s.c = s.newCluster()
				if _, err := s.create("class"); codeOf(err) != c.code {
					t.Errorf("create: %v, want code %q", err, c.code)
				}
			})
		})
	}
}
