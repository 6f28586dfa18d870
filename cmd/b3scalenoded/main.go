// Command b3scalenoded is b3scaleagent for clusters whose nodes reach the
// database and not the API. It is deprecated. Run b3scalenoded --help.
package main

import (
	"os"

	"b3scale/internal/app"
)

func main() { os.Exit(app.NodedMain(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }
