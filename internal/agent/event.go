package agent

// The kinds of events. Each states a fact that may be repeated.
const (
	kindGap              = "gap" // what happened before is unknown
	kindMeetingCreated   = "meeting_created"
	kindMeetingEnded     = "meeting_ended"
	kindMeetingDestroyed = "meeting_destroyed"
	kindAttendee         = "attendee"
	kindAttendeeLeft     = "attendee_left"
	kindRecording        = "recording"
	kindScreenshare      = "screenshare"
)

// Event is one fact as the server gets it. Members that are absent are unknown
// and stay as they are.
type Event struct {
	Sequence uint64 `json:"sequence"` // grows by one within a boot
	Kind     string `json:"kind"`
	Meeting  string `json:"meeting,omitempty"` // the node's own id; absent for a gap
	At       int64  `json:"at"`                // ms since 1970, by the node's clock

	ExternalID string `json:"external_id,omitempty"` // meeting_created
	ParentID   string `json:"parent_id,omitempty"`   // meeting_created of a breakout room: the node's id of its parent

	UserID         string  `json:"user_id,omitempty"` // attendee, attendee_left: the node's own id
	Joined         bool    `json:"joined,omitempty"`  // it is an arrival
	ExternalUserID *string `json:"external_user_id,omitempty"`
	Name           *string `json:"name,omitempty"`
	Role           *string `json:"role,omitempty"`
	ClientType     *string `json:"client_type,omitempty"`
	Presenter      *bool   `json:"presenter,omitempty"`
	ListeningOnly  *bool   `json:"listening_only,omitempty"`
	Voice          *bool   `json:"voice,omitempty"`
	Video          *bool   `json:"video,omitempty"`
	Guest          *bool   `json:"guest,omitempty"`

	Recording   *bool `json:"recording,omitempty"`
	Screenshare *bool `json:"screenshare,omitempty"`

	again bool // an arrival of somebody who is there already, which the remote calls would count twice
}
