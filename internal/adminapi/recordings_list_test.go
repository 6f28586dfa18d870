package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// idsOf are those of a list, in its order.
func (a *answer) recordIDs() string {
	a.h.Helper()
	var ids []string
	for _, r := range a.is(http.StatusOK).recordings() {
		ids = append(ids, r.RecordID)
	}
	return strings.Join(ids, " ")
}

// manyRecordings are of three frontends, two of which are one tenant's.
func manyRecordings(h *harness) (one, two, third b3scale.Frontend) {
	h.Helper()
	one, two, third = h.frontend("one", "tenant"), h.frontend("two", "tenant"), h.frontend("third", "single")
	for i, r := range []b3scale.Recording{
		{ID: "a-1", FrontendID: one.ID, MeetingID: "room", State: "published", Published: true, Name: "Zoology"},
		{ID: "a-2", FrontendID: one.ID, MeetingID: "other", State: "unpublished", Name: "Physics"},
		{ID: "b-3", FrontendID: two.ID, MeetingID: "room", State: "published", Published: true, Name: "Arts"},
		{ID: "a%4", FrontendID: third.ID, MeetingID: "room", State: "processed", Name: "Biology"},
	} {
		r.StartMillis = int64(i+1) * 1000
		h.stored(r)
	}
	return one, two, third
}

func TestListsOfRecordings(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		one, _, _ := manyRecordings(h)
		encoded := url.QueryEscape(b3scale.EncodeMeetingID("two", "room"))
		for query, want := range map[string]string{
			"":                       "a%4 b-3 a-2 a-1",
			"?frontend_key=one":      "a-2 a-1",
			"?frontend_id=" + one.ID: "a-2 a-1",
			"?frontend_id=" + one.ID + "&frontend_key=two": "a-2 a-1",
			"?meeting_id=room":                        "a%4 b-3 a-1",
			"?meeting_id=room&frontend_key=one":       "a-1",
			"?meeting_id=" + encoded:                  "b-3",
			"?frontend_key=one&meeting_id=" + encoded: "",
			"?meeting_id=" + url.QueryEscape(b3scale.EncodeMeetingID("nobody", "room")): "",
			"?meeting_id=nowhere":             "",
			"?record_id=a-":                   "a-2 a-1",
			"?record_id=a%25":                 "a%4",
			"?record_id=_-":                   "",
			"?state=unpublished":              "a-2",
			"?state=any":                      "",
			"?from=2000":                      "a%4 b-3 a-2",
			"?from=2000&to=4000":              "b-3 a-2",
			"?to=1970-01-01T00:00:02Z":        "a-1",
			"?to=1970-01-01T01:00:02%2B01:00": "a-1",
			"?to=0":                           "",
			"?from=4000&state=published":      "",
			"?limit=2":                        "a%4 b-3",
			"?limit=2&offset=1":               "b-3 a-2",
			"?offset=3":                       "a-1",
			"?offset=9":                       "",
			"?order=recording.Name":           "b-3 a%4 a-2 a-1",
			"?order=-recording.Name&limit=1":  "a-1",
			"?order=frontend_id,record_id&frontend_key=one": "a-1 a-2",
			"?order=": "a%4 b-3 a-2 a-1",
		} {
			if got := h.ask(admin, "GET /recordings"+query, "").recordIDs(); got != want {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
			if got := h.ask(reader, "GET /recordings"+query, "").recordIDs(); got != want {
				t.Errorf("%s, for readers: got %q, want %q", query, got, want)
			}
		}
		for query, total := range map[string]string{"": "4", "?limit=1": "4", "?limit=1&frontend_key=one": "2", "?order=record_id&limit=1": "4", "?offset=9": "4", "?to=0": "0"} {
			if got := h.ask(admin, "GET /recordings"+query, "").is(http.StatusOK).Header().Get("X-Total-Count"); got != total {
				t.Errorf("%s: the total is %q, want %s", query, got, total)
			}
		}
		for query, want := range map[string]string{
			"?limit=0": "limit: should be between 1 and 10000", "?limit=20000": "limit: should be between 1 and 10000", "?offset=-1": "offset: should not be negative",
			"?order=color": `order: unknown field "color"`, "?from=yesterday": "from: should be a time like 2026-01-06T10:00:00Z, or milliseconds since 1970",
			"?to=-1": "to: should be a time like 2026-01-06T10:00:00Z, or milliseconds since 1970", "?limit=x": "limit: cannot be read",
			"?state=%00": "state: should have no control characters", "?record_id=%ff": "record_id: should have no control characters",
		} {
			if got := h.ask(admin, "GET /recordings"+query, "").is(http.StatusBadRequest).fields(); got != want {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
		}
		for _, query := range []string{"?frontend_key=nobody", "?frontend_id=nobody", "?frontend_id=nobody&frontend_key=one"} {
			h.ask(admin, "GET /recordings"+query, "").is(http.StatusNotFound)
		}
		if got := h.ask(admin, "GET /recordings?state=any", "").Body.String(); got != "[]\n" {
			t.Errorf("an empty list is %q", got)
		}
	})
}

func TestTenantsSeeTheirOwnRecordings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	one, _, third := manyRecordings(h)
	encoded := url.QueryEscape(b3scale.EncodeMeetingID("two", "room"))
	for _, c := range []struct{ account, query, want string }{
		{"tenant", "", "b-3 a-2 a-1"},
		{"tenant", "?limit=1&offset=1", "a-2"},
		{"tenant", "?order=record_id", "a-1 a-2 b-3"},
		{"tenant", "?frontend_key=one", "a-2 a-1"},
		{"tenant", "?meeting_id=room", "b-3 a-1"},
		{"tenant", "?meeting_id=" + encoded, "b-3"},
		{"tenant", "?record_id=a", "a-2 a-1"},
		{"tenant", "?record_id=", "b-3 a-2 a-1"},
		{"single", "", "a%4"},
		{"single", "?meeting_id=room", "a%4"},
		{"single", "?meeting_id=" + encoded, ""},
		{"single", "?frontend_id=" + third.ID, "a%4"},
		{"stranger", "", ""},
		{"stranger", "?meeting_id=" + encoded, ""},
		{"", "", ""},
	} {
		if got := h.ask(token(c.account, auth.Owner), "GET /recordings"+c.query, "").recordIDs(); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.account, c.query, got, c.want)
		}
	}
	if got := h.ask(token("tenant", auth.Owner), "GET /recordings?limit=1", "").Header().Get("X-Total-Count"); got != "3" {
		t.Errorf("the total is %s", got)
	}
	for _, call := range []string{"?frontend_id=" + one.ID, "?frontend_key=one", "/a-1", "/b-3"} {
		h.ask(token("single", auth.Owner), "GET /recordings"+call, "").is(http.StatusNotFound)
	}
	h.ask(token("single", auth.Owner), "GET /recordings/a%254", "").is(http.StatusOK)
}

// Tokens in addresses and links that open something are for nobody else.
func TestRecordingsShowNoTokens(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("one", "tenant")
	h.stored(b3scale.Recording{
		ID: "r", FrontendID: f.ID, MeetingID: "room",
		Metadata: map[string]string{"endCallbackUrl": apiURL + callbackPath + "the-token", "meetingId": "another", "protect": "true"},
		Formats:  []b3scale.RecordingFormat{{Type: "video", URL: "https://node.example.org/video/r/", Preview: []b3scale.RecordingImage{{URL: "p/1.png", Alt: "one", Width: 1, Height: 2}}}},
	})
	for _, who := range []string{reader, token("tenant", auth.Owner)} {
		for _, call := range []string{"GET /recordings", "GET /recordings/r", "GET /recordings?order=record_id"} {
			body := h.ask(who, call, "").is(http.StatusOK).Body.String()
			if strings.Contains(body, "the-token") || strings.Contains(body, protectedPath) || !strings.Contains(body, `"URL":"https://node.example.org/video/r/"`) {
				t.Errorf("%s shows %s", call, body)
			}
			if !strings.Contains(body, `"meetingId":"another"`) || !strings.Contains(body, `{"All":[{"Alt":"one","Height":2,"URL":"p/1.png","Width":1}]}`) {
				t.Errorf("%s shows %s", call, body)
			}
		}
	}
	if body := h.ask(admin, "GET /recordings/r", "").Body.String(); !strings.Contains(body, "the-token") {
		t.Errorf("an administrator is shown %s", body)
	}
}

// A list that is longer than what is read at a time is whole, however many
// meetings begin at the same moment and whatever comes meanwhile.
func TestLongListsOfRecordings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("one", "")
	const n = 2*recordingsAtOnce + 10
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%06d", i)
	}
	op, err := h.store.BeginRecordingOp(t.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: ids}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.store.CommitRecordingOp(t.Context(), op, func([]b3scale.Recording) (all []b3scale.Recording, gone []string, err error) {
		for i, id := range ids {
			start := int64(i / 7) // some at the same moment
			if i > recordingsAtOnce/2 && i < 2*recordingsAtOnce {
				start = recordingsAtOnce // more than are read at a time
			} else if i >= 2*recordingsAtOnce {
				start = n
			}
			all = append(all, b3scale.Recording{ID: id, InternalMeetingID: id, FrontendID: f.ID, MeetingID: "room", StartMillis: start})
		}
		return all, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	parts := 0
	h.shelf.fail = func(string) error {
		if parts++; parts == 2 { // it is new, and pushes the others on
			h.stored(b3scale.Recording{ID: "late", FrontendID: f.ID, MeetingID: "room", StartMillis: 2 * n})
		}
		return nil
	}
	check := func(query string, want, from int) {
		parts = 0
		a := h.ask(admin, "GET /recordings"+query, "").is(http.StatusOK)
		all := a.recordings()
		if len(all) != want {
			t.Fatalf("%s: there are %d, want %d", query, len(all), want)
		}
		for i := range all {
			if want := ids[n-1-from-i]; all[i].RecordID != want {
				t.Fatalf("%s: at %d is %s, want %s", query, i, all[i].RecordID, want)
			}
		}
	}
	check("", n, 0)
	h.shelf.fail = nil
	if got := len(h.ask(admin, "GET /recordings", "").recordings()); got != n+1 {
		t.Errorf("there are %d", got)
	}
	check("?to=4000&offset=3", n-3, 3)
	check("?to=4000&offset=3&limit=1500", 1500, 3)

	// An answer that breaks off must not look like a whole one.
	h.shelf.fail = func(string) error {
		if parts++; parts == 3 {
			return errors.New("the store is gone")
		}
		return nil
	}
	parts = 0
	server := httptest.NewServer(h.server)
	t.Cleanup(server.Close)
	r := h.requestFor(admin, "GET", "/recordings", "")
	req, err := http.NewRequestWithContext(t.Context(), r.Method, server.URL+"/api/v1/recordings", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.Header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err == nil || json.Valid(body.Bytes()) {
		t.Errorf("a list that broke off looks whole: %d bytes, %v", body.Len(), err)
	}
}

func TestPrettyListOfRecordings(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	manyRecordings(h)
	for _, query := range []string{"", "frontend_key=third", "state=any"} {
		plain := h.ask(admin, "GET /recordings?"+query, "").is(http.StatusOK).Body
		pretty := h.ask(admin, "GET /recordings?pretty&"+query, "").is(http.StatusOK).Body.String()
		var want bytes.Buffer
		if err := json.Indent(&want, plain.Bytes(), "", "  "); err != nil {
			t.Fatal(err)
		}
		if pretty != want.String() {
			t.Errorf("%s: got\n%s\nwant\n%s", query, pretty, &want)
		}
	}
}
