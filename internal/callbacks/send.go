package callbacks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
)

// sender makes requests of messages.
type sender struct {
	frontends Frontends
	client    *http.Client
	timeout   time.Duration
}

func newSender(frontends Frontends, opts Options) *sender {
	return &sender{frontends: frontends, timeout: opts.Timeout, client: &http.Client{
		Transport: &http.Transport{
			DialContext:            newDialer(opts.Allow).DialContext,
			TLSHandshakeTimeout:    opts.Timeout,
			MaxIdleConnsPerHost:    opts.PerHost,
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// maxAnswer is how much of an answer is read: nobody looks at it, but the
// connection can be kept.
const maxAnswer = 64 << 10

// send makes one attempt. Whatever its answer is, it is not followed.
func (s *sender) send(ctx context.Context, c b3scale.Callback) b3scale.CallbackResult {
	req, r := s.request(ctx, c)
	if req == nil {
		return r
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	r = b3scale.CallbackResult{State: b3scale.CallbackWaiting, Status: resp.StatusCode}
	switch {
	case resp.StatusCode/100 == 2:
		r.State = b3scale.CallbackDelivered
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		r.State, r.Error = b3scale.CallbackRefused, "the target says that there is no such thing"
	case resp.StatusCode/100 == 3:
		r.Error = "the target sends elsewhere, which is not followed"
	default:
		r.Error = "the target answers " + strings.ToLower(http.StatusText(resp.StatusCode))
	}
	return r
}

// failed is an attempt without an answer. The address is left out: it may hold
// secrets of the frontend.
func failed(err error) b3scale.CallbackResult {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	r := b3scale.CallbackResult{State: b3scale.CallbackWaiting, Error: err.Error()}
	if errors.Is(err, errNotAllowed) {
		r.State = b3scale.CallbackRefused
	}
	return r
}

func refused(why string) (*http.Request, b3scale.CallbackResult) {
	return nil, b3scale.CallbackResult{State: b3scale.CallbackRefused, Error: why}
}

// request makes the message in the form that nodes give it (BBB API,
// callbacks), signed with the secret that the frontend has now.
func (s *sender) request(ctx context.Context, c b3scale.Callback) (*http.Request, b3scale.CallbackResult) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return refused("the target is no http or https address")
	}
	method, kind, token := http.MethodGet, "", ""
	var body []byte
	if c.Payload != nil {
		f := s.frontends.FrontendByID(c.FrontendID)
		if f == nil || f.Secret == "" {
			return nil, b3scale.CallbackResult{State: b3scale.CallbackWaiting, Error: "the frontend is not known here at the moment"}
		}
		method = http.MethodPost
		if c.Kind == b3scale.CallbackAnalytics {
			kind, body = "application/json", c.Payload
			token, err = signed(jwt.SigningMethodHS512, f.Secret, jwt.MapClaims{"exp": time.Now().Add(24 * time.Hour).Unix()})
		} else {
			kind = "application/x-www-form-urlencoded"
			body, err = signedForm(f.Secret, c.Payload)
		}
		if err != nil {
			return refused("its content cannot be signed")
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL, bytes.NewReader(body))
	if err != nil {
		return refused("the target is no http or https address")
	}
	h := req.Header
	h.Set("User-Agent", "b3scale")
	h.Set("Idempotency-Key", c.ID)
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
		h.Set("User-Agent", "BigBlueButton Analytics Callback")
	}
	return req, b3scale.CallbackResult{}
}

func signedForm(secret b3scale.Secret, payload []byte) ([]byte, error) {
	claims := jwt.MapClaims{}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		return nil, err
	}
	token, err := signed(jwt.SigningMethodHS256, secret, claims)
	return []byte(url.Values{"signed_parameters": {token}}.Encode()), err
}

func signed(method jwt.SigningMethod, secret b3scale.Secret, claims jwt.MapClaims) (string, error) {
	return jwt.NewWithClaims(method, claims).SignedString([]byte(secret.Reveal()))
}
