package b3scale

// PlaybackLink is what the address of a protected recording says: who has it
// may play the recording. It is signed, and good for a short time only.
type PlaybackLink struct {
	FrontendID  string
	RecordingID string
	Format      string // the one that the address leads to
	Until       Micros
}

// PlaybackGrant lets a browser play a protected recording. Its cookie holds
// some of these, and is signed.
type PlaybackGrant struct {
	FrontendID  string
	RecordingID string // empty: all of the frontend
	Until       Micros
}
