package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// readRaw takes a body in.
func readRaw(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have %d bytes at most", tooLarge.Limit)}
	}
	if err != nil {
		return nil, statusError{http.StatusBadRequest, "the body ended too soon"}
	}
	return body, nil
}

// readBody takes JSON in. An empty body is no fields at all, whatever its type.
func readBody(r *http.Request) ([]byte, error) {
	body, err := readRaw(r)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 && !strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/json") {
		return nil, statusError{http.StatusUnsupportedMediaType, http.StatusText(http.StatusUnsupportedMediaType)}
	}
	return body, nil
}

// decode merges a body into what is there: members that are absent stay,
// objects merge, maps merge by name, arrays are replaced, and null clears what
// may be unset. Names match in any case.
func decode(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	err := json.Unmarshal(body, into)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return statusError{http.StatusBadRequest, fmt.Sprintf("Syntax error: offset=%d, error=%s", e.Offset, e.Error())}
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return statusError{http.StatusBadRequest, fmt.Sprintf("Unmarshal type error: expected=%s, got=%s, field=%s, offset=%d", e.Type, e.Value, e.Field, e.Offset)}
	}
	if err != nil {
		return statusError{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
	}
	return nil
}

// request reads and decodes a body at once.
func request(r *http.Request, into any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	return decode(body, into)
}
