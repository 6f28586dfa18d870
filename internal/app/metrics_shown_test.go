package app_test

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shown is one scrape.
type shown struct {
	text   string
	series map[string]float64
}

func (d *instance) metrics() shown {
	d.Helper()
	status, body := get(d, d.MetricsURL()+"/metrics")
	if status != http.StatusOK {
		d.Fatalf("metrics: %d %s", status, body)
	}
	s := shown{body, map[string]float64{}}
	for line := range strings.Lines(body) {
		if line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64)
		if err != nil {
			d.Fatalf("odd line %q", line)
		}
		s.series[line[:at]] = value
	}
	return s
}

// sum adds up the series of a family whose labels hold all of these texts.
func (s shown) sum(family string, labels ...string) (sum float64) {
	for name, value := range s.series {
		rest, found := strings.CutPrefix(name, family)
		if !found || rest != "" && rest[0] != '{' {
			continue
		}
		if !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			sum += value
		}
	}
	return sum
}

// checkFamilies compares what is shown with docs/monitoring.md, and lets
// promtool judge it.
func checkFamilies(t *testing.T, s shown) {
	t.Helper()
	documented := map[string]string{} // name → type and labels
	text, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 4 && strings.HasPrefix(cells[1], " `b3scale_") {
			name := strings.Trim(cells[1], " `")
			if documented[name] != "" {
				t.Errorf("docs/monitoring.md has %s twice", name)
			}
			documented[name] = strings.TrimSpace(cells[2]) + " " + strings.ReplaceAll(strings.TrimSpace(cells[3]), "`", "")
		}
	}
	for name, is := range families(t, s) {
		if is.help == "" {
			t.Errorf("%s has no help", name)
		}
		want := is.kind + " " + strings.Join(is.labels, ", ")
		if got := documented[name]; strings.HasPrefix(name, "b3scale_") && strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("docs/monitoring.md says of %s %q, want %q", name, got, want)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/monitoring.md has %s, which is not shown", name)
	}
	promtool(t, s.text)
}

// promtool is in Debian's package prometheus.
func promtool(t *testing.T, text string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v; scripts/install-test-needs installs it", err)
	}
	cmd := exec.CommandContext(t.Context(), program, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

type family struct {
	kind, help string
	labels     []string // in order
}

func families(t *testing.T, s shown) map[string]*family {
	t.Helper()
	all := map[string]*family{}
	at := func(name string) *family {
		if all[name] == nil {
			all[name] = &family{}
		}
		return all[name]
	}
	for line := range strings.Lines(s.text) {
		switch fields := strings.SplitN(strings.TrimSpace(line), " ", 4); {
		case fields[0] == "#" && len(fields) == 4 && fields[1] == "HELP":
			at(fields[2]).help = fields[3]
		case fields[0] == "#" && fields[1] == "TYPE":
			at(fields[2]).kind = fields[3]
		}
	}
	for name := range s.series {
		name, rest, _ := strings.Cut(name, "{")
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if of := strings.TrimSuffix(name, suffix); all[base] == nil && all[of] != nil {
				base = of
			}
		}
		labels := map[string]bool{}
		for pair := range strings.SplitSeq(rest, `",`) {
			if label, _, found := strings.Cut(pair, "="); found && label != "le" {
				labels[label] = true
			}
		}
		if all[base] == nil {
			t.Fatalf("%s has neither help nor type", name)
		}
		all[base].labels = slices.Sorted(maps.Keys(labels))
	}
	return all
}
