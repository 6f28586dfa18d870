package routing_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/routing"
)

// Which backends are chosen for a wish, among all kinds of them.
func TestSelectByWish(t *testing.T) {
	t.Parallel()
	type tags = b3scale.Tags
	type wish = b3scale.TagWish
	backends := map[string]tags{
		"plain": nil, "a": {"a"}, "b": {"b"}, "eu": {"eu"}, "eu-a": {"eu", "a"}, "eu-ab": {"b", "eu", "a"},
	}
	for _, c := range []struct {
		name     string
		required tags
		wish     wish
		out      []string // that cannot take meetings
		silent   []string // whose agents are silent
		want     []string // that are chosen, one or the other
		because  string   // in the log, when there are none
	}{
		{name: "nothing", want: []string{"a", "b", "eu", "eu-a", "eu-ab", "plain"}},
		{name: "preferred", wish: wish{AnyOf: tags{"a"}}, want: []string{"a", "eu-a", "eu-ab"}},
		{name: "one of two", wish: wish{AnyOf: tags{"b", "eu"}}, want: []string{"b", "eu", "eu-a", "eu-ab"}},
		{name: "preferred, not there", wish: wish{AnyOf: tags{"z"}}, want: []string{"a", "b", "eu", "eu-a", "eu-ab", "plain"}},
		{name: "preferred, not ready", wish: wish{AnyOf: tags{"b"}}, out: []string{"b", "eu-ab"}, want: []string{"a", "eu", "eu-a", "plain"}},
		{name: "insisted", wish: wish{AnyOf: tags{"a"}, Required: true}, want: []string{"a", "eu-a", "eu-ab"}},
		{name: "insisted, not there", wish: wish{AnyOf: tags{"z", "y"}, Required: true}, because: `6 have none of the wanted tags ("z, y")`},
		{name: "insisted, not ready", wish: wish{AnyOf: tags{"b"}, Required: true}, out: []string{"b", "eu-ab"},
			because: `2 are not ready, 0 lost, 0 failed in this request, 0 lack tags, 4 have none of the wanted tags ("b")`},
		{name: "untagged", wish: wish{Untagged: true}, want: []string{"plain"}},
		{name: "untagged, not ready", wish: wish{Untagged: true}, out: []string{"plain"}, want: []string{"a", "b", "eu", "eu-a", "eu-ab"}},
		{name: "insisted on untagged", wish: wish{Untagged: true, Required: true}, out: []string{"plain"},
			because: `5 have none of the wanted tags (no tag at all)`},
		{name: "either", wish: wish{AnyOf: tags{"b"}, Untagged: true, Required: true}, want: []string{"b", "eu-ab", "plain"}},

		{name: "required", required: tags{"eu"}, want: []string{"eu", "eu-a", "eu-ab"}},
		{name: "required and preferred", required: tags{"eu"}, wish: wish{AnyOf: tags{"b"}}, want: []string{"eu-ab"}},
		{name: "required and preferred, elsewhere", required: tags{"eu"}, wish: wish{AnyOf: tags{"z"}}, want: []string{"eu", "eu-a", "eu-ab"}},
		{name: "never weaker than required", required: tags{"eu"}, wish: wish{AnyOf: tags{"b"}, Required: true}, out: []string{"eu-ab"},
			because: `3 lack tags ("eu"), 2 have none of the wanted tags ("b")`},
		{name: "untagged but for required", required: tags{"eu"}, wish: wish{Untagged: true, Required: true}, want: []string{"eu"}},
		{name: "untagged but for both required", required: tags{"eu", "a"}, wish: wish{Untagged: true}, want: []string{"eu-a"}},

		{name: "all refused", wish: wish{Refused: tags{"b"}}, want: []string{"a", "b", "eu", "eu-a", "eu-ab", "plain"}},
		{name: "all refused, insisted", wish: wish{Refused: tags{"b"}, Required: true}, because: `6 have none of the wanted tags (not allowed: "b")`},
		{name: "some refused, insisted", wish: wish{AnyOf: tags{"z"}, Refused: tags{"b"}, Required: true}, because: `6 have none of the wanted tags ("z", not allowed: "b")`},
		{name: "long", wish: wish{AnyOf: tags{strings.Repeat("\n", 300)}, Required: true}, because: strings.Repeat(`\n`, 200) + `…"), 0 full`},

		{name: "silent before without", wish: wish{AnyOf: tags{"b"}}, silent: []string{"b", "eu-ab"}, want: []string{"a", "eu", "eu-a", "plain"}},
		{name: "silent with before silent without", wish: wish{AnyOf: tags{"b"}}, silent: slices.Collect(maps.Keys(backends)), want: []string{"b", "eu-ab"}},
		{name: "insisted, silent", wish: wish{AnyOf: tags{"b"}, Required: true}, silent: []string{"b", "eu-ab"}, want: []string{"b", "eu-ab"}},
		{name: "insisted, one silent", wish: wish{AnyOf: tags{"b"}, Required: true}, silent: []string{"b"}, want: []string{"eu-ab"}},
	} {
		var all []b3scale.Backend
		for id, tags := range backends {
			state := b3scale.AdminReady
			if slices.Contains(c.out, id) {
				state = b3scale.AdminStopped
			}
			all = append(all, b3scale.Backend{ID: id, AdminState: state, LoadFactor: 1, AgentRef: "agent", Settings: b3scale.BackendSettings{Tags: tags}})
		}
		table := routing.NewTable(usual)
		table.SetConfig(b3scale.FrontendSettings{}, nil, all, start)
		for _, b := range table.Backends() {
			b.Probed(true, start)
			b.HeardAgent(start, slices.Contains(c.silent, b.ID))
		}
		// Load decides only among those that fit as well.
		for i, id := range c.want {
			table.Apply(row(id, on(id), sized(40+i%2)), start)
		}
		taken := map[string]bool{}
		for range 40 * len(all) {
			choice, err := table.Select(routing.Wanted{Tags: c.required, Wish: c.wish, Size: 30}, start)
			switch {
			case c.because == "" && err != nil:
				t.Errorf("%s: %v", c.name, err)
			case c.because != "" && (b3scale.CodeOf(err) != b3scale.NoBackend || !strings.Contains(err.Error(), c.because)):
				t.Errorf("%s: got %v, want in it %s", c.name, err, c.because)
			case err == nil:
				taken[choice.ID] = true // and kept: the next goes to another
			}
			if err != nil {
				break
			}
		}
		if got := slices.Sorted(maps.Keys(taken)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q were taken, want %q", c.name, got, c.want)
		}
	}
}
