package doctest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"b3scale/docs/markdown"
)

const root = "../.."

// page is a file of the documentation.
type page struct {
	*markdown.Page
	name string // from the root, with slashes
	text string
}

// pages reads all of them.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "deploy/*/*.md", "deploy/*/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := markdown.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(filepath.ToSlash(file), root+"/")
			all = append(all, page{parsed, name, string(text)})
		}
	}
	if len(all) < 30 {
		t.Fatalf("there are only %d pages", len(all))
	}
	return all
}

// languages are those of blocks. Forges colour them.
var languages = []string{"sh", "console", "text", "ini", "yaml", "json", "sql", "nginx", "caddyfile", "haproxy", "xml", "html", "ruby", "go", "dockerfile"}

const noTest = "no-test"

// isShell reports whether a block is to be run, and if not, why.
func isShell(b markdown.Block) (run bool, why string) {
	if b.Language != "sh" && b.Language != "console" {
		return false, ""
	}
	why, marked := strings.CutPrefix(b.Rest, noTest)
	return !marked, strings.TrimSpace(why)
}

// A block whose language nobody says is a command that nobody tries.
func TestBlocks(t *testing.T) {
	t.Parallel()
	reasons := map[string][]string{}
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			run, why := isShell(b)
			switch {
			case !slices.Contains(languages, b.Language):
				t.Errorf("%s:%d: a block of code in %q; want one of %v behind its fence", p.name, b.Line, b.Language, languages)
			case b.Rest != "" && !strings.HasPrefix(b.Rest, noTest):
				t.Errorf("%s:%d: %q says nothing to this test", p.name, b.Line, b.Rest)
			case b.Rest != "" && why == "":
				t.Errorf("%s:%d: it does not say why it is not run", p.name, b.Line)
			case !run && why != "":
				reasons[why] = append(reasons[why], p.name)
			}
		}
	}
	for why, where := range reasons {
		t.Logf("not run: %s (%d blocks: %s)", why, len(where), strings.Join(slices.Compact(where), " "))
	}
}
