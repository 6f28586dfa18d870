package ctl

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
)

// all lists a command and those below it.
func all(cmd *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		list = append(list, all(c)...)
	}
	return list
}

func flagKinds(t *testing.T, kinds map[string]string) func(*pflag.Flag) {
	return func(f *pflag.Flag) {
		for _, name := range []string{"--" + f.Name, "-" + f.Shorthand} {
			kind := f.NoOptDefVal
			if was, seen := kinds[name]; seen && was != kind && name != "-" {
				t.Errorf("%s wants a value in one place only", name)
			}
			kinds[name] = kind
		}
	}
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]string{
		"http://127.0.0.1:18080":      "http_127.0.0.1_18080.access_token",
		"https://b3scale.example.org": "https_b3scale.example.org.access_token",
		"https://x.example.org/a_b/":  "https_x.example.org_a_b_.access_token",
		"http://[::1]:80":             "http_1_80.access_token",
	} {
		for environ, dir := range map[string]string{
			"HOME=/home/ada": "/home/ada/.config/b3scale/",
			"HOME=/home/ada XDG_CONFIG_HOME=/etc/ada":    "/etc/ada/b3scale/",
			"HOME=/home/ada XDG_CONFIG_HOME=not/allowed": "/home/ada/.config/b3scale/",
		} {
			s := newSession(Options{Environ: strings.Fields(environ)})
			s.api = api
			if got, err := s.tokenFile(); err != nil || got != dir+want {
				t.Errorf("%s, %s: got %s, %v, want %s", api, environ, got, err, dir+want)
			}
		}
	}
	if _, err := newSession(Options{}).tokenFile(); err == nil || !strings.Contains(err.Error(), "HOME is not set") {
		t.Errorf("without a home: %v", err)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	hosts := []string{"https://bbb1.example.org/bigbluebutton/api/", "https://bbb2.example.org/bigbluebutton/api/", "https://conf.example.net/bigbluebutton/api/"}
	keys := []string{"moodle", "greenlight", "nextcloud"}
	for _, c := range []struct {
		typed string
		names []string
		want  string
	}{
		{"moodel", keys, "moodle"}, {"Moodle", keys, "moodle"}, {"green", keys, "greenlight"}, {"xyz", keys, ""}, {"", keys, ""}, {"x", nil, ""},
		{"bbb2", hosts, hosts[1]}, {"bbb2.example.org", hosts, hosts[1]}, {"http://bbb2.example.org/", hosts, hosts[1]},
		{"https://bbb1.example.org/bigbluebuton/api", hosts, hosts[0]}, {"conf", hosts, hosts[2]}, {"other.example.com", hosts, ""},
		{"shwo", []string{"show", "set"}, "show"},
	} {
		if got := nearest(c.typed, c.names); got != c.want {
			t.Errorf("%q: got %q, want %q", c.typed, got, c.want)
		}
	}
}

func TestWouldChange(t *testing.T) {
	t.Parallel()
	const settings = `{"tags":["a","b"],"limit":{"limit":5},"params":{"x":"1"},"none":null,"n":0,"empty":{}}`
	for opts, want := range map[string]bool{
		`{}`: false, `{"tags":["a","b"]}`: false, `{"tags":["b","a"]}`: true, `{"tags":null}`: true, `{"tags":[]}`: true,
		`{"limit":{"limit":5}}`: false, `{"limit":{}}`: false, `{"limit":{"limit":6}}`: true, `{"limit":null}`: true,
		`{"params":{"x":"1"}}`: false, `{"params":{"x":""}}`: true, `{"params":{"y":""}}`: false, `{"params":{"y":"2"}}`: true, `{"params":null}`: true,
		`{"none":null}`: false, `{"none":[]}`: true, `{"none":{}}`: true, `{"none":{"a":1}}`: true, `{"empty":{}}`: false, `{"n":0}`: false, `{"n":1}`: true, `{"empty":null}`: false,
		`{"unknown":1}`: true, `{"unknown":null}`: false,
	} {
		if got := wouldChange(json.RawMessage(settings), json.RawMessage(opts)); got != want {
			t.Errorf("%s: got %t, want %t", opts, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	tab := table{header: []string{"NAME", "N", "WHY"}}
	tab.add(text("größer").in(good), number(7), text(""))
	tab.add(text("b\x1b[31m\n"), number(1234), text("because"))
	var b bytes.Buffer
	tab.write(&b, false)
	if want := "NAME        N  WHY\ngrößer      7  -\nb [31m   1234  because\n"; b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
	for _, line := range tab.lines(false, 11) {
		if n := len([]rune(line)); n > 11 {
			t.Errorf("%d characters: %q", n, line)
		}
	}
	if got := tab.lines(true, 0)[1]; !strings.HasPrefix(got, "\x1b[32mgrößer \x1b[0m  ") {
		t.Errorf("got %q", got)
	}
}

// Whatever the API says comes out of the YAML again, in its order.
func TestYAML(t *testing.T) {
	t.Parallel()
	const in = `{"z":"no","0":"012","a":["1",2,3.5,-0,123456789012,1e3,true,null,"null","~","2026-01-01T00:00:00Z",""],"m":{},"l":[],` +
		`"text":"one\ntwo: #three\t\u0007\u2028é\u009b","key: odd":{"x":[{"y":[]}]}}`
	var b bytes.Buffer
	s := newSession(Options{Out: &b})
	if err := s.showYAML([]byte(in)); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := yaml.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if err := json.Unmarshal([]byte(in), &want); err != nil {
		t.Fatal(err)
	}
	if g, w := string(asText(got)), string(asText(want)); g != w {
		t.Errorf("got\n%s\nwant\n%s\nfrom\n%s", g, w, b.String())
	}
	if !strings.HasPrefix(b.String(), "z: \"no\"\n\"0\": \"012\"\na:\n") {
		t.Errorf("the order is gone:\n%s", b.String())
	}
	if strings.ContainsAny(b.String(), "\u0007\u009b") {
		t.Errorf("control characters: %q", b.String())
	}
	if s.showYAML([]byte(`{"a":`)) == nil || s.showJSON([]byte(`<html>`)) == nil {
		t.Error("half an answer is shown")
	}
}

// Names that users chose do not talk to the terminal, in no format, and stay
// what they are for programs.
func TestEscaped(t *testing.T) {
	t.Parallel()
	const odd = "é\u0007\u007f\u0085\u009b31m\u061c\u200e\u2028\u202e\u2066\U0001f600"
	in := asText(map[string]any{odd: odd, "settings": map[string]string{"x": odd}})
	in = bytes.ReplaceAll(in, []byte(`\u2028`), []byte("\u2028")) // as other servers write it
	for name, read := range map[string]func([]byte, any) error{
		"JSON": json.Unmarshal, "YAML": func(text []byte, to any) error { return yaml.Unmarshal(text, to) },
	} {
		var b bytes.Buffer
		s := newSession(Options{Out: &b})
		show := s.showJSON
		if name == "YAML" {
			show = s.showYAML
		}
		if err := show(in); err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := read(b.Bytes(), &got); err != nil || got[odd] != odd {
			t.Errorf("%s: %v, got %q, want %q", name, err, got[odd], odd)
		}
		if strings.ContainsFunc(strings.ReplaceAll(b.String(), "\n", ""), isObeyed) || !strings.Contains(b.String(), "é") {
			t.Errorf("%s: got %q", name, b.String())
		}
		if !strings.Contains(b.String(), `\u202e`) {
			t.Errorf("%s: no escape that JSON knows: %s", name, b.String())
		}
	}
	var b bytes.Buffer
	newSession(Options{Out: &b}).saySettings(in)
	if strings.ContainsFunc(strings.ReplaceAll(b.String(), "\n", ""), isObeyed) {
		t.Errorf("plain: got %q", b.String())
	}
	if got := compact([]byte("{ \"a\": \"\u009b\x9b\" }")); got != `{"a":"\u009b\ufffd"}` {
		t.Errorf("compact: got %q", got)
	}
}

// A name is cut between characters.
func TestDefaultName(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"größerer Raum": "b3scalectl größer", "数学": "b3scalectl 数学", "abcdefg": "b3scalectl abcdef"} {
		params, err := createParams("", []string{"meetingID=" + id})
		if got := params.Get("name"); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", id, got, err, want)
		}
	}
}

// The kinds that we know are those of the contract.
func TestAuditKinds(t *testing.T) {
	t.Parallel()
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(contract, &document); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Parameters []struct{ Name, Description string }
	}
	if err := json.Unmarshal(document.Paths["/api/v1/audit"]["get"], &list); err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Parameters {
		if p.Name != "kind" {
			continue
		}
		var kinds []string
		for i, part := range strings.Split(p.Description, "`") {
			if i%2 == 1 {
				kinds = append(kinds, part)
			}
		}
		if slices.Sort(kinds); !slices.Equal(kinds, slices.Sorted(slices.Values(auditKinds))) {
			t.Errorf("the contract has %q, we have %q", kinds, auditKinds)
		}
		return
	}
	t.Error("the contract has no kinds")
}

func TestUnknownAuditKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	for _, kind := range auditKinds {
		w.ctl("show", "audit", "--kind", kind).tells()
	}
	w.ctl("show", "audit", "--kind", "frontend").tells("frontend.create\tmoodle")
	w.ctl("show", "audit", "--kind", "frontent").fails("--kind frontent", `did you mean "frontend"?`)
	w.ctl("show", "audit", "--kind", "xyz").fails("--kind xyz", "frontend_defaults", "log")
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"2026-01-06T10:00:00Z", "2026-01-06", "2026-01-06 10:00", "36h", "-36h"} {
		if at, err := parseTime("since", value); err != nil || !at.Before(time.Now()) {
			t.Errorf("%s: %v, %v", value, at, err)
		}
	}
	if _, err := parseTime("since", "yesterday"); err == nil || !strings.Contains(err.Error(), "--since yesterday") {
		t.Errorf("got %v", err)
	}
	if at, err := parseTime("since", ""); at != nil || err != nil {
		t.Errorf("got %v, %v", at, err)
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	got := changed(json.RawMessage(`{"a":{"b":"x","c":1},"d":[],"e":null}`), json.RawMessage(`{"a":{"b":"y","c":1},"d":["t"],"e":[]}`))
	if want := `a.b: "x" → "y", d: [] → ["t"], e: nothing → []`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := changed(nil, json.RawMessage(`{"a":1}`)); got != "" {
		t.Errorf("got %s", got)
	}
}
