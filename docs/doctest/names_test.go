package doctest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

var variable = regexp.MustCompile(`\bB3SCALE_[A-Z0-9_]*[A-Z0-9]\b`)

// made up in comments, to explain what is not a setting.
var notSettings = []string{"B3SCALE_SERVICE_HOST", "B3SCALE_PORT_80_TCP_ADDR", "B3SCALE_PORT"}

// Every variable that the code reads is on the page of settings, and every one
// that a page names is read by something.
func TestVariables(t *testing.T) {
	t.Parallel()
	code := map[string]string{} // name → file
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != root && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"bin", "dist", "testdata", "samples"}, entry.Name())) {
			return fs.SkipDir
		}
		isTest := strings.HasSuffix(file, "_test.go")
		if !slices.Contains([]string{".go", ".rb", ".env", ".sh", ""}, filepath.Ext(file)) || entry.IsDir() {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, name := range variable.FindAllString(string(text), -1) {
			if isTest {
				tests[name] = true
			} else {
				code[name] = file
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, p := range pages(t) {
		for _, name := range variable.FindAllString(p.text, -1) {
			if p.name == "docs/configuration.md" {
				documented[name] = true
			}
			setting := strings.TrimSuffix(name, "_FILE")
			if code[name] == "" && code[setting] == "" && !tests[name] && !strings.Contains(p.text, name+"…") {
				t.Errorf("%s names %s, which nothing reads", p.name, name)
			}
		}
	}
	for name, file := range code {
		if !documented[name] && !slices.Contains(notSettings, name) {
			t.Errorf("docs/configuration.md does not name %s of %s", name, file)
		}
	}
	if len(code) < 50 {
		t.Errorf("only %d variables were found", len(code))
	}
}

var (
	method   = regexp.MustCompile(`^(GET|POST|PATCH|PUT|DELETE) (/\S*)`)
	fullPath = regexp.MustCompile(`/api/v1(/[A-Za-z{}"$][^\s'"?)|,;]*)?`)
	holes    = regexp.MustCompile(`\{[^}]*\}|\$\{?[A-Za-z]+\}?|\b[A-Z]{2,}\b|…`)
)

// Every path of the REST API is in its contract, and so is every method.
func TestPaths(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "internal/adminapi/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &contract); err != nil {
		t.Fatal(err)
	}
	known := map[string]map[string]any{}
	for p, operations := range contract.Paths {
		known[holes.ReplaceAllString(p, "*")] = operations
	}
	found := 0
	check := func(p page, line int, verb, path string) {
		found++
		path = strings.TrimRight(path, "/.:*")
		path = holes.ReplaceAllString(path, "*")
		if !strings.HasPrefix(path, "/api/v1") {
			path = "/api/v1" + path
		}
		operations, ok := known[path]
		if !ok && verb == "" { // the beginning of several
			for other := range known {
				ok = ok || strings.HasPrefix(other, path+"/")
			}
		}
		if !ok {
			t.Errorf("%s:%d: the contract has no %s", p.name, line, path)
		} else if verb != "" && operations[strings.ToLower(verb)] == nil {
			t.Errorf("%s:%d: the contract has no %s %s", p.name, line, verb, path)
		}
	}
	for _, p := range pages(t) {
		for _, s := range p.Spans {
			if m := method.FindStringSubmatch(s.Text); m != nil && !outside(m[2]) {
				path, _, _ := strings.Cut(m[2], "?")
				check(p, s.Line, m[1], path)
				continue
			}
			for _, path := range fullPath.FindAllString(s.Text, -1) {
				check(p, s.Line, "", path)
			}
		}
		for _, b := range p.Blocks {
			for _, path := range fullPath.FindAllString(b.Text, -1) {
				check(p, b.Line, "", path)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d paths were found", found)
	}
}

// outside reports whether a path is of another door than the REST API.
func outside(path string) bool {
	for _, door := range []string{"/healthz", "/readyz", "/metrics", "/bbb/", "/nodes/", "/b3s/", "/bigbluebutton", "/docs/", "/debug/"} {
		if strings.HasPrefix(path, door) {
			return true
		}
	}
	return false
}

var target = regexp.MustCompile(`^make ([a-z][a-z-]*)`)

// Every target of make that a page names is there.
func TestTargets(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		spans := p.Spans
		for _, b := range p.Blocks {
			for line := range strings.Lines(b.Text) {
				spans = append(spans, span(line, b.Line))
			}
		}
		for _, s := range spans {
			if m := target.FindStringSubmatch(s.Text); m != nil && !strings.Contains(string(text), "\n"+m[1]+":") {
				t.Errorf("%s:%d: there is no make %s", p.name, s.Line, m[1])
			}
		}
	}
}
