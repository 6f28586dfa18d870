package bbbtest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver takes callbacks, at the given attempt.
type receiver struct {
	mu       sync.Mutex
	accepts  int
	attempts map[string][]time.Duration
	start    time.Time
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	url := req.URL.String()
	r.attempts[url] = append(r.attempts[url], time.Since(r.start))
	w := httptest.NewRecorder()
	if len(r.attempts[url]) < r.accepts {
		w.Code = http.StatusBadGateway
	}
	return w.Result(), nil
}

func TestCallbacksAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{accepts: 3, attempts: map[string][]time.Duration{}, start: time.Now()}
		n := New(Options{Callbacks: to})
		defer n.Close()
		get(t, n, "create", "meetingID", "room 1&2", "name", "Room", "meetingEndedURL", "https://lms.example.org/ended-plain",
			"meta_endCallbackUrl", "https://lms.example.org/ended?course=7")
		n.OpenBreakouts("room 1&2", 1) // inherits the metadata, calls nobody
		get(t, n, "end", "meetingID", "room 1&2")
		time.Sleep(time.Hour)
		synctest.Wait()
		to.mu.Lock()
		defer to.mu.Unlock()
		for _, url := range []string{"https://lms.example.org/ended?course=7&recordingmarks=false&meetingID=room+1%262", "https://lms.example.org/ended-plain"} {
			got := to.attempts[url]
			if len(got) != 3 || got[0] != 0 || got[1] != 30*time.Second || got[2] != 90*time.Second {
				t.Errorf("%s came after %v, want 0 s, 30 s, 90 s", url, got)
			}
		}
		if len(to.attempts) != 2 {
			t.Errorf("callbacks are %v, want two", to.attempts)
		}
	})
}

func TestCallbacksGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{accepts: 100, attempts: map[string][]time.Duration{}, start: time.Now()}
		n := New(Options{Callbacks: to, CallbackPauses: []time.Duration{time.Second}})
		defer n.Close()
		get(t, n, "create", "meetingID", "room", "name", "Room", "meetingEndedURL", "https://lms.example.org/", "record", "true", "autoStartRecording", "true",
			"meta_endcallbackurl", "https://lms.example.org/")
		n.EndNow("room")
		time.Sleep(time.Hour)
		to.mu.Lock()
		defer to.mu.Unlock()
		if got := len(to.attempts["https://lms.example.org/?recordingmarks=true&meetingID=room"]); got != 2 {
			t.Errorf("%d attempts, want 2", got)
		}
	})
}

func TestClosedNodeCallsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{accepts: 2, attempts: map[string][]time.Duration{}, start: time.Now()}
		n := New(Options{Callbacks: to})
		get(t, n, "create", "meetingID", "room", "name", "Room", "meetingEndedURL", "https://lms.example.org/")
		n.EndNow("room")
		synctest.Wait()
		n.Close()
		time.Sleep(time.Hour)
		if got := len(to.attempts["https://lms.example.org/"]); got != 1 {
			t.Errorf("%d attempts, want the one before the node was closed", got)
		}
	})
}

func TestRestartCallsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{attempts: map[string][]time.Duration{}, start: time.Now()}
		n := New(Options{Callbacks: to})
		defer n.Close()
		get(t, n, "create", "meetingID", "room", "name", "Room", "meetingEndedURL", "https://lms.example.org/")
		n.ForgetRooms()
		synctest.Wait()
		if len(to.attempts) != 0 || len(n.Rooms()) != 0 {
			t.Errorf("callbacks are %v, rooms %v; want none", to.attempts, n.Rooms())
		}
	})
}
