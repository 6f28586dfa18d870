package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"b3scale/internal/apiclient"
)

// api is a client of b3scaled, or of the existing product.
type api struct {
	base string
	http apiclient.HttpRequestDoer
}

// newAPI makes a client with connections of its own. They speak HTTP/1.1, where
// a call that gets no answer takes its connection with it and no other call.
func (opts Options) newAPI() (*api, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	transport.MaxIdleConnsPerHost = legacyWorkers
	client, err := apiclient.New(opts.APIURL, apiclient.Options{
		Token: opts.Token, UserAgent: "b3scaleagent/" + opts.Version, Transport: transport, Timeout: -1, // every call has a deadline
	})
	if err != nil {
		return nil, err
	}
	inner, ok := client.ClientInterface.(*apiclient.Client)
	if !ok {
		return nil, errors.New("the client of the API is not what was generated")
	}
	return &api{base: strings.TrimRight(inner.Server, "/"), http: inner.Client}, nil
}

const longestAnswer = 4 << 20

// call sends in, if any, as JSON and reads the answer into out, if any.
func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, longestAnswer)) // all of it, so the connection can be used again
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return errors.New("the answer is not that of a b3scale server: is the address right?")
	}
	return nil
}

// status is what we want to know of a server.
type status struct {
	Version    string `json:"version"`
	AccountRef string `json:"account_ref"`
}

func (a *api) status(ctx context.Context) (s status, err error) {
	return s, a.call(ctx, http.MethodGet, "/api/v1", nil, &s)
}

func (a *api) Reach(ctx context.Context) ([]slog.Attr, error) {
	server, err := a.status(ctx)
	if err != nil {
		return nil, fmt.Errorf("status of the server: %w", err)
	}
	return []slog.Attr{slog.String("server", server.Version), slog.String("agent_ref", server.AccountRef)}, nil
}

// backend is what we want to know of our backend.
type backend struct {
	ID         string `json:"id"`
	AdminState string `json:"admin_state"`
	BBB        struct {
		Host string `json:"host"`
	} `json:"bbb"`
}

// errUnbound says that no backend is bound to the token.
const errUnbound = NoBackend("no backend is bound to this agent's token: start the agent with -a once, which adds this server or takes over its backend")

// Backend finds the backend that is bound to our token.
func (a *api) Backend(ctx context.Context, _ Node) (Backend, error) {
	var b backend
	err := a.call(ctx, http.MethodGet, "/api/v1/agent/backend", nil, &b)
	if err == nil && b.ID == "" {
		err = errors.New("the answer names no backend")
	}
	return b.asBackend(), unbound(err)
}

// unbound translates the answer to a token that has no backend.
func unbound(err error) error {
	if apiclient.IsNotFound(err) {
		return errUnbound
	}
	return err
}

func (b backend) asBackend() Backend {
	return Backend{ID: b.ID, Host: b.BBB.Host, AdminState: b.AdminState}
}

type bbbAddress struct {
	Host   string `json:"host"`
	Secret string `json:"secret"`
}

// newBackend is a node that an operator still has to let in.
type newBackend struct {
	BBB        bbbAddress `json:"bbb"`
	AdminState string     `json:"admin_state"`
	LoadFactor float64    `json:"load_factor,omitempty"`
}

// backendChange has the address under the name that the contract says and
// under that which agents of the existing product send.
type backendChange struct {
	BBB        bbbAddress `json:"bbb"`
	Backend    bbbAddress `json:"backend"`
	LoadFactor float64    `json:"load_factor,omitempty"`
}

func (a *api) Add(ctx context.Context, n Node) (Backend, error) {
	var b backend
	in := newBackend{BBB: n.address(), AdminState: "init", LoadFactor: n.LoadFactor}
	err := a.call(ctx, http.MethodPost, "/api/v1/backends", in, &b)
	if statusOf(err) == http.StatusConflict {
		err = fmt.Errorf("another one has this host, with another secret or another agent; correct its secret, or remove it: %w", err)
	}
	return b.asBackend(), err
}

func (a *api) Change(ctx context.Context, id string, n Node) error {
	in := backendChange{BBB: n.address(), Backend: n.address(), LoadFactor: n.LoadFactor}
	return a.call(ctx, http.MethodPatch, "/api/v1/backends/"+url.PathEscape(id), in, nil)
}

func (n Node) address() bbbAddress { return bbbAddress{Host: n.Host, Secret: n.Secret} }

func (a *api) Heartbeat(ctx context.Context, _ string, h Heartbeat) error {
	return unbound(a.call(ctx, http.MethodPost, "/api/v1/agent/heartbeat", h, nil))
}

func (a *api) Events(ctx context.Context, _ string, b Batch) (r Receipt, err error) {
	err = a.call(ctx, http.MethodPost, "/api/v1/agent/events", b, &r)
	if err == nil && r.Acknowledged == nil {
		err = errors.New("the answer acknowledges nothing")
	}
	return r, err
}

// rpc calls an action of the existing product's agent. Its parameters travel as
// base64 within JSON.
func (a *api) rpc(ctx context.Context, action string, params any) error {
	payload, err := json.Marshal(params)
	if err != nil {
		return err
	}
	in := struct {
		Action  string `json:"action"`
		Payload []byte `json:"payload"`
	}{action, payload}
	var out struct {
		Status string          `json:"status"`
		Result json.RawMessage `json:"result"`
	}
	if err := a.call(ctx, http.MethodPost, "/api/v1/agent/rpc", in, &out); err != nil {
		return err
	}
	if out.Status != "ok" {
		var why string
		_ = json.Unmarshal(out.Result, &why) // whatever it is
		return fmt.Errorf("the server says: %.200q", why)
	}
	return nil
}

func (a *api) deleteMeeting(ctx context.Context, internalID string) error {
	return a.call(ctx, http.MethodDelete, "/api/v1/meetings/internal:"+url.PathEscape(internalID), nil, nil)
}

// statusOf is the HTTP status of an answer that says no; 0 when there was none.
func statusOf(err error) int {
	if e, ok := errors.AsType[*apiclient.Error](err); ok {
		return e.Status
	}
	return 0
}

// askedToWait is how long the server asks to wait.
func askedToWait(err error) time.Duration {
	if e, ok := errors.AsType[*apiclient.Error](err); ok {
		return min(e.RetryAfter, time.Minute)
	}
	return 0
}
