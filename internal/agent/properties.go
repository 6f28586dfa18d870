package agent

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// properties are settings in Java's format, before references are resolved.
type properties map[string]string

// parseProperties reads Java's format: keys end at =, : or a blank, # and !
// begin comments, a backslash escapes or continues the line, the last of equal
// keys counts. Blanks behind a value are dropped: nobody means them.
func parseProperties(text string, into properties) {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimLeft(line, blanks)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continues(line) {
			var next string
			if text == "" {
				line = line[:len(line)-1]
				break
			}
			next, text, _ = strings.Cut(text, "\n")
			line = line[:len(line)-1] + strings.TrimLeft(next, blanks)
		}
		key, value := splitProperty(line)
		into[unescape(key)] = strings.TrimSpace(unescape(value))
	}
}

const blanks = " \t\f"

// continues reports whether a line ends in an odd number of backslashes.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty cuts at the first separator that is not escaped. Blanks around
// it belong to it.
func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte("=:"+blanks, line[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(line[end:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return line[:end], value
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+4 < len(s) {
				if code, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil {
					b.WriteRune(rune(code))
					i += 4
					continue
				}
			}
			b.WriteByte('u')
		default:
			_, size := utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+size])
			i += size - 1
		}
	}
	return b.String()
}

var errNotSet = errors.New("it is not set")

const (
	longestValue = 64 << 10 // bytes after references are resolved
	deepest      = 32       // references within references
)

// get resolves the references of a value. Its errors name keys, never values.
func (p properties) get(key string) (string, error) {
	value, set := p[key]
	if !set {
		return "", fmt.Errorf("%s: %w", key, errNotSet)
	}
	left := longestValue
	resolved, err := p.resolve(value, []string{key}, &left)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return resolved, nil
}

// or is get with a value for what is not set or empty.
func (p properties) or(key, otherwise string) (string, error) {
	value, err := p.get(key)
	if _, set := p[key]; !set || value == "" && err == nil {
		return otherwise, nil
	}
	return value, err
}

// resolve replaces ${key} and ${key:default}. The way here is in path, so a
// reference that leads back to itself is found; left bounds what comes of it.
func (p properties) resolve(value string, path []string, left *int) (string, error) {
	var b strings.Builder
	for {
		start := strings.Index(value, "${")
		end := strings.IndexByte(value[max(start, 0):], '}')
		if start < 0 || end < 0 {
			b.WriteString(value)
			if *left -= len(value); *left < 0 {
				return "", errors.New("its references make it too long")
			}
			return b.String(), nil
		}
		b.WriteString(value[:start])
		*left -= start
		name, otherwise, hasDefault := strings.Cut(value[start+2:start+end], ":")
		value = value[start+end+1:]
		for _, before := range path {
			if before == name {
				return "", fmt.Errorf("the reference to %s leads back to itself", name)
			}
		}
		next, set := p[name]
		switch {
		case !set && !hasDefault:
			return "", fmt.Errorf("the reference to %s: %w", name, errNotSet)
		case !set:
			next = otherwise
		case len(path) >= deepest:
			return "", errors.New("its references are too deep")
		}
		text, err := p.resolve(next, append(path[:len(path):len(path)], name), left)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		if *left--; *left < 0 { // a reference to nothing is work, too
			return "", errors.New("its references make it too long")
		}
	}
}
