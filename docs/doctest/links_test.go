package doctest

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every relative link leads to a file, and to a heading in it. Nobody asks the
// network for the others.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	anchors := map[string][]string{}
	for _, p := range all {
		anchors[p.name] = p.Anchors
	}
	followed := 0
	for _, p := range all {
		for _, l := range p.Links {
			if strings.Contains(l.Target, "://") || strings.HasPrefix(l.Target, "mailto:") {
				continue
			}
			followed++
			file, anchor, _ := strings.Cut(l.Target, "#")
			there := p.name
			if file != "" {
				there = path.Join(path.Dir(p.name), file)
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(there))); err != nil || strings.HasPrefix(there, "..") {
				t.Errorf("%s:%d: the link to %s leads nowhere", p.name, l.Line, l.Target)
			} else if anchor != "" && !slices.Contains(anchors[there], anchor) {
				t.Errorf("%s:%d: %s has no heading #%s", p.name, l.Line, there, anchor)
			}
		}
	}
	if followed < 100 {
		t.Errorf("there are only %d links", followed)
	}
}
