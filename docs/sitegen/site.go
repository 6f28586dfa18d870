package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"b3scale/docs/markdown"
)

// Files are named by their path from the root of the repository, with slashes.
const (
	docsDir   = "docs"
	indexPage = "docs/README.md"
	elsewhere = "files" // in the site: what is not below docs
)

type site struct {
	root, out string
	menu      []markdown.Section
	done      map[string]bool // by file
	queue     []string
}

// Generate writes all pages below docs, and every file that they lead to. It
// tells how many pages there are.
func Generate(root, out string) (int, error) {
	s := &site{root: root, out: out, done: map[string]bool{}}
	index, err := s.parse(indexPage)
	if err != nil {
		return 0, err
	}
	for _, section := range index.Sections[min(1, len(index.Sections)):] { // without what stands above all
		if len(section.Links) > 0 {
			s.menu = append(s.menu, section)
		}
	}
	for _, pattern := range []string{"docs/*.md", "docs/decisions/*.md"} {
		found, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil {
			return 0, err
		}
		s.queue = append(s.queue, found...)
	}
	for len(s.queue) > 0 {
		file := s.queue[0]
		s.queue = s.queue[1:]
		if s.done[file] {
			continue
		}
		s.done[file] = true
		if err := s.write(file); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
	}
	if err := s.put("style.css", []byte(style)); err != nil {
		return 0, err
	}
	pages := slices.DeleteFunc(slices.Collect(maps.Keys(s.done)), func(file string) bool { return !isPage(file) })
	return len(pages), nil
}

func isPage(file string) bool { return path.Ext(file) == ".md" }

func (s *site) parse(file string) (*markdown.Page, error) {
	source, err := os.ReadFile(s.path(file))
	if err != nil {
		return nil, err
	}
	return markdown.Parse(source)
}

func (s *site) path(file string) string { return filepath.Join(s.root, filepath.FromSlash(file)) }

// write writes a page, a list of the files of a directory, or a copy.
func (s *site) write(file string) error {
	if isPage(file) {
		return s.writePage(file)
	}
	info, err := os.Stat(s.path(file))
	if err != nil {
		return err
	}
	if info.IsDir() {
		return s.writeList(file)
	}
	content, err := os.ReadFile(s.path(file))
	if err != nil {
		return err
	}
	return s.put(place(file, false), content)
}

func (s *site) writePage(file string) error {
	page, err := s.parse(file)
	if err != nil {
		return err
	}
	var broken error
	body, err := page.HTML(func(target string) string {
		there, err := s.link(file, target)
		broken = errors.Join(broken, err)
		return there
	})
	if err = errors.Join(broken, err); err != nil {
		return err
	}
	return s.putPage(place(file, false), page.Title, string(body))
}

// writeList is what a link to a directory leads to.
func (s *site) writeList(dir string) error {
	entries, err := os.ReadDir(s.path(dir))
	if err != nil {
		return err
	}
	list := &strings.Builder{}
	for _, entry := range entries {
		file := path.Join(dir, entry.Name())
		if path.Ext(file) == ".go" || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		target, err := s.link(path.Join(dir, "README.md"), entry.Name())
		if err != nil {
			return err
		}
		fmt.Fprintf(list, "<li><a href=%q>%s</a></li>\n", target, entry.Name())
	}
	return s.putPage(place(dir, true), dir, "<h1>"+dir+"</h1>\n<ul>\n"+list.String()+"</ul>\n")
}

// link is where a link leads from the page of a file. What it leads to is
// written, too.
func (s *site) link(from, target string) (string, error) {
	name, anchor, _ := strings.Cut(target, "#")
	if name == "" || strings.Contains(name, "://") || strings.HasPrefix(name, "mailto:") {
		return target, nil
	}
	file := path.Join(path.Dir(from), name)
	info, err := os.Stat(s.path(file))
	if err != nil {
		return "", fmt.Errorf("the link to %s: %w", target, err)
	}
	if file == "README.md" {
		file = indexPage // the front page of the repository is that of the site
	}
	s.queue = append(s.queue, file)
	there := relative(place(from, false), place(file, info.IsDir()))
	if anchor != "" {
		there += "#" + anchor
	}
	return there, nil
}

// place is where a file is in the site.
func place(file string, isDir bool) string {
	if isDir {
		file = path.Join(file, "index.html")
	}
	if isPage(file) {
		file = strings.TrimSuffix(file, ".md") + ".html"
		if path.Base(file) == "README.html" {
			file = path.Join(path.Dir(file), "index.html")
		}
	}
	if below, ok := strings.CutPrefix(file, docsDir+"/"); ok {
		return below
	}
	return path.Join(elsewhere, file)
}

// relative is the link from one place of the site to another.
func relative(from, to string) string {
	return strings.Repeat("../", strings.Count(from, "/")) + to
}
