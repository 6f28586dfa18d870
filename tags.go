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

// TagWish is what a meeting asks for besides the tags that its frontend
// requires: a backend with any of some tags. The zero TagWish asks for nothing.
type TagWish struct {
	AnyOf    Tags
	Untagged bool // or a backend without any tag besides the required ones
	Required bool // no other backend will do; else they only come first
	Refused  Tags // asked for, but not allowed to the frontend
}

// Hopeless reports whether no backend can ever meet the wish: what it insists
// on is not allowed.
func (w TagWish) Hopeless() bool {
	return w.Required && len(w.AnyOf) == 0 && !w.Untagged
}

// MetBy reports whether a backend with these tags is what is wished for.
func (w TagWish) MetBy(tags, required Tags) bool {
	if len(w.AnyOf) == 0 && !w.Untagged {
		return !w.Required
	}
	if slices.ContainsFunc(w.AnyOf, func(tag string) bool { return slices.Contains(tags, tag) }) {
		return true
	}
	return w.Untagged && !slices.ContainsFunc(tags, func(tag string) bool { return tag != "" && !slices.Contains(required, tag) })
}
