package config

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
)

// envFiles of b3scaled are read in this order; the later one wins, and all of
// them win over the process environment.
var envFiles = []string{"./.env", "/etc/default/b3scale", "/etc/sysconfig/b3scale"}

// readEnvFiles reads the env files unless the environment says already where
// what it must: then a service manager or a container has set everything.
func (l *loader) readEnvFiles() {
	if l.isSet(l.sentinel) || l.isSet(l.sentinel+fileSuffix) {
		return
	}
	for _, path := range l.envFiles {
		raw, err := l.readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			// It is there, and somebody relies on it.
			l.warn("%s is not used: %s", path, reason(err))
			continue
		}
		l.files = append(l.files, path)
		l.readEnvFile(path, string(raw))
	}
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readEnvFile reads KEY=VALUE lines. Blanks and then quotes around both sides
// are dropped, lines that start with # too; there is no export and no expansion.
func (l *loader) readEnvFile(path, text string) {
	text = strings.TrimPrefix(text, "\ufeff")
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, val, found := strings.Cut(line, "=")
		name = unquote(name)
		if !found || !variableName.MatchString(name) {
			// The line is not shown: it may hold a secret.
			l.warn("%s:%d is not used: accepted are lines like NAME=VALUE, without export", path, number)
			continue
		}
		l.set(name, value{text: unquote(val), file: path})
	}
}

func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), `"'`) }
