package adminapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"b3scale"
)

// frontendBody is what a body may set of a frontend. Decoded onto one that was
// made of the stored frontend, it is that frontend as it should become.
type frontendBody struct {
	Active     bool                     `json:"active"`
	BBB        *frontendBodyBBB         `json:"bbb"` // null is a mistake
	Settings   b3scale.FrontendSettings `json:"settings"`
	AccountRef *string                  `json:"account_ref"`
}

type frontendBodyBBB struct {
	Key             string         `json:"key"`
	Secret          b3scale.Secret `json:"secret"`
	SecondarySecret *string        `json:"secondary_secret"`
}

// frontendBodyOf shares nothing with f.
func frontendBodyOf(f *b3scale.Frontend) frontendBody {
	return frontendBody{
		Active:     f.Active,
		BBB:        &frontendBodyBBB{f.Key, f.Secret, orNull(f.SecondarySecret.Reveal())},
		Settings:   cloneSettings(f.Settings),
		AccountRef: orNull(f.AccountRef),
	}
}

func cloneSettings(s b3scale.FrontendSettings) b3scale.FrontendSettings {
	s.RequiredTags = slices.Clone(s.RequiredTags)
	s.DefaultPresentation = clone(s.DefaultPresentation)
	s.AttendeesLimit = clone(s.AttendeesLimit)
	s.CreateDefaultParams = maps.Clone(s.CreateDefaultParams)
	s.CreateOverrideParams = maps.Clone(s.CreateOverrideParams)
	s.JoinDefaultParams = maps.Clone(s.JoinDefaultParams)
	s.JoinOverrideParams = maps.Clone(s.JoinOverrideParams)
	if s.Recordings = clone(s.Recordings); s.Recordings != nil {
		s.Recordings.VisibilityOverride = clone(s.Recordings.VisibilityOverride)
	}
	return s
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

// create makes f of the body.
func (body frontendBody) create(f *b3scale.Frontend) error {
	wrong := fieldErrors{}
	if body.BBB == nil {
		wrong.add("bbb", isRequired)
		return wrong
	}
	body.apply(f)
	wrong.judge("bbb.key", f.Key == "", isRequired)
	wrong.judge("bbb.secret", f.Secret == "", isRequired)
	wrong.checkFrontend(f, &b3scale.Frontend{})
	return wrong.err()
}

// edit makes f what the body says. Without admin only a tenant's own matters
// may change.
func (body frontendBody) edit(f *b3scale.Frontend, admin bool) error {
	wrong := fieldErrors{}
	if body.BBB == nil {
		wrong.add("bbb", isRequired)
		return wrong
	}
	was := *f
	body.apply(f)
	if !admin {
		if err := forbidden(changedByOperators(f, &was)); err != nil {
			return err
		}
	}
	wrong.checkFrontend(f, &was)
	return wrong.err()
}

func (body frontendBody) apply(f *b3scale.Frontend) {
	f.Active = body.Active
	f.Key = trimmed(body.BBB.Key, f.Key)
	f.Secret = b3scale.Secret(trimmed(body.BBB.Secret.Reveal(), f.Secret.Reveal()))
	f.SecondarySecret = b3scale.Secret(trimmed(text(body.BBB.SecondarySecret), f.SecondarySecret.Reveal()))
	f.Settings = body.Settings
	f.AccountRef = text(body.AccountRef)
}

// trimmed is text without blanks around it, unless it is as it was.
func trimmed(text, was string) string {
	if text == was {
		return text
	}
	return strings.TrimSpace(text)
}

// checkFrontend judges what is not as it was.
func (f fieldErrors) checkFrontend(now, was *b3scale.Frontend) {
	f.judge("bbb.key", now.Key != was.Key, wrongWithKey(now.Key))
	f.judge("bbb.secret", now.Secret != was.Secret, wrongWithSecret(now.Secret))
	f.judge("bbb.secondary_secret", now.SecondarySecret != was.SecondarySecret, wrongWithSecondary(now.SecondarySecret))
	f.judge("account_ref", now.AccountRef != was.AccountRef, wrongWithName(now.AccountRef, maxAccountRef))

	s, old := &now.Settings, &was.Settings
	f.judge("settings.required_tags", !slices.Equal(s.RequiredTags, old.RequiredTags), wrongWithTags(s.RequiredTags))
	if p := s.DefaultPresentation; p != nil {
		changed := old.DefaultPresentation == nil || old.DefaultPresentation.URL != p.URL
		f.judge("settings.default_presentation.url", changed, wrongWithURL(p.URL, maxURL))
	}
	if l := s.AttendeesLimit; l != nil {
		f.judge("settings.attendees_limit.limit", !same(l, old.AttendeesLimit), wrongWithCount(l.Limit))
	}
	if visibility := visibilityOf(s); visibility != visibilityOf(old) {
		f.judge("settings.recordings.visibility_override", visibility != "", wrongWithVisibility(visibility))
	}
	f.checkParams("settings.create_default_params", s.CreateDefaultParams, old.CreateDefaultParams)
	f.checkParams("settings.create_override_params", s.CreateOverrideParams, old.CreateOverrideParams)
	f.checkParams("settings.join_default_params", s.JoinDefaultParams, old.JoinDefaultParams)
	f.checkParams("settings.join_override_params", s.JoinOverrideParams, old.JoinOverrideParams)
	// Every change is in the audit twice, and every call to a node carries them.
	is, had := sizeOf(s), sizeOf(old)
	f.judge("settings", is > had && is > maxSettings, isTooLong(maxSettings, "bytes as a whole"))
}

func sizeOf(s *b3scale.FrontendSettings) int {
	text, _ := json.Marshal(s) // texts and numbers always marshal
	return len(text)
}

// changedByOperators are the changes that are not a tenant's to make.
func changedByOperators(now, was *b3scale.Frontend) fieldErrors {
	f := fieldErrors{}
	f.refuse("active", now.Active != was.Active)
	f.refuse("account_ref", now.AccountRef != was.AccountRef)
	f.refuse("bbb.key", now.Key != was.Key)
	f.refuse("bbb.secret", now.Secret != was.Secret)
	f.refuse("bbb.secondary_secret", now.SecondarySecret != was.SecondarySecret)
	s, old := &now.Settings, &was.Settings
	f.refuse("settings.required_tags", !slices.Equal(s.RequiredTags, old.RequiredTags))
	f.refuse("settings.attendees_limit", !same(s.AttendeesLimit, old.AttendeesLimit))
	f.refuse("settings.create_override_params", !maps.Equal(withoutEmpty(s.CreateOverrideParams), withoutEmpty(old.CreateOverrideParams)))
	f.refuse("settings.join_override_params", !maps.Equal(withoutEmpty(s.JoinOverrideParams), withoutEmpty(old.JoinOverrideParams)))
	f.refuse("settings.recordings", visibilityOf(s) != visibilityOf(old))
	return f
}

// same compares what two pointers point to.
func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// visibilities in the order in which people are told them.
var visibilities = []b3scale.RecordingVisibility{
	b3scale.RecordingUnpublished, b3scale.RecordingPublished, b3scale.RecordingProtected,
	b3scale.RecordingPublic, b3scale.RecordingPublicProtected,
}

// visibilityOf is "-" where it is an empty text, which is another thing than
// none.
func visibilityOf(s *b3scale.FrontendSettings) b3scale.RecordingVisibility {
	if s.Recordings == nil || s.Recordings.VisibilityOverride == nil {
		return ""
	}
	if v := *s.Recordings.VisibilityOverride; v != "" {
		return v
	}
	return "-"
}

func wrongWithVisibility(v b3scale.RecordingVisibility) string {
	if slices.Contains(visibilities, v) {
		return ""
	}
	return "should be " + listed(visibilities)
}

// listed names what is possible.
func listed[T ~string](all []T) string {
	var names strings.Builder
	for i, name := range all {
		switch {
		case i > 0 && i == len(all)-1:
			names.WriteString(" or ")
		case i > 0:
			names.WriteString(", ")
		}
		names.WriteString(string(name))
	}
	return names.String()
}
