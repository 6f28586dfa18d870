package b3scale

import (
	"maps"
	"slices"
	"strings"
)

// SettingSource says where the value of a setting comes from.
type SettingSource string

// The sources of settings that are set at all.
const (
	FromFrontend SettingSource = "frontend"
	FromDefaults SettingSource = "defaults"
)

// Over gives the settings that count: s where it sets something, else the
// defaults of the installation. A list or an object counts as a whole, also an
// empty one; parameters and caps count each by its name, that of metadata in
// lower case. Hosts have no defaults.
func (s FrontendSettings) Over(defaults FrontendSettings) FrontendSettings {
	counts, _ := s.resolve(defaults)
	return counts
}

// Sources tells where each setting that counts comes from, by its name in JSON;
// one parameter or cap is called create_max_params.duration.
func (s FrontendSettings) Sources(defaults FrontendSettings) map[string]SettingSource {
	_, sources := s.resolve(defaults)
	return sources
}

func (s FrontendSettings) resolve(d FrontendSettings) (FrontendSettings, map[string]SettingSource) {
	from := map[string]SettingSource{}
	if s.Hosts != nil {
		from["hosts"] = FromFrontend
	}
	return FrontendSettings{
		Hosts:                s.Hosts,
		RequiredTags:         overList(from, "required_tags", s.RequiredTags, d.RequiredTags),
		AllowedTags:          overList(from, "allowed_tags", s.AllowedTags, d.AllowedTags),
		CreateBlockedParams:  overList(from, "create_blocked_params", s.CreateBlockedParams, d.CreateBlockedParams),
		JoinBlockedParams:    overList(from, "join_blocked_params", s.JoinBlockedParams, d.JoinBlockedParams),
		DefaultPresentation:  overObject(from, "default_presentation", s.DefaultPresentation, d.DefaultPresentation),
		AttendeesLimit:       overObject(from, "attendees_limit", s.AttendeesLimit, d.AttendeesLimit),
		MeetingsLimit:        overObject(from, "meetings_limit", s.MeetingsLimit, d.MeetingsLimit),
		RateLimit:            overObject(from, "rate_limit", s.RateLimit, d.RateLimit),
		Recordings:           overObject(from, "recordings", s.Recordings, d.Recordings),
		CreateDefaultParams:  overMap(from, "create_default_params", s.CreateDefaultParams, d.CreateDefaultParams),
		CreateOverrideParams: overMap(from, "create_override_params", s.CreateOverrideParams, d.CreateOverrideParams),
		JoinDefaultParams:    overMap(from, "join_default_params", s.JoinDefaultParams, d.JoinDefaultParams),
		JoinOverrideParams:   overMap(from, "join_override_params", s.JoinOverrideParams, d.JoinOverrideParams),
		CreateMaxParams:      overMap(from, "create_max_params", s.CreateMaxParams, d.CreateMaxParams),
	}, from
}

func overList[L ~[]string](from map[string]SettingSource, name string, own, defaults L) L {
	if own != nil {
		from[name] = FromFrontend
		return own
	}
	if defaults != nil {
		from[name] = FromDefaults
	}
	return defaults
}

func overObject[T any](from map[string]SettingSource, name string, own, defaults *T) *T {
	if own != nil {
		from[name] = FromFrontend
		return own
	}
	if defaults != nil {
		from[name] = FromDefaults
	}
	return defaults
}

func overMap[M ~map[string]V, V comparable](from map[string]SettingSource, name string, own, defaults M) M {
	var unset V
	counts := make(M, len(own)+len(defaults))
	take := func(values M, source SettingSource) {
		for _, key := range slices.Sorted(maps.Keys(values)) { // of two spellings the lower case is the last
			if value := values[key]; value != unset {
				key = canonicalName(key)
				counts[key] = value
				from[name+"."+key] = source
			}
		}
	}
	take(defaults, FromDefaults)
	take(own, FromFrontend)
	return counts
}

// canonicalName is one for all spellings of a parameter. Nodes store the names
// of metadata in lower case, so those are the same in any case.
func canonicalName(name string) string {
	if lower := strings.ToLower(strings.TrimSpace(name)); strings.HasPrefix(lower, "meta_") {
		return lower
	}
	return name
}
