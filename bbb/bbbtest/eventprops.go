package bbbtest

import (
	"strconv"
	"strings"
)

// tellCreated publishes a new meeting with its properties; its secrets are in
// there, as in a real node.
func (n *Node) tellCreated(r *room) {
	if !n.publishes() {
		return
	}
	n.fromNode("MeetingCreatedEvtMsg", "", object("props", n.props(r)))
}

// props are a meeting's properties, as create set them or by default.
func (n *Node) props(r *room) fields {
	v, p := n.version, propReader{r}
	since25, since27, since30, after300 := v.since(2, 5), v.since(2, 7), v.since(3, 0), v.atLeast(3, 0, 1)
	parent, token := "bbb-none", ""
	if r.isBreakout() {
		parent = r.ParentID
	} else {
		token = n.mint("authToken")
	}
	welcome := strings.NewReplacer("%%CONFNAME%%", r.Name, "%%DIALNUM%%", r.DialNumber, "%%CONFNUM%%", r.VoiceBridge).
		Replace(p.text("welcome", ""))
	metadata := fields{}
	for name, value := range r.Metadata.All() {
		metadata = metadata.add(name, value)
	}
	const capture = "%%CONFNAME%%"

	meeting := object("name", r.Name, "extId", r.ExternalID, "intId", r.InternalID).
		when(since25, "meetingCameraCap", p.number("meetingCameraCap", 0)).
		when(since27, "maxPinnedCameras", p.number("maxPinnedCameras", 3)).
		add("isBreakout", r.isBreakout()).
		when(!since25, "learningDashboardEnabled", p.yes("learningDashboardEnabled", true)).
		when(since25, "disabledFeatures", p.list("disabledFeatures")).
		when(since27, "notifyRecordingIsOn", p.yes("notifyRecordingIsOn", false),
			"presentationUploadExternalDescription", p.text("presentationUploadExternalDescription", ""),
			"presentationUploadExternalUrl", p.text("presentationUploadExternalUrl", ""))
	breakouts := object("parentId", parent, "sequence", r.Sequence, "freeJoin", r.FreeJoin, "breakoutRooms", []string{}).
		when(!since25, "enabled", p.yes("breakoutRoomsEnabled", true)).
		add("record", p.yes("breakoutRoomsRecord", false),
			"privateChatEnabled", p.yes("breakoutRoomsPrivateChatEnabled", true)).
		when(since27, "captureNotes", p.yes("breakoutRoomsCaptureNotes", false),
			"captureSlides", p.yes("breakoutRoomsCaptureSlides", false),
			"captureNotesFilename", p.text("breakoutRoomsCaptureNotesFilename", capture),
			"captureSlidesFilename", p.text("breakoutRoomsCaptureSlidesFilename", capture))
	duration := object("duration", r.Duration, "createdTime", r.CreateTime, "createdDate", createDate(r.CreateTime),
		"meetingExpireIfNoUserJoinedInMinutes", p.number("meetingExpireIfNoUserJoinedInMinutes", 5),
		"meetingExpireWhenLastUserLeftInMinutes", p.number("meetingExpireWhenLastUserLeftInMinutes", 1),
		"userInactivityInspectTimerInMinutes", 0, "userInactivityThresholdInMinutes", 30,
		"userActivitySignResponseDelayInMinutes", 5,
		"endWhenNoModerator", p.yes("endWhenNoModerator", false),
		"endWhenNoModeratorDelayInMinutes", p.number("endWhenNoModeratorDelayInMinutes", 1))
	record := object("record", r.Recording, "autoStartRecording", p.yes("autoStartRecording", false),
		"allowStartStopRecording", p.yes("allowStartStopRecording", true)).
		when(since27, "recordFullDurationMedia", p.yes("recordFullDurationMedia", false)).
		add("keepEvents", p.yes("meetingKeepEvents", false))
	greeting := object("welcomeMsgTemplate", p.text("welcome", ""), "welcomeMsg", welcome, "modOnlyMessage", p.text("moderatorOnlyMessage", ""))
	if since30 {
		greeting = object("welcomeMsg", welcome, "welcomeMsgForModerators", p.text("moderatorOnlyMessage", ""))
	}
	layout := "CUSTOM_LAYOUT"
	if !since25 {
		layout = "SMART_LAYOUT"
	}
	users := object("maxUsers", r.MaxUsers).
		when(since27, "maxUserConcurrentAccesses", 3).
		add("webcamsOnlyForModerator", p.yes("webcamsOnlyForModerator", false)).
		when(v.atLeast(2, 4, 5), "userCameraCap", p.number("userCameraCap", 3)).
		add("guestPolicy", r.GuestPolicy, "meetingLayout", p.text("meetingLayout", layout),
			"allowModsToUnmuteUsers", p.yes("allowModsToUnmuteUsers", false),
			"allowModsToEjectCameras", p.yes("allowModsToEjectCameras", false),
			"authenticatedGuest", p.yes("authenticatedGuest", true)).
		when(since30, "allowPromoteGuestToModerator", p.yes("allowPromoteGuestToModerator", false),
			"waitingGuestUsersTimeout", 30_000)
	notes := "disableNotes"
	if !since25 {
		notes = "disableNote"
	}
	lock := func(name string) bool { return p.yes("lockSettings"+name, false) }
	locks := object("disableCam", lock("DisableCam"), "disableMic", lock("DisableMic"),
		"disablePrivateChat", lock("DisablePrivateChat"), "disablePublicChat", lock("DisablePublicChat"),
		notes, lock("DisableNote") || lock("DisableNotes"), "hideUserList", lock("HideUserList")).
		when(!since27, "lockedLayout", lock("LockedLayout")).
		add("lockOnJoin", p.yes("lockSettingsLockOnJoin", true), "lockOnJoinConfigurable", lock("LockOnJoinConfigurable")).
		when(since25, "hideViewersCursor", lock("HideViewersCursor")).
		when(since27, "hideViewersAnnotation", lock("HideViewersAnnotation"))
	system := object("html5InstanceId", 1)
	if since30 {
		system = object("loginUrl", p.text("loginURL", ""), "logoutUrl", p.text("logoutURL", n.PublicURL()),
			"customLogoURL", p.text("logo", "")).
			when(after300, "customDarkLogoURL", p.text("darklogo", "")).
			add("bannerText", p.text("bannerText", ""), "bannerColor", p.text("bannerColor", ""))
	}
	return object("meetingProp", meeting, "breakoutProps", breakouts, "durationProps", duration,
		"password", object("moderatorPass", r.ModeratorPW, "viewerPass", r.AttendeePW, "learningDashboardAccessToken", token),
		"recordProp", record, "welcomeProp", greeting,
		"voiceProp", object("telVoice", r.VoiceBridge, "voiceConf", r.VoiceBridge, "dialNumber", r.DialNumber,
			"muteOnStart", p.yes("muteOnStart", false)),
		"usersProp", users, "metadataProp", object("metadata", metadata)).
		when(!since25, "screenshareProps", object("screenshareConf", r.VoiceBridge+"-SCREENSHARE",
			"red5ScreenshareIp", n.publicHost(), "red5ScreenshareApp", "screenshare")).
		add("lockSettingsProps", locks, "systemProps", system).
		when(since25, "groups", []fields{}).
		when(since30, "overrideClientSettings", "")
}

// propReader reads the parameters of the create call. Breakouts opened in the
// client have none.
type propReader struct{ r *room }

func (p propReader) text(name, absent string) string {
	if value, ok := p.r.Params.Lookup(name); ok {
		return value
	}
	return absent
}

func (p propReader) yes(name string, absent bool) bool {
	if value, ok := p.r.Params.Lookup(name); ok {
		return strings.EqualFold(value, "true")
	}
	return absent
}

func (p propReader) number(name string, absent int) int {
	if value, err := strconv.Atoi(p.text(name, "")); err == nil {
		return value
	}
	return absent
}

func (p propReader) list(name string) []string {
	out := []string{}
	for one := range strings.SplitSeq(p.text(name, ""), ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}
