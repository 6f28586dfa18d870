package main

import (
	"os"
	"strings"
	"testing"

	"b3scale/internal/config"
)

// The page that is committed is what its tables are made of. scripts/generate
// writes it anew.
func TestPageIsFresh(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := fill(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(fresh) != string(page) {
		t.Error("docs/configuration.md is stale: run make generate")
	}
	for _, vars := range [][]config.Variable{config.Variables(), config.AgentVariables(), config.NodedVariables()} {
		for _, v := range vars {
			if !strings.Contains(string(page), "| `"+v.Name+"`") {
				t.Errorf("docs/configuration.md has no row for %s", v.Name)
			}
		}
	}
}

func TestFillFails(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"<!-- settings of b3scale -->\n<!-- end -->", "<!-- settings of b3scaled -->\n"} {
		if got, err := fill([]byte(page)); err == nil {
			t.Errorf("%q became %q", page, got)
		}
	}
}
