package config

import (
	"reflect"
	"strings"
	"testing"
)

const database = "B3SCALE_DB_URL=postgres://b3scale:hunter2@db.example.org/b3scale"

func TestNodedDefaults(t *testing.T) {
	t.Parallel()
	got, warnings, err := LoadNoded([]string{database}, files(nil))
	if err != nil || len(warnings) != 0 {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	want := Noded{
		Store: StoreURL{Kind: PostgreSQL, Source: "postgres://b3scale:hunter2@db.example.org/b3scale"}, LogFormat: LogJSON,
		BBBConfig:   "/etc/bigbluebutton/bbb-web.properties",
		BBBDefaults: "/usr/share/bbb-web/WEB-INF/classes/bigbluebutton.properties",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The files of the other programs may hold everything, and none of it is odd.
func TestNodedFiles(t *testing.T) {
	t.Parallel()
	got, warnings, err := LoadNoded([]string{"B3SCALE_LOG_LEVEL=warn"}, files(map[string]string{
		"etc/default/b3scale":        database + "\nB3SCALE_API_JWT_SECRET=x\nB3SCALE_API_URL=https://a\nB3SCALE_DB_POOL_SIZE=7\nB3SCALE_LOAD_FACTOR=2\n",
		"etc/sysconfig/b3scalenoded": "B3SCALE_LOAD_FACTOR=0.5\nB3SCALE_API_ACCESS_TOKEN=y\nBBB_CONFIG=/bbb\nB3SCALE_DB_LISTEN_URL=off\n",
	}))
	if err != nil || len(warnings) != 0 {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	if got.LoadFactor != 0.5 || got.BBBConfig != "/bbb" || !got.ListenURL.Off || got.LogLevel.Level() != 4 || len(got.EnvFiles) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestBadValuesOfNoded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{"", "it is not set; accepted: for PostgreSQL"},
		{"B3SCALE_DB_URL=sqlite:b3scale.db", "use b3scaleagent with it"},
		{"B3SCALE_DB_URL=mysql://u:hunter2@h/b", "B3SCALE_DB_URL=\"•••\": accepted: for PostgreSQL"},
		{"B3SCALE_DB_URL_FILE=/none", "file does not exist"},
		{database + "\nB3SCALE_LOAD_FACTOR=0", "B3SCALE_LOAD_FACTOR"},
		{database + "\nB3SCALE_DB_LISTEN_URL=x", "B3SCALE_DB_LISTEN_URL"},
	} {
		_, _, err := LoadNoded(strings.Split(c.line, "\n"), files(nil))
		if got := lines(t, err); len(got) != 1 || !strings.Contains(got[0], c.want) || strings.Contains(got[0], "hunter2") {
			t.Errorf("%s: got %q, want %q", c.line, got, c.want)
		}
	}
}

func TestNodedVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	help := DescribeNoded()
	for _, v := range NodedVariables() {
		if v.Meaning == "" || v.Accepts == "" || !strings.Contains(help, "  "+v.Name+" ") {
			t.Errorf("%s: %q, %q", v.Name, v.Meaning, v.Accepts)
		}
	}
	for _, file := range append([]string{"B3SCALE_DB_URL_FILE"}, nodedFiles...) {
		if !strings.Contains(help, file) {
			t.Errorf("the help does not name %s", file)
		}
	}
}
