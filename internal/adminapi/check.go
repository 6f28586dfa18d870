package adminapi

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"b3scale"
)

// Limits of what may be set. They are far above what anybody uses: they keep
// mistakes out of the store, and what exists keeps working.
const (
	maxHost       = 512
	maxKey        = 80
	maxSecret     = 1024
	maxAccountRef = 80
	maxAgentRef   = 64
	maxTags       = 100
	maxTag        = 128
	maxParams     = 250
	maxParamName  = 128
	maxParamValue = 8 << 10
	maxURL        = 2 << 10
	maxSettings   = 64 << 10
	maxHosts      = 100
	maxHostName   = 253
	minRate       = 0.01
	maxRate       = 1e6
)

// judge notes what is wrong with a member, unless the member is as it was: what
// was stored under other rules must not be in the way of other changes.
func (f fieldErrors) judge(field string, changed bool, what string) {
	if changed && what != "" {
		f.add(field, what)
	}
}

// refuse notes a member that has changed and must not.
func (f fieldErrors) refuse(field string, changed bool) { f.judge(field, changed, notAllowed) }

// What is wrong with a value, in a sentence; "" when nothing is.

func isTooLong(most int, unit string) string {
	return fmt.Sprintf("should have %d %s at most", most, unit)
}

func hasControls(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl)
}

func wrongWithName(name string, most int) string {
	switch {
	case utf8.RuneCountInString(name) > most:
		return isTooLong(most, "characters")
	case hasControls(name):
		return "should have no control characters"
	}
	return ""
}

// longestUsual is how long the ids of meetings are that a frontend of any known
// product makes.
const longestUsual = 64

// wrongWithKey leaves room for the meeting's own id: the nodes know both as one.
func wrongWithKey(key string) string {
	switch {
	case key == "":
		return isRequired
	case len(key) > maxKey:
		return isTooLong(maxKey, "bytes")
	case hasControls(key) || strings.ContainsAny(key, `/\`):
		return "should have no slashes and no control characters"
	case key == "." || key == "..":
		return "should not be a path"
	case len(b3scale.EncodeMeetingID(key, strings.Repeat("x", longestUsual))) > b3scale.MaxMeetingIDLength:
		return "is too long for the ids of its meetings"
	}
	return ""
}

func wrongWithSecret(secret b3scale.Secret) string {
	switch text := secret.Reveal(); {
	case strings.TrimSpace(text) == "":
		return isRequired
	case len(text) > maxSecret:
		return isTooLong(maxSecret, "bytes")
	case hasControls(text):
		return "should have no control characters"
	}
	return ""
}

// wrongWithSecondary allows none.
func wrongWithSecondary(secret b3scale.Secret) string {
	if secret == "" {
		return ""
	}
	return wrongWithSecret(secret)
}

func wrongWithURL(address string, most int) string {
	if address == "" {
		return isRequired
	}
	if lower := strings.ToLower(address); !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
		return isNoURL
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "":
		return "should be a URL with a host"
	case len(address) > most:
		return isTooLong(most, "bytes")
	}
	return ""
}

// wrongWithHost allows nothing behind the path: calls are appended to it. Nor a
// password: everybody may see the host.
func wrongWithHost(host string) string {
	if wrong := wrongWithURL(host, maxHost); wrong != "" {
		return wrong
	}
	if strings.ContainsAny(host, "?#") {
		return "should have no query and no fragment"
	}
	if u, err := url.Parse(host); err != nil || u.User != nil {
		return "should have no user name and no password"
	}
	return ""
}

func wrongWithTags(tags b3scale.Tags) string {
	if len(tags) > maxTags {
		return isTooLong(maxTags, "tags")
	}
	for _, tag := range tags {
		if strings.TrimSpace(tag) == "" {
			return "should have no empty tags"
		}
		if wrong := wrongWithName(tag, maxTag); wrong != "" {
			return wrong
		}
	}
	return ""
}

func wrongWithParamName(name string) string {
	if strings.TrimSpace(name) == "" {
		return "should have no empty names"
	}
	return wrongWithName(name, maxParamName)
}

func wrongWithCount(n int) string {
	if n < 0 {
		return "should not be negative"
	}
	return ""
}

// validID reports whether an id from a path can be one of ours at all.
func validID(id string) bool { return len(id) <= maxAgentRef && !hasControls(id) }
