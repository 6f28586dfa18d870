package config

import (
	"reflect"
	"strings"
	"testing"
)

const (
	address = "B3SCALE_API_URL=https://example.org"
	tok     = "B3SCALE_API_ACCESS_TOKEN=t0ken"
)

func TestAgentDefaults(t *testing.T) {
	t.Parallel()
	got, warnings, err := LoadAgent([]string{address, tok}, files(nil))
	if err != nil || len(warnings) != 0 {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	want := Agent{
		APIURL: "https://example.org", Token: "t0ken", LogFormat: LogJSON,
		BBBConfig:   "/etc/bigbluebutton/bbb-web.properties",
		BBBDefaults: "/usr/share/bbb-web/WEB-INF/classes/bigbluebutton.properties",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAgentFiles(t *testing.T) {
	t.Parallel()
	got, warnings, err := LoadAgent([]string{tok, "B3SCALE_LOG_LEVEL=warn"}, files(map[string]string{
		"etc/default/b3scale":      "B3SCALE_API_URL=https://a.example.org\nB3SCALE_DB_URL=sqlite:x\nB3SCALE_API_JWT_SECRET_FILE=/x\nB3SCALE_RECORDINGS_INBOX_PATH=/r\nB3SCALE_LOAD_FACTOR=2\n",
		"var/lib/b3scaleagent/jwt": "B3SCALE_API_ACCESS_TOKEN=new\n",
		"etc/default/b3scaleagent": "B3SCALE_LOAD_FACTOR=0.5\nBBB_CONFIG=/bbb\n",
	}))
	if err != nil || len(warnings) != 0 {
		t.Fatalf("error %v, warnings %q", err, warnings)
	}
	if got.APIURL != "https://a.example.org" || got.Token != "new" || got.LoadFactor != 0.5 || got.BBBConfig != "/bbb" || len(got.EnvFiles) != 3 {
		t.Errorf("got %+v", got)
	}
	// What the service manager sets is all that counts then.
	if got, _, err := LoadAgent([]string{address, tok}, files(map[string]string{"etc/default/b3scaleagent": "B3SCALE_LOAD_FACTOR=7"})); err != nil || got.LoadFactor != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAgentToken(t *testing.T) {
	t.Parallel()
	machine := files(map[string]string{"token": "t0ken\n", "other": "0ther"})
	for _, c := range []struct {
		environ []string
		bad     string
	}{
		{[]string{tok}, ""},
		{[]string{"B3SCALE_ACCESS_TOKEN=t0ken"}, ""},
		{[]string{tok, "B3SCALE_ACCESS_TOKEN=t0ken"}, ""},
		{[]string{"B3SCALE_API_ACCESS_TOKEN_FILE=/token"}, ""},
		{[]string{"B3SCALE_ACCESS_TOKEN_FILE=/token"}, ""},
		{[]string{"B3SCALE_ACCESS_TOKEN_FILE=/token", "B3SCALE_API_ACCESS_TOKEN_FILE=/other"}, "B3SCALE_ACCESS_TOKEN=••• (from •••): it differs from B3SCALE_API_ACCESS_TOKEN"},
		{[]string{tok, "B3SCALE_ACCESS_TOKEN=0ther"}, "B3SCALE_ACCESS_TOKEN=•••: it differs from B3SCALE_API_ACCESS_TOKEN"},
		{[]string{tok, "B3SCALE_API_ACCESS_TOKEN_FILE=/token"}, "B3SCALE_API_ACCESS_TOKEN is set too"},
		{[]string{"B3SCALE_API_ACCESS_TOKEN_FILE=/none"}, "file does not exist"},
		{nil, "it is not set"},
	} {
		cfg, _, err := LoadAgent(append(c.environ, address), machine)
		got := strings.Join(lines(t, err), "\n")
		if c.bad == "" && (err != nil || cfg.Token.Reveal() != "t0ken") {
			t.Errorf("%v: %q, %v", c.environ, cfg.Token.Reveal(), err)
		}
		if c.bad != "" && (!strings.Contains(got, c.bad) || strings.Contains(got, "t0ken") || strings.Contains(got, "0ther") || strings.Contains(got, "\n")) {
			t.Errorf("%v: got %q, want %q", c.environ, got, c.bad)
		}
	}
}

func TestBadValuesOfAnAgent(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"B3SCALE_API_URL=example.org":          "B3SCALE_API_URL",
		"B3SCALE_API_URL=ftp://example.org":    "B3SCALE_API_URL",
		"B3SCALE_API_URL=https://example.org?": "",
		"B3SCALE_API_URL=https://e/x?y":        "B3SCALE_API_URL",
		"B3SCALE_LOAD_FACTOR=0":                "B3SCALE_LOAD_FACTOR",
		"B3SCALE_LOAD_FACTOR=-1":               "B3SCALE_LOAD_FACTOR",
		"B3SCALE_LOAD_FACTOR=NaN":              "B3SCALE_LOAD_FACTOR",
		"B3SCALE_LOAD_FACTOR=Inf":              "B3SCALE_LOAD_FACTOR",
		"B3SCALE_LOAD_FACTOR=1,5":              "B3SCALE_LOAD_FACTOR",
		"B3SCALE_LOAD_FACTOR=1.2":              "",
		"B3SCALE_LOG_LEVEL=loud":               "B3SCALE_LOG_LEVEL",
	} {
		_, _, err := LoadAgent([]string{address, tok, line}, files(nil))
		if got := strings.Join(lines(t, err), "\n"); want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q", line, got)
		}
	}
}

func TestWarningsOfAnAgent(t *testing.T) {
	t.Parallel()
	_, got, err := LoadAgent([]string{address, tok, "B3SCALE_LOADFACTOR=2", "B3SCALE_DB_POOL_SIZE=7", "B3SCALE_WHATEVER_ELSE=1"}, files(nil))
	want := []string{"B3SCALE_LOADFACTOR is not a setting; did you mean B3SCALE_LOAD_FACTOR?", "B3SCALE_WHATEVER_ELSE is not a setting; b3scaleagent --help lists all of them"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAgentVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	help := DescribeAgent()
	for _, v := range AgentVariables() {
		if v.Meaning == "" || v.Accepts == "" || !strings.Contains(help, "  "+v.Name+" ") {
			t.Errorf("%s: %q, %q", v.Name, v.Meaning, v.Accepts)
		}
	}
	for _, file := range append([]string{"B3SCALE_API_ACCESS_TOKEN_FILE"}, agentFiles...) {
		if !strings.Contains(help, file) {
			t.Errorf("the help does not name %s", file)
		}
	}
}
