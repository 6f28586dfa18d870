package doctest

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"b3scale/docs/markdown"
	"b3scale/internal/ctl"
)

func span(text string, line int) markdown.Span {
	return markdown.Span{Text: strings.TrimSpace(text), Line: line}
}

// Every b3scalectl that a page shows, within text, too, is one that there is,
// with its flags.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, p := range pages(t) {
		if p.name == "CHANGELOG.md" {
			continue // of what was
		}
		spans := p.Spans
		for _, b := range p.Blocks {
			if b.Language == "sh" || b.Language == "console" {
				text := strings.ReplaceAll(b.Text, "\\\n", " ")
				for line := range strings.Lines(text) {
					spans = append(spans, span(line, b.Line))
				}
			}
		}
		for _, s := range spans {
			for _, words := range commandLines(s.Text) {
				tried++
				if err := judge(words); err != nil {
					t.Errorf("%s:%d: b3scalectl %s: %v", p.name, s.Line, strings.Join(words, " "), err)
				}
			}
		}
	}
	if tried < 50 {
		t.Errorf("only %d command lines were found", tried)
	}
}

// token is a word of a shell, or a sign that ends a command.
var token = regexp.MustCompile(`'[^']*'|"(?:\\.|[^"])*"|[|;&<>()]+|#.*|[^\s|;&<>()'"]+(?:'[^']*'|"[^"]*"|[^\s|;&<>()'"])*`)

// commandLines finds the arguments of each b3scalectl of a line.
func commandLines(line string) [][]string {
	var found [][]string
	var words []string
	inside := false
	end := func() {
		if inside && len(words) > 0 {
			found = append(found, words)
		}
		words, inside = nil, false
	}
	for _, word := range token.FindAllString(line, -1) {
		name := strings.TrimPrefix(strings.TrimPrefix(word, "$"), "bin/")
		switch {
		case strings.HasPrefix(word, "#") || strings.Trim(word, "|;&<>()") == "":
			end()
		case name == "b3scalectl" || name == "sudo":
			end()
			inside = name == "b3scalectl"
		case inside:
			words = append(words, strings.Trim(word, `'"`))
		}
	}
	end()
	return found
}

// judge parses a command line as b3scalectl does, and runs nothing.
func judge(words []string) error {
	var args []string
	for _, word := range words {
		if word = strings.Trim(word, "[]…,."); word != "" && word != "COMMAND" { // as in [--frontend KEY]…
			args = append(args, word)
		}
	}
	cmd := ctl.Command()
	cmd, rest, err := cmd.Find(args)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return unknown(cmd, words[0])
	}
	return nil
}

type noCommand string

func (e noCommand) Error() string { return string(e) }

func unknown(cmd *cobra.Command, word string) error {
	return noCommand("there is no " + cmd.CommandPath() + " " + word)
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"b3scalectl show backends --json | jq":             true,
		"x=$(b3scalectl --api URL show frontends) # --odd": true,
		"b3scalectl set --dry backend URL":                 true,
		"b3scalectl show backend [HOST] [-o json]":         true,
		"b3scalectl show backend HOST --color":             false,
		"b3scalectl show backendz":                         false,
		"echo a | b3scalectl frobnicate":                   false,
	} {
		all := commandLines(line)
		if len(all) != 1 {
			t.Errorf("%q has the command lines %q", line, all)
			continue
		}
		if err := judge(all[0]); (err == nil) != want {
			t.Errorf("%q is judged %v", line, err)
		}
	}
}

// What is not run is at least a script.
func TestSyntax(t *testing.T) {
	t.Parallel()
	var script strings.Builder
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if run, why := isShell(b); !run && why != "" && b.Language == "sh" && !slices.Contains([]string{"it is for several shells"}, why) {
				cmd := exec.Command("bash", "-n")
				cmd.Stdin = strings.NewReader(b.Text)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s:%d: %v\n%s", p.name, b.Line, err, out)
				}
				script.WriteString(b.Text)
			}
		}
	}
	if script.Len() == 0 {
		t.Error("nothing was looked at")
	}
}
