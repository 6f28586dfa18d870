package metrics

import (
	"context"
	"sync/atomic"
	"time"

	"b3scale"
)

// RecordingStore is what a RecordingSurvey asks. *sqlstore.Store is one.
type RecordingStore interface {
	CountRecordings(ctx context.Context) ([]b3scale.RecordingCount, error)
	RecordingOps(ctx context.Context) ([]b3scale.RecordingOp, error)
}

// RecordingSurvey looks at all recordings now and then, so that scrapes need
// not ask the store.
type RecordingSurvey struct {
	store RecordingStore
	every time.Duration
	facts atomic.Pointer[RecordingFacts]
}

const surveyEvery = 15 * time.Second

// NewRecordingSurvey makes one. every is how often it looks; 0: 15 s.
func NewRecordingSurvey(store RecordingStore, every time.Duration) *RecordingSurvey {
	if every == 0 {
		every = surveyEvery
	}
	return &RecordingSurvey{store: store, every: every}
}

// Run looks at once, and then until ctx is over.
func (s *RecordingSurvey) Run(ctx context.Context) error {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look leaves the last facts when the store is away: others tell of that.
func (s *RecordingSurvey) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.every)
	defer cancel()
	counts, err := s.store.CountRecordings(ctx)
	if err != nil {
		return
	}
	ops, err := s.store.RecordingOps(ctx)
	if err != nil {
		return
	}
	facts := RecordingFacts{Counts: counts}
	for _, o := range ops {
		if facts.Oldest == 0 || o.CreatedAt < facts.Oldest {
			facts.Oldest = o.CreatedAt
		}
	}
	s.facts.Store(&facts)
}

// Facts are what it saw last.
func (s *RecordingSurvey) Facts() RecordingFacts {
	if facts := s.facts.Load(); facts != nil {
		return *facts
	}
	return RecordingFacts{}
}
