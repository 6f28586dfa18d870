package metrics_test

import (
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/metrics"
)

func TestCallbacks(t *testing.T) {
	t.Parallel()
	s := newSite(t, metrics.Options{}, 2, 1)
	s.metrics.CallbackTried(b3scale.CallbackEnd, b3scale.CallbackDelivered)
	s.metrics.CallbackTried(b3scale.CallbackEnd, b3scale.CallbackWaiting)
	s.metrics.CallbackTried(b3scale.CallbackEnd, b3scale.CallbackWaiting)
	s.metrics.CallbackTried(b3scale.CallbackAnalytics, b3scale.CallbackRefused)
	s.metrics.CallbackTried(b3scale.CallbackEnd, b3scale.CallbackExpired)
	s.metrics.CallbackTurnedAway(b3scale.CallbackEnd)
	s.callbacks = []b3scale.CallbackQueue{
		{FrontendID: "f1", Waiting: 3, Oldest: b3scale.MicrosOf(time.Now().Add(-time.Hour))}, {FrontendID: "gone", Waiting: 7},
	}
	s.wants(map[string]string{
		`b3scale_callbacks_waiting{frontend="fe0"}`:                                  "0",
		`b3scale_callbacks_oldest_seconds{frontend="fe0"}`:                           "0",
		`b3scale_callbacks_waiting{frontend="fe1"}`:                                  "3",
		`b3scale_callbacks_turned_away_total{kind="end"}`:                            "1",
		`b3scale_callbacks_turned_away_total{kind="analytics"}`:                      "0",
		`b3scale_callback_attempts_total{kind="end",result="delivered"}`:             "1",
		`b3scale_callback_attempts_total{kind="end",result="failed"}`:                "2",
		`b3scale_callback_attempts_total{kind="end",result="refused"}`:               "0",
		`b3scale_callback_attempts_total{kind="end",result="expired"}`:               "1",
		`b3scale_callback_attempts_total{kind="analytics",result="expired"}`:         "0",
		`b3scale_callback_attempts_total{kind="analytics",result="refused"}`:         "1",
		`b3scale_callback_attempts_total{kind="recording_ready",result="delivered"}`: "0",
		`b3scale_callback_attempts_total{kind="meeting_ended",result="failed"}`:      "0",
	})
	if got := s.scrape()[`b3scale_callbacks_oldest_seconds{frontend="fe1"}`]; !strings.HasPrefix(got, "36") {
		t.Errorf("the oldest has been waiting for %q, want an hour", got)
	}
}
