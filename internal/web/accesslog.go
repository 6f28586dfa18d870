package web

import (
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"b3scale/bbb"
)

// Access says which requests have a line in the log.
type Access string

// AccessErrors has those that an operator may want to act on: with a status of
// 500 or more, or whose Notes matter. All others are logged at debug level.
// AccessAll logs those at info level; AccessOff logs none at all.
const (
	AccessOff    Access = "off"
	AccessErrors Access = "errors"
	AccessAll    Access = "all"
)

// Notes are what a door adds to the line of a request. They are asked when the
// request is done, and only if the line is written. They must not tell what the
// line itself must not: anything of a query, a secret, the name of a person.
type Notes interface {
	LogAttrs() []slog.Attr
	Matters() bool // an operator may want to act on it
}

// Note adds notes to the line of the request that is answered with w. The last
// ones count.
func Note(w http.ResponseWriter, n Notes) {
	for {
		switch writer := w.(type) {
		case *line:
			writer.notes = n
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = writer.Unwrap()
		default:
			return // nobody writes lines
		}
	}
}

// AccessLog logs requests, one line each, without their queries: those hold
// names, passwords and checksums. It stands outside of Recover, to see what
// becomes of a panic.
func AccessLog(log *slog.Logger, which Access, trusted []netip.Prefix, next http.Handler) http.Handler {
	if which == AccessOff {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l := &line{ResponseWriter: w, start: time.Now()}
		defer func() { l.write(log, which, trusted, r) }()
		next.ServeHTTP(l, r)
	})
}

// line is a writer that keeps count of what the line of a request tells.
type line struct {
	http.ResponseWriter
	start  time.Time
	status int // 0: none was set
	bytes  int64
	notes  Notes
}

// WriteHeader notes the status that is sent: the first, and no interim one.
func (l *line) WriteHeader(status int) {
	if l.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		l.status = status
	}
	l.ResponseWriter.WriteHeader(status)
}

func (l *line) Write(b []byte) (int, error) {
	if l.status == 0 {
		l.status = http.StatusOK
	}
	n, err := l.ResponseWriter.Write(b)
	l.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the writer below.
func (l *line) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (l *line) write(log *slog.Logger, which Access, trusted []netip.Prefix, r *http.Request) {
	if l.status == 0 {
		l.status = http.StatusOK // net/http sends it after an empty answer
	}
	level := slog.LevelDebug
	switch {
	case l.status >= http.StatusInternalServerError || l.notes != nil && l.notes.Matters():
		level = slog.LevelWarn
	case which == AccessAll:
		level = slog.LevelInfo
	}
	if !log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("client", ClientAddress(r, trusted)), slog.String("method", r.Method), slog.String("path", shownPath(r.URL.Path)),
		slog.Int("status", l.status), slog.Int64("bytes", l.bytes), slog.Duration("duration", time.Since(l.start)),
	}
	if trace := bbb.TraceOf(r.Context()); trace != nil && trace.Parent != "" {
		attrs = append(attrs, slog.String("trace_id", traceID(trace.Parent)))
	}
	if l.notes != nil {
		attrs = append(attrs, l.notes.LogAttrs()...)
	}
	log.LogAttrs(r.Context(), level, "request", attrs...)
}

// misplaced is where parameters begin that belong into a query: no path of ours
// has these, but for the padding of a meeting's id.
var misplaced = regexp.MustCompile(`[?&;]|=[^=/]`)

// maxPath is enough for every path that we serve, ids of meetings included.
const maxPath = 500

// shownPath is a path without what may be a secret in it: signed joins in the
// addresses of waiting pages and tokens, which are base64 of a JSON object, and
// parameters that a client has put behind the wrong sign.
func shownPath(path string) string {
	if at := misplaced.FindStringIndex(path); at != nil {
		path = path[:at[0]] + "…"
	}
	if len(path) > maxPath {
		path = strings.ToValidUTF8(path[:maxPath], "") + "…"
	}
	if !strings.Contains(path, jsonObject) {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, jsonObject) {
			segments[i] = "…"
		}
	}
	return strings.Join(segments, "/")
}

// jsonObject is how base64 of a JSON object begins.
const jsonObject = "eyJ"
