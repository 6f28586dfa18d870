package cluster

import (
	"fmt"
	"testing"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// The outcomes of calls, over real connections that are kept alive: net/http
// repeats some requests by itself.
func TestFailoverOverRealConnections(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		sick func(*bbbtest.Node)
		code b3scale.Code
		home int
	}{
		{"well", func(*bbbtest.Node) {}, "", 0},
		{"down", func(n *bbbtest.Node) { n.Down() }, "", 1},
		{"connection closed", func(n *bbbtest.Node) { n.SetFault(bbbtest.Fault{Kind: bbbtest.HangUp, Calls: []string{"create"}}) }, "", 1},
		{"answer lost", func(n *bbbtest.Node) {
			n.SetFault(bbbtest.Fault{Kind: bbbtest.AnswerLost, Calls: []string{"create"}})
		}, "", 1},
		{"500 once", func(n *bbbtest.Node) {
			n.SetFault(bbbtest.Fault{Kind: bbbtest.ServerErrorAfter, Calls: []string{"create"}, Times: 1})
		}, "", 0},
		{"500", func(n *bbbtest.Node) {
			n.SetFault(bbbtest.Fault{Kind: bbbtest.ServerError, Calls: []string{"create"}})
		}, b3scale.NodeFailed, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, plan{nodes: 2, sockets: true})
			s.trustAll()
			for i := range 4 { // connections to keep alive
				s.createdOn(i%2, fmt.Sprint("before-", i))
			}
			s.prefer(0)
			c.sick(s.nodes[0])
			_, err := s.create("class")
			if codeOf(err) != c.code {
				t.Errorf("create: %v, want code %q", err, c.code)
			}
			if m, _ := s.row("class"); s.nodeOf(m.BackendID) != c.home {
				t.Errorf("it is placed on node %d, want %d", s.nodeOf(m.BackendID), c.home)
			}
			if orphans := s.orphans("class"); (len(orphans) > 0) != (c.home != 0) {
				t.Errorf("orphans on nodes %v", orphans)
			}
		})
	}
}
