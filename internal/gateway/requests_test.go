package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"b3scale/bbb"
)

// request is a call as a client sends it.
type request struct {
	method string // GET
	host   string // b3scale.test
	target string // path and query
	peer   string // 192.0.2.1:1234
	header http.Header
	body   io.Reader
	length int64 // announced; of the body when it is 0 and known
	ctx    context.Context
}

// reply is what the client gets.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %v\n%s", r.status, r.header, r.body) }

// root is the document element of an XML answer.
func (r reply) root(t testing.TB) bbb.Element {
	t.Helper()
	doc, err := bbb.ParseXML([]byte(r.body))
	if err != nil {
		t.Fatalf("answer is not XML (%v): %v", err, r)
	}
	return doc.Root()
}

// text is the text of a child of the document element.
func (r reply) text(t testing.TB, name string) string {
	t.Helper()
	return r.root(t).Child(name).Text()
}

// outcome is SUCCESS, or the messageKey of a FAILED answer.
func (r reply) outcome(t testing.TB) string {
	t.Helper()
	if code := r.text(t, "returncode"); code != bbb.Failed {
		return code
	}
	return r.text(t, "messageKey")
}

// call sends a signed call of the first frontend.
func (h *harness) call(call, query string) reply {
	h.Helper()
	return h.do(request{target: signed(call, query)})
}

// signed is a call of the first frontend, signed as most clients do.
func signed(call, query string) string { return signedBy(keyOne, secretOne, call, query) }

func signedBy(frontendKey, secret, call, query string) string {
	return apiURL(frontendKey, call) + "?" + bbb.SignedQuery(call, query, secret)
}

// apiURL is the address of a call in the usual form.
func apiURL(frontendKey, call string) string {
	return "/bbb/" + frontendKey + "/bigbluebutton/api/" + call
}

// post sends one with a body.
func (h *harness) post(target, contentType, body string) reply {
	h.Helper()
	r := request{method: http.MethodPost, target: target, header: http.Header{}, body: strings.NewReader(body)}
	if contentType != "" {
		r.header.Set("Content-Type", contentType)
	}
	return h.do(r)
}

// browse sends a signed call as a browser does.
func (h *harness) browse(target string) reply {
	h.Helper()
	return h.do(request{target: target, header: http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}}})
}

// do sends a request through the whole handler. The URL is taken apart as the
// server does it.
func (h *harness) do(r request) reply {
	h.Helper()
	u, err := url.ParseRequestURI(r.target)
	if err != nil {
		h.Fatalf("target %q: %v", r.target, err)
	}
	return h.send(u, r)
}

func (h *harness) send(u *url.URL, r request) reply {
	h.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	if r.host == "" {
		r.host = "b3scale.test"
	}
	if r.peer == "" {
		r.peer = "192.0.2.1:1234"
	}
	if r.ctx == nil {
		r.ctx = h.Context()
	}
	req := (&http.Request{
		Method: r.method, URL: u, RequestURI: r.target, Host: r.host, RemoteAddr: r.peer,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody,
	}).WithContext(r.ctx)
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	if r.body != nil {
		req.Body = io.NopCloser(r.body)
		req.ContentLength = -1
		if known, ok := r.body.(interface{ Len() int }); ok {
			req.ContentLength = int64(known.Len())
		}
	}
	if r.length != 0 {
		req.ContentLength = r.length
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, req)
	got := reply{w.Code, w.Result().Header, w.Body.String()}
	h.checkReply(got, r)
	return got
}
