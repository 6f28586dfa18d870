// Command b3scaleagent runs on each BigBlueButton node: it registers the node
// with b3scaled, says that it lives, and passes on what happens in the
// meetings. Run b3scaleagent --help.
package main

import "os"

// Version and Build are set by the linker.
var (
	Version = "dev"
	Build   = "0000000" // the commit
)

func main() { os.Exit(command(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }
