package bbb

import (
	"errors"
	"fmt"
)

// Failure is an answer of the API with returncode FAILED, in BBB's own words.
// Clients match Key, never Message.
type Failure struct {
	Key     string
	Message string
}

// Error names the failure for logs.
func (f *Failure) Error() string { return f.Key + ": " + f.Message }

// The failures that are answered by b3scale itself, as a node would word them
// (BBB API, validation limits and the calls' own errors).
var (
	ErrChecksum         = &Failure{"checksumError", "Checksums do not match"}
	ErrChecksumMissing  = &Failure{"checksumError", "You must provide the checksum"}
	ErrContentType      = &Failure{"unsupportedContentType", "POST request Content-Type is missing or unsupported"}
	ErrMissingMeetingID = &Failure{"missingParamMeetingID", "You must provide a meeting ID"}
	ErrMeetingIDSize    = &Failure{"sizeError", "Meeting ID must be between 2 and 256 characters"}
	ErrMeetingIDComma   = &Failure{"validationError", "Meeting ID cannot contain ','"}
	ErrMeetingIDInvalid = &Failure{"validationError", "Meeting ID must be valid UTF-8 text"}
	ErrNotFound         = &Failure{"notFound", "A meeting with that ID does not exist"}
	ErrIDNotUnique      = &Failure{"idNotUnique", "A meeting already exists with that meeting ID. Please use a different meeting ID."}
	ErrParentMissing    = &Failure{"parentMeetingIDMissing", "No parent meeting ID was provided for the breakout room"}
	ErrParentNotFound   = &Failure{"parentMeetingDoesNotExist", "No parent meeting exists for the breakout room"}
	ErrUnsupported      = &Failure{"unsupportedRequest", "This request is not supported."}
)

// Outcome tells what a failed call may have done on the node.
type Outcome int

// A call that was refused surely was not executed: no connection came about.
// After Unknown it may have been, or may still be. ServerError and Malformed
// are answers: something was there, and may have executed it.
const (
	Refused Outcome = iota + 1
	Unknown
	ServerError
	Malformed
)

var outcomes = map[Outcome]string{Refused: "refused", Unknown: "unknown", ServerError: "server error", Malformed: "malformed answer"}

// String names the outcome for logs and metrics.
func (o Outcome) String() string { return outcomes[o] }

// CallError is a call to a node that brought no usable answer. Its text holds
// neither the query nor its checksum.
type CallError struct {
	Call    string
	Outcome Outcome
	Err     error
}

// Error is for the log.
func (e *CallError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Call, e.Outcome, e.Err) }

// Unwrap gives the cause.
func (e *CallError) Unwrap() error { return e.Err }

// OutcomeOf returns the outcome of a failed call, or 0 if err is none.
func OutcomeOf(err error) Outcome {
	if e, ok := errors.AsType[*CallError](err); ok {
		return e.Outcome
	}
	return 0
}
