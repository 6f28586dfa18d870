package ctl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"b3scale/internal/apiclient"
)

// clock is the way to the server. It notes what time it is there.
type clock struct {
	mu    sync.Mutex
	heard bool
	ahead time.Duration // of ours
}

// RoundTrip implements http.RoundTripper.
func (c *clock) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if there, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heard, c.ahead = true, time.Until(there)
	}
	return answer, nil
}

// tolerated is by how much clocks may differ before we speak of it.
const tolerated = 30 * time.Second

// differs says by how much the clocks differ, or "".
func (c *clock) differs() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.heard || c.ahead.Abs() < tolerated:
		return ""
	case c.ahead > 0:
		return fmt.Sprintf("the clock of the server is %s ahead of this machine's", c.ahead.Round(time.Minute))
	}
	return fmt.Sprintf("the clock of the server is %s behind this machine's", (-c.ahead).Round(time.Minute))
}

// now is the time at the server.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// explain gives an error its cure, where we know one.
func (s *session) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("interrupted")
	}
	if e, ok := errors.AsType[*apiclient.Error](err); ok {
		return s.explainAnswer(err, e)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return s.explainNetwork(e)
	}
	return err
}

func (s *session) explainAnswer(err error, e *apiclient.Error) error {
	switch e.Status {
	case http.StatusUnauthorized:
		return errors.New(s.explainToken())
	case http.StatusForbidden:
		return fmt.Errorf("authorization failed: %s: run b3scalectl auth authorize, or use another token", e.Message)
	case http.StatusTooManyRequests:
		return fmt.Errorf("too many failed logins from this address: wait %s and try again", max(e.RetryAfter, time.Second))
	case http.StatusServiceUnavailable:
		return fmt.Errorf("%s cannot serve now (%s): look at its log, and try again", s.api, e.Message)
	}
	return err
}

const authorizeAgain = "run b3scalectl auth authorize"

// explainToken says why the server may have refused the token.
func (s *session) explainToken() string {
	cure := authorizeAgain
	if s.token.source == nameOfToken || s.token.source == olderNameOfToken {
		cure = "put another one there"
	}
	expires := s.token.claims().expires
	skew := s.clock.differs()
	switch {
	case s.token.source == "" && expires.IsZero():
		return fmt.Sprintf("wrong secret: the server at %s does not accept it; it must be the B3SCALE_API_JWT_SECRET of b3scaled", s.api)
	case !expires.IsZero() && !s.clock.now().Before(expires) && skew != "":
		return fmt.Sprintf("the token has expired for the server: %s; set the clocks right", skew)
	case !expires.IsZero() && !s.clock.now().Before(expires):
		return fmt.Sprintf("the token in %s expired at %s: %s", s.token.source, expires.Format(time.RFC3339), cure)
	case skew != "":
		return fmt.Sprintf("invalid or expired token in %s; %s: is it right? Then %s", s.token.source, skew, cure)
	}
	return fmt.Sprintf("the server at %s does not accept the token in %s, which was made with another secret: %s", s.api, s.token.source, cure)
}

func (s *session) explainNetwork(e *url.Error) error {
	cause := e.Err.Error()
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](e.Err)
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](e.Err); ok && invalid.Reason == x509.Expired {
		return fmt.Errorf("the certificate of %s is not valid now (%s): is the clock of this machine right?", s.api, cause)
	}
	switch {
	case e.Timeout():
		return fmt.Errorf("no answer from %s within %s: try again, or allow more with --timeout", s.api, s.timeout)
	case untrusted:
		return fmt.Errorf("the certificate of %s is not trusted (%s): is the address right, and does this machine know the authority?", s.api, cause)
	case strings.Contains(cause, "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%s speaks no TLS: use http:// in --api or B3SCALE_API_URL", s.api)
	}
	return fmt.Errorf("nobody answers at %s (%s): is b3scaled running there? The address comes from --api or B3SCALE_API_URL", s.api, cause)
}
