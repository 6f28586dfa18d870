package markdown

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
)

// Page is one file.
type Page struct {
	Title    string   // of its first heading
	Anchors  []string // of its headings, as forges name them
	Links    []Link
	Blocks   []Block
	Spans    []Span // of code within text
	Sections []Section

	source []byte
	root   ast.Node
}

// Link is a link or an image.
type Link struct {
	Target string
	Text   string
	Line   int
}

// Block is a block of code.
type Block struct {
	Language string // the first word behind the fence; empty without a fence
	Rest     string // what follows it there
	Text     string
	Line     int // of its first line of text
}

// Span is code within text.
type Span struct {
	Text string
	Line int
}

// Section is a heading with the links below it, for a table of contents.
type Section struct {
	Title string
	Links []Link
}

// Parse reads a page.
func Parse(source []byte) (*Page, error) {
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	ids := &slugs{}
	p := &Page{source: source, root: md.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(ids))))}
	err := ast.Walk(p.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.take(n)
		}
		return ast.WalkContinue, nil
	})
	p.Anchors = ids.given
	if err != nil {
		return nil, fmt.Errorf("read a page: %w", err)
	}
	return p, nil
}

func (p *Page) take(n ast.Node) {
	switch n := n.(type) {
	case *ast.Heading:
		title := p.textOf(n)
		if p.Title == "" {
			p.Title = title
		}
		p.Sections = append(p.Sections, Section{Title: title})
	case *ast.Link:
		p.link(Link{string(n.Destination), p.textOf(n), p.line(n)})
	case *ast.Image:
		p.link(Link{string(n.Destination), p.textOf(n), p.line(n)})
	case *ast.CodeSpan:
		p.Spans = append(p.Spans, Span{p.textOf(n), p.line(n)})
	case *ast.FencedCodeBlock:
		info := ""
		if n.Info != nil {
			info = string(n.Info.Segment.Value(p.source))
		}
		language, rest, _ := strings.Cut(info, " ")
		p.Blocks = append(p.Blocks, Block{language, strings.TrimSpace(rest), p.lines(n), p.line(n)})
	case *ast.CodeBlock:
		p.Blocks = append(p.Blocks, Block{Text: p.lines(n), Line: p.line(n)})
	}
}

func (p *Page) link(l Link) {
	p.Links = append(p.Links, l)
	if n := len(p.Sections); n > 0 {
		p.Sections[n-1].Links = append(p.Sections[n-1].Links, l)
	}
}

// HTML is the body of the page. Each link becomes what target makes of it.
func (p *Page) HTML(target func(string) string) ([]byte, error) {
	_ = ast.Walk(p.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			n.Destination = []byte(target(string(n.Destination)))
		case *ast.Image:
			n.Destination = []byte(target(string(n.Destination)))
		case *extast.TableCell:
			n.Alignment = extast.AlignNone // it would be a style attribute
		}
		return ast.WalkContinue, nil
	})
	var out bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithXHTML()))
	if err := md.Renderer().Render(&out, p.source, p.root); err != nil {
		return nil, fmt.Errorf("render a page: %w", err)
	}
	return out.Bytes(), nil
}

// textOf is the text below n, without markup.
func (p *Page) textOf(n ast.Node) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(p.source))
			if t.SoftLineBreak() || t.HardLineBreak() {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

func (p *Page) lines(n ast.Node) string {
	var b strings.Builder
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		b.Write(line.Value(p.source))
	}
	return b.String()
}

// line is where n begins, from 1 on, or the block that it is in.
func (p *Page) line(n ast.Node) int {
	for first := n.FirstChild(); first != nil; first = first.FirstChild() {
		if t, ok := first.(*ast.Text); ok {
			return p.lineAt(t.Segment.Start)
		}
	}
	for ; n != nil; n = n.Parent() {
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			return p.lineAt(n.Lines().At(0).Start)
		}
	}
	return 1
}

func (p *Page) lineAt(offset int) int { return 1 + bytes.Count(p.source[:offset], []byte("\n")) }
