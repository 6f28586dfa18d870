package bbb_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"b3scale/bbb"
)

// roundTripper is a network without sockets.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What a client sends for those who follow requests goes to the nodes with
// every kind of call, and nothing is made up.
func TestTraceIsSentOn(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, c := range map[string]struct {
		trace *bbb.Trace
		want  map[string]string
	}{
		"none":  {nil, map[string]string{}},
		"empty": {&bbb.Trace{}, map[string]string{}},
		"id":    {&bbb.Trace{RequestID: "id-1"}, map[string]string{"X-Request-Id": "id-1"}},
		"all": {&bbb.Trace{RequestID: "id-1", Parent: parent, State: "a=1,b=2"},
			map[string]string{"X-Request-Id": "id-1", "Traceparent": parent, "Tracestate": "a=1,b=2"}},
	} {
		for _, call := range []bbb.Call{{Name: "end"}, {Name: "create", Form: true}, {Name: "create", Body: []byte("<modules/>")}, {Name: "x", Once: true}} {
			got := map[string]string{}
			node := serve(t, func(w http.ResponseWriter, r *http.Request) {
				for _, name := range []string{"X-Request-Id", "Traceparent", "Tracestate"} {
					if values := r.Header.Values(name); len(values) > 0 {
						got[name] = strings.Join(values, "|")
					}
				}
				answer(bbb.RunningAnswer(true))(w, r)
			})
			ctx := t.Context()
			if c.trace != nil {
				ctx = bbb.WithTrace(ctx, c.trace)
			}
			if _, err := newClient(t, bbb.ClientOptions{}).Do(ctx, node, call); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("%s, %+v: the node got %v, want %v", name, call, got, c.want)
			}
		}
	}
}

// Calls one after the other add up; calls at the same time count once, and one
// that is under way counts so far.
func TestTraceOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		client := bbb.NewClient(bbb.ClientOptions{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			time.Sleep(map[string]time.Duration{"one": time.Second, "two": 3 * time.Second}[r.URL.Host])
			return nil, errors.New("no answer")
		})})
		trace := &bbb.Trace{}
		ctx := bbb.WithTrace(t.Context(), trace)
		ask := func(host string) {
			if _, err := client.Do(ctx, bbb.Node{BaseURL: "http://" + host + "/", Secret: secret}, bbb.Call{Name: "end"}); err == nil {
				t.Error("it answered")
			}
		}
		wants := func(what, node string, took time.Duration) {
			t.Helper()
			if gotNode, got := trace.Node(); got != took || gotNode != node {
				t.Errorf("%s: %q took %s, want %q and %s", what, gotNode, got, node, took)
			}
		}
		wants("nothing asked", "", 0)
		ask("one")
		time.Sleep(time.Minute) // our own time
		ask("one")
		wants("two calls", "http://one/", 2*time.Second)
		var both sync.WaitGroup
		both.Go(func() { ask("two") })
		synctest.Wait()
		both.Go(func() { ask("one") })
		time.Sleep(2 * time.Second)
		wants("one still runs", "http://one/", 4*time.Second)
		both.Wait()
		wants("two calls at the same time", "http://one/", 5*time.Second)
		trace.Chose("http://three/")
		wants("chosen, not asked", "http://three/", 5*time.Second)
	})
}

// Nobody has to bring a trace.
func TestNoTrace(t *testing.T) {
	t.Parallel()
	trace := bbb.TraceOf(context.Background())
	trace.Chose("http://one/")
	if node, took := trace.Node(); trace != nil || node != "" || took != 0 {
		t.Errorf("%v: %q took %s", trace, node, took)
	}
}
