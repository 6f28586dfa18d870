// Command b3scaled is the load balancer. Run b3scaled --help.
package main

import (
	"os"

	"b3scale/internal/app"
)

func main() { os.Exit(app.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }
