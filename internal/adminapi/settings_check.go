package adminapi

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"b3scale"
)

// settingsCheck judges settings that are to be saved. What is as it was is in
// nobody's way.
type settingsCheck struct {
	within   string // where the settings are in the body: a path with a dot at its end, or ""
	wrong    fieldErrors
	warnings []string // what is saved and perhaps not meant
}

// checkSettings notes what is wrong with settings that lie at a path in the
// body, and gives the warnings.
func (f fieldErrors) checkSettings(within string, now, was *b3scale.FrontendSettings) (warnings []string) {
	c := settingsCheck{within: within, wrong: f}
	c.tags(now, was)
	c.hosts(now.Hosts, was.Hosts)
	c.limits(now, was)
	if p := now.DefaultPresentation; p != nil && p.URL != "" { // empty: none
		changed := was.DefaultPresentation == nil || was.DefaultPresentation.URL != p.URL
		c.judge("default_presentation.url", changed, wrongWithURL(p.URL, maxURL))
	}
	if visibility := visibilityOf(now); visibility != visibilityOf(was) {
		c.judge("recordings.visibility_override", visibility != "", wrongWithVisibility(visibility))
	}
	c.params(now, was)
	// Every change is in the audit twice, and every call to a node carries them.
	is, had := sizeOf(now), sizeOf(was)
	f.judge(cmp.Or(strings.TrimSuffix(within, "."), "settings"), is > had && is > maxSettings, isTooLong(maxSettings, "bytes as a whole"))
	return c.warnings
}

func (c *settingsCheck) judge(member string, changed bool, what string) {
	c.wrong.judge(c.within+member, changed, what)
}

// warn says of a member that is saved what is perhaps not meant.
func (c *settingsCheck) warn(member, what string) {
	c.warnings = append(c.warnings, c.within+member+": "+what)
}

func (c *settingsCheck) tags(now, was *b3scale.FrontendSettings) {
	c.judge("required_tags", !slices.Equal(now.RequiredTags, was.RequiredTags), wrongWithTags(now.RequiredTags))
	c.judge("allowed_tags", !slices.Equal(now.AllowedTags, was.AllowedTags), wrongWithTags(now.AllowedTags))
}

func (c *settingsCheck) limits(now, was *b3scale.FrontendSettings) {
	if l, old := now.AttendeesLimit, was.AttendeesLimit; l != nil {
		c.judge("attendees_limit.limit", old == nil || l.Limit != old.Limit, wrongWithCount(l.Limit))
		c.judge("attendees_limit.mode", old == nil || l.Mode != old.Mode, wrongWithMode(l.Mode))
	}
	if l := now.MeetingsLimit; l != nil {
		c.judge("meetings_limit.limit", !same(l, was.MeetingsLimit), wrongWithCount(l.Limit))
	}
	if l, old := now.RateLimit, was.RateLimit; l != nil {
		c.judge("rate_limit.requests_per_second", old == nil || l.RequestsPerSecond != old.RequestsPerSecond, wrongWithRate(l.RequestsPerSecond))
		c.judge("rate_limit.burst", old == nil || l.Burst != old.Burst, wrongWithCount(l.Burst))
	}
}

// modes in the order in which people are told them.
var modes = []b3scale.AttendeesLimitMode{b3scale.LimitBlocksJoin, b3scale.LimitBlocksCreate, b3scale.LimitWarns}

func wrongWithMode(m b3scale.AttendeesLimitMode) string {
	if m == "" || slices.Contains(modes, m) {
		return ""
	}
	return "should be " + listed(modes)
}

// wrongWithRate allows 0, which is any number, and what is a rate at all: a
// smaller one would let nobody in for as long as anybody waits.
func wrongWithRate(perSecond float64) string {
	if perSecond == 0 || perSecond >= minRate && perSecond <= maxRate {
		return ""
	}
	return "should be 0 or between " + strconv.FormatFloat(minRate, 'f', -1, 64) + " and " + strconv.FormatFloat(maxRate, 'f', -1, 64)
}

// wrongWithCap allows what a node can read.
func wrongWithCap(most int) string {
	if most < 1 || most > math.MaxInt32 {
		return "should be between 1 and " + strconv.Itoa(math.MaxInt32)
	}
	return ""
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

func sizeOf(s *b3scale.FrontendSettings) int {
	text, _ := json.Marshal(s) // texts and finite numbers always marshal
	return len(text)
}
