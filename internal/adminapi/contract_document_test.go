package adminapi

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"b3scale/internal/auth"
)

func TestContractIsValid(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil { // its examples, too
		t.Error(err)
	}
}

// Everybody who reads the contract finds out what an operation is for, who may
// call it, and what can go wrong.
func TestContractSaysAll(t *testing.T) {
	t.Parallel()
	c := promised()
	list := regexp.MustCompile(`List$`)
	for pattern, route := range c.operations {
		op := route.Operation
		if op.OperationID == "" || op.Summary == "" || op.Description == "" || len(op.Tags) != 1 {
			t.Errorf("%s: want an id, a summary, a description and one tag", pattern)
		}
		for _, p := range slices.Concat(route.PathItem.Parameters, op.Parameters) {
			if p.Value.Description == "" {
				t.Errorf("%s: parameter %s has no description", pattern, p.Value.Name)
			}
		}
		if op.Security != nil && len(*op.Security) == 0 {
			continue // needs no token, cannot fail
		}
		want := []int{401, 429, 500, 503}
		if scopes, _ := op.Extensions["x-scopes"].([]any); len(scopes) > 0 {
			want = append(want, 403)
		}
		if strings.Contains(route.Path, "{id}") {
			want = append(want, 404)
		}
		if list.MatchString(op.OperationID) {
			want = append(want, 400)
			if op.Responses.Status(200).Value.Headers["X-Total-Count"] == nil {
				t.Errorf("%s: want X-Total-Count", pattern)
			}
			for _, name := range []string{"limit", "offset", "order"} {
				if op.Parameters.GetByInAndName("query", name) == nil {
					t.Errorf("%s: want the parameter %s", pattern, name)
				}
			}
		}
		if op.RequestBody != nil {
			want = append(want, 400, 413)
			if op.RequestBody.Value.Content["*/*"] == nil {
				want = append(want, 415)
			}
		}
		for _, status := range want {
			if op.Responses.Status(status) == nil {
				t.Errorf("%s: want the response %d", pattern, status)
			}
		}
	}
	for name, s := range c.doc.Components.Schemas {
		if s.Value.Description == "" {
			t.Errorf("schema %s has no description", name)
		}
		for member, p := range s.Value.Properties {
			if p.Value.Description == "" {
				t.Errorf("%s.%s has no description", name, member)
			}
		}
	}
}

func TestScopesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	for pattern, route := range promised().operations {
		public := route.Operation.Security != nil && len(*route.Operation.Security) == 0
		declared, ok := route.Operation.Extensions["x-scopes"].([]any)
		if !ok {
			t.Errorf("%s has no x-scopes", pattern)
		}
		got, known := acceptedScopes(pattern)
		if known == public || len(got) != len(declared) {
			t.Errorf("acceptedScopes(%q) = %v, %t; want %v", pattern, got, known, declared)
			continue
		}
		for i, scope := range got {
			if declared[i] != string(scope) {
				t.Errorf("acceptedScopes(%q) = %v, want %v", pattern, got, declared)
			}
			if !slices.Contains([]auth.Scope{auth.Admin, auth.Owner, auth.Node, auth.Read}, scope) {
				t.Errorf("%s: nobody has the scope %s", pattern, scope)
			}
		}
	}
	if _, known := acceptedScopes("GET /api/v1/nothing"); known {
		t.Error("a route that is not in the contract has scopes")
	}
}

func TestPageNeedsNothingFromOutside(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs.html")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", "@import", "url(", " style=", " src="} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	ids := make(map[string]bool)
	for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[id[1]] {
			t.Errorf("the id %s is there twice", id[1])
		}
		ids[id[1]] = true
	}
	for _, link := range regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if id, ok := strings.CutPrefix(link[1], "#"); (!ok || !ids[id]) && link[1] != "/api/v1/openapi.yaml" {
			t.Errorf("a link goes to %s", link[1])
		}
	}
	for _, route := range promised().operations {
		if !ids[route.Operation.OperationID] {
			t.Errorf("the page does not have %s", route.Operation.OperationID)
		}
	}
}

// reproaches collects what a check says.
type reproaches struct {
	testing.TB
	count int
}

func (r *reproaches) Errorf(string, ...any) { r.count++ }

func TestCheckContract(t *testing.T) {
	t.Parallel()
	const (
		command = `{"id":"1","seq":1,"state":"requested","action":"a","params":null,"result":true,"started_at":null,` +
			`"stopped_at":null,"deadline":"2026-01-06T10:13:12Z","created_at":"0001-01-01T00:00:00Z"`
		database = `{"available":true,"database":"b3scale","migrated":false,"pending_migrations":2,"error":null,"migration":`
		problem  = `{"message":"no"}`
	)
	total, retry := [2]string{"X-Total-Count", "1"}, [2]string{"Retry-After", "1"}
	for _, tt := range []struct {
		name   string
		call   string
		status int
		header [2]string
		body   string
		good   bool
	}{
		{"a command", "GET /api/v1/commands/1", 200, total, command + "}", true},
		{"an unknown member", "GET /api/v1/commands/1", 200, total, command + `,"more":1}`, false},
		{"missing members", "GET /api/v1/commands/1", 200, total, `{"id":"1"}`, false},
		{"a wrong type", "GET /api/v1/commands/1", 200, total, strings.Replace(command, `"seq":1`, `"seq":"1"`, 1) + "}", false},
		{"a wrong time", "GET /api/v1/commands/1", 200, total, strings.Replace(command, "2026-01-06T", "2026-01-06 ", 1) + "}", false},
		{"a list", "GET /api/v1/commands?limit=3", 200, total, "[" + command + "}]", true},
		{"an empty list", "GET /api/v1/commands", 200, total, "[]", true},
		{"null for a list", "GET /api/v1/commands", 200, total, "null", false},
		{"a list without its total", "GET /api/v1/commands", 200, retry, "[]", false},
		{"a wrong success", "POST /api/v1/commands", 200, total, command + "}", false},
		{"null for an object that may be null", "POST /api/v1/ctrl/migrate", 200, total, database + "null}", true},
		{"null for one that may not", "POST /api/v1/ctrl/migrate", 200, total, "null", false},
		{"an error", "GET /api/v1/commands/1", 404, total, problem, true},
		{"an error that is no object", "GET /api/v1/commands/1", 404, total, `"no"`, false},
		{"an error that cannot occur", "GET /api/v1/commands/1", 418, total, problem, false},
		{"busy", "GET /api/v1/commands/1", 503, retry, problem, true},
		{"busy without a hint", "GET /api/v1/commands/1", 503, total, problem, false},
		{"an id with an escaped slash", "GET /api/v1/commands/a%2Fb", 404, total, problem, true},
		{"no route, not found", "GET /api/v1/nothing", 404, total, problem, true},
		{"no route, found", "GET /api/v1/nothing", 200, total, "{}", false},
		{"no such method", "PUT /api/v1/commands", 404, total, problem, true},
		{"outside", "GET /healthz", 200, total, "ok", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := loadPromise("openapi.yaml")
			if err != nil {
				t.Fatal(err)
			}
			got := &reproaches{TB: t}
			method, target, _ := strings.Cut(tt.call, " ")
			w := httptest.NewRecorder()
			c.check(got, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set(tt.header[0], tt.header[1])
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})).ServeHTTP(w, httptest.NewRequest(method, target, nil))
			if good := got.count == 0; good != tt.good {
				t.Errorf("the answer is good: %t, want %t", good, tt.good)
			}
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("the caller got %d %s", w.Code, w.Body)
			}
			if tt.good && tt.status == 200 && tt.name != "outside" && len(c.unseen()) != len(c.operations)-1 {
				t.Errorf("%d operations are unseen, want %d", len(c.unseen()), len(c.operations)-1)
			}
		})
	}
}
