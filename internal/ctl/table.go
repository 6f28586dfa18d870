package ctl

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table has rows of equal length.
type table struct {
	header []string
	rows   [][]cell
}

type cell struct {
	text   string
	colour colour
	right  bool // for numbers
}

// colour is what follows ESC [ on a terminal.
type colour string

const (
	good    colour = "32m"
	careful colour = "33m"
	bad     colour = "31m"
	bold    colour = "1m"
	faint   colour = "2m"
)

func paint(c colour, text string, coloured bool) string {
	if c == "" || !coloured {
		return text
	}
	return "\x1b[" + string(c) + text + "\x1b[0m"
}

func text(value string) cell { return cell{text: value} }

func number(value any) cell { return cell{text: fmt.Sprint(value), right: true} }

func (c cell) in(colour colour) cell {
	c.colour = colour
	return c
}

func (t *table) add(row ...cell) {
	for i := range row {
		if row[i].text = clean(row[i].text); row[i].text == "" {
			row[i].text = "-"
		}
	}
	t.rows = append(t.rows, row)
}

func (t *table) write(w io.Writer, coloured bool) {
	for _, line := range t.lines(coloured, 0) {
		_, _ = fmt.Fprintln(w, line)
	}
}

// lines aligns the columns. No line is wider than width, unless that is 0.
func (t *table) lines(coloured bool, width int) []string {
	widths := make([]int, len(t.header))
	head := make([]cell, len(t.header))
	for i, name := range t.header {
		head[i] = cell{text: name, colour: bold, right: len(t.rows) > 0 && t.rows[0][i].right}
	}
	all := append([][]cell{head}, t.rows...)
	for _, row := range all {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	lines := make([]string, len(all))
	for n, row := range all {
		var b strings.Builder
		used := 0
		for i, c := range row {
			if i > 0 {
				b.WriteString("  ")
				used += 2
			}
			shown := pad(c, widths[i], i == len(row)-1)
			if width > 0 {
				shown = cut(shown, width-used)
			}
			used += utf8.RuneCountInString(shown)
			b.WriteString(paint(c.colour, shown, coloured))
		}
		lines[n] = b.String()
		if !coloured {
			lines[n] = strings.TrimRight(lines[n], " ")
		}
	}
	return lines
}

func pad(c cell, width int, last bool) string {
	blanks := strings.Repeat(" ", width-utf8.RuneCountInString(c.text))
	switch {
	case c.right:
		return blanks + c.text
	case last:
		return c.text
	}
	return c.text + blanks
}

// cut leaves at most so many characters of a text.
func cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}
