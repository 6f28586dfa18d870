package gateway

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strconv"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/cluster"
	"b3scale/internal/policy"
)

func (g *Gateway) create(w http.ResponseWriter, req *request) {
	call, wish := policy.Create(req.frontend, bbb.Call{Name: req.Call, Params: req.Params, Form: req.form && req.body == nil, Body: req.body})
	node, err := g.cluster.Create(req.http.Context(), cluster.CreateRequest{
		Frontend:  req.frontend,
		MeetingID: req.key.MeetingID,
		Params:    call.Params,
		Form:      call.Form,
		Body:      call.Body,
		Tags:      wish,
	})
	g.pass(w, req, node, err)
}

var isRunning, notRunning = bbb.RunningAnswer(true), bbb.RunningAnswer(false)

func (g *Gateway) isMeetingRunning(w http.ResponseWriter, req *request) {
	if g.cluster.Running(req.key) {
		answer(w, isRunning)
	} else {
		answer(w, notRunning)
	}
}

func (g *Gateway) end(w http.ResponseWriter, req *request) {
	node, err := g.cluster.End(req.http.Context(), req.key, req.rewritten(meetingRewrites))
	g.pass(w, req, node, err)
}

func (g *Gateway) getMeetingInfo(w http.ResponseWriter, req *request) {
	params := req.rewritten(meetingRewrites)
	ctx := req.http.Context()
	node, err := g.flights.join(ctx, req.key, params.Encode(), func(ctx context.Context) (*bbb.Answer, error) {
		ctx, cancel := context.WithTimeout(ctx, g.opts.RequestTimeout)
		defer cancel()
		done, err := g.share(ctx, req.frontend)
		if err != nil {
			return nil, err
		}
		defer done()
		return g.cluster.Forward(ctx, req.key, bbb.Call{Name: req.Call, Params: params})
	})
	if ctx.Err() != nil {
		return // nobody waits for the answer
	}
	g.pass(w, req, node, err)
}

// sendChatMessage goes on as a GET: nodes take nothing else.
func (g *Gateway) sendChatMessage(w http.ResponseWriter, req *request) {
	req.form = false
	g.forward(w, req)
}

// forward sends a call about a meeting to its backend as it is.
func (g *Gateway) forward(w http.ResponseWriter, req *request) {
	node, err := g.cluster.Forward(req.http.Context(), req.key, bbb.Call{
		Name: req.Call, Params: req.rewritten(meetingRewrites), Form: req.form && req.body == nil, Body: req.body, Once: true,
	})
	g.pass(w, req, node, err)
}

// getMeetings is answered from memory, piece by piece: a long list is never
// copied.
func (g *Gateway) getMeetings(w http.ResponseWriter, req *request) {
	views := g.cluster.Meetings(req.frontend.ID)
	if len(views) == 0 {
		answer(w, bbb.NoMeetingsAnswer())
		return
	}
	const head, tail = "<response>\n<returncode>SUCCESS</returncode>\n<meetings>\n", "</meetings>\n</response>"
	size := len(head) + len(tail)
	for _, v := range views {
		size += v.Size
	}
	xmlHeader(w)
	note(w, "ok")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	out := bufio.NewWriterSize(w, min(size, listBuffer))
	_, _ = out.WriteString(head) // errors stay in out: the client is gone
	for _, v := range views {
		for _, part := range v.Parts {
			_, _ = out.Write(part)
		}
	}
	_, _ = out.WriteString(tail)
	_ = out.Flush()
}

// listBuffer gathers meetings into large writes: net/http passes those on to
// the connection without a copy of its own.
const listBuffer = 128 << 10

// pass gives the node's answer, or the error, to an API client.
func (g *Gateway) pass(w http.ResponseWriter, req *request, node *bbb.Answer, err error) {
	if req.Call != "getMeetingInfo" {
		g.flights.close(req.key)
	}
	if err != nil {
		g.logFailure(req, err)
		failErr(w, err)
		return
	}
	noteAnswer(w, node)
	answer(w, req.ownIDs(node, g.cluster))
}

// logFailure logs what an operator may want to act on. The mistakes of a
// frontend are its own.
func (g *Gateway) logFailure(req *request, err error) {
	switch b3scale.CodeOf(err) {
	case b3scale.NotFound, b3scale.NotYet, b3scale.InvalidArgument, b3scale.LimitReached: // the cluster tells of limits
		return
	}
	if _, refused := errors.AsType[*bbb.Failure](err); refused || errors.Is(err, b3scale.ErrTagsRefused) {
		g.log.DebugContext(req.http.Context(), "call refused", "call", req.Call, "frontend", req.frontend.Key, "meeting", req.key, "error", err)
		return
	}
	g.log.WarnContext(req.http.Context(), "call failed", "call", req.Call, "frontend", req.frontend.Key, "meeting", req.key, "error", err)
}
