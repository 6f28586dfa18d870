package adminapi

import (
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

// create makes f of the body. The warnings are for whoever asked for it.
func (body frontendBody) create(f *b3scale.Frontend) (warnings []string, err error) {
	wrong := fieldErrors{}
	if body.BBB == nil {
		wrong.add("bbb", isRequired)
		return nil, wrong
	}
	body.apply(f)
	wrong.judge("bbb.key", f.Key == "", isRequired)
	wrong.judge("bbb.secret", f.Secret == "", isRequired)
	warnings = wrong.checkFrontend(f, &b3scale.Frontend{})
	return warnings, wrong.err()
}

// edit makes f what the body says. Without admin only a tenant's own matters
// may change, and the defaults tell what those are.
func (body frontendBody) edit(f *b3scale.Frontend, admin bool, defaults b3scale.FrontendSettings) (warnings []string, err error) {
	wrong := fieldErrors{}
	if body.BBB == nil {
		wrong.add("bbb", isRequired)
		return nil, wrong
	}
	was := *f
	body.apply(f)
	if !admin {
		if err := forbidden(changedByOperators(f, &was, defaults)); err != nil {
			return nil, err
		}
	}
	warnings = wrong.checkFrontend(f, &was)
	return warnings, wrong.err()
}

func (body frontendBody) apply(f *b3scale.Frontend) {
	f.Active = body.Active
	f.Key = trimmed(body.BBB.Key, f.Key)
	f.Secret = b3scale.Secret(trimmed(body.BBB.Secret.Reveal(), f.Secret.Reveal()))
	f.SecondarySecret = b3scale.Secret(trimmed(text(body.BBB.SecondarySecret), f.SecondarySecret.Reveal()))
	f.Settings = settled(body.Settings, &f.Settings)
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
func (f fieldErrors) checkFrontend(now, was *b3scale.Frontend) (warnings []string) {
	f.judge("bbb.key", now.Key != was.Key, wrongWithKey(now.Key))
	f.judge("bbb.secret", now.Secret != was.Secret, wrongWithSecret(now.Secret))
	f.judge("bbb.secondary_secret", now.SecondarySecret != was.SecondarySecret, wrongWithSecondary(now.SecondarySecret))
	f.judge("account_ref", now.AccountRef != was.AccountRef, wrongWithName(now.AccountRef, maxAccountRef))
	return f.checkSettings("settings.", &now.Settings, &was.Settings)
}

// changedByOperators are the changes that are not a tenant's to make.
func changedByOperators(now, was *b3scale.Frontend, defaults b3scale.FrontendSettings) fieldErrors {
	f := fieldErrors{}
	f.refuse("active", now.Active != was.Active)
	f.refuse("account_ref", now.AccountRef != was.AccountRef)
	f.refuse("bbb.key", now.Key != was.Key)
	f.refuse("bbb.secret", now.Secret != was.Secret)
	f.refuse("bbb.secondary_secret", now.SecondarySecret != was.SecondarySecret)
	s, old := &now.Settings, &was.Settings
	for name, changed := range map[string]bool{
		"required_tags":          !sameList(s.RequiredTags, old.RequiredTags),
		"attendees_limit":        !same(s.AttendeesLimit, old.AttendeesLimit),
		"create_override_params": !maps.Equal(withoutUnset(s.CreateOverrideParams), withoutUnset(old.CreateOverrideParams)),
		"join_override_params":   !maps.Equal(withoutUnset(s.JoinOverrideParams), withoutUnset(old.JoinOverrideParams)),
		"recordings":             (s.Recordings == nil) != (old.Recordings == nil) || visibilityOf(s) != visibilityOf(old),
		"hosts":                  !sameList(s.Hosts, old.Hosts),
		"allowed_tags":           !sameList(s.AllowedTags, old.AllowedTags),
		"create_blocked_params":  !sameList(s.CreateBlockedParams, old.CreateBlockedParams),
		"join_blocked_params":    !sameList(s.JoinBlockedParams, old.JoinBlockedParams),
		"create_max_params":      !maps.Equal(withoutUnset(s.CreateMaxParams), withoutUnset(old.CreateMaxParams)),
		"meetings_limit":         !same(s.MeetingsLimit, old.MeetingsLimit),
		"rate_limit":             !same(s.RateLimit, old.RateLimit),
		"default_presentation":   !same(s.DefaultPresentation, old.DefaultPresentation) && (forces(s.DefaultPresentation) || forces(old.Over(defaults).DefaultPresentation)),
	} {
		f.refuse("settings."+name, changed)
	}
	return f
}

// forces reports whether a presentation stands in place of the frontend's own.
func forces(p *b3scale.DefaultPresentation) bool { return p != nil && p.URL != "" && p.Force }

// same compares what two pointers point to.
func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// sameList tells none from an empty one: that stands in the way of the default
// of the installation.
func sameList[L ~[]string](a, b L) bool {
	return (a == nil) == (b == nil) && slices.Equal(a, b)
}
