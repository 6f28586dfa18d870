package adminapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

const (
	firstID = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1767225600123"
	nobody  = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1"
)

// imports sends what a node's hook sends.
func (h *harness) imports(token, query, document string) *answer {
	h.Helper()
	r := h.requestFor(token, "POST", "/recordings-import"+query, document)
	r.Header.Set("Content-Type", "application/xml")
	return h.send(h.handler, r)
}

func TestLifeOfARecording(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		moodle, other := h.frontend("moodle", ""), h.frontend("other", "")
		h.files("inbox", "presentation", firstID)
		encoded := b3scale.EncodeMeetingID("moodle", "physics")
		h.imports(token("agent", auth.Node), "", metadataOf(firstID, "presentation", "moodle", "physics")).is(http.StatusOK)
		h.files("inbox", "video", firstID)
		var data RecordingData
		h.imports(admin, "", metadataOf(firstID, "video", "moodle", "physics")).into(&data)
		format := func(name string) RecordingFormat {
			return RecordingFormat{
				Type: name, URL: "https://node.example.org/" + name + "/" + firstID + "/", ProcessingTime: 4882, Length: 2,
				Preview: RecordingPreview{RecordingImages{All: []RecordingImage{}}},
			}
		}
		want := RecordingData{
			RecordID: firstID, MeetingID: encoded, InternalMeetingID: firstID, Name: "Physics", Published: true, State: "published",
			StartTime: 1767225600123, EndTime: 1767229500123, Participants: 3,
			Metadata: map[string]string{"meetingId": encoded, "meetingName": "Physics"},
			Formats:  []RecordingFormat{format("video"), format("presentation")},
		}
		if got, want := fmt.Sprintf("%+v", data), fmt.Sprintf("%+v", want); got != want {
			t.Errorf("imported as %s\nwant %s", got, want)
		}
		listed := h.ask(reader, "GET /recordings?frontend_key=moodle", "").is(http.StatusOK).recordings()
		if len(listed) != 1 {
			t.Fatalf("there are %d recordings", len(listed))
		}
		one := listed[0]
		if one.RecordID != firstID || one.MeetingID != encoded || one.InternalMeetingID != firstID || one.FrontendID != moodle.ID ||
			fmt.Sprintf("%+v", one.Recording) != fmt.Sprintf("%+v", want) {
			t.Errorf("listed as %+v", one)
		}
		if one.CreatedAt.IsZero() || one.UpdatedAt.Before(one.CreatedAt) || !one.SyncedAt.Equal(one.UpdatedAt) {
			t.Errorf("the times are %s, %s, %s", one.CreatedAt, one.UpdatedAt, one.SyncedAt)
		}
		if h.treeOf("presentation", firstID) != "published" || h.treeOf("video", firstID) != "published" {
			t.Error("the files are not where they belong")
		}

		visible := func(method, v string) Recording {
			return h.ask(admin, method+" /recordings-visibility", `{"record_id":"`+firstID+`","visibility":"`+v+`"}`).is(http.StatusOK).recording()
		}
		if r := visible("POST", "unpublished").Recording; r.Published || r.State != "unpublished" || r.Metadata["gl-listed"] != "false" {
			t.Errorf("unpublished: %+v", r)
		}
		if where := h.treeOf("video", firstID); where != "unpublished" {
			t.Errorf("the files are in %q", where)
		}
		if r := visible("PATCH", "public_protected"); !r.Recording.Published || r.Recording.Metadata["protect"] != "true" || r.Recording.Metadata["meetingId"] != encoded || !r.UpdatedAt.After(one.UpdatedAt) {
			t.Errorf("public_protected: %+v", r)
		}
		moved := h.ask(admin, "POST /recordings/"+firstID+"/move", `{"frontend_key":"other"}`).is(http.StatusOK).recording()
		if moved.FrontendID != other.ID || moved.MeetingID != b3scale.EncodeMeetingID("other", "physics") {
			t.Errorf("moved: %+v", moved)
		}
		h.ask(admin, "POST /recordings/"+firstID+"/move", `{"frontend_id":"`+moodle.ID+`","frontend_key":"other"}`).is(http.StatusOK)
		if got := h.ask(admin, "DELETE /frontends/"+moodle.ID, "").is(http.StatusConflict).problem().Message; !strings.Contains(got, "1 recordings") {
			t.Errorf("the frontend is refused with %q", got)
		}
		if gone := h.ask(admin, "DELETE /recordings/"+firstID, "").is(http.StatusOK).recording(); gone.RecordID != firstID {
			t.Errorf("deleted %+v", gone)
		}
		h.ask(admin, "GET /recordings/"+firstID, "").is(http.StatusNotFound)
		h.ask(admin, "DELETE /recordings/"+firstID, "").is(http.StatusNotFound)
		if h.treeOf("presentation", firstID)+h.treeOf("video", firstID) != "" {
			t.Error("the files are still there")
		}

		about := func(id, state string, published, listed, protected bool) string {
			return fmt.Sprintf(`{"frontend_id":"%s","state":"%s","published":%t,"listed":%t,"protected":%t}`, id, state, published, listed, protected)
		}
		first, hidden, shown := about(moodle.ID, "published", true, false, false), about(moodle.ID, "unpublished", false, false, false), about(moodle.ID, "published", true, true, true)
		lent := about(other.ID, "published", true, true, true)
		wanted := []string{
			"recording.delete physics " + shown + " null", "recording.move physics " + lent + " " + shown, "recording.move physics " + shown + " " + lent,
			"recording.visibility physics " + hidden + " " + shown, "recording.visibility physics " + first + " " + hidden,
		}
		if got := h.noted(firstID); !slices.Equal(got, wanted) {
			t.Errorf("the audit has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
		}
	})
}

func TestRecordingsThatAreNotImported(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.frontend("moodle", "")
	node := token("agent", auth.Node)
	good := metadataOf(firstID, "video", "moodle", "physics")
	for _, c := range []struct {
		name, token, query, document string
		status                       int
		tells                        string
	}{
		{"no files", node, "", good, 409, "there are no files at video/" + firstID},
		{"an empty body", node, "", "", 400, ""},
		{"no XML", node, "", "<recording>", 400, ""},
		{"an entity", node, "", `<!DOCTYPE a [<!ENTITY b "c">]>` + good, 400, ""},
		{"an id that is a path", node, "", strings.Replace(good, firstID, "../x", 1), 400, ""},
		{"nobody's", node, "", metadataOf(firstID, "video", "nobody", "physics"), 404, "nobody knows whose recording this is"},
		{"given away by a node", node, "?override_frontend_key=moodle", good, 403, "this action is not allowed"},
		{"renamed by a node", node, "?override_original_meeting_id=chemistry", good, 403, "this action is not allowed"},
		{"replaced by a node", node, "?replace=true", good, 403, "this action is not allowed"},
		{"given to nobody", admin, "?override_frontend_key=nobody", good, 404, `no frontend with the key "nobody"`},
		{"an odd id", admin, "?override_original_meeting_id=a%00b", good, 400, ""},
		{"too large", node, "", good + strings.Repeat(" ", 64<<10), 413, ""},
		{"without a scope for that", token("own", auth.Owner), "", good, 403, "scope required"},
	} {
		a := h.imports(c.token, c.query, c.document)
		if got := a.problem().Message; a.Code != c.status || !strings.Contains(got, c.tells) {
			t.Errorf("%s: got %d %q, want %d %q", c.name, a.Code, got, c.status, c.tells)
		}
	}
	if n := len(h.storedRecordings()); n != 0 {
		t.Errorf("%d recordings are stored", n)
	}
}

func (h *harness) storedRecordings() (all []b3scale.Recording) {
	h.Helper()
	_, err := h.store.Recordings(h.Context(), b3scale.RecordingQuery{}, func(r b3scale.Recording) { all = append(all, r) })
	if err != nil {
		h.Fatal(err)
	}
	return all
}

func TestImportsWithOverrides(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.frontend("moodle", "")
	other := h.frontend("other", "")
	h.files("inbox", "video", firstID)
	r := h.requestFor(admin, "POST", "/recordings-import?override_frontend_key=other&override_original_meeting_id=chemistry", metadataOf(firstID, "video", "nobody", "physics"))
	r.Header.Set("Content-Type", "text/x-whatever")
	var data RecordingData
	h.send(h.handler, r).into(&data)
	if want := b3scale.EncodeMeetingID("other", "chemistry"); data.MeetingID != want || data.Metadata["meetingId"] != want {
		t.Errorf("imported as %+v", data)
	}
	if got := h.storedRecordings(); len(got) != 1 || got[0].FrontendID != other.ID || got[0].MeetingID != "chemistry" {
		t.Errorf("stored as %+v", got)
	}
}

// Requests about recordings that cannot be understood, or not be done.
func TestRefusedChangesOfRecordings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("moodle", "")
	h.stored(b3scale.Recording{ID: "r", FrontendID: f.ID, MeetingID: "room", State: "published", Published: true})
	for _, c := range []struct {
		call, body string
		status     int
		tells      string
	}{
		{"POST /recordings-visibility", `{"record_id":"r"}`, 400, "validation failed"},
		{"POST /recordings-visibility", `{"visibility":"public"}`, 400, "validation failed"},
		{"POST /recordings-visibility", ``, 400, "validation failed"},
		{"POST /recordings-visibility", `{"record_id":"r","visibility":"Public"}`, 400, "unknown recording visibility: 'Public'"},
		{"PATCH /recordings-visibility", `{"record_id":"r","visibility":"secret"}`, 400, "unknown recording visibility: 'secret'"},
		{"POST /recordings-visibility", `{"record_id":"` + nobody + `","visibility":"public"}`, 400, "no recording"},
		{"POST /recordings-visibility", `{"record_id":"\u0000","visibility":"public"}`, 400, "no recording"},
		{"POST /recordings-visibility", `{"record_id":1}`, 400, "Unmarshal"},
		{"POST /recordings/r/move", `{}`, 400, "validation failed"},
		{"POST /recordings/r/move", `{"frontend_key":"nobody"}`, 404, "no frontend"},
		{"POST /recordings/r/move", `{"frontend_id":"nobody","frontend_key":"moodle"}`, 404, "no frontend"},
		{"POST /recordings/q/move", `{"frontend_key":"moodle"}`, 404, "no recording"},
		{"GET /recordings/R", ``, 404, "no recording"},
		{"GET /recordings/%25", ``, 404, "no recording"},
		{"GET /recordings/" + strings.Repeat("r", 300), ``, 404, "no recording"},
		{"DELETE /recordings/q", ``, 404, "no recording"},
		{"POST /recordings-check", `{"repair":"yes"}`, 400, "Unmarshal"},
	} {
		if got := h.ask(admin, c.call, c.body).is(c.status).problem().Message; !strings.Contains(got, c.tells) {
			t.Errorf("%s %s: got %q, want %q", c.call, c.body, got, c.tells)
		}
	}
	if got := h.audited("recording"); len(got) > 0 {
		t.Errorf("the audit has %+v", got)
	}
}

func TestRecordingsSwitchedOff(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.server.Recordings = nil
	for _, call := range []string{
		"GET /recordings", "GET /recordings/r", "DELETE /recordings/r", "POST /recordings/r/move", "POST /recordings-visibility",
		"PATCH /recordings-visibility", "POST /recordings-import", "POST /recordings-check",
	} {
		if got := h.ask(admin, call, "{}").is(http.StatusNotFound).problem().Message; !strings.Contains(got, "switched off: set B3SCALE_RECORDINGS_PUBLISHED_PATH") {
			t.Errorf("%s: %q", call, got)
		}
	}
}

func TestCheckOfRecordings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("moodle", "")
	h.stored(b3scale.Recording{ID: "moved", FrontendID: f.ID, Published: true, Formats: []b3scale.RecordingFormat{{Type: "video"}}})
	h.files("unpublished", "video", "moved")
	h.stored(b3scale.Recording{ID: "lost", FrontendID: f.ID, Published: true, Formats: []b3scale.RecordingFormat{{Type: "video"}}})
	check := func(token, body string) (result RecordingCheckResult) {
		h.ask(token, "POST /recordings-check", body).is(http.StatusOK).into(&result)
		return result
	}
	told := func(result RecordingCheckResult) string {
		text := fmt.Sprintf("%d repaired, %d open", result.Repaired, result.Open)
		for _, d := range result.Differences {
			text += fmt.Sprintf("; %s %s/%s %t", d.Kind, *d.Format, *d.RecordID, d.Repaired)
		}
		return text
	}
	const found = "0 repaired, 2 open; files_missing video/lost false; files_misplaced video/moved false"
	if got := told(check(reader, "")); got != found {
		t.Errorf("got %s, want %s", got, found)
	}
	if got := h.ask(reader, "POST /recordings-check", `{"repair":true}`).is(http.StatusForbidden).fields(); got != "repair: this action is not allowed" {
		t.Errorf("got %s", got)
	}
	const mended = "1 repaired, 1 open; files_missing video/lost false; files_misplaced video/moved true"
	if got := told(check(admin, `{"repair":true}`)); got != mended {
		t.Errorf("got %s, want %s", got, mended)
	}
	if where := h.treeOf("video", "moved"); where != "published" {
		t.Errorf("the files are in %q", where)
	}
	if got := h.noted("moved"); len(got) != 1 || !strings.Contains(got[0], "recording.repair") || !strings.Contains(got[0], "files_misplaced") {
		t.Errorf("the audit has %q", got)
	}

	begun, resume := make(chan bool), make(chan bool)
	h.shelf.fail = func(string) error {
		begun <- true
		<-resume
		return nil
	}
	first := make(chan int)
	go func() {
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, h.requestFor(admin, "POST", "/recordings-check", ""))
		first <- w.Code
	}()
	<-begun
	h.ask(admin, "POST /recordings-check", "").is(http.StatusConflict)
	close(resume)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first check was answered %d", code)
	}
}

// What cannot be done now is to be tried again, and is in the audit in case it
// goes on.
func TestRecordingsBeingWorkedOn(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("moodle", "")
	h.stored(b3scale.Recording{ID: "r", FrontendID: f.ID})
	h.shelf.fail = func(method string) error {
		if method == "Find" {
			return nil
		}
		return b3scale.Errorf(b3scale.Unavailable, "the files of the recording are being worked on: try again later")
	}
	for _, a := range []*answer{
		h.ask(admin, "DELETE /recordings/r", ""), h.imports(admin, "", metadataOf(firstID, "video", "moodle", "physics")),
		h.ask(admin, "POST /recordings-check", ""),
	} {
		if got := a.is(http.StatusServiceUnavailable).problem().Message; !strings.Contains(got, "being worked on") || a.Header().Get("Retry-After") == "" {
			t.Errorf("%s: got %q, %v", a.what, got, a.Header())
		}
	}
	if got := h.noted("r"); len(got) != 1 || !strings.HasPrefix(got[0], "recording.delete") {
		t.Errorf("the audit has %q", got)
	}
	h.shelf.fail = nil
	h.store.away.Store(true)
	for _, call := range []string{"GET /recordings", "GET /recordings/r", "POST /recordings/r/move"} {
		h.ask(admin, call, `{"frontend_key":"moodle"}`).is(http.StatusServiceUnavailable)
	}
}

// Work on files may take longer than a connection lives otherwise.
func TestWorkOnFilesMayTakeLong(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("moodle", "")
	h.stored(b3scale.Recording{ID: "r", FrontendID: f.ID})
	const usual = 300 * time.Millisecond
	server := httptest.NewUnstartedServer(h.handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = usual, usual
	h.server.Timeout = usual
	// Without the harness in between, which keeps the connection to itself.
	server.Config.Handler = h.server
	server.Start()
	t.Cleanup(server.Close)
	h.shelf.fail = func(string) error {
		time.Sleep(2 * usual) // so long that all of these are over
		return nil
	}
	r := h.requestFor(admin, "DELETE", "/recordings/r", "")
	req, err := http.NewRequestWithContext(t.Context(), r.Method, server.URL+r.URL.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.Header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var gone Recording
	if err := json.NewDecoder(resp.Body).Decode(&gone); err != nil || resp.StatusCode != http.StatusOK || gone.RecordID != "r" {
		t.Errorf("answered %d %+v %v", resp.StatusCode, gone, err)
	}
}
