package policy

import (
	"slices"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// noTag stands for backends without tags among those that a create asks for.
const noTag = "none"

// mostTags is how many tags of one create are looked at.
const mostTags = 32

// wishOf reads meta_server-tag: tags with semicolons between them, and a ! at
// the end when the meeting must not run elsewhere.
func wishOf(asked string, allowed b3scale.Tags) b3scale.TagWish {
	var w b3scale.TagWish
	asked, required := strings.CutSuffix(strings.TrimSpace(bbb.Clean(asked)), "!")
	if strings.Trim(asked, "; ") == "" {
		return w
	}
	w.Required = required
	for i, tag := range strings.SplitN(asked, ";", mostTags+1) {
		switch tag = strings.TrimSpace(tag); {
		case tag == "" || i == mostTags:
		case tag == noTag:
			w.Untagged = true
		case slices.Contains(allowed, tag) || slices.Contains(allowed, b3scale.AnyTag):
			w.AnyOf = append(w.AnyOf, tag)
		default:
			w.Refused = append(w.Refused, tag)
		}
	}
	return w
}
