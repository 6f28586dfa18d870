package gateway

import (
	"errors"
	"net/http"
	"strconv"

	"b3scale"
	"b3scale/bbb"
)

func xmlHeader(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = []string{bbb.ContentType}
	h["Cache-Control"] = []string{"no-cache"}
}

// answer writes an API answer. BBB answers with status 200, errors included.
func answer(w http.ResponseWriter, xml []byte) {
	xmlHeader(w)
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(xml))}
	note(w, "ok")
	_, _ = w.Write(xml) // fails only when the client is gone
}

func fail(w http.ResponseWriter, status int, f *bbb.Failure) {
	noteFailure(w, f.Key)
	if status == http.StatusOK {
		answer(w, f.Answer())
		return
	}
	xmlHeader(w)
	w.WriteHeader(status)
	_, _ = w.Write(f.Answer())
}

// failErr translates an error of the cluster into an API answer, once.
func failErr(w http.ResponseWriter, err error) {
	if errors.Is(err, b3scale.ErrTagsRefused) {
		note(w, "failed") // the answer is the one of a full cluster, but no operator can act on it
	}
	status, f := failureOf(err)
	fail(w, status, f)
}

// gatewayErrorKey is the messageKey of errors that BBB has no word for.
const gatewayErrorKey = "b3scaleGatewayError"

func failureOf(err error) (status int, _ *bbb.Failure) {
	if f, ok := errors.AsType[*bbb.Failure](err); ok {
		return http.StatusOK, f
	}
	e, ok := errors.AsType[*b3scale.Error](err)
	if !ok {
		return http.StatusInternalServerError, &bbb.Failure{Key: gatewayErrorKey, Message: "internal error"}
	}
	switch e.Code {
	case b3scale.NotFound:
		return http.StatusOK, bbb.ErrNotFound
	default:
		return http.StatusOK, &bbb.Failure{Key: gatewayErrorKey, Message: e.Message}
	}
}
