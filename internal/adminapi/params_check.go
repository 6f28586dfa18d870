package adminapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// What is found about parameters.
const (
	isOurs     = "is set by b3scale alone"
	isUnknown  = "BigBlueButton knows no such parameter"
	isNoNumber = "should be a parameter of create that is a number"
	isTwice    = "should be there in one spelling"
	isBlocked  = "is blocked, too, and never sent"
)

// call is one call of the BBB API whose parameters frontends have settings for.
type call struct {
	name      string // with which its settings begin
	knows     func(name, value string) (wrong string, known bool)
	blocked   func(*b3scale.FrontendSettings) []string
	defaults  func(*b3scale.FrontendSettings) b3scale.Params
	overrides func(*b3scale.FrontendSettings) b3scale.Params
}

var calls = []call{
	{
		name: "create", knows: bbb.CheckCreateParam,
		blocked:   func(s *b3scale.FrontendSettings) []string { return s.CreateBlockedParams },
		defaults:  func(s *b3scale.FrontendSettings) b3scale.Params { return s.CreateDefaultParams },
		overrides: func(s *b3scale.FrontendSettings) b3scale.Params { return s.CreateOverrideParams },
	},
	{
		name: "join", knows: bbb.CheckJoinParam,
		blocked:   func(s *b3scale.FrontendSettings) []string { return s.JoinBlockedParams },
		defaults:  func(s *b3scale.FrontendSettings) b3scale.Params { return s.JoinDefaultParams },
		overrides: func(s *b3scale.FrontendSettings) b3scale.Params { return s.JoinOverrideParams },
	},
}

// params judges all settings that name parameters.
func (c *settingsCheck) params(now, was *b3scale.FrontendSettings) {
	for _, call := range calls {
		c.values(call, "_default_params", call.defaults(now), call.defaults(was))
		c.values(call, "_override_params", call.overrides(now), call.overrides(was))
		c.blocked(call, now, was)
	}
	c.caps(now.CreateMaxParams, was.CreateMaxParams)
}

// values judges the parameters that are new or changed.
func (c *settingsCheck) values(call call, setting string, params, old b3scale.Params) {
	set, member := 0, call.name+setting
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value := params[name]
		if value == "" {
			continue // it takes the name out
		}
		set++
		was, known := old[name]
		if known && was == value {
			continue
		}
		c.judge(member, !known, wrongWithParamName(name))
		c.judge(member+"."+name, inSeveralSpellings(params, old, name), isTwice)
		c.judge(member+"."+name, len(value) > maxParamValue, isTooLong(maxParamValue, "bytes"))
		if isReserved(name) {
			c.judge(member+"."+name, true, isOurs)
			continue
		}
		wrong, knows := call.knows(bbb.CanonicalName(name), value)
		c.judge(member+"."+name, true, wrong)
		if !knows {
			c.warn(member+"."+name, isUnknown)
		}
	}
	c.judge(member, set > len(old) && set > maxParams, isTooLong(maxParams, "names"))
}

// blocked judges the names that are new, and warns of overrides that come to
// nothing.
func (c *settingsCheck) blocked(call call, now, was *b3scale.FrontendSettings) {
	member := call.name + "_blocked_params"
	names, old := call.blocked(now), call.blocked(was)
	for i, name := range names {
		if slices.Contains(old, name) || slices.Contains(names[:i], name) {
			continue
		}
		wrong := wrongWithParamName(name)
		c.judge(member, true, wrong)
		if isReserved(name) {
			c.judge(member, true, strconv.Quote(name)+" "+isOurs)
		} else if _, known := call.knows(bbb.CanonicalName(name), ""); !known && wrong == "" {
			c.warn(member+"."+name, isUnknown)
		}
	}
	c.judge(member, len(names) > len(old) && len(names) > maxParams, isTooLong(maxParams, "names"))

	overrides, before := call.overrides(now), call.overrides(was)
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		news := overrides[name] != before[name] || !isAmong(old, name)
		if overrides[name] != "" && isAmong(names, name) && news {
			c.warn(call.name+"_override_params."+name, isBlocked)
		}
	}
}

// caps judges those that are new or changed.
func (c *settingsCheck) caps(caps, old b3scale.Caps) {
	const member = "create_max_params"
	set := 0
	for _, name := range slices.Sorted(maps.Keys(caps)) {
		most := caps[name]
		if most == 0 {
			continue // it takes the name out
		}
		set++
		was, known := old[name]
		wrong := wrongWithCap(most)
		if !bbb.NumericCreateParam(name) {
			wrong = isNoNumber
		}
		c.judge(member+"."+name, !known || was != most, wrong)
	}
	c.judge(member, set > len(old) && set > maxParams, isTooLong(maxParams, "names"))
}

// isReserved reports whether a parameter says who a meeting belongs to. Those
// are ours to set, in any spelling that a node could take for them.
func isReserved(name string) bool {
	plain := bbb.Clean(name)
	return strings.EqualFold(plain, "meetingID") || strings.EqualFold(plain, "checksum") || strings.HasPrefix(bbb.CanonicalName(name), "meta_b3s-")
}

// isAmong reports whether a list has a parameter.
func isAmong(names []string, name string) bool {
	return slices.ContainsFunc(names, func(other string) bool { return sameParam(other, name) })
}
