package cluster

import (
	"testing"

	"b3scale"
)

func TestCounts(t *testing.T) {
	t.Parallel()
	inBubble(t, plan{nodes: 2}, func(t *testing.T, s *site) {
		s.unchecked = true // the nodes know of nobody
		s.createdOn(0, "one")
		s.createdOn(1, "two")
		yes := true
		moderator := "MODERATOR"
		for n, class := range []string{"one", "two"} {
			a := s.teller(n)
			ada := arrival(a.room(class), "Ada")
			ada.Person.Role, ada.Person.Voice, ada.Person.Video = &moderator, &yes, &yes
			bob := arrival(a.room(class), "Bob")
			bob.Person.ListeningOnly = &yes
			a.tell(ada)
			a.tell(bob)
			a.tell(arrival(a.room(class), "Cyd"))
		}
		frontends, backends := s.c.Counts()
		each := Count{1, b3scale.Headcount{People: 3, Listeners: 1, Voices: 1, Videos: 1, Moderators: 1}}
		if backends[s.backends[0]] != each || backends[s.backends[1]] != each {
			t.Errorf("backends have %+v, want %+v each", backends, each)
		}
		both := Count{2, b3scale.Headcount{People: 6, Listeners: 2, Voices: 2, Videos: 2, Moderators: 2}}
		if frontends[s.frontend.ID] != both {
			t.Errorf("the frontend has %+v, want %+v", frontends[s.frontend.ID], both)
		}
	})
}
