package web

import (
	"fmt"
	"regexp"
)

// Redacted is a value from elsewhere as a text for the log, such as the cause
// of a panic: without what it may tell that a log must not. Addresses go as a
// whole, for their queries are signed.
func Redacted(v any) string { return private.ReplaceAllString(fmt.Sprint(v), "…") }

var private = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^\s"']+` +
	`|[a-z_]*(checksum|password|pw|pass|secret|token|name)=[^\s"'&]*` +
	`|bearer\s+\S+|eyJ[A-Za-z0-9_.=-]+`)
