package ctl

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// A person at a shell presses Tab.
func TestTab(t *testing.T) {
	t.Parallel()
	for _, shell := range []struct {
		name  string
		args  []string
		setup string
	}{
		{"bash", []string{"--norc", "--noprofile", "-i"}, "bind 'set enable-bracketed-paste off'; "},
		{"zsh", []string{"-f", "-i"}, "autoload -U compinit; compinit -D; "},
	} {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			needs(t, shell.name)
			w := newWorld(t, 1).withAll()
			w.meeting("physics-101")
			x := atTerminal(t, append(w.as().environ, "TERM=dumb"), shell.name, shell.args...)
			x.enter(shell.setup + "source " + w.script("completion", shell.name) + "; PS1='all set''up> '\n")
			host := w.nodes[0].BaseURL()
			for _, c := range [][2]string{
				{"show frontend mo\t", "Frontend: moodle"},
				{"show --json backend https\t", `"host": "` + host + `"`},
				{"show backend https:\t", "Backend: " + host},
				{"set --dry backend h\t --secret x", "skipping backend update"},
				{"show meeting ph\t", "ID:       physics-101"},
				{"show meetings --frontend mo\t", "Room physics-101"},
				{"vers\t", "abcdef0"},
			} {
				x.see("all setup> ")
				x.enter("b3scalectl " + c[0] + "\n")
				x.see(c[1])
			}
			x.see("all setup> ")
			x.enter("exit 0\n")
			x.ends(0)
			if strings.Contains(x.String(), "command not found") {
				t.Errorf("%s", x.String())
			}
		})
	}
}

// What the documentation says for maintenance ends meetings when patience is
// over, and after no other end of the drain. Work begins only on an empty server.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	needs(t, "sh")
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, begins := strings.Cut(string(text), "\n  b3scalectl drain backend")
	recipe, _, ends := strings.Cut(recipe, "\n  ```")
	if !begins || !ends {
		t.Fatal("there is no such recipe any more")
	}
	const double = `b3scalectl() { echo "$1"; if [ "$1" = drain ]; then return "$CODE"; fi; }; b3scalectl drain backend`
	for code, want := range map[int]string{0: "drain enable", 3: "drain end enable", 1: "drain", 130: "drain", 143: "drain"} {
		cmd := exec.Command("sh", "-eu", "-c", double+recipe)
		cmd.Env = []string{"HOST=http://bbb1", "CODE=" + strconv.Itoa(code)}
		calls, err := cmd.Output()
		if got := strings.Join(strings.Fields(string(calls)), " "); got != want || (err == nil) != (want != "drain") {
			t.Errorf("%d: it calls %q, want %q, and ends with %v", code, got, want, err)
		}
	}
}
