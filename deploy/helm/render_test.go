package helm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v4"
)

// object is a value of YAML.
type object = map[string]any

// release is what templates may ask of the one they are rendered for.
type release struct{ Name, Namespace, Service, Revision string }

// render makes what helm would make of the chart, by the functions of helm that
// the chart uses: to compile helm takes longer than all of our checks. `make
// helm` proves that helm itself makes the same. The error is that of fail.
func render(t *testing.T, values object) ([]object, error) {
	t.Helper()
	texts, err := renderText(t, values)
	if err != nil {
		return nil, err
	}
	var objects []object
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		objects = append(objects, documents(t, name, texts[name])...)
	}
	return objects, nil
}

// renderText gives the text of each template.
func renderText(t *testing.T, values object) (map[string]string, error) {
	t.Helper()
	var chart struct {
		Name, Version string
		AppVersion    string `yaml:"appVersion"`
	}
	if err := yaml.Unmarshal(read(t, "b3scale/Chart.yaml"), &chart); err != nil {
		t.Fatal(err)
	}
	set := template.New("chart").Option("missingkey=zero")
	set.Funcs(functions(set))
	names, err := filepath.Glob("b3scale/templates/*")
	if err != nil || len(names) == 0 {
		t.Fatal("no templates: ", err)
	}
	for _, name := range names {
		if _, err := set.New(filepath.Base(name)).Parse(string(read(t, name))); err != nil {
			t.Fatal(err)
		}
	}
	dot := map[string]any{
		"Chart": chart, "Values": values, "Files": files{t},
		"Release": release{Name: "b3scale", Namespace: "conferences", Service: "Helm", Revision: "1"},
	}
	texts := make(map[string]string)
	for _, name := range names {
		if name = filepath.Base(name); strings.HasPrefix(name, "_") {
			continue
		}
		var text bytes.Buffer
		if err := set.ExecuteTemplate(&text, name, dot); err != nil {
			return nil, err
		}
		texts[name] = text.String()
	}
	return texts, nil
}

type files struct{ t *testing.T }

func (f files) Get(name string) string { return string(read(f.t, "b3scale/"+name)) }

// functions are those of helm, with its order of arguments.
func functions(set *template.Template) template.FuncMap {
	truth := func(v any) bool { b, _ := template.IsTrue(v); return b }
	indent := func(n int, text string) string {
		return strings.Repeat(" ", n) + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", n))
	}
	return template.FuncMap{
		"add":      func(a, b any) int { return whole(a) + whole(b) },
		"contains": func(part, text string) bool { return strings.Contains(text, part) },
		"default": func(other, v any) any {
			if truth(v) {
				return v
			}
			return other
		},
		"empty": func(v any) bool { return !truth(v) },
		"fail":  func(why string) (string, error) { return "", errors.New(why) },
		"fromYaml": func(text string) (object, error) {
			v := object{}
			return v, yaml.Unmarshal([]byte(text), &v)
		},
		"has": func(v any, list []any) bool { return slices.Contains(list, v) },
		"include": func(name string, dot any) (string, error) {
			var text bytes.Buffer
			err := set.ExecuteTemplate(&text, name, dot)
			return text.String(), err
		},
		"int":      whole,
		"list":     func(v ...any) []any { return v },
		"nindent":  func(n int, text string) string { return "\n" + indent(n, text) },
		"prepend":  func(list []any, v any) []any { return append([]any{v}, list...) },
		"quote":    func(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) },
		"replace":  func(from, to, text string) string { return strings.ReplaceAll(text, from, to) },
		"toString": func(v any) string { return fmt.Sprint(v) },
		"toYaml": func(v any) (string, error) {
			text, err := yaml.Marshal(v)
			return strings.TrimSuffix(string(text), "\n"), err
		},
		"trim":       strings.TrimSpace,
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"trunc":      func(n int, text string) string { return text[:min(n, len(text))] },
	}
}

func whole(v any) int {
	n, ok := v.(int)
	if !ok {
		panic(fmt.Sprintf("%v is no whole number", v))
	}
	return n
}

// withDefaults lays values over those of the chart, as helm does: null takes
// a default away.
func withDefaults(t *testing.T, values object) object {
	t.Helper()
	defaults := object{}
	if err := yaml.Unmarshal(read(t, "b3scale/values.yaml"), &defaults); err != nil {
		t.Fatal(err)
	}
	return lay(defaults, values)
}

func lay(under, over object) object {
	for name, value := range over {
		below, isObject := under[name].(object)
		above, both := value.(object)
		switch {
		case value == nil:
			delete(under, name)
		case isObject && both:
			under[name] = lay(below, above)
		default:
			under[name] = value
		}
	}
	return under
}

// documents reads the objects of a text; empty ones do not count.
func documents(t *testing.T, name, text string) []object {
	t.Helper()
	if name == "NOTES.txt" {
		return nil
	}
	var found []object
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var one object
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if len(one) > 0 {
			found = append(found, one)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
