package agent

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What agents of the existing product send, its server must understand from us.
func TestWireOfTheExistingProduct(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.server.old = true
	h.server.backend = ""
	h.opts.Register = true
	h.start()
	h.listening()
	eventually(t, "known as old", func() bool { return strings.Contains(h.log.String(), "one by one only") })
	files := fixtureFiles(t)
	for _, name := range []string{
		"MeetingCreatedEvtMsg.3.0", "UserJoinedMeetingEvtMsg.3.0", "UserJoinedMeetingEvtMsg.3.0", "PresenterAssignedEvtMsg", "UserBroadcastCamStartedEvtMsg",
		"RecordingStatusChangedEvtMsg.started", "UserLeftMeetingEvtMsg.2.5", "MeetingEndedEvtMsg", "MeetingDestroyedEvtMsg",
	} {
		h.say(string(files[name]))
	}
	eventually(t, "the end", func() bool { return len(h.server.of("DELETE")) == 1 })
	var got []string
	h.server.with(func() {
		for _, r := range h.server.seen {
			got = append(got, strings.TrimSpace(r.method+" "+r.path+" "+decoded(t, r)))
		}
	})
	got = slices.DeleteFunc(got, func(r string) bool { return strings.Contains(r, "/agent/events") })
	meeting := `{"internal_meeting_id":"` + physics + `"`
	attendee := `"attendee":{"UserID":"teacher-1","InternalUserID":"` + ada + `","FullName":"Ada Example","Role":"MODERATOR","IsPresenter":false,"IsListeningOnly":false,"HasJoinedVoice":false,"HasVideo":false,"ClientType":"HTML5"}}`
	want := []string{
		"GET /api/v1",
		"GET /api/v1/agent/backend",
		`POST /api/v1/backends {"bbb":{"host":"https://node1.example.org/bigbluebutton/api/","secret":"s3cret"},"admin_state":"init"}`,
		"GET /api/v1/agent/backend", // because there is no route for batches
		`POST /api/v1/agent/rpc meeting_set_running ` + meeting + `,"running":true}`,
		`POST /api/v1/agent/rpc meeting_add_attendee ` + meeting + `,` + attendee,
		`POST /api/v1/agent/rpc meeting_remove_attendee ` + meeting + `,"internal_user_id":"` + ada + `"}`,
		`POST /api/v1/agent/rpc meeting_add_attendee ` + meeting + `,` + attendee,
		`POST /api/v1/agent/rpc meeting_remove_attendee ` + meeting + `,"internal_user_id":"` + bob + `"}`,
		`POST /api/v1/agent/rpc meeting_state_reset ` + meeting + `}`,
		`DELETE /api/v1/meetings/internal:` + physics,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// decoded gives a body; of a remote call the action and its parameters.
func decoded(t *testing.T, r request) string {
	t.Helper()
	if !strings.HasSuffix(r.path, "/agent/rpc") {
		return r.body
	}
	var call struct {
		Action  string `json:"action"`
		Payload string `json:"payload"`
	}
	if err := json.Unmarshal([]byte(r.body), &call); err != nil {
		t.Fatal(err)
	}
	params, err := base64.StdEncoding.DecodeString(call.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return call.Action + " " + string(params)
}

// Such a server waits for meetings that it does not know. The others go on,
// each in its own order; what fails is dropped.
func TestOneCallAtATimeForEachMeeting(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.server.old = true
	release := make(chan struct{})
	var mu sync.Mutex
	told := make(map[string][]string)
	busy := make(map[string]bool)
	h.server.fault = func(w http.ResponseWriter, r *http.Request, body string) bool {
		if r.URL.Path != "/api/v1/agent/rpc" {
			return false
		}
		var params struct {
			Meeting  string `json:"internal_meeting_id"`
			Attendee struct{ InternalUserID string }
		}
		_, text, _ := strings.Cut(decoded(t, request{path: r.URL.Path, body: body}), " ")
		if err := json.Unmarshal([]byte(text), &params); err != nil {
			t.Error(err)
		}
		mu.Lock()
		if busy[params.Meeting] {
			t.Errorf("two calls at once for %s", params.Meeting)
		}
		busy[params.Meeting] = true
		told[params.Meeting] = append(told[params.Meeting], params.Attendee.InternalUserID)
		mu.Unlock()
		if params.Meeting == "slow" {
			<-release
		}
		mu.Lock()
		busy[params.Meeting] = false
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintln(w, `{"status":"error","result":"context deadline exceeded"}`)
		return true
	}
	h.start()
	h.listening()
	var want []string
	h.say(joins("slow", "0"), joins("slow", "1"))
	for i := range 50 {
		want = append(want, strconv.Itoa(i))
		h.say(joins("m", strconv.Itoa(i)), joins("n", strconv.Itoa(i)))
	}
	all := func(meeting string, want []string) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return slices.Equal(told[meeting], want) }
	}
	eventually(t, "m", all("m", want))
	eventually(t, "n", all("n", want))
	if !all("slow", []string{"0"})() {
		t.Error("the slow one is not slow")
	}
	close(release)
	eventually(t, "slow", all("slow", []string{"0", "1"}))
}

// A server that is upgraded gets batches again.
func TestServerLearnsBatches(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.server.old = true
	h.opts.pace.legacy = 10 * h.opts.pace.batch
	h.start()
	h.listening()
	h.say(joins("m", "a"))
	eventually(t, "a call", func() bool { return len(h.server.of("/agent/rpc")) == 1 })
	h.server.with(func() { h.server.old = false })
	eventually(t, "a batch", func() bool {
		h.say(joins("m", strconv.Itoa(len(h.server.of("")))))
		return len(h.server.kinds()) > 0
	})
	if h.server.missing() == 0 {
		t.Error("nobody tells the server that it missed something")
	}
}
