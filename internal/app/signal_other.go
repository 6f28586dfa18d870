//go:build !unix

package app

import "context"

// toggleOnSignal does nothing: there is no SIGUSR1 here.
func (l *Level) toggleOnSignal(context.Context) {}
