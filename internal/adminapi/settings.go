package adminapi

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// cloneSettings shares nothing with s.
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
	s.Hosts = slices.Clone(s.Hosts)
	s.AllowedTags = slices.Clone(s.AllowedTags)
	s.CreateBlockedParams = slices.Clone(s.CreateBlockedParams)
	s.JoinBlockedParams = slices.Clone(s.JoinBlockedParams)
	s.CreateMaxParams = maps.Clone(s.CreateMaxParams)
	s.MeetingsLimit = clone(s.MeetingsLimit)
	s.RateLimit = clone(s.RateLimit)
	return s
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

// settled gives settings of a body the form in which they are stored. What
// means the same as before stays as it was, whatever it was.
func settled(s b3scale.FrontendSettings, old *b3scale.FrontendSettings) b3scale.FrontendSettings {
	for i, host := range s.Hosts {
		if !slices.Contains(old.Hosts, host) {
			s.Hosts[i] = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
		}
	}
	if l, was := s.AttendeesLimit, old.AttendeesLimit; l != nil && was != nil && modeOf(l) == modeOf(was) {
		l.Mode = was.Mode
	}
	canonicalNames(s.CreateDefaultParams, old.CreateDefaultParams)
	canonicalNames(s.CreateOverrideParams, old.CreateOverrideParams)
	canonicalNames(s.JoinDefaultParams, old.JoinDefaultParams)
	canonicalNames(s.JoinOverrideParams, old.JoinOverrideParams)
	return s
}

// canonicalNames gives the parameters that a body sets the spelling by which
// they are stored, in place of any other. What it sets in several spellings is
// left for the check to refuse.
func canonicalNames(params, old b3scale.Params) {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value, there := params[name]
		was, known := old[name]
		switch {
		case !there, known && value == was, hasControls(name), inSeveralSpellings(params, old, name):
		case known && value == "": // one spelling of several goes
		default:
			maps.DeleteFunc(params, func(other, _ string) bool { return sameParam(other, name) })
			params[bbb.CanonicalName(name)] = value
		}
	}
}

// inSeveralSpellings reports whether a parameter is set in another one, too,
// which was not there before.
func inSeveralSpellings(params, old b3scale.Params, name string) bool {
	for other, value := range params {
		if other != name && value != "" && value != old[other] && sameParam(other, name) {
			return true
		}
	}
	return false
}

func sameParam(a, b string) bool { return bbb.CanonicalName(a) == bbb.CanonicalName(b) }

// modeOf is the mode that counts.
func modeOf(l *b3scale.AttendeesLimit) b3scale.AttendeesLimitMode {
	return cmp.Or(l.Mode, b3scale.LimitBlocksJoin)
}

func frontendSettingsOf(s b3scale.FrontendSettings) FrontendSettings {
	settings := FrontendSettings{
		RequiredTags:         s.RequiredTags,
		CreateDefaultParams:  withoutUnset(s.CreateDefaultParams),
		CreateOverrideParams: withoutUnset(s.CreateOverrideParams),
		JoinDefaultParams:    withoutUnset(s.JoinDefaultParams),
		JoinOverrideParams:   withoutUnset(s.JoinOverrideParams),
		Hosts:                s.Hosts,
		AllowedTags:          s.AllowedTags,
		CreateBlockedParams:  s.CreateBlockedParams,
		JoinBlockedParams:    s.JoinBlockedParams,
		CreateMaxParams:      withoutUnset(s.CreateMaxParams),
	}
	if p := s.DefaultPresentation; p != nil {
		settings.DefaultPresentation = &DefaultPresentation{URL: p.URL, Force: p.Force}
	}
	if l := s.AttendeesLimit; l != nil {
		settings.AttendeesLimit = &AttendeesLimit{Limit: l.Limit, Mode: AttendeesLimitMode(modeOf(l)), ModeratorsExempt: l.ModeratorsExempt}
	}
	if r := s.Recordings; r != nil {
		settings.Recordings = &RecordingSettings{}
		if v := r.VisibilityOverride; v != nil {
			settings.Recordings.VisibilityOverride = orNull(string(*v))
		}
	}
	if l := s.MeetingsLimit; l != nil {
		settings.MeetingsLimit = &MeetingsLimit{Limit: l.Limit}
	}
	if l := s.RateLimit; l != nil {
		settings.RateLimit = &RateLimit{RequestsPerSecond: l.RequestsPerSecond, Burst: l.Burst}
	}
	return settings
}

// frontendDefaultsOf are the same without hosts: each has one owner at most.
func frontendDefaultsOf(defaults b3scale.FrontendSettings) FrontendDefaults {
	s := frontendSettingsOf(defaults)
	return FrontendDefaults{
		RequiredTags:         s.RequiredTags,
		DefaultPresentation:  s.DefaultPresentation,
		AttendeesLimit:       s.AttendeesLimit,
		CreateDefaultParams:  s.CreateDefaultParams,
		CreateOverrideParams: s.CreateOverrideParams,
		JoinDefaultParams:    s.JoinDefaultParams,
		JoinOverrideParams:   s.JoinOverrideParams,
		Recordings:           s.Recordings,
		AllowedTags:          s.AllowedTags,
		CreateBlockedParams:  s.CreateBlockedParams,
		JoinBlockedParams:    s.JoinBlockedParams,
		CreateMaxParams:      s.CreateMaxParams,
		MeetingsLimit:        s.MeetingsLimit,
		RateLimit:            s.RateLimit,
	}
}

// withoutUnset is never nil: it is an object in JSON.
func withoutUnset[M ~map[string]V, V comparable](values M) map[string]V {
	var unset V
	set := map[string]V{}
	maps.Copy(set, values)
	maps.DeleteFunc(set, func(_ string, value V) bool { return value == unset })
	return set
}
