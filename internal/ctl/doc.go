// Package ctl is b3scalectl, the command line of operators: every command asks
// the REST API. What it prints without --output is read by scripts, so those
// lines stay as they are.
package ctl
