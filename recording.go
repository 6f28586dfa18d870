package b3scale

// Recording is one that a frontend owns. Its id is the internal id of the
// meeting, see BBB API, identifiers; no two frontends have the same.
type Recording struct {
	ID                string
	FrontendID        string
	MeetingID         string // the frontend's own; of a breakout room the node's
	InternalMeetingID string
	Name              string
	Breakout          bool
	Published         bool   // its files are in the published tree and may be played
	State             string // as nodes name it, see the states
	StartMillis       int64  // since the epoch
	EndMillis         int64
	Participants      int
	RawSize           int64             // bytes of the raw archive; 0: not known
	Metadata          map[string]string // names as the node spells them
	BreakoutOf        *RecordingParent  // nil unless it is of a breakout room
	BreakoutRooms     []string          // internal ids
	Formats           []RecordingFormat
	CreatedAt         Micros
	UpdatedAt         Micros
	Version           int64 // grows with every change
}

// States of recordings that have a meaning here. Others are kept as they came.
const (
	StatePublished   = "published"
	StateUnpublished = "unpublished"
)

// Metadata that says who may see a recording; the values are "true" and
// "false".
const (
	MetaListed  = "gl-listed" // frontends show it to everybody
	MetaProtect = "protect"   // playing needs a link that the frontend got for one person
)

// How much metadata a recording has room for. The bytes are those that it takes
// up in lists, which are XML.
const (
	MaxMetadataEntries = 200
	MaxMetadataBytes   = 64 << 10
)

// Protected tells whether playing needs a link of the frontend.
func (r *Recording) Protected() bool { return r.Metadata[MetaProtect] == "true" }

// SetPublished publishes it, or takes that back.
func (r *Recording) SetPublished(published bool) {
	r.Published, r.State = published, StateUnpublished
	if published {
		r.State = StatePublished
	}
}

// SetVisibility publishes or hides it, and marks it for whoever lists and plays
// it. It reports false for a visibility that there is not.
func (r *Recording) SetVisibility(v RecordingVisibility) bool {
	listed, protect := "false", "false"
	switch v {
	case RecordingUnpublished, RecordingPublished:
	case RecordingProtected:
		protect = "true"
	case RecordingPublic:
		listed = "true"
	case RecordingPublicProtected:
		listed, protect = "true", "true"
	default:
		return false
	}
	r.SetPublished(v != RecordingUnpublished)
	if r.Metadata == nil {
		r.Metadata = map[string]string{}
	}
	r.Metadata[MetaListed], r.Metadata[MetaProtect] = listed, protect
	return true
}

// RecordingParent says of which meeting a breakout room was part.
type RecordingParent struct {
	ParentID string `json:"parent_id"` // internal id
	Sequence int    `json:"sequence"`
	FreeJoin bool   `json:"free_join"`
}

// RecordingFormat is one way to play a recording. Its files are in a directory
// of its own. They are stored as JSON.
type RecordingFormat struct {
	Type             string           `json:"type"` // presentation, video, …; also the name of the directory
	URL              string           `json:"url"`  // as the node told it
	ProcessingMillis int64            `json:"processing_millis,omitzero"`
	DurationMillis   int64            `json:"duration_millis,omitzero"`
	Size             int64            `json:"size,omitzero"` // bytes; 0: not known
	Preview          []RecordingImage `json:"preview,omitempty"`
	Extensions       string           `json:"extensions,omitzero"` // XML of others than the preview
	Data             bool             `json:"data,omitzero"`       // figures, nothing to play
}

// RecordingImage is one picture of a preview.
type RecordingImage struct {
	URL    string `json:"url"` // without host when it was found among the files
	Alt    string `json:"alt,omitzero"`
	Width  int    `json:"width,omitzero"`
	Height int    `json:"height,omitzero"`
}

// RecordingQuery selects recordings. Zero values select all. The newest come
// first: by start, then by id.
type RecordingQuery struct {
	FrontendID string
	IDs        []string // any of these
	IDPrefixes []string // begins with any of these, literally
	MeetingIDs []string // any of these
	States     []string // any of these
	Metadata   []MetadataMatch
	FromMillis int64 // start, inclusive
	ToMillis   int64 // start, exclusive; 0: no end
	Limit      int   // 0: all
	Offset     int
}

// MetadataMatch selects by one entry of the metadata. The name counts without
// regard to case, the value with it. An open end matches any text there.
type MetadataMatch struct {
	Name      string
	Value     string
	OpenStart bool
	OpenEnd   bool
}

// RecordingCount is how many a frontend has in one state.
type RecordingCount struct {
	FrontendID string
	State      string
	Count      int
}

// RecordingOp is work on the files of recordings. It is stored before the first
// file is touched, and stays until rows and files agree again. Whoever has it
// is the only one that touches the files of these recordings.
type RecordingOp struct {
	ID        string
	Kind      RecordingOpKind
	IDs       []string // of the recordings
	Formats   []string // whose files it touches, besides those of the rows
	Origin    string   // where the files of an import come from, in words of the caller
	Lapsed    bool     // nobody has it any more, for RecordingOps
	Holder    string   // who has it, for the store; each take is another one
	CreatedAt Micros
}

// RecordingOpKind says what an op does.
type RecordingOpKind string

// The kinds of ops.
const (
	RecordingImport  RecordingOpKind = "import"
	RecordingPublish RecordingOpKind = "publish" // or the reverse
	RecordingDelete  RecordingOpKind = "delete"
	RecordingRepair  RecordingOpKind = "repair"
)

// RecordingOverride is what an operator says of a recording that is imported,
// in place of what its metadata say. Empty members say nothing.
type RecordingOverride struct {
	FrontendKey string
	MeetingID   string // the frontend's own
	Replace     bool   // new files of a format take the place of others
}

// RecordingDifference is one thing in which rows and files do not agree.
type RecordingDifference struct {
	Kind        RecordingDifferenceKind
	RecordingID string // may be empty
	Format      string // may be empty
	Path        string // of the files; empty when there are none
	Detail      string // for people
	Repaired    bool
	Error       string // why it could not be repaired; empty otherwise
}

// RecordingDifferenceKind says what does not agree.
type RecordingDifferenceKind string

// The kinds of differences.
const (
	FilesMissing    RecordingDifferenceKind = "files_missing"    // of a format that has a row
	FilesMisplaced  RecordingDifferenceKind = "files_misplaced"  // in the other tree than the row says
	FilesTwice      RecordingDifferenceKind = "files_twice"      // in several trees
	FilesUnknown    RecordingDifferenceKind = "files_unknown"    // no row has them
	FilesLeftOver   RecordingDifferenceKind = "files_left_over"  // of work that broke off
	FilesUnreadable RecordingDifferenceKind = "files_unreadable" // cannot be judged: links, no permission
	OpUnfinished    RecordingDifferenceKind = "op_unfinished"    // work that broke off
)
