package metrics

import (
	"slices"
	"time"

	"b3scale"
)

var (
	recordings = family("recordings",
		"Recordings of a frontend by state, of all instances together. States that mean nothing here are other.", "frontend", "state")
	recordingWorkOldest = family("recording_work_oldest_seconds",
		"For how long the oldest work on files of recordings has not been finished, by whatever instance; 0 when there is none.")
	recordingOperations = family("recording_operations_total",
		"Work on files of recordings: done, refused (it cannot be done as things are, such as an import without files), or failed.", "kind", "result")
	playbackDecisions = family("playback_decisions_total",
		"Decisions about playing recordings: links of protected ones, and files that web servers ask about. failed: nobody could tell, so it was not played.", "result")
)

const otherState = "other"

var (
	recordingStates     = []string{b3scale.StatePublished, b3scale.StateUnpublished, otherState}
	recordingKinds      = []b3scale.RecordingOpKind{b3scale.RecordingImport, b3scale.RecordingPublish, b3scale.RecordingDelete, b3scale.RecordingRepair}
	recordingResults    = []string{"done", "failed", "refused"}
	playbackDecisionsOf = []string{"file_allowed", "file_failed", "file_refused", "link_failed", "link_opened", "link_refused"}
)

// operation is what work on files is counted by.
type operation struct {
	kind   b3scale.RecordingOpKind
	result string
}

// RecordingWorked counts work on files of recordings that has ended.
func (m *Metrics) RecordingWorked(kind b3scale.RecordingOpKind, err error) {
	result := "done"
	switch b3scale.CodeOf(err) {
	case b3scale.InvalidArgument, b3scale.NotFound, b3scale.Conflict, b3scale.Forbidden:
		result = "refused"
	default:
		if err != nil {
			result = "failed"
		}
	}
	m.counts.operations.at(operation{kind, result}, newCounter).Add(1)
}

// PlaybackDecided counts a decision about playing.
func (m *Metrics) PlaybackDecided(result string) {
	m.counts.playbacks.at(result, newCounter).Add(1)
}

// RecordingFacts are what the store knows of all recordings together.
type RecordingFacts struct {
	Counts []b3scale.RecordingCount
	Oldest b3scale.Micros // when the oldest unfinished work began; 0: there is none
}

// showRecordings shows nothing where none are kept.
func (c *collector) showRecordings(out sink, now time.Time) {
	if c.Recordings == nil {
		return
	}
	operations, playbacks := c.counts.operations.each(), c.counts.playbacks.each()
	for _, kind := range recordingKinds {
		for _, result := range recordingResults {
			out.counter(recordingOperations, counted(operations[operation{kind, result}]), string(kind), result)
		}
	}
	for _, result := range playbackDecisionsOf {
		out.counter(playbackDecisions, counted(playbacks[result]), result)
	}
	facts := c.Recordings()
	age := time.Duration(0)
	if facts.Oldest != 0 {
		age = max(now.Sub(facts.Oldest.Time()), 0)
	}
	out.gauge(recordingWorkOldest, age.Seconds())
	type place struct{ frontendID, state string }
	there := map[place]int{}
	for _, n := range facts.Counts {
		state := n.State
		if !slices.Contains(recordingStates, state) {
			state = otherState
		}
		there[place{n.FrontendID, state}] += n.Count
	}
	c.Table.EachFrontend(func(f *b3scale.Frontend) {
		for _, state := range recordingStates {
			out.gauge(recordings, float64(there[place{f.ID, state}]), valid(f.Key), state)
		}
	})
}

// counted is 0 for what has not happened yet.
func counted(n *counter) float64 {
	if n == nil {
		return 0
	}
	return float64(n.Load())
}
