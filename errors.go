package b3scale

import (
	"errors"
	"fmt"
)

// Code classifies an Error. Doors translate it once into their own language
// (a BBB messageKey, an HTTP status).
type Code string

// The codes that doors know how to answer.
const (
	InvalidArgument Code = "invalid_argument" // the caller's mistake
	NotFound        Code = "not_found"        // no such thing
	Forbidden       Code = "forbidden"        // it is not for this caller
	Conflict        Code = "conflict"         // it exists already, or is in another state
	NotYet          Code = "not_yet"          // it is being prepared: try again soon
	NoBackend       Code = "no_backend"       // no backend may take this meeting now
	NodeFailed      Code = "node_failed"      // the backend did not answer, or not usefully
	Unavailable     Code = "unavailable"      // the store or this instance cannot serve now
	LimitReached    Code = "limit_reached"    // the frontend has as much as it may have
	Observing       Code = "observing"        // this instance only looks, see B3SCALE_OBSERVE
)

// ErrMeetingsRun is the cause when something must stay as it is because of
// meetings that are running.
var ErrMeetingsRun = errors.New("meetings are running")

// ErrHostTaken is the cause when a host name of a frontend is another's.
var ErrHostTaken = errors.New("the host name is taken")

// ErrTagsRefused is the cause when a meeting gets no backend because it insists
// on tags that are not allowed to its frontend.
var ErrTagsRefused = errors.New("the tags are not allowed")

// Error has two faces: the caller sees Code and Message, the log sees the
// cause as well. Message must be safe to show to anybody: no secrets, no node
// addresses.
type Error struct {
	Code    Code
	Message string
	cause   error
}

// Errorf makes an Error whose message is for the caller's eyes.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because adds the cause, which is logged and never shown.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// Error is the text for the log: the message and its cause.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of err, or "" when nobody gave it one.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
