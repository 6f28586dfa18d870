package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"b3scale"
	"b3scale/internal/web"
)

// send answers with JSON, indented when the query has pretty.
func (s *Server) send(w http.ResponseWriter, r *http.Request, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	if r.URL.Query().Has("pretty") {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(value); err != nil {
		s.Log.DebugContext(r.Context(), "answer not sent", "error", err)
	}
}

// fieldErrors are what is wrong with the members of a body, by path.
type fieldErrors map[string][]string

func (f fieldErrors) Error() string { return "validation failed with input" }

// add notes what is wrong with a member.
func (f fieldErrors) add(field, what string) {
	if !slices.Contains(f[field], what) {
		f[field] = append(f[field], what)
	}
}

// err is nil when nothing is wrong.
func (f fieldErrors) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// What the shipped clients know to be wrong with a member.
const (
	isRequired = "this field is required"
	isNoURL    = "should start with http(s)://"
	notAllowed = "this action is not allowed"
)

// refusal is fieldErrors with a status of its own.
type refusal struct {
	status  int
	message string
	fields  fieldErrors
	cause   error // what the store said
}

func (e refusal) Error() string { return e.message }

func (e refusal) Unwrap() error { return e.cause }

// forbidden is nil when nothing was refused.
func forbidden(fields fieldErrors) error {
	if len(fields) == 0 {
		return nil
	}
	return refusal{status: http.StatusForbidden, message: notAllowed, fields: fields}
}

// taken says which unique member somebody else has.
func taken(field, what string, cause error) error {
	message := what
	if e, ok := errors.AsType[*b3scale.Error](cause); ok {
		message = e.Message
	}
	return refusal{status: http.StatusConflict, message: message, fields: fieldErrors{field: {what}}, cause: cause}
}

// statusOf translates the codes of the domain.
var statusOf = map[b3scale.Code]int{
	b3scale.InvalidArgument: http.StatusBadRequest,
	b3scale.NotFound:        http.StatusNotFound,
	b3scale.Forbidden:       http.StatusForbidden,
	b3scale.Conflict:        http.StatusConflict,
	b3scale.Observing:       http.StatusConflict,
	b3scale.NodeFailed:      http.StatusBadGateway,
	b3scale.NotYet:          http.StatusServiceUnavailable,
	b3scale.NoBackend:       http.StatusServiceUnavailable,
	b3scale.Unavailable:     http.StatusServiceUnavailable,
}

// statusError has a status of its own.
type statusError struct {
	status  int
	message string
}

func (e statusError) Error() string { return e.message }

// fail answers an error. Who asks sees what the error is meant to tell; the
// rest is logged.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if fields, ok := errors.AsType[fieldErrors](err); ok {
		s.send(w, r, http.StatusBadRequest, Problem{Kind: "validation_error", Message: fields.Error(), Fields: fields})
		return
	}
	if e, ok := errors.AsType[refusal](err); ok {
		s.send(w, r, e.status, Problem{Kind: "validation_error", Message: e.message, Fields: e.fields})
		return
	}
	status, message := told(err)
	if r.Context().Err() != nil && status >= http.StatusInternalServerError {
		status, message = http.StatusServiceUnavailable, http.StatusText(http.StatusServiceUnavailable)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "2")
	}
	switch {
	case errors.Is(r.Context().Err(), context.Canceled):
		s.Log.DebugContext(r.Context(), "request given up", "method", r.Method, "path", web.Redacted(r.URL.Path), "error", err)
	case status == http.StatusServiceUnavailable:
		s.Log.WarnContext(r.Context(), "request not served", "method", r.Method, "path", web.Redacted(r.URL.Path), "error", err)
	case status >= http.StatusInternalServerError:
		s.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", web.Redacted(r.URL.Path), "error", err)
	}
	s.send(w, r, status, Problem{Message: message})
}

// told is what the caller hears of an error.
func told(err error) (status int, message string) {
	if own, ok := errors.AsType[statusError](err); ok {
		return own.status, own.message
	}
	if e, ok := errors.AsType[*b3scale.Error](err); ok && statusOf[e.Code] != 0 {
		return statusOf[e.Code], e.Message
	}
	return http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError)
}

// badParameter answers a query or path that the generated code cannot read.
func (s *Server) badParameter(w http.ResponseWriter, r *http.Request, err error) {
	fields := fieldErrors{}
	if e, ok := errors.AsType[*InvalidParamFormatError](err); ok {
		fields.add(e.ParamName, "cannot be read")
		s.fail(w, r, fields)
		return
	}
	s.fail(w, r, statusError{http.StatusBadRequest, "Bad Request"})
}
