package apiclient

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options of a client. All but the token have useful zero values.
type Options struct {
	Token     string            // bearer token; empty: none is sent
	UserAgent string            // empty: that of Go
	Timeout   time.Duration     // of one call with its answer; 0: 30 s, negative: none
	Transport http.RoundTripper // nil: http.DefaultTransport
}

const defaultTimeout = 30 * time.Second

// New returns a client of the API at base, which is the address of the server
// without /api/v1, with or without a slash at its end. Calls return *Error for
// every status from 400 on.
func New(base string, opts Options) (*ClientWithResponses, error) {
	u, err := parseBase(base)
	if err != nil {
		return nil, fmt.Errorf("address of the API: %w", err)
	}
	next := opts.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	timeout := opts.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	calls := &caller{client: http.Client{
		Transport: &bearer{home: u, token: strings.TrimSpace(opts.Token), userAgent: opts.UserAgent, next: next},
		Timeout:   max(timeout, 0),
	}}
	return NewClientWithResponses(u.String(), WithHTTPClient(calls))
}

// parseBase refuses what could not be called. Its errors do not repeat the
// address: somebody may have put a password into it.
func parseBase(base string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(base))
	if err != nil {
		return nil, errors.New("it is not well-formed")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("want http://… or https://…")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("want nothing but a host and a path")
	}
	return u, nil
}

// bearer adds the token, and who we are. A redirect to somebody else must not
// take the token along.
type bearer struct {
	home      *url.URL
	token     string
	userAgent string
	next      http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b.userAgent != "" {
		r.Header.Set("User-Agent", b.userAgent)
	}
	if b.token != "" && r.URL.Scheme == b.home.Scheme && r.URL.Host == b.home.Host {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// caller makes errors of answers that are none of the API's, or say no. So
// whoever gets an answer without an error has what the contract promises.
type caller struct{ client http.Client }

// Do implements HttpRequestDoer.
func (c *caller) Do(r *http.Request) (*http.Response, error) {
	answer, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < http.StatusMultipleChoices && isOurs(r, answer) {
		return answer, nil
	}
	defer answer.Body.Close()
	if answer.StatusCode < http.StatusBadRequest {
		return nil, &Error{Status: answer.StatusCode, Message: "the answer is not that of a b3scale server: is the address right?"}
	}
	return nil, errorOf(answer)
}

// isOurs tells our answers from the pages of a proxy or of another server.
func isOurs(r *http.Request, answer *http.Response) bool {
	return strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") ||
		strings.HasSuffix(r.URL.Path, "/openapi.yaml")
}
