package app

import (
	"errors"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/agent"
	"b3scale/internal/routing"
)

// The backend of a node has its address, more or less.
func TestBackendAt(t *testing.T) {
	t.Parallel()
	const host = "https://bbb1.example.org/bigbluebutton/api/"
	for _, c := range []struct {
		name  string
		hosts []string
		want  string // empty: there is none
		cure  string
	}{
		{"the same", []string{"https://bbb2.example.org/bigbluebutton/api/", host}, host, ""},
		{"other letters", []string{"https://BBB1.example.org/bigbluebutton/api/"}, "https://BBB1.example.org/bigbluebutton/api/", ""},
		{"another path", []string{"https://bbb1.example.org/bbb/api/"}, "https://bbb1.example.org/bbb/api/", ""},
		{"one of several", []string{"https://bbb1.example.org/bbb/api/", host}, host, ""},
		{"the same before other letters", []string{"https://BBB1.example.org/bigbluebutton/api/", host}, host, ""},
		{"other letters before another path", []string{"https://bbb1.example.org/bbb/", "https://BBB1.example.org/bigbluebutton/api/"}, "https://BBB1.example.org/bigbluebutton/api/", ""},
		{"a longer name", []string{"https://bbb1.example.org.uk/bigbluebutton/api/", "https://bbb1.example.org:8443/bigbluebutton/api/"}, "", ""},
		{"a shorter one", []string{"https://bbb1.example"}, "", ""},
		{"none", nil, "", ""},
		{"several", []string{"https://bbb1.example.org/a/", "https://bbb1.example.org/b/"}, "", "exactly the address " + host},
	} {
		var all []*routing.Backend
		for _, h := range c.hosts {
			all = append(all, &routing.Backend{Backend: b3scale.Backend{Host: h}})
		}
		b, err := backendAt(all, host)
		_, none := errors.AsType[agent.NoBackend](err)
		switch {
		case c.want != "" && (err != nil || b.Host != c.want):
			t.Errorf("%s: got %+v, %v, want %s", c.name, b, err, c.want)
		case c.want == "" && (err == nil || none != (c.cure == "") || !strings.Contains(err.Error(), c.cure)):
			t.Errorf("%s: got %+v, %v, want %q", c.name, b, err, c.cure)
		}
	}
}
