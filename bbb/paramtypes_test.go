package bbb_test

import (
	"strings"
	"testing"

	"b3scale/bbb"
)

func TestCheckParams(t *testing.T) {
	t.Parallel()
	const yes, unknown = "", "unknown"
	word := func(n int) string { return strings.Repeat("ü", n) }
	create, join := bbb.CheckCreateParam, bbb.CheckJoinParam
	for _, c := range []struct {
		name   string
		check  func(name, value string) (string, bool)
		values []string
		want   string // in what is wrong with all of them
	}{
		{"name", create, []string{"ab", word(256), "Mathe 7b"}, yes},
		{"name", create, []string{"a", word(257), " a "}, "between 2 and 256"},
		{"moderatorPW", create, []string{"ab", strings.Repeat("x", 64)}, yes},
		{"attendeePW", create, []string{"a", strings.Repeat("x", 65)}, "between 2 and 64"},
		{"record", create, []string{"true", "false", "TRUE", "False"}, yes},
		{"record", create, []string{"1", "0", "yes", "", " true", "ja"}, "true or false"},
		{"lockSettingsDisableCam", create, []string{"tRUE"}, yes},
		{"duration", create, []string{"0", "60", "007", "2147483647"}, yes},
		{"duration", create, []string{"-1", "+-1", "1.5", "1e3", "sixty", "", " 60", "2147483648", "٦"}, "whole number"},
		{"voiceBridge", create, []string{"12345", "00012345678901234567890"}, yes},
		{"voiceBridge", create, []string{"-5", "12a", "", "+1"}, "digits"},
		{"guestPolicy", create, []string{"ALWAYS_ACCEPT", "ALWAYS_DENY", "ASK_MODERATOR", "ALWAYS_ACCEPT_AUTH"}, yes},
		{"guestPolicy", create, []string{"ask_moderator", "MAYBE", ""}, "one of ALWAYS_ACCEPT"},
		{"meetingLayout", create, []string{"SMART_LAYOUT", "PARTICIPANTS_CHAT_ONLY", "PARTICIPANTS_AND_CHAT_ONLY"}, yes},
		{"meetingLayout", create, []string{"SMART"}, "one of CUSTOM_LAYOUT"},
		{"bannerColor", create, []string{"#aAbB09"}, yes},
		{"bannerColor", create, []string{"red", "#abc", "#abcdeg", "abcdef", "#1234567"}, "colour"},
		{"groups", create, []string{`[]`, ` [{"id":"1","roster":[]}] `}, yes},
		{"groups", create, []string{`{}`, `[`, ``, `1`, `[] []`}, "JSON array"},
		{"clientSettingsOverride", create, []string{`{"public":{}}`}, yes},
		{"clientSettingsOverride", create, []string{`[]`, `null`}, "JSON object"},
		{"disabledFeatures", create, []string{"chat", "chat,sharedNotes", "chat, polls"}, yes},
		{"disabledFeatures", create, []string{"", "chat,", "chat;polls", "chat polls"}, "list of words"},
		{"logoutURL", create, []string{"https://example.org", "http://example.org/a?b=c", "https://example.org/%%MEETING_ID%%"}, yes},
		{"logoutURL", create, []string{"example.org", "/path", "ftp://example.org", "https://", "javascript:alert(1)", "https://exa mple.org", "https://example.org/%zz"}, "begins with https://"},
		{"welcome", create, []string{"", "anything <b>at</b> all %%CONFNAME%%"}, yes},
		{"meta_course", create, []string{"", "x"}, yes},
		{"meta_bbb-origin-2", create, []string{"x"}, yes},
		{"meta_", create, []string{"x"}, unknown},
		{"meta_2nd", create, []string{"x"}, unknown},
		{"meta_a_b", create, []string{"x"}, unknown},
		{"Duration", create, []string{"60"}, unknown},
		{"fullName", create, []string{"x"}, unknown},
		{"checksum", create, []string{"x"}, unknown},
		{"", create, []string{"x"}, unknown},

		{"role", join, []string{"MODERATOR", "viewer", "Viewer"}, yes},
		{"role", join, []string{"admin", ""}, "one of MODERATOR, VIEWER"},
		{"guest", join, []string{"TRUE"}, yes},
		{"guest", join, []string{"2"}, "true or false"},
		{"createTime", join, []string{"1700000000000"}, yes},
		{"createTime", join, []string{"now"}, "digits"},
		{"password", join, []string{"x"}, "between 2 and 64"},
		{"enforceLayout", join, []string{"VIDEO_FOCUS"}, yes},
		{"errorRedirectUrl", join, []string{"https://example.org/"}, yes},
		{"avatarURL", join, []string{"data:image/png;base64,"}, "begins with https://"},
		{"userdata-bbb_skip_check_audio", join, []string{"true", ""}, yes},
		{"userdata-a-b", join, []string{"x"}, unknown},
		{"userdata-", join, []string{"x"}, unknown},
		{"duration", join, []string{"60"}, unknown},
		{"meta_course", join, []string{"x"}, unknown},
	} {
		for _, value := range c.values {
			wrong, known := c.check(c.name, value)
			switch {
			case known != (c.want != unknown):
				t.Errorf("%s: known is %v", c.name, known)
			case c.want == yes || c.want == unknown:
				if wrong != "" {
					t.Errorf("%s=%q %s", c.name, value, wrong)
				}
			case !strings.Contains(wrong, c.want):
				t.Errorf("%s=%q: got %q, want in it %q", c.name, value, wrong, c.want)
			}
		}
	}
}

func TestNumericCreateParam(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"duration": true, "maxParticipants": true, "userCameraCap": true, "meetingExpireWhenLastUserLeftInMinutes": true,
		"voiceBridge": false, "sequence": false, "name": false, "Duration": false, "": false,
	} {
		if got := bbb.NumericCreateParam(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		if _, known := bbb.CheckCreateParam(name, "1"); want && !known {
			t.Errorf("%s is not known as a parameter", name)
		}
	}
}

// What nodes make of an amount that is missing, or 0.
func TestAmountsWithoutLimit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ absent, zero bool }{
		"duration": {true, true}, "maxParticipants": {true, true}, "meetingCameraCap": {true, true}, "logoutTimer": {true, true},
		"userCameraCap": {false, true}, "meetingExpireWhenLastUserLeftInMinutes": {false, true}, "learningDashboardCleanupDelayInMinutes": {false, true},
		"maxNumPages": {}, "maxPinnedCameras": {}, "endWhenNoModeratorDelayInMinutes": {}, "meetingExpireIfNoUserJoinedInMinutes": {},
	} {
		if absent, zero := bbb.UnlimitedWhenAbsent(name), bbb.UnlimitedWhenZero(name); absent != want.absent || zero != want.zero {
			t.Errorf("%s: got %t when it is absent and %t when it is 0, want %+v", name, absent, zero, want)
		}
		if !bbb.NumericCreateParam(name) {
			t.Errorf("%s is no amount", name)
		}
	}
}
