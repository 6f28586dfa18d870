package ctl

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"b3scale/internal/auth"
)

func TestWithoutWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	o := w.ctl().tells("Usage:", "Available Commands:")
	if !strings.Contains(o.errs, "run b3scalectl auth authorize") {
		t.Errorf("no hint: %s", o.errs)
	}
	w.withAll()
	w.ctl().tells("Usage:", "b3scaled v.", "\nAPI:      "+w.url+", version v1\n", "\nDatabase: b3scale.db\nVersion:  v", "', applied at: ")
	for _, args := range [][]string{{"show"}, {"set", "--dry"}, {"help", "show", "backends"}, {"show", "backends", "--help"}} {
		w.ctl(args...).tells("Usage:")
	}
	w.ctl("shwo", "backends").fails(`unknown command "shwo"`, `did you mean "show"?`)
	w.ctl("show", "bakends").fails(`unknown command "bakends" for "b3scalectl show"`, `did you mean "backends"?`)
	w.ctl("xyzzy").fails(`unknown command "xyzzy"`, "see b3scalectl --help")
	w.ctl("show", "backends", "--frce").fails("unknown flag: --frce", "see b3scalectl show backends --help")
	w.ctl("show", "backends", "more").fails("usage: b3scalectl show backends")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.ctl("version").wants(0, "b3scalectl v.1.2.3\tabcdef0\n")
	w.ctl("--version").wants(0, "b3scalectl v.1.2.3\tabcdef0\n")
	w.withAll()
	w.ctl("version").tells("b3scalectl v.1.2.3\tabcdef0\nb3scaled v.dev\t0000000\nAPI:      ", "Token:    b3scalectl, an administrator\n")
}

func TestStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2).withAll()
	w.ctl("disable", "backend", w.nodes[1].BaseURL()).tells("updated")
	w.ctl("status").tells("0 meetings, 0 people; 1 of 2 backends take new ones\n", "HOST ", w.nodes[0].BaseURL()+"  ready  ready ", "an operator has stopped it")
	o := w.ctl("status", "--json")
	var got struct {
		Status   struct{ Version string }
		Backends []struct {
			Host     string
			Eligible bool
			Reasons  []string
		}
	}
	if err := json.Unmarshal([]byte(o.out), &got); err != nil || got.Status.Version != "dev" || len(got.Backends) != 2 ||
		!got.Backends[0].Eligible || len(got.Backends[1].Reasons) != 1 || strings.Contains(o.out, nodeSecret) {
		t.Errorf("%v\n%s", err, o.out)
	}
	w.ctl("status", "-o", "yaml").tells("status:\n", "backends:\n  - host: ")
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	w.ctl("db", "migrate").tells("the database is up to date\n", "Version:  v")
	w.as().env("B3SCALE_API_ACCESS_TOKEN="+mint(t, apiSecret, "desk", time.Time{}, auth.Read)).do("db", "migrate").fails("authorization failed")

	pending, refuses := 3, false
	database := func() string {
		return `{"available":true,"database":"b3scale","migrated":true,"migration":{"version":4,"description":"more","applied_at":"2026-01-05T09:00:00Z"},"pending_migrations":` +
			string(rune('0'+pending)) + `,"error":null}`
	}
	old := fake(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			answers(200, `{"version":"1","is_admin":true,"database":`+database()+`}`)(rw, r)
			return
		}
		if refuses {
			answers(500, `{"message":"Internal Server Error"}`)(rw, r)
			return
		}
		pending = 0
		answers(200, database())(rw, r)
	})
	run := old.as().env("B3SCALE_API_ACCESS_TOKEN=" + mint(t, apiSecret, "ci", time.Time{}, auth.Admin))
	if o := run.do("version").tells("Version:  v4, 'more', applied at: 2026-01-05T09:00:00Z\n"); !strings.Contains(o.errs, "3 migrations are pending") {
		t.Errorf("no warning: %s", o.errs)
	}
	refuses = true
	run.do("db", "migrate").fails("Internal Server Error")
	refuses = false
	run.do("db", "migrate").tells("applied migrations: 3\nDatabase: b3scale\n")
}

// What is carried is the contract, whole and in its order.
func TestContract(t *testing.T) {
	t.Parallel()
	w := fake(t, answers(500, ""))
	o := w.ctl("export-openapi-schema")
	text, err := os.ReadFile("../adminapi/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := yaml.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(o.out), &got); err != nil {
		t.Fatal(err)
	}
	if g, w := asText(got), asText(want); !bytes.Equal(g, w) {
		t.Error("it is not the contract: run scripts/generate")
	}
	if !strings.HasPrefix(o.out, "{\n   \"openapi\": \"3.0.3\",\n   \"info\": {\n") {
		t.Errorf("got %.100s", o.out)
	}
	w.ctl("export-openapi-schema", "-o", "yaml").tells("openapi: \"3.0.3\"\n")
}
