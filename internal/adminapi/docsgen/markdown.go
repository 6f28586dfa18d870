package main

import (
	"html/template"
	"regexp"
	"strings"
)

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	strong   = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

// markdown renders what our descriptions use of it: paragraphs, tables, code
// and bold text.
func markdown(text string) template.HTML {
	var b strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		switch {
		case block == "":
		case strings.HasPrefix(block, "|"):
			writeTable(&b, strings.Split(block, "\n"))
		default:
			b.WriteString("<p>" + inline(block) + "</p>")
		}
	}
	return template.HTML(b.String()) //nolint:gosec // inline escapes what it is given
}

func writeTable(b *strings.Builder, rows []string) {
	b.WriteString(`<div class="scroll"><table>`)
	for i, row := range rows {
		if i == 1 {
			continue // the line below the head
		}
		cell := "td"
		if i == 0 {
			cell = "th"
		}
		b.WriteString("<tr>")
		for text := range strings.SplitSeq(strings.Trim(row, "| "), "|") {
			b.WriteString("<" + cell + ">" + inline(strings.TrimSpace(text)) + "</" + cell + ">")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</table></div>")
}

func inline(text string) string {
	text = template.HTMLEscapeString(text)
	text = codeSpan.ReplaceAllString(text, "<code>$1</code>")
	return strong.ReplaceAllString(text, "<strong>$1</strong>")
}
