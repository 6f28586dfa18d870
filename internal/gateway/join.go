package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/gateway/pages"
)

// join redirects to the node's own join address, signed anew. The browser must
// go there itself: the session cookie belongs to the node's host.
func (g *Gateway) join(w http.ResponseWriter, req *request) {
	if req.UnsignedForm {
		// A form that the checksum does not cover could make anybody a
		// moderator.
		fail(w, http.StatusOK, bbb.ErrChecksum)
		return
	}
	location, err := g.cluster.Join(req.http.Context(), req.key, req.rewritten(joinRewrites))
	if err != nil {
		g.logFailure(req, err)
		g.notJoined(w, req, err)
		return
	}
	redirect(w, location)
}

func redirect(w http.ResponseWriter, location string) {
	note(w, "redirect")
	h := w.Header()
	h["Location"] = []string{location}
	h["Content-Length"] = []string{"0"} // every browser follows Location
	h["Cache-Control"] = []string{"no-store"}
	w.WriteHeader(http.StatusFound)
}

// notJoined tells a program in XML and a person with a page.
func (g *Gateway) notJoined(w http.ResponseWriter, req *request, err error) {
	code := b3scale.CodeOf(err)
	if strings.EqualFold(req.Params.Get("redirect"), "false") || !acceptsHTML(req.http) {
		failErr(w, err)
		return
	}
	if code == b3scale.NotYet && req.http.Method != http.MethodPost {
		g.wait(w, req)
		return
	}
	noteError(w, err)
	if target := errorRedirect(req.Params.Get("errorRedirectUrl"), err); target != "" {
		redirect(w, target)
		return
	}
	again := "" // a link repeats the query only
	if req.http.Method != http.MethodPost {
		again = req.original()
	}
	switch {
	case code == b3scale.NotFound:
		g.pages.Write(w, req.http, http.StatusNotFound, pages.NotFound{})
		return
	case code == b3scale.LimitReached:
		g.pages.Write(w, req.http, http.StatusForbidden, pages.LimitReached{Join: again})
		return
	case errors.Is(err, errRate):
		g.pages.Write(w, req.http, http.StatusTooManyRequests, pages.TooManyRequests{Join: again})
		return
	}
	w.Header().Set("Retry-After", "30")
	g.pages.Write(w, req.http, http.StatusServiceUnavailable, pages.Unavailable{})
}

func acceptsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// errorRedirect is where the frontend wants to hear of errors, in the form of
// BBB (BBB API, join, errors); "" when it named no web address.
func errorRedirect(target string, err error) string {
	u, parseErr := url.Parse(target)
	if parseErr != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	_, f := failureOf(err)
	text, _ := json.Marshal([]map[string]string{{"key": f.Key, "message": f.Message}}) // strings always marshal
	errors := "errors=" + url.QueryEscape(string(text))
	if u.RawQuery != "" {
		errors = escapeNonURL(u.RawQuery) + "&" + errors
	}
	u.RawQuery = errors
	return u.String()
}

// escapeNonURL escapes what cannot stand in an address and leaves the rest,
// existing escapes included.
func escapeNonURL(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f {
			b.WriteString(url.PathEscape(query[i : i+1]))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// A browser that has to wait comes back after 3 s, then less and less often,
// and is told to give up after about six minutes.
const maxAttempts = 30

func retryAfter(attempt int) time.Duration { return time.Duration(min(2+attempt, 15)) * time.Second }

// retryTarget is what the address of the waiting page carries. It is not
// signed: the join in it is, and is verified at every attempt.
type retryTarget struct {
	Method string `json:"mth"`
	URL    string `json:"url"`
}

// wait sends a browser to the waiting page, or shows it again.
func (g *Gateway) wait(w http.ResponseWriter, req *request) {
	target, _ := json.Marshal(retryTarget{http.MethodGet, req.original()}) // strings always marshal
	note(w, waitingResult(req))
	next := RetryPrefix + base64.RawURLEncoding.EncodeToString(target) + "?n=" + strconv.Itoa(req.attempt+1)
	switch {
	case req.attempt == 0:
		redirect(w, next)
	case req.attempt >= maxAttempts:
		g.pages.Write(w, req.http, http.StatusOK, pages.GaveUp{Join: req.original()})
	default:
		g.pages.Write(w, req.http, http.StatusOK, pages.Waiting{
			Next: next, After: retryAfter(req.attempt), Attempt: req.attempt, Join: req.original(),
		})
	}
}

// retryJoin is the waiting page: it tries the join itself and shows the page
// again while there is nothing to join.
func (g *Gateway) retryJoin(w http.ResponseWriter, r *http.Request) {
	noteCall(w, "join", g.calls["join"])
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		note(w, bbb.ErrUnsupported.Key)
		w.Header().Set("Allow", "GET")
		g.pages.Write(w, r, http.StatusMethodNotAllowed, pages.BadRequest{})
		return
	}
	u := decodeRetry(strings.TrimPrefix(r.URL.Path, RetryPrefix))
	if u == nil {
		note(w, "validationError")
		g.pages.Write(w, r, http.StatusBadRequest, pages.BadRequest{})
		return
	}
	attempt, _ := strconv.Atoi(r.URL.Query().Get("n"))
	again := r.Clone(r.Context())
	again.URL = u
	g.serve(w, again, min(max(attempt, 1), maxAttempts))
}

// decodeRetry takes nothing but the path and query of a join on this host.
func decodeRetry(blob string) *url.URL {
	raw, err := base64.RawURLEncoding.DecodeString(blob)
	var target retryTarget
	if err != nil || json.Unmarshal(raw, &target) != nil {
		return nil
	}
	u, err := url.Parse(target.URL)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || resourceOf(u.Path) != "join" {
		return nil
	}
	if !strings.HasPrefix(u.Path, Prefix) && !strings.HasPrefix(u.Path, HostPrefix) {
		return nil
	}
	return u
}
