package b3scale

import "time"

// Micros is a point in time: microseconds since the Unix epoch, by the store's
// clock where the store is shared. 0 means never.
type Micros int64

// MicrosOf converts t.
func MicrosOf(t time.Time) Micros { return Micros(t.UnixMicro()) }

// Time converts back.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)) }

// Add shifts m by d.
func (m Micros) Add(d time.Duration) Micros { return m + Micros(d.Microseconds()) }

// MeetingState is the state of a meeting's row.
type MeetingState string

// A meeting is claimed (creating) before any node is asked, active once the
// node's answer is stored, ended when its room is gone. Ended rows stay for a
// while as fences against late facts.
const (
	MeetingCreating MeetingState = "creating"
	MeetingActive   MeetingState = "active"
	MeetingEnded    MeetingState = "ended"
)

// Meeting is the one row that decides where a meeting lives.
type Meeting struct {
	Key        MeetingKey
	Generation int64 // grows with every placement; the backend never changes within one
	BackendID  string
	State      MeetingState
	Incarnation

	LastEndedInternalID    string // this incarnation is over and is never confirmed again
	EndRequestedInternalID string // this incarnation is being ended on a tenant's request
	EndRequestedAt         Micros
	ClaimedAt              Micros
	ConfirmedAt            Micros
	EndedAt                Micros
	Size                   int // expected number of people, counted as load from the claim on
	Version                int64
}

// Incarnation is one room on a node: what a node says of it.
type Incarnation struct {
	InternalID  string // the node's own id; unique per room
	CreateTime  int64  // milliseconds, by the node's clock
	AttendeePW  string
	ModeratorPW string
	Info        []byte // children of the node's <meeting> element without attendees; ids as the node has them
	Origin      Origin
}

// Origin names the create that made a room, as far as anybody knows. It stands
// in the addresses that nodes call, see CallbackTicket, and outlives the room in
// its row: whoever calls late is known by it.
type Origin struct {
	Generation int64  // of the meeting at that time; 0: nobody knows, or it is a breakout room
	Create     string // no two creates that reach a node have the same; empty: nobody knows
}

// Live reports whether the row stands for a room or one about to be.
func (m *Meeting) Live() bool { return m.State == MeetingCreating || m.State == MeetingActive }

// EndRequested reports whether the present room is being ended on request.
func (m *Meeting) EndRequested() bool {
	return m.InternalID != "" && m.EndRequestedInternalID == m.InternalID
}

// Attendee is one person in one room. XML is the node's <attendee> element, as
// it came or as events made it. Rows of a room live only while the room does.
type Attendee struct {
	BackendID         string
	InternalMeetingID string
	InternalUserID    string
	Boot              string // boot id of the agent that reported it, empty when a list did
	Sequence          int64  // of that agent's event; the higher one wins within a boot
	SeenAt            Micros // when that was heard, or when the list was begun; between boots the later one wins
	XML               []byte // empty, or beginning with -: the person has left, see Farewell
}

// Farewell stands for the XML of somebody who has left, so that nothing older
// brings the person back. who tells lists that are older who that was.
func Farewell(who string) []byte { return []byte("-" + who) }

// Gone reports whether the person has left.
func (a *Attendee) Gone() bool { return len(a.XML) == 0 || a.XML[0] == '-' }

// Who is what Farewell was told.
func (a *Attendee) Who() string {
	if len(a.XML) == 0 {
		return ""
	}
	return string(a.XML[1:])
}

// Headcount is how many are in a room.
type Headcount struct {
	People     int
	Listeners  int // who only listen
	Voices     int // who speak and listen
	Videos     int // who show a camera
	Moderators int
}

// Session is what the ledger keeps of one room after its end. It names nobody.
type Session struct {
	Key        MeetingKey
	BackendID  string
	InternalID string
	StartedAt  Micros
	EndedAt    Micros
	Peak       int // most people at a time
	PeopleTime time.Duration
	VoiceTime  time.Duration
	VideoTime  time.Duration
}

// Orphan books that a meeting once placed on a backend may still have a room
// there although its row has moved on. While it exists the meeting is never
// placed on that backend.
type Orphan struct {
	Key        MeetingKey
	BackendID  string
	InternalID string // information only
	BookedAt   Micros
	Ending     string // this room is being ended and is never taken back
}
