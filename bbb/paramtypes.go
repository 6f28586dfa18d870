package bbb

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// CheckCreateParam tells what is wrong with the value of a create parameter, ""
// when nothing is, and whether nodes know a parameter of that name at all. It is
// for those who set parameters for others: a client's own mistakes are for the
// node to judge.
func CheckCreateParam(name, value string) (wrong string, known bool) {
	if key, ok := strings.CutPrefix(name, "meta_"); ok {
		return "", metadataKey.MatchString(key)
	}
	return createParams.check(name, value)
}

// CheckJoinParam does so for join.
func CheckJoinParam(name, value string) (wrong string, known bool) {
	if key, ok := strings.CutPrefix(name, "userdata-"); ok {
		return "", key != "" && !strings.Contains(key, "-") // nodes split at the only dash
	}
	return joinParams.check(name, value)
}

// NumericCreateParam reports whether a create parameter is an amount, of which
// there can be too much.
func NumericCreateParam(name string) bool { return slices.Contains(amounts, name) }

// UnlimitedWhenAbsent reports whether a create without such an amount has no
// limit. Otherwise nodes have a default of their own.
func UnlimitedWhenAbsent(name string) bool { return !slices.Contains(amountsWithDefault, name) }

// UnlimitedWhenZero reports whether 0 of such an amount stands for no limit.
// Otherwise it is the smallest amount.
func UnlimitedWhenZero(name string) bool { return !slices.Contains(amountsFromZero, name) }

// metadataKey is what nodes accept; other metadata they ignore.
var metadataKey = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*$`)

// amounts are numbers that an operator may want to bound.
var amounts = names(`duration maxParticipants logoutTimer maxNumPages maxPinnedCameras meetingCameraCap userCameraCap
	endWhenNoModeratorDelayInMinutes learningDashboardCleanupDelayInMinutes
	meetingExpireIfNoUserJoinedInMinutes meetingExpireWhenLastUserLeftInMinutes`)

// amountsWithDefault are those of which a node allows a certain amount when
// nobody names one (BBB API, create parameters).
var amountsWithDefault = slices.Concat(amountsFromZero, names(`userCameraCap
	learningDashboardCleanupDelayInMinutes meetingExpireWhenLastUserLeftInMinutes`))

// amountsFromZero are those among them of which 0 is really none: no page, no
// pinned camera, no waiting.
var amountsFromZero = names(`maxNumPages maxPinnedCameras endWhenNoModeratorDelayInMinutes meetingExpireIfNoUserJoinedInMinutes`)

// createParams are those of all supported versions (BBB API, create
// parameters).
var createParams = paramTypes{
	"name":             textUpTo(256),
	"meetingID":        textUpTo(256),
	"attendeePW":       textUpTo(64),
	"moderatorPW":      textUpTo(64),
	"bannerColor":      colour,
	"guestPolicy":      oneOf("ALWAYS_ACCEPT", "ALWAYS_DENY", "ASK_MODERATOR", "ALWAYS_ACCEPT_AUTH"),
	"meetingLayout":    layout,
	"groups":           jsonOf('['),
	"pluginManifests":  jsonOf('['),
	"disabledFeatures": csv,
	"voiceBridge":      digits,
	"sequence":         integer,
	"parentMeetingID":  text,

	"disabledFeaturesExclude": csv,
	"clientSettingsOverride":  jsonOf('{'),
}.and(integer, amounts).and(text, names(`
	welcome dialNumber webVoice moderatorOnlyMessage bannerText copyright preUploadedPresentationName
	presentationUploadExternalDescription breakoutRoomsCaptureNotesFilename breakoutRoomsCaptureSlidesFilename
	cameraBridge screenShareBridge audioBridge`,
)).and(address, names(`
	loginURL logoutURL meetingEndedURL logo darklogo preUploadedPresentation presentationUploadExternalUrl pluginManifestsFetchUrl`,
)).and(boolean, names(`
	record autoStartRecording allowStartStopRecording recordFullDurationMedia notifyRecordingIsOn
	isBreakout freeJoin breakoutRoomsEnabled breakoutRoomsPrivateChatEnabled breakoutRoomsRecord
	breakoutRoomsCaptureNotes breakoutRoomsCaptureSlides
	webcamsOnlyForModerator muteOnStart allowModsToUnmuteUsers allowModsToEjectCameras requireUserConsentBeforeUnmuting
	lockSettingsDisableCam lockSettingsDisableMic lockSettingsDisablePrivateChat lockSettingsDisablePublicChat
	lockSettingsDisableNote lockSettingsDisableNotes lockSettingsHideUserList lockSettingsLockedLayout
	lockSettingsLockOnJoin lockSettingsLockOnJoinConfigurable lockSettingsHideViewersCursor lockSettingsHideViewersAnnotation
	allowPromoteGuestToModerator meetingKeepEvents endWhenNoModerator learningDashboardEnabled virtualBackgroundsDisabled
	allowRequestsWithoutSession preUploadedPresentationOverrideDefault presentationConversionCacheEnabled`,
))

// joinParams likewise (BBB API, join).
var joinParams = paramTypes{
	"meetingID":     textUpTo(256),
	"password":      textUpTo(64),
	"role":          role,
	"createTime":    digits,
	"defaultLayout": layout,
	"enforceLayout": layout,
}.and(text, names(`fullName firstName lastName userID webVoiceConf existingUserID sessionName replaceSessionToken`)).and(address, names(`avatarURL webcamBackgroundURL errorRedirectUrl logoutURL`)).and(boolean, names(`redirect guest auth excludeFromDashboard bot`))

// paramTypes are checks by the name of the parameter.
type paramTypes map[string]func(value string) (wrong string)

func (t paramTypes) check(name, value string) (wrong string, known bool) {
	check, known := t[name]
	if !known {
		return "", false
	}
	return check(value), true
}

// and adds parameters of one type.
func (t paramTypes) and(check func(string) string, names []string) paramTypes {
	for _, name := range names {
		t[name] = check
	}
	return t
}

func names(list string) []string { return strings.Fields(list) }

func text(string) string { return "" }

func textUpTo(most int) func(string) string {
	return func(value string) string {
		if n := Length(Clean(value)); n < 2 || n > most {
			return fmt.Sprintf("must have between 2 and %d characters", most)
		}
		return ""
	}
}

// boolean leaves out 1, which nodes accept and read as false.
func boolean(value string) string {
	if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
		return "must be true or false"
	}
	return ""
}

// integer is one that nodes can hold; they take a larger one for none.
func integer(value string) string {
	if n, err := strconv.ParseInt(value, 10, 32); err != nil || n < 0 {
		return "must be a whole number between 0 and 2147483647"
	}
	return ""
}

func digits(value string) string {
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return "must consist of digits"
	}
	return ""
}

func oneOf(values ...string) func(string) string {
	return func(value string) string {
		if !slices.Contains(values, value) {
			return "must be one of " + strings.Join(values, ", ")
		}
		return ""
	}
}

// layout takes those of all versions: which of two spellings a node wants
// differs (BBB API, create parameters).
var layout = oneOf("CUSTOM_LAYOUT", "SMART_LAYOUT", "PRESENTATION_FOCUS", "VIDEO_FOCUS", "CAMERAS_ONLY", "PRESENTATION_ONLY",
	"PARTICIPANTS_CHAT_ONLY", "PARTICIPANTS_AND_CHAT_ONLY", "MEDIA_ONLY", "UNIFIED_LAYOUT")

func role(value string) string { return oneOf("MODERATOR", "VIEWER")(strings.ToUpper(value)) }

var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func colour(value string) string {
	if !hexColour.MatchString(value) {
		return "must be a colour like #1a2b3c"
	}
	return ""
}

var jsonKinds = map[byte]string{'[': "a JSON array", '{': "a JSON object"}

func jsonOf(first byte) func(string) string {
	return func(value string) string {
		if trimmed := strings.TrimSpace(value); !json.Valid([]byte(value)) || trimmed[0] != first {
			return "must be " + jsonKinds[first]
		}
		return ""
	}
}

var csvItem = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func csv(value string) string {
	for item := range strings.SplitSeq(value, ",") {
		if !csvItem.MatchString(strings.TrimSpace(item)) {
			return "must be a list of words with commas between them"
		}
	}
	return ""
}

// placeholder stands for something that nodes put in.
var placeholder = regexp.MustCompile(`%%[A-Z_]+%%`)

func address(value string) string {
	u, err := url.Parse(placeholder.ReplaceAllString(value, "x"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "must be an address that begins with https:// or http://"
	}
	return ""
}
