package agent

import (
	"encoding/json"
	"errors"
)

// message is what a node says, as far as we understand it.
type message struct {
	name    string
	meeting string // the node's own id; empty where the message is about no meeting
	at      int64  // ms since 1970; 0: the message does not say
	body    body
}

// body is one of the types below.
type body interface{ isBody() }

type (
	meetingCreated   struct{ externalID, parentID string }
	meetingEnded     struct{}
	meetingDestroyed struct{}

	userJoined struct {
		userID, externalID, name, role, clientType string
		guest, presenter                           bool
	}
	userLeft     struct{ userID string } // and ejected, in 2.4
	userLeftFlag struct {
		userID string
		left   bool
	}
	roleChanged         struct{ userID, role string }
	presenterAssigned   struct{ userID string }
	presenterUnassigned struct{ userID string }
	voiceJoined         struct {
		userID, callerName string
		listenOnly         bool
	}
	voiceLeft       struct{ userID string }
	cameraStarted   struct{ userID, stream string }
	cameraStopped   struct{ userID, stream string }
	screenShared    struct{ on bool }
	recordingSet    struct{ on bool }
	breakoutStarted struct{ roomID, parentID string }
	breakoutEnded   struct{ roomID string }
	alivePong       struct{}
)

func (meetingCreated) isBody()      {}
func (meetingEnded) isBody()        {}
func (meetingDestroyed) isBody()    {}
func (userJoined) isBody()          {}
func (userLeft) isBody()            {}
func (userLeftFlag) isBody()        {}
func (roleChanged) isBody()         {}
func (presenterAssigned) isBody()   {}
func (presenterUnassigned) isBody() {}
func (voiceJoined) isBody()         {}
func (voiceLeft) isBody()           {}
func (cameraStarted) isBody()       {}
func (cameraStopped) isBody()       {}
func (screenShared) isBody()        {}
func (recordingSet) isBody()        {}
func (breakoutStarted) isBody()     {}
func (breakoutEnded) isBody()       {}
func (alivePong) isBody()           {}

var (
	errUnknown = errors.New("a message that nobody needs")
	errBroken  = errors.New("a message that is not as it should be")
)

// wire is the union of the members that we read. Passwords and join addresses
// are not among them, so they cannot get anywhere.
type wire struct {
	MeetingID       string `json:"meetingId"`
	IntID           string `json:"intId"`
	UserID          string `json:"userId"`
	PresenterID     string `json:"presenterId"`
	ExtID           string `json:"extId"`
	Name            string `json:"name"`
	Role            string `json:"role"`
	ClientType      string `json:"clientType"`
	CallerName      string `json:"callerName"`
	Stream          string `json:"stream"`
	Guest           bool   `json:"guest"`
	Presenter       bool   `json:"presenter"`
	UserLeftFlag    bool   `json:"userLeftFlag"`
	ListenOnly      bool   `json:"listenOnly"`
	Recording       *bool  `json:"recording"`
	ParentMeetingID string `json:"parentMeetingId"`
	BreakoutID      string `json:"breakoutId"`
	Breakout        struct {
		BreakoutID string `json:"breakoutId"`
	} `json:"breakout"`
	Props struct {
		Meeting struct {
			ExtID      string `json:"extId"`
			IntID      string `json:"intId"`
			IsBreakout bool   `json:"isBreakout"`
		} `json:"meetingProp"`
		Breakout struct {
			ParentID string `json:"parentId"`
		} `json:"breakoutProps"`
	} `json:"props"`
}

// decode reads a message. It takes missing members and such of other types for
// empty ones: they differ from version to version. The error is errUnknown or
// errBroken; the name is given with both, if there is one.
func decode(raw []byte) (message, error) {
	var outer struct {
		Envelope struct {
			Name      string `json:"name"`
			Timestamp int64  `json:"timestamp"`
		} `json:"envelope"`
		Core struct {
			Header struct {
				MeetingID string `json:"meetingId"`
				UserID    string `json:"userId"`
			} `json:"header"`
			Body json.RawMessage `json:"body"`
		} `json:"core"`
	}
	if err := lenient(raw, &outer); err != nil {
		return message{}, errBroken
	}
	m := message{name: outer.Envelope.Name, meeting: outer.Core.Header.MeetingID, at: max(outer.Envelope.Timestamp, 0)}
	read, known := readers[m.name]
	switch {
	case m.name == "":
		return m, errBroken
	case !known:
		return m, errUnknown
	}
	var w wire
	if len(outer.Core.Body) > 0 {
		if err := lenient(outer.Core.Body, &w); err != nil {
			return m, errBroken
		}
	}
	if m.meeting == "" {
		m.meeting = w.MeetingID
	}
	if !read(&m, &w) {
		return m, errBroken
	}
	return m, nil
}

// lenient passes over members of another type than ours.
func lenient(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil
	}
	return err
}

// readers make the body of each message that we need. They say false when an id
// is missing without which the message tells nothing.
var readers = map[string]func(m *message, w *wire) bool{
	"MeetingCreatedEvtMsg": func(m *message, w *wire) bool {
		m.meeting = w.Props.Meeting.IntID
		created := meetingCreated{externalID: w.Props.Meeting.ExtID}
		if w.Props.Meeting.IsBreakout {
			created.parentID = w.Props.Breakout.ParentID
		}
		m.body = created
		return m.meeting != ""
	},
	"MeetingEndedEvtMsg": func(m *message, _ *wire) bool {
		m.body = meetingEnded{}
		return m.meeting != ""
	},
	"MeetingDestroyedEvtMsg": func(m *message, _ *wire) bool {
		m.body = meetingDestroyed{}
		return m.meeting != ""
	},
	"UserJoinedMeetingEvtMsg": func(m *message, w *wire) bool {
		m.body = userJoined{
			userID: w.IntID, externalID: w.ExtID, name: w.Name, role: w.Role, clientType: w.ClientType,
			guest: w.Guest, presenter: w.Presenter,
		}
		return m.of(w.IntID)
	},
	"UserLeftMeetingEvtMsg": func(m *message, w *wire) bool {
		m.body = userLeft{userID: w.IntID}
		return m.of(w.IntID)
	},
	"UserEjectedFromMeetingEvtMsg": func(m *message, w *wire) bool {
		m.body = userLeft{userID: w.UserID}
		return m.of(w.UserID)
	},
	"UserLeftFlagUpdatedEvtMsg": func(m *message, w *wire) bool {
		m.body = userLeftFlag{userID: w.IntID, left: w.UserLeftFlag}
		return m.of(w.IntID)
	},
	"UserRoleChangedEvtMsg": func(m *message, w *wire) bool {
		m.body = roleChanged{userID: w.UserID, role: w.Role}
		return m.of(w.UserID) && w.Role != ""
	},
	"PresenterAssignedEvtMsg": func(m *message, w *wire) bool {
		m.body = presenterAssigned{userID: w.PresenterID}
		return m.of(w.PresenterID)
	},
	"PresenterUnassignedEvtMsg": func(m *message, w *wire) bool {
		m.body = presenterUnassigned{userID: w.IntID}
		return m.of(w.IntID)
	},
	"UserJoinedVoiceConfToClientEvtMsg": func(m *message, w *wire) bool {
		m.body = voiceJoined{userID: w.IntID, callerName: w.CallerName, listenOnly: w.ListenOnly}
		return m.of(w.IntID)
	},
	"UserLeftVoiceConfToClientEvtMsg": func(m *message, w *wire) bool {
		m.body = voiceLeft{userID: w.IntID}
		return m.of(w.IntID)
	},
	"UserBroadcastCamStartedEvtMsg": func(m *message, w *wire) bool {
		m.body = cameraStarted{userID: w.UserID, stream: w.Stream}
		return m.of(w.UserID) && w.Stream != ""
	},
	"UserBroadcastCamStoppedEvtMsg": func(m *message, w *wire) bool {
		m.body = cameraStopped{userID: w.UserID, stream: w.Stream}
		return m.of(w.UserID) && w.Stream != ""
	},
	"ScreenshareRtmpBroadcastStartedEvtMsg": func(m *message, _ *wire) bool {
		m.body = screenShared{on: true}
		return m.meeting != ""
	},
	"ScreenshareRtmpBroadcastStoppedEvtMsg": func(m *message, _ *wire) bool {
		m.body = screenShared{on: false}
		return m.meeting != ""
	},
	"RecordingStatusChangedEvtMsg": func(m *message, w *wire) bool {
		if m.meeting == "" || w.Recording == nil {
			return false
		}
		m.body = recordingSet{on: *w.Recording}
		return true
	},
	"BreakoutRoomStartedEvtMsg": func(m *message, w *wire) bool {
		m.body = breakoutStarted{roomID: w.Breakout.BreakoutID, parentID: w.ParentMeetingID}
		return w.Breakout.BreakoutID != ""
	},
	"BreakoutRoomEndedEvtMsg": func(m *message, w *wire) bool {
		m.body = breakoutEnded{roomID: w.BreakoutID}
		return w.BreakoutID != ""
	},
	"CheckAlivePongSysMsg": func(m *message, _ *wire) bool {
		m.body = alivePong{}
		return true
	},
}

// of says whether a message names a meeting and somebody in it.
func (m *message) of(userID string) bool { return m.meeting != "" && userID != "" }
