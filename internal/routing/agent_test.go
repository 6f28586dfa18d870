package routing

import (
	"strings"
	"testing"
	"time"

	"b3scale"
)

// Nobody says when an agent without a token is removed, so it does not count
// for ever.
func TestAgentTrouble(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name   string
		ref    string
		silent time.Duration // 0: never heard
		deaf   bool
		has    bool
		want   string // in its trouble; empty: there is none
	}{
		{"heard", "bbb1", time.Second, false, true, ""},
		{"silent", "bbb1", 6 * time.Second, false, true, "silent for 6 s"},
		{"deaf", "bbb1", time.Second, true, true, "hears nothing"},
		{"silent for an hour", "bbb1", time.Hour, false, true, "silent for 3600 s"},
		{"never heard", "bbb1", 0, false, false, ""},
		{"without a token, heard", "", time.Second, false, true, ""},
		{"without a token, silent", "", 6 * time.Second, false, true, "silent for 6 s"},
		{"without a token, deaf", "", time.Second, true, true, "hears nothing"},
		{"without a token, removed", "", 11 * time.Minute, false, false, ""},
		{"without a token, never heard", "", 0, false, false, ""},
	} {
		b := Backend{Backend: b3scale.Backend{AgentRef: c.ref}, Observed: &Observed{}}
		if c.silent > 0 {
			b.HeardAgent(now.Add(-c.silent), c.deaf)
		}
		if got := b.AgentTrouble(now); b.HasAgent(now) != c.has || (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: it has an agent: %v, trouble %q, want %v, %q", c.name, b.HasAgent(now), got, c.has, c.want)
		}
	}
}
