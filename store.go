package b3scale

import (
	"context"
	"time"
)

// Store is the durable truth. Every method is one transaction. A fact that
// comes too late changes nothing and is reported by false, never by an error.
//
// Errors carry a Code: NotFound, Conflict (a unique name is taken) or
// Unavailable (the store does not answer).
type Store interface {
	Configs
	Commands
	Meetings
	Versions
	Orphans
	NodeFacts
	Leases
	Ledger
	Places
	Callbacks
	Recordings

	// Schema tells which version the tables have.
	Schema(ctx context.Context) (Schema, error)
	// Migrate brings the tables up to date.
	Migrate(ctx context.Context) error

	// Now is the store's clock. Compare stored times with nothing else.
	Now(ctx context.Context) (Micros, error)
	Close() error
}

// Schema is the state of a store's tables.
type Schema struct {
	Database    string // its name, for people
	Version     int64
	Description string
	AppliedAt   Micros
	Pending     int // migrations that were not applied yet
}

// Configs holds what operators set.
type Configs interface {
	Frontends(ctx context.Context) ([]Frontend, error)
	// AddFrontend inserts f under an id of its own. A key or a host name that is
	// taken is a Conflict, the latter because of ErrHostTaken.
	AddFrontend(ctx context.Context, f Frontend, by Actor) (Frontend, error)
	// EditFrontend hands edit the frontend as it is now, and stores what
	// operators set of it. Nobody else can change it meanwhile. When edit fails
	// nothing is written and its error is returned. It may be called again.
	EditFrontend(ctx context.Context, id string, by Actor, edit func(*Frontend) error) (Frontend, error)
	// DeleteFrontend deletes it with the rows of its meetings. Their rooms run
	// on, and belong to nobody. One that has recordings is a Conflict.
	DeleteFrontend(ctx context.Context, id string, by Actor) (Frontend, error)

	// FrontendDefaults are the settings that count for every frontend that does
	// not set them itself.
	FrontendDefaults(ctx context.Context) (FrontendSettings, error)
	// EditFrontendDefaults does with them what EditFrontend does with one
	// frontend.
	EditFrontendDefaults(ctx context.Context, by Actor, edit func(*FrontendSettings) error) (FrontendSettings, error)

	Backends(ctx context.Context) ([]Backend, error)
	// AddBackend inserts b under an id of its own. A host or an agent that is
	// taken is a Conflict.
	AddBackend(ctx context.Context, b Backend, by Actor) (Backend, error)
	// EditBackend does with a backend what EditFrontend does with a frontend.
	// Facts about the node (lost, listed) are never written by it.
	EditBackend(ctx context.Context, id string, by Actor, edit func(*Backend) error) (Backend, error)
	// DeleteBackend deletes it with all rows of meetings there, at once.
	DeleteBackend(ctx context.Context, id string, by Actor) (Backend, error)
	// DeleteEmptyBackend does so if the backend is decommissioned, no meeting
	// lives there and no orphan is booked there; it reports whether.
	DeleteEmptyBackend(ctx context.Context, id string) (bool, error)

	// SaveSecretUses notes when secrets were last used. An older time than the
	// stored one changes nothing.
	SaveSecretUses(ctx context.Context, uses map[SecretSlot]Micros) error
	SecretUses(ctx context.Context) (map[SecretSlot]Micros, error)

	// NoteAction adds to the audit what changes no frontend and no backend.
	NoteAction(ctx context.Context, e AuditEntry) error
	// Audit calls yield with the entries that match, the newest first.
	Audit(ctx context.Context, q AuditQuery, yield func(AuditEntry)) error
}

// SecretSlot names one secret of a frontend or a backend.
type SecretSlot struct {
	OwnerID   string
	Secondary bool
}

// Commands hold what operators want done once, by whichever instance.
type Commands interface {
	// AddCommand stores a command that is to be done within d.
	AddCommand(ctx context.Context, action CommandAction, params []byte, d time.Duration, by Actor) (Command, error)
	// Commands are those that were not purged yet, the oldest first.
	Commands(ctx context.Context) ([]Command, error)
	Command(ctx context.Context, id string) (Command, error)
	// TakeCommand gives holder the oldest command that nobody is at work with,
	// for so long: after it somebody else may take it. found is false when there
	// is none. Commands whose deadline is over end as errors ("timedout").
	TakeCommand(ctx context.Context, holder string, lease time.Duration) (c Command, found bool, err error)
	// FinishCommand stores the end of a command that holder still has.
	FinishCommand(ctx context.Context, id, holder string, state CommandState, result []byte) (bool, error)
	// PurgeCommands deletes those whose deadline has been over for so long.
	PurgeCommands(ctx context.Context, gone time.Duration) error
}

// Claim asks for a meeting to be placed on a candidate.
type Claim struct {
	Key         MeetingKey
	BackendID   string // the candidate
	AttendeePW  string // passwords of the new generation, sent with each of its creates
	ModeratorPW string
	Size        int // expected number of people
	// MaxMeetings is how many live meetings the frontend may have; 0: any
	// number. A meeting that is live already counts as one of them and may stay
	// or move.
	MaxMeetings int
	// Abandoned are generations that this request saw refused, or once
	// unknown, while they were being created: they may move.
	Abandoned []int64
}

// Meetings holds where each meeting lives.
type Meetings interface {
	// LiveMeetings calls yield for every row that is creating or active.
	LiveMeetings(ctx context.Context, yield func(Meeting)) error
	// Meeting reads one row, ended ones included. NotFound when there is none.
	Meeting(ctx context.Context, key MeetingKey) (Meeting, error)
	// ClaimMeeting decides who hosts the meeting. It returns the row that
	// counts: a new generation on the candidate, or the one that lives
	// elsewhere. fit is false, with no row, when the candidate may not take it
	// (not ready, lost, or an orphan of the meeting is booked there). A frontend
	// that has MaxMeetings already gets LimitReached.
	ClaimMeeting(ctx context.Context, c Claim) (m Meeting, fit bool, err error)
	// ConfirmMeeting stores the room of a claimed generation. It refuses
	// another generation, an older room, and a room that ended or is being
	// ended. The same room without an Origin keeps the one that is stored.
	ConfirmMeeting(ctx context.Context, key MeetingKey, generation int64, room Incarnation) (Meeting, bool, error)
	// EndMeeting ends exactly the row that was seen: its generation, state and
	// internal id must still be the same.
	EndMeeting(ctx context.Context, seen Meeting) (bool, error)
	// RequestEnd notes that a tenant asked for the end of exactly this room.
	RequestEnd(ctx context.Context, key MeetingKey, generation int64, internalID string) (Meeting, bool, error)
	// AdoptMeeting inserts a room that has no row as active, unless a row
	// exists or an orphan of it is booked on that backend.
	AdoptMeeting(ctx context.Context, key MeetingKey, backendID string, room Incarnation, size int) (Meeting, bool, error)
	// ActivateMeeting gives an ended row, unchanged since it was seen, a new
	// generation for the room found on backendID, unless an orphan is booked
	// there. A different old backend is booked as orphan.
	ActivateMeeting(ctx context.Context, seen Meeting, backendID string, room Incarnation) (Meeting, bool, error)
	// PurgeMeetings deletes rows that ended before the given time and have no
	// orphans, and returns how many.
	PurgeMeetings(ctx context.Context, before Micros) (int, error)
	// NoteBluntEnd notes, before it is sent, that a room of the meeting on that
	// backend is to be ended by its external id. Such an end may arrive late and
	// hit the next room: see DeleteOrphans.
	NoteBluntEnd(ctx context.Context, key MeetingKey, backendID string) error
}

// Versions tell followers of a shared store what they do not know yet. A
// transaction may become visible later than one with a higher version: look
// back by the longest one.
type Versions interface {
	// LiveVersions calls yield with the version of every row that is creating
	// or active.
	LiveVersions(ctx context.Context, yield func(MeetingKey, int64)) error
	// VersionsSince does so for every row, ended ones included, whose version
	// is since or higher.
	VersionsSince(ctx context.Context, since int64, yield func(MeetingKey, int64)) error
	// ReadMeetings calls yield for each row of keys that exists, ended ones
	// included, with the attendees of its room.
	ReadMeetings(ctx context.Context, keys []MeetingKey, yield func(Meeting, []Attendee)) error
	// ConfigVersion changes whenever a frontend or a backend does.
	ConfigVersion(ctx context.Context) (string, error)
	// Reports calls yield for every backend's report whose version is since or
	// higher.
	Reports(ctx context.Context, since int64, yield func(backendID string, version int64, report []byte)) error
}

// Settlement is what SettleOrphan decided.
type Settlement string

// The settlements of an orphan whose room was found.
const (
	OrphanWaits     Settlement = "waits"      // a successor is being created: look again later
	OrphanEnds      Settlement = "ends"       // end the room; its id is stored as ending
	OrphanTakenBack Settlement = "taken_back" // the room is the meeting again, in a new generation
	OrphanGone      Settlement = "gone"       // no orphan any more, or its room is the current one
)

// Alive is a row whose room was just seen alive on its backend.
type Alive struct {
	Generation int64
	InternalID string
}

// Orphans holds rooms that may have outlived their place.
type Orphans interface {
	// BookOrphan books (key, backend) unless the meeting lives there now.
	BookOrphan(ctx context.Context, key MeetingKey, backendID, internalID string) (bool, error)
	Orphans(ctx context.Context, backendID string) ([]Orphan, error)
	// LeaseOrphan reserves the sweeping of one orphan for d.
	LeaseOrphan(ctx context.Context, key MeetingKey, backendID string, d time.Duration) (bool, error)
	// SettleOrphan decides, under the meeting's lock, what becomes of the room
	// found on backendID. elsewhere proves that the row's own room lives; nil
	// when that was not seen.
	SettleOrphan(ctx context.Context, key MeetingKey, backendID string, room Incarnation, elsewhere *Alive) (Settlement, Meeting, error)
	// DeleteOrphans deletes those of keys that were booked on backendID before
	// the given time: a list begun then did not show them. Those for which a
	// blunt end was noted less than patience ago stay.
	DeleteOrphans(ctx context.Context, backendID string, keys []MeetingKey, before Micros, patience time.Duration) error
}

// Sighting is what a list said of one active meeting.
type Sighting struct {
	Key               MeetingKey
	Generation        int64
	InternalID        string
	Info              []byte // nil: unchanged
	Origin            Origin // as the room itself tells, with Info; Generation 0: unchanged
	Attendees         []Attendee
	AttendeesReplaced bool // Attendees is the whole new set; otherwise they are unchanged
	Headcount         Headcount
	Arrivals          []string // of those who are new in the set: their reservations end, see Place
	// Merge makes the new set, its headcount and the arrivals in it of what is
	// stored, instead of Attendees, Headcount and Arrivals. It may be called
	// again.
	Merge func(stored []Attendee) ([]Attendee, Headcount, []string)
}

// Turnout is what events told of one room since it was last stored.
type Turnout struct {
	Key        MeetingKey
	Generation int64
	InternalID string
	Info       []byte     // nil: unchanged
	Attendees  []Attendee // that changed; each is stored unless what is stored is newer
	Forget     []string   // internal user ids whose rows go
	Arrivals   []string   // of those who came: their reservations end, see Place
	Headcount  Headcount  // afterwards
	Peak       int        // most people at a time meanwhile
	// Late is what the times that people spent there are short of when the new
	// headcount is taken to begin with the transaction.
	LatePeople, LateVoice, LateVideo time.Duration
	Known                            int64 // version whose attendees the caller knows
}

// Stored is the outcome of a Turnout.
type Stored struct {
	Version int64 // of the row; 0: the fence refused
	// Complete: nobody else has changed the row since the version that the
	// caller knew.
	Complete bool
}

// AgentSign is when an agent was last heard, and what it then said of its node,
// in a format of the caller.
type AgentSign struct {
	HeardAt Micros
	Report  []byte
}

// NodeFacts holds what is observed on the nodes.
type NodeFacts interface {
	// MarkListed notes that a list begun at t0 was evaluated.
	MarkListed(ctx context.Context, backendID string, t0 Micros) error
	// SaveSightings stores what a list changed, fenced by generation and
	// internal id. It returns the new version of each row, 0 where the fence
	// refused.
	SaveSightings(ctx context.Context, backendID string, seen []Sighting) ([]int64, error)
	// SaveTurnouts stores what events told of the people on a backend, fenced
	// as SaveSightings.
	SaveTurnouts(ctx context.Context, backendID string, told []Turnout) ([]Stored, error)
	// SaveReport stores what else a list showed of a backend, in a format of
	// the caller.
	SaveReport(ctx context.Context, backendID string, report []byte) error
	// Attendees calls yield for every stored attendee of an active meeting.
	Attendees(ctx context.Context, yield func(MeetingKey, Attendee)) error
	// SaveProbes stores, for this instance, when each backend last answered a
	// probe: now for the given ones.
	SaveProbes(ctx context.Context, instance string, reached []string) error
	// Probes tells when any instance last reached each backend.
	Probes(ctx context.Context) (map[string]Micros, error)
	// SaveHeartbeats stores that the agents on these backends were heard now.
	SaveHeartbeats(ctx context.Context, heard []string) error
	// Heartbeats tells when any instance last heard the agent of each backend.
	Heartbeats(ctx context.Context) (map[string]Micros, error)
	// SaveAgentReports stores what agents said last. It is no heartbeat.
	SaveAgentReports(ctx context.Context, reports map[string][]byte) error
	// Agents are the signs of all agents that were ever heard, by backend.
	Agents(ctx context.Context) (map[string]AgentSign, error)
	// DeclareLost passes the verdict that a backend's meetings may be placed
	// elsewhere, because an operator says so; ClearLost takes it back. Both
	// report whether they changed it.
	DeclareLost(ctx context.Context, backendID string, by Actor) (bool, error)
	// PassVerdict passes the same verdict because the backend is silent. It
	// refuses if any instance has reached the backend or heard its agent within
	// that time, or if too many backends are lost: then our own network is the
	// patient.
	PassVerdict(ctx context.Context, backendID string, silent time.Duration) (bool, error)
	ClearLost(ctx context.Context, backendID string) (bool, error)
}

// Leases make one instance at a time responsible for a job. They run out by the
// store's clock.
type Leases interface {
	// Leases are the holders of all leases that have not run out, by name.
	Leases(ctx context.Context) (map[string]string, error)
	// AcquireLeases takes or renews the named leases for holder and returns
	// those that it has now.
	AcquireLeases(ctx context.Context, names []string, holder string, d time.Duration) ([]string, error)
	// ReleaseLeases gives up those that holder has.
	ReleaseLeases(ctx context.Context, names []string, holder string) error
	// PurgeInstances deletes what instances left behind that have been gone for
	// so long: their probes and leases.
	PurgeInstances(ctx context.Context, gone time.Duration) error
}

// Ledger keeps what was in rooms that are over. A row is written in the
// transaction that ends the room's time as the meeting; when the room becomes
// the meeting again, and ends again, the row goes on.
type Ledger interface {
	// Sessions calls yield for each that ended at the given time or later, in
	// the order of their ends.
	Sessions(ctx context.Context, since Micros, yield func(Session)) error
}

// Place is a reservation for somebody who is about to come into a meeting of a
// frontend whose number of people is limited.
type Place struct {
	Key     MeetingKey
	Holder  string // who joins: the same for a repeat, which renews the reservation
	Arrival string // by which the arrival is known, in Turnout and Sighting
	Hold    time.Duration
	// Limit is how many people and reservations the frontend may have, this one
	// included; 0: any number.
	Limit int
	// ModeratorsExempt: people who moderate are not counted.
	ModeratorsExempt bool
	// Look: there is probably no room. That is found out without a lock then,
	// which costs one count more if there is.
	Look bool
}

// Places holds who is about to come. A reservation ends by itself, or in the
// transaction that stores the arrival: at every moment a person counts once.
type Places interface {
	// TakePlace reserves a place, or renews the reservation of the same holder.
	// It is refused when the frontend is full. taken counts the people and the
	// reservations of the frontend afterwards.
	TakePlace(ctx context.Context, p Place) (taken int, ok bool, err error)
	// PurgePlaces deletes those that have run out.
	PurgePlaces(ctx context.Context) error
}

// Callbacks is the outbox of messages to frontends.
type Callbacks interface {
	// AddCallback stores a message under an id of its own; it is tried at once.
	// added is false, with the stored one, when it repeats one of the same
	// frontend. When too many wait, it is LimitReached.
	AddCallback(ctx context.Context, c Callback, terms CallbackTerms) (saved Callback, added bool, err error)
	// TakeCallbacks gives holder messages that are due, at most n: one of each
	// frontend in turn, its longest waiting first, and for each host and for
	// each frontend at most so many that anybody is at work with. Nobody else
	// gets them until the lease is over, which begins for all at once. Those that
	// are expired end; it tells how many did, also with an error.
	TakeCallbacks(ctx context.Context, holder string, lease time.Duration, n, perHost, perFrontend int) (
		taken []Callback, expired map[CallbackKind]int, err error)
	// FinishCallback stores how an attempt ended. holder is the taken callback's;
	// false: it was taken anew, replayed or dropped since. One that still waits
	// is tried again after that time.
	FinishCallback(ctx context.Context, id, holder string, r CallbackResult, again time.Duration) (bool, error)
	// Callbacks calls yield with those that match, the newest first, and tells
	// how many match without regard to Limit and Offset. They are without their
	// payloads.
	Callbacks(ctx context.Context, q CallbackQuery, yield func(Callback)) (total int, err error)
	Callback(ctx context.Context, id string) (Callback, error)
	// ReplayCallback makes one wait again, from now on for so long, whatever
	// became of it.
	ReplayCallback(ctx context.Context, id string, tried time.Duration, by Actor) (Callback, error)
	// DropCallback ends one that waits.
	DropCallback(ctx context.Context, id string, by Actor) (Callback, error)
	// CallbackQueues tell what waits, for each frontend with something.
	CallbackQueues(ctx context.Context) ([]CallbackQueue, error)
	// PurgeCallbacks deletes those that ended so long ago.
	PurgeCallbacks(ctx context.Context, ended time.Duration) error
}

// Recordings holds the recordings of all frontends, and the work on their
// files.
type Recordings interface {
	// Recordings calls yield with those that match, and tells how many match
	// without regard to Limit and Offset.
	Recordings(ctx context.Context, q RecordingQuery, yield func(Recording)) (total int, err error)
	// Recording reads one. NotFound when there is none.
	Recording(ctx context.Context, id string) (Recording, error)
	// CountRecordings counts those of every frontend.
	CountRecordings(ctx context.Context) ([]RecordingCount, error)
	// EditRecordings hands edit each of the recordings as it is now, and stores
	// what it makes of it, all or none. What says where its files are stays:
	// Published, the formats and the id. Nobody else can change it meanwhile.
	// NotFound when one of them is not there, or not the frontend's; an empty
	// frontendID stands for all. edit may be called again.
	EditRecordings(ctx context.Context, frontendID string, ids []string, edit func(*Recording) error) error

	// BeginRecordingOp stores work on op.IDs, gives it an id and a holder, and
	// keeps others away for as long as the lease is renewed. Conflict when there
	// is work on one of them already.
	BeginRecordingOp(ctx context.Context, op RecordingOp, lease time.Duration) (RecordingOp, error)
	// RenewRecordingOp reports false when somebody else has it by now.
	RenewRecordingOp(ctx context.Context, op RecordingOp, lease time.Duration) (bool, error)
	// CommitRecordingOp hands settle the rows of op.IDs as they are now, without
	// those that there are not, and stores what it returns: rows to write, new
	// ones among them, and ids of rows to delete. Nobody else can change them
	// meanwhile. When settle fails nothing is written and its error is returned.
	// It may be called again. false: somebody else has the op by now.
	CommitRecordingOp(ctx context.Context, op RecordingOp, settle func(now []Recording) (put []Recording, gone []string, err error)) (bool, error)
	// FinishRecordingOp deletes it: rows and files agree.
	FinishRecordingOp(ctx context.Context, op RecordingOp) (bool, error)
	// TakeRecordingOps gives the caller ops, the oldest first, whose lease is
	// over: whoever had them is gone. ids are the recordings that they are
	// about; nil: any.
	TakeRecordingOps(ctx context.Context, ids []string, lease time.Duration, n int) ([]RecordingOp, error)
	// RecordingOps are all that there are.
	RecordingOps(ctx context.Context) ([]RecordingOp, error)
}

// HintKind says what a Hint is about.
type HintKind string

// The kinds of hints.
const (
	HintMeeting HintKind = "meeting" // the row of Key changed
	HintConfig  HintKind = "config"  // a frontend or a backend changed
	HintList    HintKind = "list"    // whoever lists BackendID should do so now
)

// Hint says that something changed: read it. Nothing depends on hints; whoever
// misses one finds the change by its version a moment later.
type Hint struct {
	Kind      HintKind
	Key       MeetingKey
	BackendID string
}

// Changes connect the instances that share a store.
type Changes interface {
	// Hint tells the other instances, soon and without waiting. It may be lost.
	Hint(h Hint)
	// Follow reports what the others change until ctx ends. It calls missed
	// whenever hints may have been lost, first of all when it begins to listen,
	// and then changed with those that came since. It calls one at a time.
	Follow(ctx context.Context, missed func(), changed func([]Hint)) error
}
