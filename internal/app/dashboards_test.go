package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is one of deploy/grafana, as far as tests look at it.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ Type, UID string }
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		RefID, Expr string
		Datasource  struct{ Type, UID string }
	}
	FieldConfig struct{ Defaults struct{ Unit string } }
}

func dashboards(t *testing.T) []dashboard {
	t.Helper()
	names, err := filepath.Glob("../../deploy/grafana/*.json")
	if err != nil || len(names) < 4 {
		t.Fatalf("%d dashboards: %v", len(names), err)
	}
	all := make([]dashboard, len(names))
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &all[i]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := strings.TrimSuffix(filepath.Base(name), ".json"); all[i].UID != want {
			t.Errorf("%s has the uid %q", name, all[i].UID)
		}
	}
	return all
}

// variables stand in queries as Grafana puts them there when all are chosen.
var variables = strings.NewReplacer("$__rate_interval", "1m", "$job", "b3scale", "$frontend", ".+", "$backend", ".+", "$instance", ".+")

// There is no Grafana on the machines that test this. So it is tested that
// they are what Grafana documents.
func TestDashboards(t *testing.T) {
	t.Parallel()
	titles := map[string]string{}
	for _, d := range dashboards(t) {
		if other := titles[d.Title]; d.Title == "" || other != "" {
			t.Errorf("%s has the title %q, which %q has, too", d.UID, d.Title, other)
		}
		titles[d.Title] = d.UID
		if d.SchemaVersion < 36 { // of Grafana 9, the first that knows datasources as these are
			t.Errorf("%s has the schema version %d", d.UID, d.SchemaVersion)
		}
		var known []string
		for _, v := range d.Templating.List {
			known = append(known, v.Name)
			if v.Name == "datasource" && v.Type != "datasource" {
				t.Errorf("%s: the variable of the datasource is a %s", d.UID, v.Type)
			}
		}
		if len(d.Panels) < 6 || len(d.Panels) > 18 {
			t.Errorf("%s has %d panels", d.UID, len(d.Panels))
		}
		for i, p := range d.Panels {
			if p.ID == 0 || slices.ContainsFunc(d.Panels[:i], func(q panel) bool { return q.ID == p.ID }) {
				t.Errorf("%s: %s has the id %d", d.UID, p.Title, p.ID)
			}
			if slices.ContainsFunc(d.Panels[:i], p.covers) || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W*p.GridPos.H == 0 {
				t.Errorf("%s: %s stands at %v", d.UID, p.Title, p.GridPos)
			}
			for _, wrong := range p.wrong(known) {
				t.Errorf("%s: %q: %s", d.UID, p.Title, wrong)
			}
		}
	}
}

func (p panel) covers(q panel) bool {
	a, b := p.GridPos, q.GridPos
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

var variable = regexp.MustCompile(`\$(\w+)`)

func (p panel) wrong(known []string) (wrong []string) {
	is := func(really bool, what string) {
		if really {
			wrong = append(wrong, what)
		}
	}
	is(!slices.Contains([]string{"stat", "timeseries", "bargauge", "table"}, p.Type), "its type is "+p.Type)
	is(p.Title == "" || p.Description == "", "it has no title or no description")
	is(p.FieldConfig.Defaults.Unit == "" && p.Type != "table" && p.Title != "Database", "it has no unit")
	is(p.Datasource.Type != "prometheus" || p.Datasource.UID != "${datasource}", "it does not ask the chosen datasource")
	is(len(p.Targets) == 0, "it asks nothing")
	refs := map[string]bool{}
	for _, q := range p.Targets {
		is(q.Expr == "" || q.RefID == "" || refs[q.RefID], "a query is empty, or has not its own name")
		is(q.Datasource != p.Datasource, "a query asks another datasource")
		is(!strings.Contains(q.Expr, `job="$job"`), "a query asks all clusters: "+q.Expr)
		for _, v := range variable.FindAllStringSubmatch(q.Expr, -1) {
			is(v[1] != "__rate_interval" && !slices.Contains(known, v[1]), "no variable is called "+v[1])
		}
		refs[q.RefID] = true
	}
	return wrong
}

// What is asked puts several instances together as docs/monitoring.md says.
func TestQueriesKnowSeveralInstances(t *testing.T) {
	t.Parallel()
	rules := documentedInstances(t)
	check := func(where, expr string, each bool) {
		for _, at := range series.FindAllStringIndex(expr, -1) {
			name := expr[at[0]:at[1]]
			if strings.Contains(name, ":") {
				continue // recorded, with its instances together
			}
			rule := rules[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")]
			by := aggregation(expr, at[0])
			ok := by == rule || by == "" && each ||
				rule == "max" && by == "min" || // what all tell, and what the least of them tells
				rule == "each"
			if !ok || rule == "" {
				t.Errorf("%s: %s is to be put together with %q, not with %q: %s", where, name, rule, by, expr)
			}
		}
	}
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				check(d.UID+", "+p.Title, q.Expr, false)
			}
		}
	}
	for _, r := range rulesOf(t) {
		check(r.Record+r.Alert, r.Expr, strings.Contains(r.Annotations["summary"], "$labels.instance"))
	}
}

// series is the name of one of ours, recorded ones included.
var series = regexp.MustCompile(`\b[a-z_]*:?b3scale_[a-z_:0-9]+`)

// documentedInstances are the entries of the column HA, by metric.
func documentedInstances(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 5 && strings.HasPrefix(cells[1], " `b3scale_") {
			rules[strings.Trim(cells[1], " `")] = strings.TrimSpace(cells[4])
		}
	}
	return rules
}

var aggregating = regexp.MustCompile(`\b(sum|max|min|count|avg)\s*(?:by\s*\([^)]*\)\s*)?$`)

// aggregation is what the series at that place are put together with first; ""
// when they are not.
func aggregation(expr string, at int) string {
	open := 0
	for i := at - 1; i >= 0; i-- {
		switch expr[i] {
		case ')':
			open++
		case '(':
			if open--; open < 0 {
				open = 0
				if m := aggregating.FindStringSubmatch(expr[:i]); m != nil {
					return m[1]
				}
			}
		}
	}
	return ""
}
