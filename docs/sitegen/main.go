// Command sitegen makes a site of static pages from the documentation. It needs
// no network, and neither does the site.
//
// usage: sitegen ROOT DIRECTORY
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sitegen ROOT DIRECTORY")
		os.Exit(1)
	}
	pages, err := Generate(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "sitegen:", err)
		os.Exit(1)
	}
	_, _ = fmt.Fprintf(os.Stdout, "%d pages: open %s/index.html\n", pages, os.Args[2])
}
