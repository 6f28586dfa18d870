// Command confgen writes the tables of settings into a page, from what the
// programs know of their settings.
//
// usage: confgen PAGE OUT
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: confgen PAGE OUT")
		os.Exit(1)
	}
	page, err := os.ReadFile(os.Args[1])
	if err == nil {
		page, err = fill(page)
	}
	if err == nil {
		err = os.WriteFile(os.Args[2], page, 0o644) //nolint:gosec // it is committed, not a secret
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "confgen:", err)
		os.Exit(1)
	}
}
