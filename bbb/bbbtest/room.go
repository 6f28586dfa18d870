package bbbtest

import (
	"slices"

	"b3scale/bbb"
)

// Room is a running meeting of a node. Methods return copies.
type Room struct {
	ExternalID string
	InternalID string
	Name       string

	AttendeePW  string
	ModeratorPW string
	CreateTime  int64 // ms since the epoch, as StartTime
	StartTime   int64
	VoiceBridge string
	DialNumber  string
	Duration    int // minutes; 0 is unlimited
	MaxUsers    int // 0 is unlimited
	Recording   bool

	GuestPolicy     string
	MeetingEndedURL string
	Metadata        bbb.Params // without meta_, in lower case

	ParentID  string // internal id of the parent; makes the room a breakout
	Sequence  int
	FreeJoin  bool
	Breakouts []string // external ids

	Attendees     []Attendee
	SharedBy      string // internal id of who shares their screen
	OnAir         bool   // the recording is running
	HasUserJoined bool
	Ending        bool // end was called, the room is not gone yet

	Params    bbb.Params // of the create call
	Documents int        // sent with create and insertDocument
	Messages  []string   // sent by sendChatMessage
}

// Attendee is a person in a room. The zero values make a viewer in the HTML5
// client.
type Attendee struct {
	UserID        string // external; made up if empty
	InternalID    string // of this session; made up if empty
	FullName      string
	Role          string // VIEWER or MODERATOR
	Guest         bool
	Presenter     bool
	ListeningOnly bool // never together with Voice
	Voice         bool
	Video         bool       // a camera is on; one is made up if there are no Streams
	Streams       []string   // of cameras
	ClientType    string     // HTML5; dial-in-user is a caller, who has a voice and no client
	Userdata      bbb.Params // shown as customdata
	Offline       bool       // the connection dropped; 3.0 does not count such people

	absences int
}

// The roles of attendees.
const (
	Moderator = "MODERATOR"
	Viewer    = "VIEWER"
)

const (
	html5  = "HTML5"
	dialIn = "dial-in-user"
)

func (r *Room) isBreakout() bool { return r.ParentID != "" }

func (r *Room) clone() Room {
	c := *r
	c.Metadata, c.Params = r.Metadata.Clone(), r.Params.Clone()
	c.Breakouts, c.Messages = slices.Clone(r.Breakouts), slices.Clone(r.Messages)
	c.Attendees = slices.Clone(r.Attendees)
	for i := range c.Attendees {
		c.Attendees[i] = c.Attendees[i].clone()
	}
	return c
}

func (a *Attendee) clone() Attendee {
	c := *a
	c.Userdata, c.Streams = a.Userdata.Clone(), slices.Clone(a.Streams)
	return c
}

// is compares with either id of a person.
func (a *Attendee) is(id string) bool { return id != "" && (a.UserID == id || a.InternalID == id) }

// room is a Room as the node keeps it.
type room struct {
	Room
	infoXML, listXML []byte // rendered, nil after a change
	sessions         []string
	recordingMarks   bool
	kept             archive
	told             bool  // its end was published
	voices           int   // that joined the conference so far
	sharedAt         int64 // ms, when the screen was
	inOrder          *element
}

func (r *room) changed() { r.infoXML, r.listXML = nil, nil }
