package b3scale

import (
	"encoding/json"
	"maps"
	"net/url"
	"strings"
)

// Frontend is a tenant: a Greenlight, Moodle, Nextcloud or any other BBB
// client with a key and a secret of its own.
type Frontend struct {
	ID              string
	Key             string // the name in the URL and in the ids of its meetings
	Secret          Secret
	SecondarySecret Secret // also accepted while a secret is being rotated; empty when unset
	Active          bool
	Settings        FrontendSettings // as stored
	Policy          FrontendSettings // what counts: Settings over the defaults of the installation; in memory only
	AccountRef      string           // the operator's own reference, empty when unset
	CreatedAt       Micros
	UpdatedAt       Micros
	Version         int64
}

// FrontendSettings shape what the meetings of a frontend look like, where they
// run and how many they may be. They are stored as JSON; the names are part of
// the REST contract. What is nil was not set: see Over.
type FrontendSettings struct {
	RequiredTags         Tags                 `json:"required_tags"` // a backend must carry all of them to get a new meeting
	DefaultPresentation  *DefaultPresentation `json:"default_presentation"`
	AttendeesLimit       *AttendeesLimit      `json:"attendees_limit"`
	CreateDefaultParams  Params               `json:"create_default_params"`
	CreateOverrideParams Params               `json:"create_override_params"`
	JoinDefaultParams    Params               `json:"join_default_params"`
	JoinOverrideParams   Params               `json:"join_override_params"`
	Recordings           *RecordingSettings   `json:"recordings"`

	Hosts               []string       `json:"hosts"`                 // names at which /bigbluebutton/api/ is this frontend's; lower case, nobody else's
	AllowedTags         Tags           `json:"allowed_tags"`          // that a create may ask for; AnyTag: all
	CreateBlockedParams []string       `json:"create_blocked_params"` // never reach a node
	JoinBlockedParams   []string       `json:"join_blocked_params"`
	CreateMaxParams     Caps           `json:"create_max_params"`
	MeetingsLimit       *MeetingsLimit `json:"meetings_limit"`
	RateLimit           *RateLimit     `json:"rate_limit"`
}

// AnyTag among AllowedTags stands for all tags.
const AnyTag = "*"

// Masked is a copy without passwords, which operators put into parameters and
// addresses, too.
func (s FrontendSettings) Masked() FrontendSettings {
	for _, params := range []*Params{&s.CreateDefaultParams, &s.CreateOverrideParams, &s.JoinDefaultParams, &s.JoinOverrideParams} {
		*params = params.masked()
	}
	if p := s.DefaultPresentation; p != nil {
		if u, err := url.Parse(p.URL); err == nil && u.User != nil {
			u.User = url.User(masked)
			s.DefaultPresentation = &DefaultPresentation{URL: u.String(), Force: p.Force}
		}
	}
	return s
}

func (p Params) masked() Params {
	hidden := maps.Clone(p)
	for name, value := range p {
		if value != "" && IsPassword(name) {
			hidden[name] = masked
		}
	}
	return hidden
}

// IsPassword tells by its name a BBB parameter whose value not everybody may see.
func IsPassword(param string) bool {
	lower := strings.ToLower(param)
	return strings.HasSuffix(lower, "pw") || strings.Contains(lower, "password")
}

// DefaultPresentation is shown in meetings that bring none of their own.
type DefaultPresentation struct {
	URL   string `json:"url"`
	Force bool   `json:"force"` // also in place of the frontend's own
}

// AttendeesLimit is how many people a frontend may have in all its meetings.
type AttendeesLimit struct {
	Limit            int                `json:"limit"` // 0: none
	Mode             AttendeesLimitMode `json:"mode"`
	ModeratorsExempt bool               `json:"moderators_exempt"` // they are always let in and not counted
}

// AttendeesLimitMode says what happens at the limit.
type AttendeesLimitMode string

// The modes of a limit of attendees. An empty one is LimitBlocksJoin.
const (
	LimitBlocksJoin   AttendeesLimitMode = "block_join"   // nobody more comes in
	LimitBlocksCreate AttendeesLimitMode = "block_create" // no new meeting is placed
	LimitWarns        AttendeesLimitMode = "warn"         // it is only counted and logged
)

// MeetingsLimit is how many meetings a frontend may have at a time, breakout
// rooms not counted.
type MeetingsLimit struct {
	Limit int `json:"limit"` // 0: none
}

// RateLimit is how many calls a frontend may make at each instance.
type RateLimit struct {
	RequestsPerSecond float64 `json:"requests_per_second"` // 0: any number
	Burst             int     `json:"burst"`               // at once, after a pause; 0: as many as in a second
}

// RecordingSettings shape what becomes of a frontend's recordings.
type RecordingSettings struct {
	VisibilityOverride *RecordingVisibility `json:"visibility_override"`
}

// RecordingVisibility says who may see a recording, and how.
type RecordingVisibility string

// The visibilities of recordings.
const (
	RecordingUnpublished     RecordingVisibility = "unpublished"
	RecordingPublished       RecordingVisibility = "published"
	RecordingProtected       RecordingVisibility = "protected"
	RecordingPublic          RecordingVisibility = "public"
	RecordingPublicProtected RecordingVisibility = "public_protected"
)

// Params are BBB parameters by name. An empty value stands for none: it is
// not stored and takes the name out of a map that it is merged into.
type Params map[string]string

// MarshalJSON writes an object, never null, without empty values.
func (p Params) MarshalJSON() ([]byte, error) {
	set := make(map[string]string, len(p))
	for name, value := range p {
		if value != "" {
			set[name] = value
		}
	}
	return json.Marshal(set)
}

// Caps are the largest values of numeric BBB parameters by name. 0 stands for
// none: it is not stored and takes the name out of a map that it is merged
// into.
type Caps map[string]int

// MarshalJSON writes an object, never null, without zeros.
func (c Caps) MarshalJSON() ([]byte, error) {
	set := make(map[string]int, len(c))
	for name, most := range c {
		if most != 0 {
			set[name] = most
		}
	}
	return json.Marshal(set)
}
