package apiclient

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Error is an answer of the API that says no.
type Error struct {
	Status     int
	Message    string              // of the server, for people
	Fields     map[string][]string // what is wrong with the input, by field
	RetryAfter time.Duration       // the server asks to wait so long; 0: it does not
}

// Error tells all of it. It has no secrets: neither what was sent nor a body
// that is not the API's own.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	separator := ": "
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		b.WriteString(separator + field + " (" + strings.Join(e.Fields[field], ", ") + ")")
		separator = ", "
	}
	b.WriteString(" [" + strconv.Itoa(e.Status) + "]")
	return b.String()
}

// IsNotFound reports whether err says that there is no such thing.
func IsNotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound
}

const longestError = 64 << 10 // bytes of a body that are read

func errorOf(answer *http.Response) *Error {
	e := &Error{Status: answer.StatusCode}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, longestError)) // what came of it may do
	var problem Problem
	if json.Unmarshal(body, &problem) == nil {
		e.Message, e.Fields = problem.Message, problem.Fields
	}
	if e.Message == "" { // a proxy in between, or not our server at all
		e.Message = http.StatusText(answer.StatusCode)
	}
	if e.Message == "" {
		e.Message = "an error without a message"
	}
	return e
}
