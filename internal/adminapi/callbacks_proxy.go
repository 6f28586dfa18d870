package adminapi

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"b3scale"
	"b3scale/internal/web"
)

// callbackPath is where nodes call. Their token stands in the path: an address
// is all that a create can tell a node. The mux knows nothing of it, to which
// it is the same as the path of a replay.
const callbackPath = "/api/v1/callbacks/proxy/"

// callbackToken is what stands in the path of a node's request.
func callbackToken(r *http.Request) (token string, isCallback bool) {
	token, below := strings.CutPrefix(r.URL.Path, callbackPath)
	return token, below && token != "" && !strings.Contains(token, "/")
}

// nodeCalls takes the request of a node, which no Guard has seen.
func (s *Server) nodeCalls(w http.ResponseWriter, r *http.Request, token string) {
	ctx, cancel := context.WithTimeout(r.Context(), s.Timeout)
	defer cancel()
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, s.MaxBody)
	web.Note(w, notes{r.Method + " " + callbackPath + "{token}", ""})
	take := s.takeGet
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		take = s.takePost
	default:
		w.Header().Set("Allow", "GET, POST")
		s.fail(w, r, statusError{http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)})
		return
	}
	if t, ok := s.Guard.Ticket(w, r, token); ok {
		s.taken(w, r, take(r, t, token))
	}
}

// takeGet takes the end of a meeting.
func (s *Server) takeGet(r *http.Request, t b3scale.CallbackTicket, token string) error {
	return s.Callbacks.TakeGet(r.Context(), t, token, r.URL.RawQuery)
}

// takePost takes the news of a recording, or the figures of a meeting.
func (s *Server) takePost(r *http.Request, t b3scale.CallbackTicket, token string) error {
	contentType := r.Header.Get("Content-Type")
	if !s.Callbacks.Accepts(contentType) {
		return statusError{http.StatusUnsupportedMediaType, http.StatusText(http.StatusUnsupportedMediaType)}
	}
	body, err := readRaw(r)
	if err != nil {
		return err
	}
	return s.Callbacks.TakePost(r.Context(), t, token, contentType, r.Header.Get("Authorization"), body)
}

// taken answers a node, which looks at nothing but the status.
func (s *Server) taken(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusOK)
}

// withoutTokens is metadata without the tokens in the addresses that nodes
// call: who has one can tell a frontend that its meeting is over.
func withoutTokens(metadata map[string]string) map[string]string {
	kept := maps.Clone(metadata)
	for name, value := range kept {
		if before, _, found := strings.Cut(value, callbackPath); found {
			kept[name] = before + callbackPath + "…"
		}
	}
	return kept
}
