package ctl

import (
	"fmt"
	"net/url"
	"strings"
)

// nearest is the name that somebody may have meant, or "".
func nearest(typed string, names []string) string {
	typed = strings.ToLower(typed)
	best, found := max(2, len(typed)/3)+1, ""
	for _, name := range names {
		away := distance(typed, strings.ToLower(name))
		if host := hostOf(name); host != "" {
			away = min(away, distance(bare(typed), host))
		}
		if len(typed) > 2 && strings.Contains(strings.ToLower(name), typed) {
			away = min(away, 1) // only a part was typed
		}
		if away < best {
			best, found = away, name
		}
	}
	return found
}

// bare is what was typed of a host, without scheme and path.
func bare(typed string) string {
	if host := hostOf(typed); host != "" {
		return host
	}
	host, _, _ := strings.Cut(typed, "/")
	return host
}

// hostOf is the host of an address, or "".
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// distance counts the letters to change, add or leave out (Levenshtein).
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			changed := diagonal
			if x != y {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}

// didYouMean is the end of a message about a name that there is not, or "".
func didYouMean(typed string, names []string) string {
	if name := nearest(typed, names); name != "" {
		return fmt.Sprintf(": did you mean %q?", name)
	}
	return ""
}

// notFound says what is not there, and what may have been meant.
func notFound(kind, typed string, names []string) error {
	advice := didYouMean(typed, names)
	if advice == "" {
		advice = fmt.Sprintf(": b3scalectl show %ss lists them all", kind)
	}
	return fmt.Errorf("%s not found: %q%s", kind, typed, advice)
}
