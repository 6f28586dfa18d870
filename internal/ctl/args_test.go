package ctl

import (
	"slices"
	"strings"
	"testing"
)

func TestArrange(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"show backends", "show backends"},
		{"show --json backends", "show backends --json"},
		{"--json show backends", "show backends --json"},
		{"set --dry backend --secret X URL", "set backend --dry --secret X URL"},
		{"--dry --secret X set backend URL", "set backend --dry --secret X URL"},
		{"--secret set set backend URL", "set backend --secret set URL"},
		{"set backend URL --secret backend", "set backend URL --secret backend"},
		{"a backend URL -s X -j {}", "a backend URL -s X -j {}"},
		{"-s X -j {} a backend URL", "a backend -s X -j {} URL"},
		{"-sX a backend URL", "a backend -sX URL"},
		{"--secret=X set backend URL", "set backend --secret=X URL"},
		{"set -dry backend -secret X -opts={} URL", "set backend --dry --secret X --opts={} URL"},
		{"delete -f backend URL", "delete backend -f URL"},
		{"rm -fy backend URL", "rm backend -fy URL"},
		{"-fyo table rm backend URL", "rm backend -fyo table URL"},
		{"-b http://x show frontend show", "show frontend -b http://x show"},
		{"-api http://x s frontends", "s frontends --api http://x"},
		{"set frontend backend --secret X", "set frontend backend --secret X"},
		{"show recordings -fe KEY", "show recordings --frontend KEY"},
		{"-feid=ID show recordings", "show recordings --frontend-id=ID"},
		{"show recordings --fe KEY", "show recordings --frontend KEY"},
		{"show --json recordings --feid=ID", "show recordings --json --frontend-id=ID"},
		{"--b http://x set --j {} backend --s X URL", "set backend -b http://x -j {} -s X URL"},
		{"set --dry backend --s set --j={} URL", "set backend --dry -s set -j={} URL"},
		{"delete --f backend URL", "delete backend -f URL"},
		{"show --h backends", "show backends -h"},
		{"--q show backends", "show backends --q"},
		{"cm --param --s backend", "cm --param --s backend"},
		{"show meetings --backend show", "show meetings --backend show"},
		{"drain backend --wait URL --timeout 2h", "drain backend --wait URL --timeout 2h"},
		{"-w drain backend URL", "drain backend -w URL"},
		{"cm --param a=b --param --frontend", "cm --param a=b --param --frontend"},
		{"set frontend -- --odd", "set frontend -- --odd"},
		{"--unknown show backends", "show backends --unknown"},
		{"show", "show"},
		{"show -", "show -"},
		{"help set backend", "help set backend"},
		{"--secret", "--secret"},
		{"", ""},
	} {
		got := arrange(Command(), strings.Fields(c[0]))
		if !slices.Equal(got, strings.Fields(c[1])) {
			t.Errorf("%s\ngot  %s\nwant %s", c[0], strings.Join(got, " "), c[1])
		}
	}
}

// The word that is being typed stays where it is.
func TestArrangeCompletion(t *testing.T) {
	t.Parallel()
	for _, c := range [][2][]string{
		{{"__complete", "set", "--dry", "backend", "show"}, {"__complete", "set", "backend", "--dry", "show"}},
		{{"__completeNoDesc", "--json", "show", ""}, {"__completeNoDesc", "show", "--json", ""}},
		{{"__complete", "show", "meetings", "--backend", ""}, {"__complete", "show", "meetings", "--backend", ""}},
		{{"__complete", "show"}, {"__complete", "show"}},
		{{"__complete"}, {"__complete"}},
	} {
		if got := arrange(Command(), c[0]); !slices.Equal(got, c[1]) {
			t.Errorf("%q: got %q, want %q", c[0], got, c[1])
		}
	}
}

// Flags may stand anywhere only as long as one name is one kind of flag.
func TestFlagsAreOfOneKind(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{}
	for _, cmd := range all(Command()) {
		cmd.Flags().VisitAll(flagKinds(t, kinds))
		cmd.PersistentFlags().VisitAll(flagKinds(t, kinds))
	}
	if len(kinds) < 20 {
		t.Errorf("only these flags: %v", kinds)
	}
}
