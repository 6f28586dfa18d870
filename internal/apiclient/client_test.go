package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const token = "the-token"

// serve starts a server that answers with h.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func newClient(t *testing.T, base string, opts Options) *ClientWithResponses {
	t.Helper()
	c, err := New(base, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCallsCarryTokenAndName(t *testing.T) {
	t.Parallel()
	var got []string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")+" "+r.UserAgent())
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "[]")
	})
	for _, base := range []string{server.URL, server.URL + "/", " " + server.URL + "/below\n", server.URL + "/below/"} {
		c := newClient(t, base, Options{Token: token + "\n", UserAgent: "b3scaletest/1"})
		key := "a b"
		answer, err := c.FrontendsListWithResponse(t.Context(), &FrontendsListParams{Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if answer.JSON200 == nil || len(*answer.JSON200) != 0 {
			t.Errorf("got %v, want an empty list", answer.JSON200)
		}
	}
	const call = "/api/v1/frontends?key=a+b Bearer the-token b3scaletest/1"
	want := []string{"GET " + call, "GET " + call, "GET /below" + call, "GET /below" + call}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPatchIsSentAsItIs(t *testing.T) {
	t.Parallel()
	const patch = `{"settings":{"attendees_limit":null,"required_tags":["a"]}}`
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if got := r.URL.EscapedPath() + " " + string(body); got != "/api/v1/frontends/a%2Fb "+patch {
			t.Errorf("got %s", got)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"a/b","bbb":{"key":"k","secret":null}}`)
	})
	answer, err := newClient(t, server.URL, Options{}).FrontendsPatchWithResponse(t.Context(), "a/b", json.RawMessage(patch))
	if err != nil {
		t.Fatal(err)
	}
	if f := answer.JSON200; f == nil || f.ID != "a/b" || f.BBB.Secret != nil {
		t.Errorf("got %+v", f)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   Error
		text   string
	}{
		{
			"a message", 403, `{"message":"b3scale:admin scope required"}`,
			Error{Status: 403, Message: "b3scale:admin scope required"},
			"b3scale:admin scope required [403]",
		},
		{
			"wrong fields", 400,
			`{"error":"validation_error","message":"validation failed with input","fields":{"bbb.secret":["this field is required"],"bbb.host":["a","b"]}}`,
			Error{
				Status: 400, Message: "validation failed with input",
				Fields: map[string][]string{"bbb.secret": {"this field is required"}, "bbb.host": {"a", "b"}},
			},
			"validation failed with input: bbb.host (a, b), bbb.secret (this field is required) [400]",
		},
		{"a proxy", 502, "<html>s3cret</html>", Error{Status: 502, Message: "Bad Gateway"}, "Bad Gateway [502]"},
		{"no object", 400, `"s3cret"`, Error{Status: 400, Message: "Bad Request"}, "Bad Request [400]"},
		{"no body, no name", 599, "", Error{Status: 599, Message: "an error without a message"}, "an error without a message [599]"},
		{"busy", 503, `{"message":"Service Unavailable"}`, Error{Status: 503, Message: "Service Unavailable", RetryAfter: 5 * time.Second}, "Service Unavailable [503]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.status == 503 {
					w.Header().Set("Retry-After", "5")
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			_, err := newClient(t, server.URL, Options{Token: token}).BackendsReadWithResponse(t.Context(), "1")
			got, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an Error", err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
			if err.Error() != tt.text {
				t.Errorf("got %q, want %q", err, tt.text)
			}
			if IsNotFound(err) {
				t.Error("it is not about something missing")
			}
		})
	}
}

// What is not ours is an error too: nobody has to look for missing bodies.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 204, 304} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
		})
		_, err := newClient(t, server.URL, Options{}).StatusReadWithResponse(t.Context())
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != status {
			t.Errorf("%d: got %v, want an Error", status, err)
		}
	}
}

func TestContractComesAsItIs(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = io.WriteString(w, "openapi: 3.0.3\n")
	})
	answer, err := newClient(t, server.URL, Options{}).ContractReadWithResponse(t.Context())
	if err != nil || string(answer.Body) != "openapi: 3.0.3\n" {
		t.Errorf("got %v, %v", answer, err)
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"message":"Not Found"}`)
	})
	if _, err := newClient(t, server.URL, Options{}).StatusReadWithResponse(t.Context()); !IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

// A server that sends callers elsewhere does not get their token there.
func TestTokenStaysAtHome(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "" {
			t.Errorf("the token went elsewhere: %s", got)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"version":"elsewhere"}`)
	})
	home := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusFound)
	})
	answer, err := newClient(t, home.URL, Options{Token: token}).StatusReadWithResponse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if answer.JSON200 == nil || answer.JSON200.Version != "elsewhere" {
		t.Errorf("got %s", answer.Body)
	}
}

func TestSilentServer(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	server := serve(t, func(http.ResponseWriter, *http.Request) { <-done })
	defer close(done)
	c := newClient(t, server.URL, Options{Timeout: 20 * time.Millisecond, Token: token})
	_, err := c.StatusReadWithResponse(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that it took too long", err)
	}
	if err != nil && strings.Contains(err.Error(), token) {
		t.Errorf("the error has the token: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "b3scale.example.org", "ftp://example.org", "https://", "https://u:s3cret@example.org", "https://example.org/?token=s3cret", "://s3cret"} {
		_, err := New(base, Options{})
		if err == nil {
			t.Errorf("%q is accepted", base)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error has the secret: %v", err)
		}
	}
}
