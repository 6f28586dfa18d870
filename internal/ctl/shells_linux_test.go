package ctl

import (
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
