package metrics_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/metrics"
)

func TestRecordings(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{}, 2, 1)
	for name := range s.scrape() {
		if strings.HasPrefix(name, "b3scale_recording") || strings.HasPrefix(name, "b3scale_playback") {
			t.Errorf("none are kept, but there is %s", name)
		}
	}
	s = newSite(t, metrics.Options{}, 2, 1, func(sources *metrics.Sources) {
		sources.Recordings = func() metrics.RecordingFacts {
			return metrics.RecordingFacts{Oldest: b3scale.MicrosOf(time.Now().Add(-61 * time.Minute)), Counts: []b3scale.RecordingCount{
				{FrontendID: "f1", State: "published", Count: 3}, {FrontendID: "f1", State: "processed", Count: 2}, {FrontendID: "f1", State: "deleted", Count: 1},
				{FrontendID: "gone", State: "published", Count: 7},
			}}
		}
	})
	s.metrics.RecordingWorked(b3scale.RecordingImport, nil)
	s.metrics.RecordingWorked(b3scale.RecordingImport, b3scale.Errorf(b3scale.Conflict, "no files"))
	s.metrics.RecordingWorked(b3scale.RecordingDelete, b3scale.Errorf(b3scale.Unavailable, "no disk"))
	s.metrics.RecordingWorked(b3scale.RecordingDelete, errors.New("no idea"))
	s.metrics.PlaybackDecided("file_refused")
	s.wants(map[string]string{
		`b3scale_recordings{frontend="fe0",state="published"}`:               "0",
		`b3scale_recordings{frontend="fe1",state="published"}`:               "3",
		`b3scale_recordings{frontend="fe1",state="unpublished"}`:             "0",
		`b3scale_recordings{frontend="fe1",state="other"}`:                   "3",
		`b3scale_recordings{frontend="fe1",state="processed"}`:               "",
		`b3scale_recording_operations_total{kind="import",result="done"}`:    "1",
		`b3scale_recording_operations_total{kind="import",result="refused"}`: "1",
		`b3scale_recording_operations_total{kind="import",result="failed"}`:  "0",
		`b3scale_recording_operations_total{kind="delete",result="failed"}`:  "2",
		`b3scale_recording_operations_total{kind="repair",result="done"}`:    "0",
		`b3scale_playback_decisions_total{result="file_refused"}`:            "1",
		`b3scale_playback_decisions_total{result="link_opened"}`:             "0",
	})
	if got := s.scrape()[`b3scale_recording_work_oldest_seconds`]; !strings.HasPrefix(got, "36") {
		t.Errorf("the oldest work is from %q, want 61 minutes", got)
	}
}

// wards is a store that may be away.
type wards struct {
	away  atomic.Bool
	looks atomic.Int64
}

func (w *wards) CountRecordings(context.Context) ([]b3scale.RecordingCount, error) {
	w.looks.Add(1)
	if w.away.Load() {
		return nil, errors.New("away")
	}
	return []b3scale.RecordingCount{{FrontendID: "f", State: "published", Count: 1}}, nil
}

func (w *wards) RecordingOps(context.Context) ([]b3scale.RecordingOp, error) {
	return []b3scale.RecordingOp{{CreatedAt: 20}, {CreatedAt: 10}, {CreatedAt: 30}}, nil
}

func TestRecordingSurvey(t *testing.T) {
	t.Parallel()
	store := &wards{}
	survey := metrics.NewRecordingSurvey(store, time.Millisecond)
	if got := survey.Facts(); got.Counts != nil || got.Oldest != 0 {
		t.Errorf("before the first look there is %+v", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- survey.Run(ctx) }()
	await(t, "it looks", func() bool { return survey.Facts().Oldest == 10 })
	store.away.Store(true)
	seen := store.looks.Load()
	await(t, "it looks again", func() bool { return store.looks.Load() > seen+2 })
	if got := survey.Facts(); len(got.Counts) != 1 || got.Oldest != 10 {
		t.Errorf("without a store there is %+v", got)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// await waits for a condition with a generous deadline.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this never happened: %s", what)
		}
	}
}
