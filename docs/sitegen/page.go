package main

import (
	_ "embed"
	"html/template"
	"os"
	"path/filepath"
	"strings"
)

//go:embed style.css
var style string

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// heading is a part of the menu.
type heading struct {
	Title   string
	Entries []entry
}

type entry struct {
	Title, Link string
	Here        bool
}

func (s *site) putPage(at, title, body string) error {
	var menu []heading
	for _, section := range s.menu {
		h := heading{Title: section.Title}
		for _, l := range section.Links {
			there, err := s.link(indexPage, l.Target)
			if err != nil {
				return err
			}
			name, _, _ := strings.Cut(there, "#")
			h.Entries = append(h.Entries, entry{l.Text, relative(at, there), name == at})
		}
		menu = append(menu, h)
	}
	var page strings.Builder
	err := pageTemplate.Execute(&page, map[string]any{
		"Title": title, "Menu": menu, "Style": relative(at, "style.css"), "Home": relative(at, "index.html"),
		"Body": template.HTML(body), //nolint:gosec // made of our own pages; raw HTML in them is left out
	})
	if err != nil {
		return err
	}
	return s.put(at, []byte(page.String()))
}

func (s *site) put(at string, content []byte) error {
	file := filepath.Join(s.out, filepath.FromSlash(at))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // a web server reads it
		return err
	}
	return os.WriteFile(file, content, 0o644) //nolint:gosec // as above
}
