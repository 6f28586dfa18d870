// Package helm_test judges the chart: what it makes of values is what
// Kubernetes takes, and what b3scaled takes.
package helm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// eachValues runs a test for every file of values.
func eachValues(t *testing.T, run func(t *testing.T, values object)) {
	t.Helper()
	for _, name := range valueFiles(t) {
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			t.Parallel()
			run(t, withDefaults(t, valuesOf(t, name)))
		})
	}
}

// valueFiles are ours, and the sample for operators.
func valueFiles(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(names) < 4 {
		t.Fatalf("values: %v, %v", names, err)
	}
	return append(names, "../samples/kubernetes/values.yaml")
}

func valuesOf(t *testing.T, name string) object {
	t.Helper()
	values := object{}
	if err := yaml.Unmarshal(read(t, name), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func rendered(t *testing.T, values object) []object {
	t.Helper()
	objects, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestKubernetesTakesWhatTheChartMakes(t *testing.T) {
	t.Parallel()
	kubernetes := compile(t, "testdata/kubernetes.schema.json")
	values := compile(t, "b3scale/values.schema.json")
	eachValues(t, func(t *testing.T, v object) {
		if err := valid(t, values, v); err != nil {
			t.Errorf("values: %v", err)
		}
		names := map[string]bool{}
		for _, o := range rendered(t, v) {
			if err := valid(t, kubernetes, o); err != nil {
				t.Errorf("%s: %v", name(o), err)
			}
			if names[name(o)] {
				t.Errorf("two objects are called %s", name(o))
			}
			names[name(o)] = true
			if got := at(o, "metadata", "namespace"); got != "conferences" {
				t.Errorf("%s: namespace %v", name(o), got)
			}
			if text := fmt.Sprint(o); strings.Contains(text, "<no value>") || strings.Contains(text, "<nil>") {
				t.Errorf("%s has something that is not set: %s", name(o), text)
			}
		}
	})
}

// The samples for those without the chart are objects, too.
func TestKubernetesTakesTheSamples(t *testing.T) {
	t.Parallel()
	kubernetes := compile(t, "testdata/kubernetes.schema.json")
	sample := string(read(t, "../samples/env/kubernetes.yaml"))
	for _, text := range []string{sample, strings.ReplaceAll(sample, "\n  #", "\n  ")} {
		text = strings.ReplaceAll(text, "\n   ", "\n  # ") // what was a sentence stays one
		objects := documents(t, "sample", text)
		if len(objects) != 2 {
			t.Fatalf("%d objects", len(objects))
		}
		for _, o := range objects {
			if err := valid(t, kubernetes, o); err != nil {
				t.Errorf("%s: %v", name(o), err)
			}
		}
	}
}

// A schema that takes everything would prove nothing.
func TestTheSchemaRefuses(t *testing.T) {
	t.Parallel()
	kubernetes := compile(t, "testdata/kubernetes.schema.json")
	good := func() object { return rendered(t, withDefaults(t, nil))[0] }
	deployment := good()
	if name(deployment) == "" || valid(t, kubernetes, deployment) != nil {
		t.Fatalf("%s is not good", name(deployment))
	}
	for what, spoil := range map[string]func(object){
		"a kind that nobody knows": func(o object) { o["kind"] = "Deploy" },
		"an old version":           func(o object) { o["apiVersion"] = "v1beta1" },
		"another name of a field":  func(o object) { o["metadata"].(object)["lables"] = object{} },
		"a text for a number": func(o object) {
			o["metadata"].(object)["generation"] = "two"
		},
		"nothing at all": func(o object) { clear(o) },
	} {
		o := good()
		spoil(o)
		if valid(t, kubernetes, o) == nil {
			t.Errorf("it takes %s", what)
		}
	}
}

func TestTheChartRefuses(t *testing.T) {
	t.Parallel()
	schema := compile(t, "b3scale/values.schema.json")
	for _, c := range []struct {
		values string
		want   string // of fail; empty: the schema
	}{
		{"replicas: 2", "SQLite is for one"},
		{"replicas: 2\nsecret: {existingSecret: x}", "SQLite is for one"},
		{"database: {type: postgresql}", "secret.databaseURL"},
		{"secret: {databaseURL: postgres://x}", "something is set for PostgreSQL"},
		{"database: {postgresql: {listen: true}}", "something is set for PostgreSQL"},
		{"database: {type: postgresql, postgresql: {listen: true}}\nsecret: {databaseURL: x}", "secret.databaseListenURL"},
		{"secret: {existingSecret: x, jwtSecret: y}", "not both"},
		{"secret: {jwtSecret: x, jwtSecondarySecret: y}", "secret.keys.jwtSecondarySecret"},
		{"drain: {sleepSeconds: 30}", "cut off"},
		{"replicas: 2\ndatabase: {type: postgresql}\nsecret: {databaseURL: x}\nrecordings: {enabled: true, accessModes: [ReadWriteOnce]}", "ReadWriteMany"},
		{"replica: 2", ""},
		{"replicas: 0", ""},
		{"replicas: two", ""},
		{"database: {type: mysql}", ""},
		{"settings: {B3SCALE_MEETING_SIZES: '3'}", ""},
		{"settings: {B3SCALE_MEETING_SIZE: 3}", ""}, // helm would write 1000000 as 1e+06
		{"settings: {B3SCALE_API_JWT_SECRET: x}", ""},
		{"settings: {B3SCALE_DB_URL: x}", ""},
		{"settings: {B3SCALE_LISTEN_HTTP: ':80'}", ""},
		{"image: {tag: 1.2}", ""},
	} {
		given := object{}
		if err := yaml.Unmarshal([]byte(c.values), &given); err != nil {
			t.Fatal(err)
		}
		values := withDefaults(t, given)
		if err := valid(t, schema, values); (err == nil) == (c.want == "") {
			t.Errorf("%s: the schema says %v", c.values, err)
		}
		if c.want == "" {
			continue
		}
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.values, err, c.want)
		}
	}
}

// Who upgrades must find the same secrets: nothing in the chart is made up.
func TestRenderingTwiceIsTheSame(t *testing.T) {
	t.Parallel()
	eachValues(t, func(t *testing.T, v object) {
		first, err := renderText(t, v)
		if err != nil {
			t.Fatal(err)
		}
		second, err := renderText(t, v)
		if err != nil {
			t.Fatal(err)
		}
		for name := range first {
			if first[name] != second[name] {
				t.Errorf("%s differs", name)
			}
			for _, random := range []string{"rand", "uuid", "genCA", "now ", "lookup"} {
				if strings.Contains(string(read(t, "b3scale/templates/"+name)), "{{ "+random) {
					t.Errorf("%s uses %s", name, random)
				}
			}
		}
	})
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, v any) error {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(plain)
}

func name(o object) string {
	return fmt.Sprintf("%v %v", o["kind"], at(o, "metadata", "name"))
}

// at follows keys, and indexes of lists; nil where there is nothing.
func at(v any, keys ...any) any {
	for _, key := range keys {
		switch here := v.(type) {
		case object:
			v = here[fmt.Sprint(key)]
		case []any:
			i, ok := key.(int)
			if !ok || i >= len(here) {
				return nil
			}
			v = here[i]
		default:
			return nil
		}
	}
	return v
}

// find gives the objects of a kind.
func find(objects []object, kind string) []object {
	return slices.DeleteFunc(slices.Clone(objects), func(o object) bool { return o["kind"] != kind })
}
