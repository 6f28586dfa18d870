package bbb_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"b3scale/bbb"
)

const path = "/bigbluebutton/api/"

// serve starts a node that answers with handler.
func serve(t *testing.T, handler http.HandlerFunc) bbb.Node {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return bbb.Node{BaseURL: srv.URL + path, Secret: secret}
}

func newClient(t *testing.T, opts bbb.ClientOptions) *bbb.Client {
	t.Helper()
	c := bbb.NewClient(opts)
	t.Cleanup(c.CloseIdle)
	return c
}

func answer(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", bbb.ContentType)
		_, _ = w.Write(body)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	node := bbb.Node{BaseURL: "https://bbb1.example.org/bigbluebutton/api/", Secret: secret}
	for _, v := range vectors(t) {
		want := node.BaseURL + v.Call + "?"
		if v.QueryWithoutChecksum != "" {
			want += v.QueryWithoutChecksum + "&"
		}
		want += "checksum=" + v.SHA256
		if got := node.URL(v.Call, v.QueryWithoutChecksum); got != want {
			t.Errorf("%s: %s, want %s", v.Description, got, want)
		}
	}
}

func TestWhatArrives(t *testing.T) {
	t.Parallel()
	const params = "name=a%20b&name=c+d&x=%c3%a9;1&y=100%&z"
	modules := []byte("<modules>\n<module name=\"presentation\"/>\n</modules>")
	cases := []struct {
		name                             string
		call                             bbb.Call
		method, query, body, contentType string
	}{
		{"query", bbb.Call{Name: "join"}, http.MethodGet, params, "", ""},
		{"form", bbb.Call{Name: "create", Form: true}, http.MethodPost, "", params, "application/x-www-form-urlencoded"},
		{"XML body", bbb.Call{Name: "create", Body: modules}, http.MethodPost, params, string(modules), "application/xml"},
		{"call with a slash", bbb.Call{Name: "hooks/create"}, http.MethodGet, params, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			var body []byte
			node := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				body, _ = io.ReadAll(r.Body)
				answer(bbb.RunningAnswer(true))(w, r)
			})
			c.call.Params = bbb.ParseParams(params)
			ans, err := newClient(t, bbb.ClientOptions{}).Do(t.Context(), node, c.call)
			if err != nil {
				t.Fatal(err)
			}
			if !ans.Succeeded() || ans.Root().Child("running").Text() != "true" || ans.ContentType != bbb.ContentType {
				t.Errorf("the answer is %q (%s)", ans.Doc.Bytes(), ans.ContentType)
			}
			if got.Method != c.method || got.URL.Path != path+c.call.Name {
				t.Errorf("%s %s, want %s %s", got.Method, got.URL.Path, c.method, path+c.call.Name)
			}
			if want := bbb.SignedQuery(c.call.Name, c.query, secret); got.URL.RawQuery != want {
				t.Errorf("query %q, want %q", got.URL.RawQuery, want)
			}
			if string(body) != c.body {
				t.Errorf("body %q, want %q", body, c.body)
			}
			if got.ContentLength != int64(len(c.body)) {
				t.Errorf("Content-Length %d, want %d", got.ContentLength, len(c.body))
			}
			if ct := got.Header.Get("Content-Type"); ct != c.contentType {
				t.Errorf("Content-Type %q, want %q", ct, c.contentType)
			}
			if enc := got.Header.Get("Accept-Encoding"); enc != "" {
				t.Errorf("Accept-Encoding %q, want none", enc)
			}
			form := ""
			if c.call.Form {
				form = string(body)
			}
			arrived := bbb.NewRequest(c.call.Name, got.URL.RawQuery, form)
			if err := arrived.Verify(secret); err != nil {
				t.Errorf("the checksum is not valid: %v", err)
			}
			if text := arrived.Params.Encode(); text != params {
				t.Errorf("parameters %q, want %q", text, params)
			}
		})
	}
}

// Bytes that a form may hold must not break the request to the node.
func TestOddBytesArrive(t *testing.T) {
	t.Parallel()
	for _, form := range []bool{false, true} {
		var arrived bbb.Request
		node := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			arrived = bbb.NewRequest("create", r.URL.RawQuery, string(body))
			answer(bbb.RunningAnswer(true))(w, r)
		})
		const name = "a b#c\r\nHost: x\x00é\xff HTTP/1.1"
		call := bbb.Call{Name: "create", Form: form, Params: bbb.ParseParams("name=" + name + "&record=true")}
		if _, err := newClient(t, bbb.ClientOptions{}).Do(t.Context(), node, call); err != nil {
			t.Fatalf("form %t: %v", form, err)
		}
		if err := arrived.Verify(secret); err != nil {
			t.Errorf("form %t: %v", form, err)
		}
		if got := arrived.Params.Get("name"); got != name || arrived.Params.Get("record") != "true" {
			t.Errorf("form %t: name %q, want %q", form, got, name)
		}
	}
}

func TestMessageKey(t *testing.T) {
	t.Parallel()
	cases := []struct {
		file      string
		key       string
		succeeded bool
	}{
		{"end.notFound.xml", "notFound", false},
		{"create.nonUniqueVoiceBridge.xml", "nonUniqueVoiceBridge", false},
		{"create.success.xml", "", true},
		{"create.duplicate.xml", "duplicateWarning", true},
		{"getMeetings.empty.xml", "noMeetings", true},
		{"isMeetingRunning.true.xml", "", true},
		{"hooks.checksumError.xml", "checksumError", false},
	}
	for _, c := range cases {
		node := serve(t, answer(readFile(t, "responses/"+c.file)))
		got, err := newClient(t, bbb.ClientOptions{}).Do(t.Context(), node, bbb.Call{Name: "create"})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if got.MessageKey() != c.key || got.Succeeded() != c.succeeded {
			t.Errorf("%s: %q, %t, want %q, %t", c.file, got.MessageKey(), got.Succeeded(), c.key, c.succeeded)
		}
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	n := 0
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n++; n % 5 {
		case 0:
			http.Error(w, "no", http.StatusInternalServerError)
		case 1:
			http.NotFound(w, r)
		case 2:
			_, _ = io.WriteString(w, "<html>")
		default:
			answer(readFile(t, "responses/getMeetings.success.3.0.xml"))(w, r)
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	node := bbb.Node{BaseURL: srv.URL + path, Secret: secret}
	client := newClient(t, bbb.ClientOptions{})
	for i := range 50 {
		call := bbb.Call{Name: "getMeetings", Params: bbb.ParseParams("a=1"), Form: i%3 == 0}
		if _, err := client.Do(t.Context(), node, call); err != nil && bbb.OutcomeOf(err) == bbb.Unknown {
			t.Fatal(err)
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		elsewhere.Add(1)
		answer(bbb.RunningAnswer(true))(w, r)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		node := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.BaseURL, status)
		})
		_, err := newClient(t, bbb.ClientOptions{}).Do(t.Context(), node, bbb.Call{Name: "join"})
		if got := bbb.OutcomeOf(err); got != bbb.ServerError {
			t.Errorf("%d: %v, want a server error", status, err)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	var hits atomic.Int64
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		answer(bbb.RunningAnswer(true))(w, r)
	})
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, proxy.BaseURL)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	// Loopback addresses never go to a proxy: an address that nobody has.
	node := bbb.Node{BaseURL: "http://192.0.2.1/", Secret: secret}
	client := newClient(t, bbb.ClientOptions{DialTimeout: 50 * time.Millisecond})
	if _, err := client.Do(context.Background(), node, bbb.Call{Name: "getMeetings"}); bbb.OutcomeOf(err) != bbb.Refused {
		t.Errorf("%v, want that nobody is there", err)
	}
	if hits.Load() != 0 {
		t.Error("the proxy was asked")
	}
}
