package adminapi

import "b3scale"

// orNull is null for an empty text.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// text is the text behind p, empty for null.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// reveal is a secret for those who may see it, and null otherwise or when it is
// unset.
func reveal(s b3scale.Secret, may bool) *string {
	if !may {
		return nil
	}
	return orNull(s.Reveal())
}
