package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	address = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	named   = regexp.MustCompile(`\sid="([^"]*)"`)
)

// Every link of every page leads to a file of the site, and to a name in it.
func TestSite(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	pages, err := Generate("../..", out)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	err = fs.WalkDir(os.DirFS(out), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(out, name))
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 30 || files["index.html"] == "" {
		t.Errorf("there are %d pages in %d files", pages, len(files))
	}
	inMenu := map[string]bool{}
	for name, text := range files {
		if path.Ext(name) != ".html" {
			continue
		}
		for _, m := range address.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				if !strings.Contains(text, "<a href=\""+m[1]) {
					t.Errorf("%s loads %s: the site must need nothing else", name, m[1])
				}
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			there := name
			if file != "" {
				there = path.Join(path.Dir(name), file)
			}
			target, ok := files[there]
			if !ok || anchor != "" && !strings.Contains(target, ` id="`+anchor+`"`) {
				t.Errorf("%s has a link to %s, which is not there", name, m[1])
			}
			if name == "index.html" {
				inMenu[there] = true
			}
		}
		ids := map[string]bool{}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if ids[m[1]] {
				t.Errorf("%s has the id %s twice", name, m[1])
			}
			ids[m[1]] = true
		}
	}
	for name := range files {
		if path.Dir(name) == "." && path.Ext(name) == ".html" && name != "index.html" && !inMenu[name] {
			t.Errorf("%s is not in the index: add it to docs/README.md", name)
		}
	}
}

func TestGenerateFails(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "docs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "docs", "README.md"), []byte("# Index\n\n[away](away.md)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(root, t.TempDir()); err == nil || !strings.Contains(err.Error(), "away.md") {
		t.Errorf("a broken link gives %v", err)
	}
}
