// Command b3scale-demo runs b3scale with simulated nodes: make demo.
package main

import (
	"os"

	"b3scale/internal/demo"
)

func main() { os.Exit(demo.Main(os.Args[1:], os.Stdout, os.Stderr)) }
