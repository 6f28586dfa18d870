package ctl

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needs fails where a program of the tests is missing: to skip would hide that
// nothing is tested.
func needs(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: run scripts/install-test-needs", err)
	}
}

func TestCompletionWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2).withAll()
	w.meeting("physics-101")
	w.meeting("chemistry")
	w.imports("abc-1", "video")
	w.imports("abd-2", "video")
	one, two := w.nodes[0].BaseURL(), w.nodes[1].BaseURL()
	for line, want := range map[string][]string{
		"show b":                             {"backend", "backends"},
		"show --json b":                      {"backend", "backends"},
		"show backend ":                      {one, two},
		"show backend " + one[:13]:           {one},
		"set --dry backend ":                 {one, two},
		"enable backend ":                    {one, two},
		"drain backend ":                     {one, two},
		"declare-lost backend ":              {one, two},
		"end meetings ":                      {one, two},
		"rm backend ":                        {one, two},
		"show meetings --backend ":           {one, two},
		"show frontend ":                     {"moodle"},
		"show frontend x":                    {},
		"show frontend moodle ":              {},
		"dis frontend ":                      {"moodle"},
		"show recordings --frontend ":        {"moodle"},
		"cm --frontend ":                     {"moodle"},
		"show meeting ":                      {"chemistry", "physics-101"},
		"end meeting p":                      {"physics-101"},
		"--output ":                          {"plain", "table", "json", "yaml"},
		"set recording-visibility ID ":       visibilities,
		"set recording-visibility ":          {"abc-1", "abd-2"},
		"show recording abd":                 {"abd-2"},
		"delete recording x":                 {},
		"move recording ":                    {"abc-1", "abd-2"},
		"move recording abc-1 --frontend ":   {"moodle"},
		"recordings import --frontend ":      {"moodle"},
		"recordings ":                        {"check", "import"},
		"auth create_access_token --scopes ": knownScopes,
		"completion ":                        {"bash", "fish", "zsh"},
	} {
		words := strings.Split(line, " ")
		o := w.ctl(append([]string{"__completeNoDesc"}, words...)...)
		lines := strings.Split(strings.TrimSpace(o.out), "\n")
		got := lines[:len(lines)-1] // the last one is for the shell
		if !slices.Equal(got, want) || lines[len(lines)-1] != ":4" && line != "show b" && line != "show --json b" && line != "completion " {
			t.Errorf("%s: got %q, want %q", line, lines, want)
		}
	}
}

// Whoever presses Tab wants names or nothing: no question, no error.
func TestCompletionIsSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	gone := &world{TB: t, url: "http://127.0.0.1:1", home: w.home}
	for name, run := range map[string]*attempt{
		"not authorized": w.as().in(apiSecret + "\n"),
		"wrong token":    w.as().env("B3SCALE_API_ACCESS_TOKEN=x"),
		"unreachable":    gone.as().env("B3SCALE_API_ACCESS_TOKEN=x"),
		"bad address":    gone.as().env("B3SCALE_API_ACCESS_TOKEN=x", "B3SCALE_API_URL=:"),
		"no home":        w.as().env("HOME="),
	} {
		o := run.do("__completeNoDesc", "show", "backend", "")
		if o.code != 0 || o.out != ":4\n" || strings.Contains(o.errs, "Secret") || strings.Contains(o.errs, "b3scalectl:") {
			t.Errorf("%s: %d, %q, %q", name, o.code, o.out, o.errs)
		}
	}
	if got := w.cachedToken(); got != "" {
		t.Errorf("a token was made: %q", got)
	}
}

// script writes what a shell would source.
func (w *world) script(command, shell string) string {
	w.Helper()
	file := filepath.Join(w.TempDir(), "completion."+shell)
	if err := os.WriteFile(file, []byte(w.ctl(command, shell).tells("b3scalectl").out), 0o600); err != nil {
		w.Fatal(err)
	}
	return file
}

// In a bash without the package bash-completion addresses come in pieces.
func TestBash(t *testing.T) {
	t.Parallel()
	needs(t, "bash")
	w := newWorld(t, 2).withAll()
	one := w.nodes[0].BaseURL()
	const ask = `
source "$1"
compopt() { :; } # bash allows it only where a person has pressed Tab
words() { # what bash would make of the line, and what it would offer
	COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	__start_b3scalectl
	echo "${COMPREPLY[*]}"
}
words 'b3scalectl show back' b3scalectl show back
words 'b3scalectl show backend ' b3scalectl show backend ''
words "b3scalectl show backend https://node0" b3scalectl show backend https : //node0
words "b3scalectl show meetings --backend=https://node0" b3scalectl show meetings --backend = https : //node0
words "b3scalectl show meetings --backend https://node0" b3scalectl show meetings --backend https : //node0
words 'b3scalectl set --dry frontend ' b3scalectl set --dry frontend ''
words 'b3scalectl show frontend nob' b3scalectl show frontend nob
complete -p b3scalectl
`
	for _, command := range []string{"completion", "completions"} {
		cmd := exec.Command("bash", "--norc", "-c", ask, "bash", w.script(command, "bash"))
		cmd.Env = append(w.as().environ, "PATH="+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		rest := strings.TrimPrefix(one, "https:")
		want := strings.Join([]string{
			"backend backends", one + " " + w.nodes[1].BaseURL(), rest, rest, rest, "moodle", "",
			"complete -o default -F __start_b3scalectl b3scalectl", "",
		}, "\n")
		if string(out) != want {
			t.Errorf("%s: got\n%s\nwant\n%s", command, out, want)
		}
	}
}
