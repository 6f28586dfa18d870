// Command b3scalectl is the command line of operators. Run b3scalectl --help.
package main

import (
	"os"

	"b3scale/internal/ctl"
)

// Version and Build are set by the linker.
var (
	Version = "dev"
	Build   = "0000000" // the commit
)

func main() {
	os.Exit(ctl.Main(os.Args[1:], ctl.Options{
		Version: Version, Build: Build, Environ: os.Environ(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
	}))
}
