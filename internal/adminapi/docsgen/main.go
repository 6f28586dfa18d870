// Command docsgen makes from the contract of the REST API what nobody should
// write by hand: the page that people read, and the table of who may do what.
//
//	docsgen openapi.yaml docs.html scopes_gen.go
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "docsgen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want three files: the contract, the page and the scopes")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	c, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	page, err := c.page()
	if err != nil {
		return err
	}
	scopes, err := c.scopes()
	if err != nil {
		return err
	}
	if err := os.WriteFile(args[1], page, 0o644); err != nil { //nolint:gosec // a public page
		return err
	}
	return os.WriteFile(args[2], scopes, 0o644) //nolint:gosec // source code
}
