package web

import (
	"context"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"

	"b3scale/bbb"
)

const requestIDHeader = "X-Request-Id"

// RequestID gives every request an id, or keeps a sane one that a proxy has
// given, and puts it into the answer and into the trace in the context, from
// where it goes on to the nodes. A trace that the client has begun goes there
// as well.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trace := &bbb.Trace{RequestID: r.Header.Get(requestIDHeader)}
		if !saneID(trace.RequestID) {
			trace.RequestID = newID()
		}
		trace.Parent, trace.State = traceContext(r.Header)
		w.Header()[requestIDHeader] = []string{trace.RequestID}
		next.ServeHTTP(w, r.WithContext(bbb.WithTrace(r.Context(), trace)))
	})
}

// RequestIDOf gives the id of the request that a context belongs to; "" when it
// belongs to none.
func RequestIDOf(ctx context.Context) string {
	if trace := bbb.TraceOf(ctx); trace != nil {
		return trace.RequestID
	}
	return ""
}

// saneID keeps what could spoil a log out of it.
func saneID(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// newID names a request in logs. It keeps no secret, so it may be fast.
func newID() string {
	var b [8]byte
	n := rand.Uint64() //nolint:gosec // see above
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
	var text [2 * len(b)]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// LogHandler adds the request id of the context to every record.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestIDOf(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
