package b3scale

// AdminState is what the operator wants of a backend.
type AdminState string

// The admin states. Only AdminReady takes new meetings; in all of them people
// may join the meetings that are there.
const (
	AdminInit           AdminState = "init"
	AdminReady          AdminState = "ready"
	AdminStopped        AdminState = "stopped"
	AdminDecommissioned AdminState = "decommissioned"
	AdminError          AdminState = "error"
)

// Backend is one BigBlueButton server.
type Backend struct {
	ID              string
	Host            string // base URL of its API, with a trailing slash: https://bbb1.example.org/bigbluebutton/api/
	Secret          Secret
	SecondarySecret Secret // empty when unset
	AdminState      AdminState
	LoadFactor      float64 // multiplies the load; higher means less preferred
	Settings        BackendSettings
	AgentRef        string // subject of the token of the agent there, empty when unset; unique
	Lost            bool   // a stored verdict: its meetings may be placed elsewhere
	LostAt          Micros // when that verdict was last passed
	ListedAt        Micros // when its rooms were last listed; 0: never
	CreatedAt       Micros
	UpdatedAt       Micros
	Version         int64
}

// TakesMeetings reports whether the operator and the last verdict allow new
// meetings there. Whether it answers is another question.
func (b *Backend) TakesMeetings() bool { return b.AdminState == AdminReady && !b.Lost }

// BackendSettings are stored as JSON; the names are part of the REST contract.
type BackendSettings struct {
	Tags         Tags `json:"tags"`
	MaxMeetings  int  `json:"max_meetings,omitempty"`  // no new meeting at or above it; 0: no ceiling
	MaxAttendees int  `json:"max_attendees,omitempty"` // the same for people
}
