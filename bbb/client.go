package bbb

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Node is a BBB server as its API sees it.
type Node struct {
	BaseURL string // with a trailing slash: https://bbb1.example.org/bigbluebutton/api/
	Secret  string
}

// URL is the signed address of a call, as a browser may open it. The query's
// raw bytes are kept.
func (n Node) URL(call, query string) string {
	return n.BaseURL + call + "?" + SignedQuery(call, query, n.Secret)
}

// Call is one request to a node.
type Call struct {
	Name   string
	Params Params
	// Form sends the parameters in the body, for sets too long for a URL.
	Form bool
	// Body is an XML body; the parameters are then in the query.
	Body []byte
	// Once keeps net/http from sending the call again by itself when a kept
	// connection breaks. Most calls may be repeated: they find their own effect.
	Once bool
}

// Answer is what a node said.
type Answer struct {
	Doc         *Document
	ContentType string
}

// Root is the answer's document element.
func (a *Answer) Root() Element { return a.Doc.Root() }

// Succeeded reports whether the returncode is SUCCESS.
func (a *Answer) Succeeded() bool { return a.Root().Child("returncode").Text() == Success }

// MessageKey is the messageKey, or the first key of an error list (BBB API,
// error model, list form).
func (a *Answer) MessageKey() string {
	if key := a.Root().Child("messageKey"); key.Exists() {
		return key.Text()
	}
	return a.Root().Child("errors").Child("error").Child("key").Text()
}

// ClientOptions has useful zero values.
type ClientOptions struct {
	DialTimeout time.Duration     // to connect, TLS included; 3 s
	MaxAnswer   int64             // bytes of one answer; 64 MiB
	RootCAs     *x509.CertPool    // besides nothing else when set; the system's otherwise
	Transport   http.RoundTripper // replaces the network, for tests
}

// Client calls nodes over one shared transport: connections are kept alive,
// proxies of the environment are not used, redirects are not followed.
type Client struct {
	transport http.RoundTripper // no http.Client: it reads the Location of redirects before it can be told not to
	maxAnswer int64
}

// NewClient makes a client. It has no deadline of its own: each call's context
// brings one.
func NewClient(opts ClientOptions) *Client {
	if opts.DialTimeout == 0 {
		opts.DialTimeout = 3 * time.Second
	}
	if opts.MaxAnswer == 0 {
		opts.MaxAnswer = 64 << 20
	}
	transport := opts.Transport
	if transport == nil {
		transport = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: opts.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout: opts.DialTimeout,
			TLSClientConfig:     &tls.Config{RootCAs: opts.RootCAs, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     55 * time.Second, // below the 60 s or more of the web servers in front of BBB
			DisableCompression:  true,             // answers are edited as they come
		}
	}
	return &Client{transport: transport, maxAnswer: opts.MaxAnswer}
}

// Do sends one call and reads its answer, FAILED ones included. What brings no
// answer is a *CallError, which tells whether the node may have executed it.
func (c *Client) Do(ctx context.Context, node Node, call Call) (*Answer, error) {
	trace := TraceOf(ctx)
	trace.begin(node.BaseURL)
	defer trace.end()
	var sent atomic.Bool // set by the connection's own goroutine
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	fail := func(outcome Outcome, err error) (*Answer, error) {
		return nil, &CallError{Call: call.Name, Outcome: outcome, Err: withoutURL(err, sent.Load())}
	}
	req, err := newRequest(ctx, node, call)
	if err != nil {
		return fail(Refused, err)
	}
	trace.sendOn(req.Header)
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		if sent.Load() {
			return fail(Unknown, err)
		}
		return fail(Refused, err) // without its whole header no request is executed
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be kept
		return fail(ServerError, fmt.Errorf("HTTP status %d", resp.StatusCode))
	}
	body, err := readAll(resp, c.maxAnswer)
	switch {
	case errors.Is(err, errTooLarge):
		return fail(Malformed, err)
	case err != nil:
		return fail(Unknown, err)
	}
	doc, err := ParseXML(body)
	if err != nil {
		return fail(Malformed, err)
	}
	if doc.Root().Name() != "response" || !doc.Root().Child("returncode").Exists() {
		return fail(Malformed, errors.New("not an answer of the BBB API"))
	}
	return &Answer{Doc: doc, ContentType: resp.Header.Get("Content-Type")}, nil
}

// CloseIdle closes the connections that are not in use.
func (c *Client) CloseIdle() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func newRequest(ctx context.Context, node Node, call Call) (*http.Request, error) {
	query := call.Params.Encode()
	switch {
	case call.Form: // the universal form: the checksum covers the call alone
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, node.URL(call.Name, ""), strings.NewReader(query))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return req, nil
	case call.Body != nil:
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, node.URL(call.Name, query), bytes.NewReader(call.Body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/xml")
		return req, nil
	default:
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, node.URL(call.Name, query), nil)
		if err == nil && call.Once {
			req.Body = io.NopCloser(strings.NewReader("")) // a body, though empty, is not sent twice
		}
		return req, err
	}
}

var errTooLarge = errors.New("answer is too large")

func readAll(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, errTooLarge
	}
	var buf bytes.Buffer
	if resp.ContentLength > 0 {
		buf.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err == nil && n > limit {
		err = errTooLarge
	}
	return buf.Bytes(), err
}

// withoutURL removes the signed address that net/http puts into its errors,
// and what it quotes of a broken answer: web servers echo addresses.
func withoutURL(err error, sent bool) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	if text, _, quotes := strings.Cut(err.Error(), `"`); quotes && sent {
		return errors.New(text + "…")
	}
	return err
}
