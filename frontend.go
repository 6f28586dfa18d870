package b3scale

// Frontend is a tenant: a Greenlight, Moodle, Nextcloud or any other BBB
// client with a key and a secret of its own.
type Frontend struct {
	ID              string
	Key             string // the name in the URL and in the ids of its meetings
	Secret          Secret
	SecondarySecret Secret // also accepted while a secret is being rotated; empty when unset
	Active          bool
	Settings        FrontendSettings
	AccountRef      string // the operator's own reference, empty when unset
	CreatedAt       Micros
	UpdatedAt       Micros
	Version         int64
}

// FrontendSettings shape what the meetings of a frontend look like and where
// they run. They are stored as JSON; the names are part of the REST contract.
type FrontendSettings struct {
	RequiredTags Tags `json:"required_tags"` // a backend must carry all of them to get a new meeting
}
