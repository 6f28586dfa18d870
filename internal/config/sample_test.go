package config

import (
	"reflect"
	"strings"
	"testing"
)

// An operator who takes the # from every line must have what counted before.
func TestSampleSaysWhatCountsAnyway(t *testing.T) {
	t.Parallel()
	want, _, err := Load([]string{"B3SCALE_DB_URL=sqlite:/x.db"}, files(nil))
	if err != nil {
		t.Fatal(err)
	}
	sample := Sample(Variables(), map[string]string{nameDBURL: "sqlite:/x.db"})
	got, _, err := Load(nil, files(map[string]string{"etc/default/b3scale": strings.ReplaceAll(sample, "\n#B", "\nB")}))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.EnvFiles) != 1 {
		t.Errorf("read %v", got.EnvFiles)
	}
	got.EnvFiles = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSampleExplainsAll(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string][]Variable{"b3scaled": Variables(), "b3scaleagent": AgentVariables(), "b3scalenoded": NodedVariables()} {
		sample := Sample(vars, map[string]string{vars[0].Name: "first"})
		for i, v := range vars {
			line := "\n#" + v.Name + "=" + v.Default + "\n"
			if i == 0 {
				line = "\n" + v.Name + "=first\n"
			}
			if strings.Count(sample, line) != 1 {
				t.Errorf("%s: no line %q", name, line)
			}
			if got := strings.Contains(sample, "# "+v.Name+"_FILE may name a file"); got != v.Secret {
				t.Errorf("%s: %s from a file: %t, want %t", name, v.Name, got, v.Secret)
			}
		}
		for line := range strings.Lines(sample) {
			if len([]rune(line)) > helpWidth+1 && strings.HasPrefix(line, "# ") {
				t.Errorf("%s: a long line: %s", name, line)
			}
		}
	}
}

func TestSampleSetsSettingsOnly(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a setting that nobody has is written nowhere")
		}
	}()
	Sample(NodedVariables(), map[string]string{"B3SCALE_NOTHING": "1"})
}
