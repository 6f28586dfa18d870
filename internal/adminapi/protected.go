package adminapi

import (
	"context"
	"net/http"
	"strings"

	"b3scale"
	"b3scale/internal/gateway/pages"
	"b3scale/internal/web"
)

// Playback decides who may play recordings. *recordings.Playback is one.
type Playback interface {
	// Open takes the token of a link, and gives the address to go to and the
	// cookie that opens it.
	Open(ctx context.Context, token string, cookies []string) (location string, c *http.Cookie, err error)
	// Judge is nil when a request of a browser may be served.
	Judge(ctx context.Context, requestURI string, cookies []string) error
}

// protectedPath is where browsers come with a token in the path, and where web
// servers ask what they may serve. Neither has a token in a header.
const (
	protectedPath  = "/api/v1/protected/recordings/"
	judgeName      = "auth"
	resourceHeader = "X-Resource-Path"
	playbackCookie = "_b3s_protected"
)

// protectedName is what stands behind that path.
func protectedName(r *http.Request) (name string, isProtected bool) {
	name, below := strings.CutPrefix(r.URL.Path, protectedPath)
	return name, below && name != "" && !strings.Contains(name, "/")
}

// protected takes the request of a browser or of a web server.
func (s *Server) protected(w http.ResponseWriter, r *http.Request, name string) {
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	r = r.WithContext(ctx)
	serve, route := s.openRecording, "{token}"
	if name == judgeName {
		serve, route = s.judgeRequest, judgeName
	}
	web.Note(w, notes{r.Method + " " + protectedPath + route, ""})
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		s.fail(w, r, statusError{http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)})
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	serve(w, r, name)
}

// openRecording sends a browser to a protected recording, with the cookie that
// it needs there.
func (s *Server) openRecording(w http.ResponseWriter, r *http.Request, token string) {
	location, cookie, err := "", (*http.Cookie)(nil), error(b3scale.Errorf(b3scale.NotFound, "no recordings are kept"))
	if s.Playback != nil {
		location, cookie, err = s.Playback.Open(r.Context(), token, playbackCookies(r))
	}
	if err != nil {
		s.noRecording(w, r, err)
		return
	}
	http.SetCookie(w, cookie)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Location", location)
	w.WriteHeader(http.StatusFound)
}

// noRecording tells people why they cannot see it.
func (s *Server) noRecording(w http.ResponseWriter, r *http.Request, err error) {
	switch b3scale.CodeOf(err) {
	case b3scale.Forbidden:
		s.pages.Write(w, r, http.StatusForbidden, pages.RecordingLinkOver{})
	case b3scale.NotFound:
		s.pages.Write(w, r, http.StatusNotFound, pages.NoRecording{})
	default:
		s.Log.WarnContext(r.Context(), "a protected recording cannot be opened", "error", err)
		s.pages.Write(w, r, http.StatusServiceUnavailable, pages.RecordingUnavailable{})
	}
}

// judgeRequest tells a web server whether it may serve what a browser asked it
// for. What cannot be judged is not served: web servers take any other status
// than 200 for a refusal.
func (s *Server) judgeRequest(w http.ResponseWriter, r *http.Request, _ string) {
	w.Header().Set("Content-Type", "text/plain")
	asked := r.Header.Values(resourceHeader)
	if s.Playback == nil || len(asked) != 1 {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	err := s.Playback.Judge(r.Context(), asked[0], playbackCookies(r))
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
	case b3scale.CodeOf(err) == b3scale.Forbidden:
		w.WriteHeader(http.StatusForbidden)
	default:
		s.Log.WarnContext(r.Context(), "nobody can tell whether a recording may be played", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// playbackCookies are all that there are: other hosts of the domain may have
// set some.
func playbackCookies(r *http.Request) []string {
	var values []string
	for _, c := range r.CookiesNamed(playbackCookie) {
		values = append(values, c.Value)
	}
	return values
}
