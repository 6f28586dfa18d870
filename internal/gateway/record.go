package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/web"
)

// Record is what became of one request. Its texts are few: they may name
// series of metrics.
type Record struct {
	Frontend string        // its key; "" when it is unknown or did not prove who it is
	Resource string        // the call, "index" without one; "other" for calls that we do not know
	Backend  string        // host[:port] of the node that it went to; "" when none was needed
	Result   string        // "ok", "redirect", "waiting", "gaveUp", "gone", a messageKey of results, else "failed"
	Took     time.Duration // from the first byte of the call to the last of the answer
	Node     time.Duration // the part of it in which nodes were asked
}

// results are the messageKeys that a Record has: those of BBB, and our own. A
// node may say anything, so the rest is "failed".
var results = func() map[string]bool {
	known := map[string]bool{}
	for _, key := range []string{
		"checksumError", "emptyError", "guestDeny", "guestDeniedAccess", "idNotUnique", "invalidPassword",
		"maxParticipantsReached", "meetingForciblyEnded", "meetingNotFound", "mismatchCreateTimeParam",
		"missingParamFullName", "missingParamMeetingID", "missingParamRecordID", "noRecordings", "nonUniqueVoiceBridge",
		"notFound", "nullError", "paramError", "parentMeetingDoesNotExist", "parentMeetingIDMissing", "sizeError",
		"unexpectedError", "unsupportedContentType", "unsupportedRequest", "validationError",
		"empty_uploaded_text_track", "invalidKind", "invalidLang", "missingParamPublish", "noCaptionsFound", "upload_text_track_failed",
		gatewayErrorKey, "attendeesLimitReached", "meetingsLimitReached", "rateLimitExceeded",
	} {
		known[key] = true
	}
	return known
}()

// passage is the writer of one answer. It notes what becomes of the request,
// for the log and for Options.Done.
type passage struct {
	http.ResponseWriter
	record Record
	start  time.Time
	trace  *bbb.Trace
}

var _ web.Notes = (*passage)(nil)

// begin wraps the writer of an answer.
func (g *Gateway) begin(w http.ResponseWriter, r *http.Request) *passage {
	p := &passage{ResponseWriter: w, start: time.Now(), trace: bbb.TraceOf(r.Context())}
	p.record.Resource = otherResource
	web.Note(w, p)
	return p
}

const otherResource = "other"

// finish completes the record, also when the request panics: nothing is noted
// then, and so it failed. Of a client that has left nobody knows how it would
// have ended.
func (g *Gateway) finish(p *passage, r *http.Request) {
	node, took := p.trace.Node()
	p.record.Backend, p.record.Node = hostOf(node), took
	p.record.Took = time.Since(p.start)
	switch result := &p.record.Result; {
	case (*result == "" || *result == gatewayErrorKey) && errors.Is(r.Context().Err(), context.Canceled):
		*result = "gone"
	case *result == "":
		*result = "failed"
	}
	if g.opts.Done != nil {
		g.opts.Done(p.record)
	}
}

// Unwrap lets http.ResponseController reach the writer below.
func (p *passage) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// LogAttrs are for the line of the request.
func (p *passage) LogAttrs() []slog.Attr {
	r := &p.record
	attrs := []slog.Attr{slog.String("frontend", r.Frontend), slog.String("resource", r.Resource), slog.String("result", r.Result)}
	if r.Backend != "" {
		attrs = append(attrs, slog.String("backend", r.Backend))
	}
	if r.Node > 0 { // a join asks no node
		attrs = append(attrs, slog.Duration("node_duration", r.Node))
	}
	return attrs
}

// Matters tells whether an operator may want to act: the cluster could not do
// what it is there for. What tenants do wrong, and limits that do their work,
// are counted elsewhere.
func (p *passage) Matters() bool {
	return p.record.Result == gatewayErrorKey || p.record.Result == "gaveUp"
}

// noteCall notes what is asked for. The name comes from the handler, not from
// the path: who keeps it must not keep the path.
func noteCall(w http.ResponseWriter, resource string, call handler) {
	p, ok := w.(*passage)
	switch {
	case !ok:
	case call.name != "":
		p.record.Resource = call.name
	case resource == "":
		p.record.Resource = "index"
	}
}

// noteFrontend notes who has proven to ask.
func noteFrontend(w http.ResponseWriter, f *b3scale.Frontend) {
	if p, ok := w.(*passage); ok && f != nil {
		p.record.Frontend = f.Key
	}
}

// note notes the result. The first one counts: a page or a redirect that tells
// of an error comes after it.
func note(w http.ResponseWriter, result string) {
	if p, ok := w.(*passage); ok && p.record.Result == "" {
		p.record.Result = result
	}
}

// noteFailure notes a messageKey.
func noteFailure(w http.ResponseWriter, key string) {
	if !results[key] {
		key = "failed"
	}
	note(w, key)
}

// noteAnswer notes what a node refused to do.
func noteAnswer(w http.ResponseWriter, node *bbb.Answer) {
	if !node.Succeeded() {
		noteFailure(w, node.MessageKey())
	}
}

func noteError(w http.ResponseWriter, err error) {
	_, f := failureOf(err)
	noteFailure(w, f.Key)
}

// waitingResult is that of a browser on the waiting page, or sent there.
func waitingResult(req *request) string {
	if req.attempt >= maxAttempts {
		return "gaveUp"
	}
	return "waiting"
}

// hostOf is host[:port] of a base URL.
func hostOf(baseURL string) string {
	_, rest, _ := strings.Cut(baseURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host[strings.LastIndexByte(host, '@')+1:]
}
