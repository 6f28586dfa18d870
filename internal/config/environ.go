package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

const (
	prefix        = "B3SCALE_"
	nameDBURL     = "B3SCALE_DB_URL"
	nameListenURL = "B3SCALE_DB_LISTEN_URL"
	nameJWT       = "B3SCALE_API_JWT_SECRET"
	nameJWTSecond = "B3SCALE_API_JWT_SECONDARY_SECRET"
	fileSuffix    = "_FILE"
)

// loader collects values, warnings and problems while a Config is made.
type loader struct {
	program
	readFile func(string) ([]byte, error)
	values   map[string]value // by variable; none is empty
	files    []string         // env files that were used
	refused  map[string]bool  // variables with a problem
	problems []string
	warnings []string
}

type value struct {
	text    string
	file    string // where it was read; empty for the process environment
	trimmed bool   // the process environment has blanks around it
}

// load collects what is set for one of the programs.
func load(p program, environ []string, opts Options) *loader {
	if opts.ReadFile == nil {
		opts.ReadFile = os.ReadFile
	}
	l := &loader{
		program:  p,
		readFile: opts.ReadFile,
		values:   make(map[string]value),
		refused:  make(map[string]bool),
	}
	l.readEnviron(environ)
	l.readEnvFiles()
	l.readSecretFiles()
	l.warnOfUnused()
	return l
}

func (l *loader) readEnviron(environ []string) {
	for _, line := range environ {
		name, text, found := strings.Cut(line, "=")
		if found {
			l.set(name, value{text: text})
		}
	}
}

// set takes a value over an earlier one. An empty value is no value.
func (l *loader) set(name string, v value) {
	if !strings.HasPrefix(name, prefix) && l.variable(name).Name == "" {
		return
	}
	text := strings.TrimSpace(v.text)
	v.trimmed = v.file == "" && text != v.text
	v.text = text
	if v.text == "" {
		delete(l.values, name)
		return
	}
	l.values[name] = v
}

func (l *loader) isSet(name string) bool {
	_, set := l.values[name]
	return set
}

// readSecretFiles replaces NAME_FILE by what the file holds.
func (l *loader) readSecretFiles() {
	for _, name := range l.secretNames() {
		file := name + fileSuffix
		v, set := l.values[file]
		switch {
		case !set:
		case l.isSet(name):
			l.problem(file, "%s is set too; accepted: one of the two", name)
			l.refused[name] = true
		case l.variable(name).Name != "": // those of later versions are left unread
			text, why := l.readText(v.text)
			if why != "" {
				l.problem(file, "%s; accepted: a readable file that holds %s", why, name)
				l.refused[name] = true
				continue
			}
			l.set(name, value{text: text, file: l.shownFile(file, v.text)})
		}
	}
}

// readText reads a file that must hold something, and tells why it cannot.
func (l *loader) readText(path string) (text, why string) {
	raw, err := l.readFile(path)
	if err != nil {
		return "", reason(err)
	}
	text = strings.TrimSpace(string(raw))
	if text == "" {
		return "", "the file is empty"
	}
	return text, ""
}

func (l *loader) shownFile(name, path string) string {
	return strings.Trim(l.shown(name, path), `"`)
}

// reason is err without the path, which the line has already.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err.Error()
}
