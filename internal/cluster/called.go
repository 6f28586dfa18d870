package cluster

import (
	"context"
	"errors"
	"time"

	"b3scale/bbb"
)

// Calls is told of every call to a node. It must not wait.
type Calls interface {
	// Called tells how long a call took. failure is "" when an answer came,
	// FAILED ones included.
	Called(backendID, resource string, took time.Duration, failure CallFailure)
}

// CallFailure is why a call brought no usable answer.
type CallFailure string

// The failures of calls.
const (
	CallRefused   CallFailure = "refused"   // no connection came about
	CallTimeout   CallFailure = "timeout"   // no answer in time
	CallBroken    CallFailure = "broken"    // the connection ended before the answer did
	CallStatus    CallFailure = "status"    // an HTTP status other than 200
	CallMalformed CallFailure = "malformed" // an answer that is none of the BBB API
	CallSecret    CallFailure = "secret"    // the node does not accept our secret
)

// CallFailures are all of them.
var CallFailures = []CallFailure{CallRefused, CallTimeout, CallBroken, CallStatus, CallMalformed, CallSecret}

func callFailure(err error) CallFailure {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errSecretRefused):
		return CallSecret
	case errors.Is(err, context.DeadlineExceeded):
		return CallTimeout
	}
	switch bbb.OutcomeOf(err) {
	case bbb.Refused:
		return CallRefused
	case bbb.ServerError:
		return CallStatus
	case bbb.Malformed:
		return CallMalformed
	default:
		return CallBroken
	}
}

// timed tells Calls of what began then. Who goes away says nothing about the
// node; one that keeps a request until its deadline does.
func (c *Cluster) timed(ctx context.Context, backendID, resource string, begin time.Time, err error) {
	if err == nil || !errors.Is(context.Cause(ctx), context.Canceled) {
		c.opts.Calls.Called(backendID, resource, time.Since(begin), callFailure(err))
	}
}
