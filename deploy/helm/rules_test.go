package helm_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// The alerts are those of deploy/prometheus, for the job that values name.
func TestTheRulesAreOurs(t *testing.T) {
	t.Parallel()
	rule := func(values object) object {
		all := find(rendered(t, withDefaults(t, values)), "PrometheusRule")
		if len(all) != 1 {
			t.Fatalf("%d rules", len(all))
		}
		return all[0]["spec"].(object)
	}
	var ours object
	if err := yaml.Unmarshal(read(t, "../prometheus/b3scale.rules.yml"), &ours); err != nil {
		t.Fatal(err)
	}
	enabled := object{"metrics": object{"prometheusRule": object{"enabled": true}}}
	if got, want := fmt.Sprint(rule(enabled)), fmt.Sprint(ours); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	other := rule(valuesOf(t, "testdata/values/everything.yaml"))
	text := fmt.Sprint(other)
	for _, left := range []string{`job="b3scale"`, "job:b3scale ", "docs.example.org"} {
		if strings.Contains(text, left) {
			t.Errorf("the rules of another job still have %s", left)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("these tests need Debian's package prometheus (scripts/install-test-needs installs it)")
	}
	raw, err := yaml.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// asHelm names a helm; `make helm` sets it.
const asHelm = "HELM_BINARY"

// oldest is the Kubernetes that Chart.yaml asks for; a helm that is only
// compiled takes itself to be of another one.
const oldest = "1.30.0"

// What our own rendering makes is what helm makes: else the other tests judge
// something that nobody gets.
func TestHelmMakesTheSame(t *testing.T) {
	t.Parallel()
	helm := os.Getenv(asHelm)
	if helm == "" {
		t.Skip(asHelm + " names no helm: make helm builds one, which takes minutes")
	}
	for _, values := range valueFiles(t) {
		run := func(args ...string) []byte {
			cmd := exec.CommandContext(t.Context(), helm, append(args, "-f", values)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("helm %v with %s: %v\n%s%s", args, values, err, out, stderr.String())
			}
			return out
		}
		run("lint", "--strict", "--kube-version", oldest, "b3scale")
		theirs := map[string]string{}
		for _, o := range documents(t, "helm", string(run("template", "b3scale", "b3scale", "-n", "conferences", "--kube-version", oldest))) {
			theirs[name(o)] = fmt.Sprint(o)
		}
		ours := rendered(t, withDefaults(t, valuesOf(t, values)))
		if len(ours) != len(theirs) {
			t.Errorf("%s: %d objects, helm makes %d", values, len(ours), len(theirs))
		}
		for _, o := range ours {
			if got, want := fmt.Sprint(o), theirs[name(o)]; got != want {
				t.Errorf("%s: %s is\n%s, of helm\n%s", values, name(o), got, want)
			}
		}
	}
	// And refuses what we say that it refuses.
	for _, set := range []string{"replicas=2", "replica=2", "database.type=postgresql", "settings.B3SCALE_MEETING_SIZES=3"} {
		if out, err := exec.CommandContext(t.Context(), helm, "template", "b3scale", "b3scale", "--kube-version", oldest, "--set", set).CombinedOutput(); err == nil {
			t.Errorf("helm takes %s: %s", set, out)
		}
	}
}
