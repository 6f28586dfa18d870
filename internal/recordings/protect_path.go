package recordings

import (
	"net/url"
	"strings"
)

// maxURI is what nginx takes by default.
const maxURI = 8 << 10

// cleanPath reads a request URI as nginx does before it looks for a file: the
// query is cut off, escapes are decoded once, and what then is a slash or a dot
// counts as one. The segments are those of the path without empty ones and
// dots. It is false for what nginx would not serve, or what others might read
// in another way.
func cleanPath(requestURI string) (segments []string, ok bool) {
	if len(requestURI) > maxURI || strings.ContainsFunc(requestURI, isOdd) {
		return nil, false
	}
	path := requestURI
	if !strings.HasPrefix(path, "/") { // http://host/path
		_, after, found := strings.Cut(path, "://")
		if !found {
			return nil, false
		}
		path = after[len(after)-len(strings.TrimLeftFunc(after, isOfHost)):]
	}
	if at := strings.IndexAny(path, "?#"); at >= 0 {
		path = path[:at]
	}
	path, err := url.PathUnescape(path)
	if err != nil || strings.ContainsFunc(path, func(c rune) bool { return c != ' ' && isOdd(c) }) {
		return nil, false
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			if len(segments) == 0 {
				return nil, false // above the root
			}
			segments = segments[:len(segments)-1]
		default:
			segments = append(segments, segment)
		}
	}
	return segments, true
}

// isOdd knows characters that no good client sends, and a slash of some systems.
func isOdd(c rune) bool { return c <= ' ' || c == 0x7f || c == '\\' }

func isOfHost(c rune) bool { return c != '/' && c != '?' && c != '#' }
