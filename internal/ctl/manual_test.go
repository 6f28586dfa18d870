package ctl

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every page of the manual is well made, has no date, and belongs to a command.
func TestManual(t *testing.T) {
	t.Parallel()
	needs(t, "groff")
	needs(t, "man")
	pages, err := filepath.Glob("../../docs/man/b3scalectl*.1")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, cmd := range all(Command()) {
		if cmd.IsAvailableCommand() {
			names[strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"] = true
		}
	}
	if len(pages) < 30 || len(pages) != len(names) {
		t.Errorf("%d pages for %d commands: run scripts/generate", len(pages), len(names))
	}
	for _, page := range pages {
		if !names[filepath.Base(page)] {
			t.Errorf("%s is of no command", page)
		}
		for _, args := range [][]string{{"groff", "-man", "-ww", "-z", "-Kutf8", "-Tutf8", page}, {"man", "--warnings", "-E", "UTF-8", "-l", page}} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MANPAGER=cat")
			var errs strings.Builder
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil || errs.Len() > 0 {
				t.Errorf("%v: %v %s", args, err, errs.String())
			}
			if args[0] == "man" && !strings.Contains(string(out), "SYNOPSIS") {
				t.Errorf("%s shows nothing:\n%s", page, out)
			}
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if title := regexp.MustCompile(`(?m)^\.TH.*$`).FindString(string(text)); !strings.Contains(title, `"1" "" "b3scale"`) {
			t.Errorf("%s: %s", page, title)
		}
	}
}
