package bbbtest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// version is a BBB release. Without a patch level it is the last one of its
// line.
type version struct {
	major, minor, patch int
}

func parseVersion(text string) (version, error) {
	parts := strings.Split(text, ".")
	v := version{patch: math.MaxInt}
	numbers := []*int{&v.major, &v.minor, &v.patch}
	if len(parts) < 2 || len(parts) > len(numbers) {
		return version{}, fmt.Errorf("BBB version %q is not like 2.7 or 3.0.19", text)
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return version{}, fmt.Errorf("BBB version %q is not like 2.7 or 3.0.19", text)
		}
		*numbers[i] = n
	}
	if !v.atLeast(2, 4, 0) || v.atLeast(3, 1, 0) || v.major == 2 && v.minor > 7 {
		return version{}, fmt.Errorf("BBB version %q is not one of 2.4 to 2.7 and 3.0", text)
	}
	return v, nil
}

func (v version) atLeast(major, minor, patch int) bool {
	switch {
	case v.major != major:
		return v.major > major
	case v.minor != minor:
		return v.minor > minor
	default:
		return v.patch >= patch
	}
}

func (v version) since(major, minor int) bool { return v.atLeast(major, minor, 0) }

// strictPosts: since 2.6.18 and 2.7.8 the checksum of a POST covers its query
// alone, content types are checked and join is GET only.
func (v version) strictPosts() bool {
	if v.major == 2 && v.minor == 7 {
		return v.patch >= 8
	}
	return v.atLeast(2, 6, 18)
}

// refusesCharset: the first releases that checked content types did not accept
// a charset behind them.
func (v version) refusesCharset() bool {
	return v == version{2, 6, 18} || v == version{2, 7, 8}
}

// clientPath is where a join lands.
func (v version) clientPath() string {
	if v.since(3, 0) {
		return "/html5client"
	}
	return "/html5client/join"
}
