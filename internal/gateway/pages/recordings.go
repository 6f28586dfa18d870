package pages

// RecordingLinkOver says that a link to a recording is no longer good, or never
// was.
type RecordingLinkOver struct{}

// NoRecording says that there is no such recording, or not any more.
type NoRecording struct{}

// RecordingUnavailable says that it cannot be opened now.
type RecordingUnavailable struct{}

func (RecordingLinkOver) view(t *texts) view {
	return view{Title: t.RecordingOverTitle, Paragraphs: []string{t.RecordingOverText, t.RecordingOverAdvice}}
}

func (NoRecording) view(t *texts) view {
	return view{Title: t.NoRecordingTitle, Paragraphs: []string{t.NoRecordingText, t.NoRecordingAdvice}}
}

func (RecordingUnavailable) view(t *texts) view {
	return view{Title: t.RecordingAwayTitle, Paragraphs: []string{t.RecordingAwayText, t.RecordingAwayAdvice}}
}
