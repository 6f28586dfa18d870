package markdown_test

import (
	"slices"
	"strings"
	"testing"

	"b3scale/docs/markdown"
)

const sample = "# A `title` & more\n\nSee [one](a.md#x) and `code`.\n\n## Twice_told\n\n```sh no-test needs root\nls | wc\n```\n\n    indented\n\n" +
	"## Twice_told\n\n| a | b |\n| --: | --- |\n| [two](b.md) | `c` |\n\n![image](i.png)\n"

func TestParse(t *testing.T) {
	t.Parallel()
	p, err := markdown.Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if p.Title != "A title & more" {
		t.Errorf("the title is %q", p.Title)
	}
	if want := []string{"a-title--more", "twice_told", "twice_told-1"}; !slices.Equal(p.Anchors, want) {
		t.Errorf("the anchors are %q, want %q", p.Anchors, want)
	}
	if want := []markdown.Link{{"a.md#x", "one", 3}, {"b.md", "two", 17}, {"i.png", "image", 19}}; !slices.Equal(p.Links, want) {
		t.Errorf("the links are %v, want %v", p.Links, want)
	}
	if want := []markdown.Block{{"sh", "no-test needs root", "ls | wc\n", 8}, {"", "", "indented\n", 11}}; !slices.Equal(p.Blocks, want) {
		t.Errorf("the blocks are %+v, want %+v", p.Blocks, want)
	}
	if want := []markdown.Span{{"title", 1}, {"code", 3}, {"c", 17}}; !slices.Equal(p.Spans, want) {
		t.Errorf("the spans are %v, want %v", p.Spans, want)
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	p, err := markdown.Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	body, err := p.HTML(func(target string) string { return "/to/" + target })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<h1 id="a-title--more">`, `href="/to/a.md#x"`, `<code class="language-sh">`, `src="/to/i.png"`, "<td>"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("there is no %s in\n%s", want, body)
		}
	}
}
