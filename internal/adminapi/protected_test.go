package adminapi

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/recordings"
)

// stage is an API in front of one protected recording.
type stage struct {
	*harness
	door     http.Handler
	playback *recordings.Playback
	keys     auth.Keys
	r        b3scale.Recording
	outcomes map[recordings.PlaybackOutcome]int
}

func newStage(t *testing.T, h *harness) *stage {
	t.Helper()
	s := &stage{harness: h, keys: auth.NewKeys(jwtSecret, jwtSecondSecret), outcomes: map[recordings.PlaybackOutcome]int{}}
	f, err := h.cluster.AddFrontend(t.Context(), b3scale.Frontend{Key: "school", Secret: frontendSecret, Active: true}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	s.r = b3scale.Recording{ID: "abc-1", FrontendID: f.ID, MeetingID: "room", Formats: []b3scale.RecordingFormat{{Type: "video", URL: "http://node/playback/video/abc-1/"}}}
	s.r.SetVisibility(b3scale.RecordingProtected)
	op, err := h.store.BeginRecordingOp(t.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: []string{s.r.ID}}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.store.CommitRecordingOp(t.Context(), op, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) {
		return []b3scale.Recording{s.r}, nil, nil
	}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	s.playback = recordings.NewPlayback(h.store, h.cluster, h.logger(), recordings.PlaybackOptions{
		Host: "https://play.example.org", APIURL: apiURL, CookieDomain: "example.org", Tokens: s.keys, Players: []string{"/player/"},
		Done: func(o recordings.PlaybackOutcome) { s.outcomes[o]++ },
	})
	opts := h.server.Options
	opts.Playback = s.playback
	s.door = checkContract(h, New(opts))
	return s
}

// ask sends a request of a browser, or of a web server for one.
func (s *stage) ask(call string, headers ...string) *answer {
	s.Helper()
	method, target, _ := strings.Cut(call, " ")
	r := s.requestFor("", method, target, "")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return s.send(s.door, r)
}

func TestProtectedRecordings(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		s := newStage(t, h)
		link := strings.TrimPrefix(s.playback.Link(&s.r, &s.r.Formats[0]), apiURL+"/api/v1")
		a := s.ask("GET " + link).is(http.StatusFound)
		if got := a.Header().Get("Location"); got != "https://play.example.org/playback/video/abc-1/" {
			t.Errorf("leads to %s", got)
		}
		if a.Header().Get("Cache-Control") != "no-store" || a.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("got %v", a.Header())
		}
		cookie, err := http.ParseSetCookie(a.Header().Get("Set-Cookie"))
		if err != nil || cookie.Name != recordings.CookieName || !cookie.HttpOnly || !cookie.Secure || cookie.Domain != "example.org" || cookie.SameSite != http.SameSiteLaxMode {
			t.Fatalf("the cookie is %+v, %v", cookie, err)
		}
		sent := "Cookie: " + cookie.Name + "=" + cookie.Value

		const video, path = "/playback/video/abc-1/index.html", "X-Resource-Path: "
		judge := func(status int, headers ...string) {
			t.Helper()
			if a := s.ask("GET /protected/recordings/auth", headers...).is(status); a.Body.Len() > 0 || a.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%v: got %v %s", headers, a.Header(), a.Body)
			}
		}
		judge(http.StatusForbidden)
		judge(http.StatusForbidden, path+video)
		judge(http.StatusOK, path+video, sent)
		judge(http.StatusOK, path+video, "Cookie: "+cookie.Name+"=other", sent)
		judge(http.StatusForbidden, path+video, path+video, sent) // which of the two will be served?
		judge(http.StatusForbidden, path, sent)
		judge(http.StatusForbidden, sent)
		judge(http.StatusOK, path+"/player/app.js")

		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead} {
			if got := s.ask(method + " " + link).is(http.StatusMethodNotAllowed).Header().Get("Allow"); got != "GET" {
				t.Errorf("%s: allowed is %s", method, got)
			}
		}
		if a := s.ask("GET /protected/recordings/x").is(http.StatusForbidden); !strings.Contains(a.Body.String(), "This link does not work any more") || a.Header().Get("Set-Cookie") != "" {
			t.Errorf("got %v %s", a.Header(), a.Body)
		}
		german := s.ask("GET /protected/recordings/x", "Accept-Language: de").is(http.StatusForbidden)
		if !strings.Contains(german.Body.String(), "Dieser Link gilt nicht mehr") {
			t.Errorf("got %s", german.Body)
		}
		if _, err := h.cluster.EditFrontend(t.Context(), s.r.FrontendID, b3scale.Actor{}, func(f *b3scale.Frontend) error { f.Active = false; return nil }); err != nil {
			t.Fatal(err)
		}
		s.ask("GET " + link).is(http.StatusNotFound)
		judge(http.StatusForbidden, path+video, sent) // what was opened is closed

		if want := (map[recordings.PlaybackOutcome]int{
			recordings.LinkOpened: 1, recordings.LinkRefused: 3, recordings.FileAllowed: 3, recordings.FileRefused: 3,
		}); !maps.Equal(s.outcomes, want) {
			t.Errorf("counted %v, want %v", s.outcomes, want)
		}
	})
}

// Nothing is served while nobody can tell whose it is.
func TestProtectedRecordingsWithoutAStore(t *testing.T) {
	t.Parallel()
	s := newStage(t, newHarness(t, setup{}))
	link := strings.TrimPrefix(s.playback.Link(&s.r, &s.r.Formats[0]), apiURL+"/api/v1")
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	s.ask("GET /protected/recordings/auth", "X-Resource-Path: /playback/video/abc-1/").is(http.StatusServiceUnavailable)
	s.ask("GET /protected/recordings/auth", "X-Resource-Path: /player/app.js").is(http.StatusServiceUnavailable)
	if a := s.ask("GET " + link).is(http.StatusServiceUnavailable); !strings.Contains(a.Body.String(), "unavailable for a moment") {
		t.Errorf("got %s", a.Body)
	}
	if s.outcomes[recordings.FileFailed] != 2 || s.outcomes[recordings.LinkFailed] != 1 {
		t.Errorf("counted %v", s.outcomes)
	}
}

// Where no recordings are kept, none can be played.
func TestNoPlayback(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	a := h.ask("", "GET /protected/recordings/x", "").is(http.StatusNotFound)
	if !strings.Contains(a.Body.String(), "There is no such recording") {
		t.Errorf("got %s", a.Body)
	}
	r := h.requestFor("", http.MethodGet, "/protected/recordings/auth", "")
	r.Header.Set("X-Resource-Path", "/player/app.js")
	h.send(h.handler, r).is(http.StatusForbidden)
}
