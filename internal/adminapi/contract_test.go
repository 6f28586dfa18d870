package adminapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// promised is what all tests of this package hold the API to.
var promised = sync.OnceValue(func() *promise {
	c, err := loadPromise("openapi.yaml")
	if err != nil {
		panic(err)
	}
	return c
})

// checkContract lets requests through to next, and fails the test when an
// answer is not what the contract promises: an unknown route or status, a
// missing header, a body of another shape, members that are not described.
// What lies outside of the API is not looked at.
func checkContract(t testing.TB, next http.Handler) http.Handler {
	return promised().check(t, next)
}

// When all tests have run, the success of every operation must have been seen
// through checkContract: what nobody has seen, nobody has checked.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && wholeRun() {
		if missing := promised().unseen(); len(missing) > 0 {
			fmt.Fprintf(os.Stderr, "FAIL: no test saw a success of %s through checkContract\n", strings.Join(missing, ", "))
			code = 1
		}
	}
	os.Exit(code)
}

func wholeRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.bench"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return promised().used()
}

// promise is a contract that validates answers and remembers which ones it saw.
type promise struct {
	doc        *openapi3.T
	routes     *http.ServeMux
	operations map[string]*routers.Route // by pattern

	mu   sync.Mutex
	seen map[string]map[int]bool // operation id → statuses
}

func loadPromise(file string) (*promise, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	// Described means: this and nothing else.
	for _, s := range doc.Components.Schemas {
		if s.Value.Properties != nil && s.Value.AdditionalProperties.Has == nil {
			s.Value.AdditionalProperties.Has = new(bool)
		}
	}
	c := &promise{
		doc:        doc,
		routes:     http.NewServeMux(),
		operations: make(map[string]*routers.Route),
		seen:       make(map[string]map[int]bool),
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			pattern := method + " " + path
			if path != callbackPath+"{token}" { // see Server.nodeCalls
				c.routes.Handle(pattern, http.NotFoundHandler())
			}
			c.operations[pattern] = &routers.Route{
				Spec: doc, Path: path, PathItem: item, Method: method, Operation: operation,
			}
		}
	}
	return c, nil
}

func (c *promise) check(t testing.TB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.Method + " " + r.URL.Path
		route, api := c.route(r)
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if api {
			if err := c.judge(r, route, answer); err != nil {
				t.Errorf("%s was answered %d, which breaks the contract: %v\n%s", name, answer.Code, err, answer.Body)
			}
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = io.Copy(w, answer.Body)
	})
}

// route is the operation that r is for, nil when there is none. It is false
// for requests outside of the API.
func (c *promise) route(r *http.Request) (route *routers.Route, api bool) {
	if r.URL.Path != "/api/v1" && !strings.HasPrefix(r.URL.Path, "/api/v1/") {
		return nil, false
	}
	_, pattern := c.routes.Handler(r)
	if _, isCallback := callbackToken(r); isCallback {
		pattern = r.Method + " " + callbackPath + "{token}"
	}
	return c.operations[pattern], true
}

func (c *promise) judge(r *http.Request, route *routers.Route, answer *httptest.ResponseRecorder) error {
	if route == nil || r.Method == http.MethodHead {
		return judgeUnrouted(r, answer)
	}
	id := route.Operation.OperationID
	c.mu.Lock()
	if c.seen[id] == nil {
		c.seen[id] = make(map[int]bool)
	}
	c.seen[id][answer.Code] = true
	c.mu.Unlock()

	response := route.Operation.Responses.Status(answer.Code)
	isJSON := response != nil && response.Value.Content.Get("application/json") != nil
	err := openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 answer.Code,
		Header:                 answer.Header(),
		Body:                   io.NopCloser(bytes.NewReader(answer.Body.Bytes())),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true, ExcludeResponseBody: !isJSON},
	})
	if err != nil || isJSON {
		return err
	}
	if got := answer.Header().Get("Content-Type"); response.Value.Content.Get(got) == nil {
		return fmt.Errorf("the content type %q is not described", got)
	}
	return nil
}

// judgeUnrouted holds answers where there is no route to the form of errors.
func judgeUnrouted(r *http.Request, answer *httptest.ResponseRecorder) error {
	switch answer.Code {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusTooManyRequests:
	default:
		return fmt.Errorf("there is no such route in it")
	}
	if r.Method == http.MethodHead {
		return nil
	}
	var problem Problem
	if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil || problem.Message == "" {
		return fmt.Errorf("want an object with a message")
	}
	return nil
}

// used reports whether any answer was checked.
func (c *promise) used() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen) > 0
}

// unseen lists the operations none of whose successes was checked.
func (c *promise) unseen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for _, route := range c.operations {
		success := false
		for status := range c.seen[route.Operation.OperationID] {
			success = success || status < 400
		}
		if !success {
			ids = append(ids, route.Operation.OperationID)
		}
	}
	slices.Sort(ids)
	return ids
}
