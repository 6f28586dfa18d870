package b3scale

import "slices"

// Tags are the labels of a backend, or those that a frontend requires.
type Tags []string

// Covers reports whether t carries every required tag. An empty required tag
// always matches.
func (t Tags) Covers(required Tags) bool {
	for _, r := range required {
		if r != "" && !slices.Contains(t, r) {
			return false
		}
	}
	return true
}
