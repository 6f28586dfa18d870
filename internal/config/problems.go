package config

import (
	"fmt"
	"strings"
)

// Error holds every problem of a configuration. Its lines show no secret.
type Error struct {
	lines []string
}

// Lines gives one line per problem: the variable, its value, what is accepted.
func (e *Error) Lines() []string { return e.lines }

// Error is all lines, one below the other.
func (e *Error) Error() string { return strings.Join(e.lines, "\n") }

const (
	masked      = "•••"
	shownLength = 100 // longer values are cut, the line stays a line
)

// problem notes what is wrong with a variable, once: what follows from a
// refused value is not worth a line.
func (l *loader) problem(name, format string, args ...any) {
	if l.refused[name] {
		return
	}
	l.refused[name] = true
	l.problems = append(l.problems, l.origin(name)+": "+fmt.Sprintf(format, args...))
}

func (l *loader) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// origin names a variable with its value and the file it comes from.
func (l *loader) origin(name string) string {
	v, set := l.values[name]
	if !set {
		v.text = l.variable(name).Default
	}
	text := name + "=" + l.shown(name, v.text)
	switch {
	case !set:
		text += " (default)"
	case v.file != "":
		text += " (from " + v.file + ")"
	}
	return text
}

// shown gives a value as it may be printed.
func (l *loader) shown(name, text string) string {
	switch {
	case name == nameDBURL, name == nameListenURL:
		text = RedactStoreURL(text)
	case l.isSecret(name):
		return masked
	case l.isSecretFile(name) && (name != nameDBURL+fileSuffix && name != nameListenURL+fileSuffix || strings.ContainsAny(text, ":=@")):
		return masked // it may be the secret itself, where the name of its file belongs
	}
	if runes := []rune(text); len(runes) > shownLength {
		text = string(runes[:shownLength]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
