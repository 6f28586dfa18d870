package config

import (
	"reflect"
	"strings"
	"testing"
)

// derived are the fields of Config that no variable sets.
var derived = map[string]bool{"EnvFiles": true, "NodeCAs": true, "ProtectedPlayback": true}

func TestEveryFieldIsDocumented(t *testing.T) {
	t.Parallel()
	vars := make(map[string]Variable)
	for _, v := range Variables() {
		if _, twice := vars[v.field.Name]; twice {
			t.Errorf("%s is there twice", v.Name)
		}
		vars[v.field.Name] = v
	}
	help := Describe()
	for field := range reflect.TypeFor[Config]().Fields() {
		v, found := vars[field.Name]
		if !found {
			if !derived[field.Name] {
				t.Errorf("%s has no variable", field.Name)
			}
			continue
		}
		if !strings.HasPrefix(v.Name, prefix) || v.Meaning == "" || strings.HasSuffix(v.Meaning, ".") {
			t.Errorf("%s: %s means %q", field.Name, v.Name, v.Meaning)
		}
		if v.Accepts == "" || strings.HasPrefix(v.Accepts, " to") || strings.HasSuffix(v.Accepts, "to ") {
			t.Errorf("%s accepts %q", v.Name, v.Accepts)
		}
		if !strings.Contains(help, "  "+v.Name+" ") || !strings.Contains(help, strings.Fields(v.Meaning)[0]) {
			t.Errorf("%s is not in the help", v.Name)
		}
		if v.Default != "" && !strings.Contains(help, "default "+v.Default+";") {
			t.Errorf("the default of %s is not in the help", v.Name)
		}
	}
}

func TestHelpIsAligned(t *testing.T) {
	t.Parallel()
	help := Describe()
	column := strings.Index(help, "the database")
	entries, _, _ := strings.Cut(help, "\n\n")
	for line := range strings.SplitSeq(entries, "\n") {
		if len(line) > helpWidth {
			t.Errorf("too long: %s", line)
		}
		if len(line) <= column || line[column-1] != ' ' || line[column] == ' ' {
			t.Errorf("not aligned: %s", line)
		}
	}
	for _, file := range append([]string{"B3SCALE_DB_URL_FILE"}, envFiles...) {
		if !strings.Contains(help, file) {
			t.Errorf("the help does not name %s", file)
		}
	}
}

// A default that its own parser refuses would refuse every start.
func TestBoundsAndDefaultsParse(t *testing.T) {
	t.Parallel()
	for _, v := range Variables() {
		parse, found := parsers()[v.field.Type]
		if !found {
			continue
		}
		for _, tag := range []string{"envDefault", "min", "max"} {
			text := v.field.Tag.Get(tag)
			if text == "" {
				continue
			}
			if _, err := parse(text); err != nil {
				t.Errorf("%s: %s %q is not accepted", v.Name, tag, text)
			}
		}
	}
}
