package ctl

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"b3scale/internal/auth"
)

const drained = "http://bbb1.example.org/bigbluebutton/api/"

// shaky is a server with one backend that is enabled. Its admin state is told
// by its answers alone, and reading it again is up to each test.
func shaky(t *testing.T, read http.HandlerFunc) *attempt {
	t.Helper()
	w := fake(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.Method + r.URL.Path {
		case "GET/api/v1":
			answers(200, `{"is_admin":true,"database":{}}`)(rw, r)
		case "GET/api/v1/backends":
			answers(200, "["+oneBackend("ready", "4")+"]")(rw, r)
		case "PATCH/api/v1/backends/b1":
			answers(200, oneBackend("stopped", "4"))(rw, r)
		case "GET/api/v1/backends/b1":
			read(rw, r)
		}
	})
	return w.as().env("B3SCALE_API_ACCESS_TOKEN=" + mint(t, apiSecret, "ci", time.Time{}, auth.Admin))
}

func oneBackend(state, meetings string) string {
	return `{"id":"b1","admin_state":"` + state + `","node_state":"ready","bbb":{"host":"` + drained + `"},"meetings_count":` + meetings + `,"attendees_count":7}`
}

// Nothing is concluded from an error: the backend that was enabled before the
// drain has not been enabled again because the first question fails.
func TestDrainSurvivesItsFirstQuestion(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway, 0} {
		var calls atomic.Int32
		o := shaky(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case calls.Add(1) > 2:
				answers(200, oneBackend("stopped", "0"))(w, r)
			case status == 0: // a restart
				panic(http.ErrAbortHandler)
			default:
				answers(status, `{"message":"not now"}`)(w, r)
			}
		}).do("drain", "backend", drained, "--wait", "--interval", "10ms")
		if o.code != 0 || !strings.HasSuffix(o.out, ": 0 meetings, 7 people\ndrained: "+drained+"\n") {
			t.Errorf("%d: %d\n%s%s", status, o.code, o.out, o.errs)
		}
		if strings.Count(o.out, "no news") != 1 {
			t.Errorf("%d: the same is said again and again:\n%s", status, o.out)
		}
	}
}

// Only patience that is over while there are meetings has exit code 3: what
// follows it ends meetings.
func TestExitCodesOfDrain(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	const away = 20 // times 10 ms: longer than the patience
	o := shaky(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) <= away {
			answers(503, `{"message":"Service Unavailable"}`)(w, r)
			return
		}
		answers(200, oneBackend("stopped", "4"))(w, r)
	}).do("drain", "backend", drained, "--wait", "--interval", "10ms", "--timeout", "50ms").
		failsWith(3, "still 4 meetings, 7 people after 50ms; the backend stays stopped")
	if n := calls.Load(); n != away+1 {
		t.Errorf("it ended after %d questions, want one after %d errors\n%s", n, away, o.out)
	}
	shaky(t, answers(403, `{"message":"b3scale:admin scope required"}`)).
		do("drain", "backend", drained, "--wait", "--timeout", "1ns").fails("authorization failed")
	shaky(t, answers(200, oneBackend("ready", "4"))).
		do("drain", "backend", drained, "--wait", "--timeout", "1ns").fails("somebody has enabled the backend again")
}
