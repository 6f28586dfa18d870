package bbbtest

import (
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"

	"b3scale/bbb"
)

// say publishes what somebody does in a room, unless it is ending.
func (n *Node) say(name string, r *room, userID string, body fields) {
	if !r.told {
		n.toMeeting(name, r, userID, body)
	}
}

// tellRegistered publishes that somebody has called join. They are not present
// by that.
func (n *Node) tellRegistered(r *room, a *Attendee) {
	if !n.publishes() || r.told || a.byPhone() {
		return
	}
	n.fromNode("UserRegisteredRespMsg", r.InternalID, object(
		"meetingId", r.InternalID, "userId", a.InternalID, "name", a.FullName, "role", a.Role,
		"excludeFromDashboard", false, "registeredOn", n.opts.Now().UnixMilli(),
	))
}

// tellJoined publishes an entrance. Callers have none, only a voice.
func (n *Node) tellJoined(r *room, a *Attendee) {
	if !n.publishes() || a.byPhone() {
		return
	}
	v := n.version
	since27, since30, after300 := v.since(2, 7), v.since(3, 0), v.atLeast(3, 0, 1)
	n.say("UserJoinedMeetingEvtMsg", r, a.InternalID, object(
		"intId", a.InternalID, "extId", a.UserID, "name", a.FullName, "role", a.Role,
		"guest", a.Guest, "authed", !a.Guest, "guestStatus", "ALLOW").
		when(!since30, "emoji", "none").
		when(since27, "reactionEmoji", "none", "raiseHand", false, "away", false).
		when(v.since(2, 5), "pin", false).
		add("presenter", false, "locked", true, "avatar", "").
		when(after300, "webcamBackground", "").
		when(since27, "color", colour(a)).
		when(after300, "bot", false).
		add("clientType", a.ClientType).
		when(since30, "userMetadata", asObject(a.Userdata)))
}

// tellLeft publishes a leave; by is who threw the person out, if anybody.
func (n *Node) tellLeft(r *room, a *Attendee, by string) {
	if !n.publishes() || a.byPhone() || r.told {
		return
	}
	reason, code := "", ""
	if by != "" {
		reason, code = "user ejected by another user", "user_requested_eject_reason"
	}
	detailed := n.version.since(2, 5)
	if by != "" && !detailed {
		n.toClients(EventChannel, "DIRECT", "UserEjectedFromMeetingEvtMsg", r.InternalID, a.InternalID,
			object("userId", a.InternalID, "ejectedBy", by, "reason", reason, "reasonCode", code))
	}
	n.say("UserLeftMeetingEvtMsg", r, a.InternalID, object("intId", a.InternalID).
		when(detailed, "eject", by != "", "ejectedBy", by, "reason", reason, "reasonCode", code))
}

// tellChange publishes what is different about a person.
func (n *Node) tellChange(r *room, before, after *Attendee) {
	if !n.publishes() || r.told {
		return
	}
	id := after.InternalID
	if before.Role != after.Role && !after.byPhone() {
		n.say("UserRoleChangedEvtMsg", r, id, object("userId", id, "role", after.Role, "changedBy", r.someModerator(id)))
	}
	for _, stream := range before.Streams {
		if !slices.Contains(after.Streams, stream) {
			n.say("UserBroadcastCamStoppedEvtMsg", r, id, object("userId", id, "stream", stream))
		}
	}
	if left, joined := before.onVoice(), after.onVoice(); left != joined {
		if left != noVoice {
			n.say("UserLeftVoiceConfToClientEvtMsg", r, id, object("voiceConf", r.VoiceBridge, "intId", id, "voiceUserId", id))
		}
		if joined != noVoice {
			n.tellVoice(r, after)
		}
	}
	for _, stream := range after.Streams {
		if !slices.Contains(before.Streams, stream) {
			n.say("UserBroadcastCamStartedEvtMsg", r, id, object("userId", id, "stream", stream))
		}
	}
	if before.Presenter != after.Presenter {
		n.tellPresenter(r, after)
	}
	if before.Offline != after.Offline && n.version.since(2, 5) && !after.byPhone() {
		n.say("UserLeftFlagUpdatedEvtMsg", r, id, object("intId", id, "userLeftFlag", after.Offline))
	}
}

func (n *Node) tellPresenter(r *room, a *Attendee) {
	id := a.InternalID
	if a.Presenter {
		n.say("PresenterAssignedEvtMsg", r, id, object("presenterId", id, "presenterName", a.FullName, "assignedBy", r.someModerator(id)))
		return
	}
	n.say("PresenterUnassignedEvtMsg", r, id, object("intId", id, "name", a.FullName, "assignedBy", r.someModerator(id)))
}

func (n *Node) tellVoice(r *room, a *Attendee) {
	r.voices++
	since30 := n.version.since(3, 0)
	name := a.FullName
	if since30 && !a.byPhone() {
		name = url.QueryEscape(name)
	}
	number := name
	if !a.byPhone() {
		number = a.InternalID + "_1-bbbID-"
		if a.onVoice() == listening {
			number += "LISTENONLY-"
		}
		number += name
	}
	n.say("UserJoinedVoiceConfToClientEvtMsg", r, a.InternalID, object(
		"voiceConf", r.VoiceBridge, "intId", a.InternalID, "voiceUserId", strconv.Itoa(r.voices),
		"callerName", name, "callerNum", number).
		when(n.version.since(2, 7), "color", colour(a)).
		add("muted", false, "talking", false, "callingWith", "none", "listenOnly", a.onVoice() == listening))
}

func (n *Node) tellScreenshare(r *room, userID string, on bool) {
	if !n.publishes() {
		return
	}
	name := "ScreenshareRtmpBroadcastStoppedEvtMsg"
	if on {
		name = "ScreenshareRtmpBroadcastStartedEvtMsg"
		r.sharedAt = n.opts.Now().UnixMilli()
	}
	n.say(name, r, noUser, object(
		"voiceConf", r.VoiceBridge, "screenshareConf", r.VoiceBridge,
		"stream", r.InternalID+"/"+userID+"/"+r.VoiceBridge+"/flash", "vidWidth", 0, "vidHeight", 0,
		"timestamp", strconv.FormatInt(r.sharedAt, 10)).
		when(on, "hasAudio", false).
		when(on && n.version.since(2, 7), "contentType", "screenshare"))
}

func (n *Node) tellRecording(r *room, on bool, by string) {
	n.say("RecordingStatusChangedEvtMsg", r, by, object("recording", on, "setBy", by))
}

// someModerator is who did what a moderator does to a person.
func (r *room) someModerator(personID string) string {
	for i := range r.Attendees {
		if a := &r.Attendees[i]; a.Role == Moderator && !a.byPhone() {
			return a.InternalID
		}
	}
	return personID
}

// The ways to take part in the voice conference.
type voice int

const (
	noVoice voice = iota
	listening
	speaking
)

func (a *Attendee) onVoice() voice {
	switch {
	case a.Voice:
		return speaking
	case a.ListeningOnly:
		return listening
	}
	return noVoice
}

// byPhone: callers have no client.
func (a *Attendee) byPhone() bool { return a.ClientType == dialIn }

// colour is what the clients show somebody in.
func colour(a *Attendee) string {
	colours := [...]string{"#4a148c", "#283593", "#0277bd", "#00695c", "#827717", "#e65100", "#b71c1c", "#37474f"}
	h := fnv.New32a()
	_, _ = h.Write([]byte(a.InternalID))
	return colours[h.Sum32()%uint32(len(colours))]
}

func asObject(p bbb.Params) fields {
	out := fields{}
	for name, value := range p.All() {
		out = out.add(name, value)
	}
	return out
}
