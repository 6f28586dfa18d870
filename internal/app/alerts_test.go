package app_test

import (
	"bytes"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"b3scale/internal/ctl"
)

// rule is one of deploy/prometheus/b3scale.rules.yml.
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func rulesOf(t *testing.T) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(deployed(t, "prometheus/b3scale.rules.yml"), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 20 {
		t.Fatalf("there are %d rules", len(all))
	}
	return all
}

func deployed(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The rules say when they fire, which b3scale.rules.test.yml proves.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"check", "rules", "b3scale.rules.yml"}, {"check", "config", "prometheus.yml"}, {"test", "rules", "b3scale.rules.test.yml"},
	} {
		cmd := exec.CommandContext(t.Context(), debian(t, "promtool"), args...)
		cmd.Dir = "../../deploy/prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	tests := string(deployed(t, "prometheus/b3scale.rules.test.yml"))
	for _, r := range rulesOf(t) {
		if r.Alert != "" && !strings.Contains(tests, `alertname="`+r.Alert+`"`) {
			t.Errorf("no test of rules lets %s fire", r.Alert)
		}
	}
}

// debian finds a program of Debian's package prometheus.
func debian(t *testing.T, name string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; scripts/install-test-needs installs it", err)
	}
	return program
}

// Whoever is woken finds what to do, by commands that there are.
func TestRunbook(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	monitoring, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{} // by title
	for _, s := range strings.Split(string(text), "\n### ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[title] = body
	}
	for _, r := range rulesOf(t) {
		if r.Alert == "" {
			continue
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks a severity, a summary or a description", r.Alert)
		}
		if got, want := r.Annotations["runbook_url"], "https://docs.example.org/b3scale/runbook.md#"+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s leads to %q, want %q", r.Alert, got, want)
		}
		if row := regexp.MustCompile("(?m)^.*`" + r.Alert + "`.*$").Find(monitoring); !bytes.HasPrefix(row, []byte("| `"+r.Labels["severity"]+"`:")) {
			t.Errorf("docs/monitoring.md does not list %s as %s: %q", r.Alert, r.Labels["severity"], row)
		}
		body, found := sections[r.Alert]
		for _, part := range []string{"**" + r.Labels["severity"] + "**", "**Meaning.**", "**Check.**", "**Cure.**"} {
			if !strings.Contains(body, part) {
				t.Errorf("the runbook has not %s of %s (%v)", part, r.Alert, found)
			}
		}
		delete(sections, r.Alert)
	}
	for _, title := range slices.Sorted(maps.Keys(sections)) {
		t.Errorf("the runbook has %s, which is no alert", title)
	}
	commands := regexp.MustCompile(`b3scalectl [a-z][^\n`+"`"+`#|;&]*`).FindAllString(string(text), -1)
	if len(commands) < 10 {
		t.Errorf("the runbook has %d commands", len(commands))
	}
	for _, command := range commands {
		var stderr bytes.Buffer
		args := append(strings.Fields(command)[1:], "--help") // parsed, not done
		if code := ctl.Main(args, ctl.Options{In: strings.NewReader(""), Out: io.Discard, Err: &stderr}); code != 0 {
			t.Errorf("%s: %d %s", command, code, &stderr)
		}
	}
}
