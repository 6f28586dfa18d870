package bbbtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"b3scale/bbb"
)

func params(pairs ...string) bbb.Params {
	var p bbb.Params
	for i := 0; i < len(pairs); i += 2 {
		p.Add(pairs[i], pairs[i+1])
	}
	return p
}

// query joins names and values to a raw query.
func query(pairs ...string) string {
	p := params(pairs...)
	return p.Encode()
}

// request is one HTTP request to the API, as a test writes it.
type request struct {
	call        string
	query       string // without checksum
	method      string // GET
	contentType string
	body        string
	unsigned    bool
}

// ask sends a signed request straight into the node.
func ask(t *testing.T, n *Node, r request) *http.Response {
	t.Helper()
	q := r.query
	if !r.unsigned {
		q = bbb.SignedQuery(r.call, r.query, n.opts.Secret)
	}
	return send(t, n, r, q)
}

// send takes the whole query as it is.
func send(t *testing.T, n *Node, r request, rawQuery string) *http.Response {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	path := apiPath
	if r.call != "" {
		path += "/" + r.call
	}
	req := httptest.NewRequestWithContext(t.Context(), r.method, path, strings.NewReader(r.body))
	req.URL.RawQuery = rawQuery
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	recorder := httptest.NewRecorder()
	n.ServeHTTP(recorder, req)
	return recorder.Result()
}

// get asks with parameters in the query and returns the body.
func get(t *testing.T, n *Node, call string, pairs ...string) string {
	t.Helper()
	return text(t, ask(t, n, request{call: call, query: query(pairs...)}))
}

// key is the messageKey of a GET.
func key(t *testing.T, n *Node, call string, pairs ...string) string {
	t.Helper()
	return keyOf(t, get(t, n, call, pairs...))
}

func keyOf(t *testing.T, body string) string {
	t.Helper()
	doc, err := bbb.ParseXML([]byte(body))
	if err != nil {
		t.Fatalf("answer is no XML: %v\n%s", err, body)
	}
	a := bbb.Answer{Doc: doc}
	return a.MessageKey()
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func fixture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "responses", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// errorOf is the error that a redirect carries, as key: message.
func errorOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("errors")
}

// clock gives the times of the list one after the other, and the last one for
// ever.
func clock(ms ...int64) func() time.Time {
	return func() time.Time {
		now := ms[0]
		if len(ms) > 1 {
			ms = ms[1:]
		}
		return time.UnixMilli(now)
	}
}

// versions is one release of every line.
var versions = []string{"2.4", "2.5", "2.6", "2.7", "3.0"}
