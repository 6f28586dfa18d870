package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"b3scale"
	"b3scale/bbb"
)

// readBody reads the body of a POST: parameters of a form, which it returns,
// or XML, which it keeps (BBB API, POST bodies and content types).
func (g *Gateway) readBody(w http.ResponseWriter, req *request, call handler) (form string, _ *problem) {
	body, problem := g.bytesOf(w, req, call)
	if problem != nil {
		return "", problem
	}
	g.timeForAnswer(w)
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return "", nil
	}
	kind, params, _ := mime.ParseMediaType(req.http.Header.Get("Content-Type"))
	isForm := kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
	switch {
	case call.xml && trimmed[0] == '<': // clients label XML in many ways
		if bbb.CheckBody(body) != nil {
			return "", refuse(&bbb.Failure{Key: "validationError", Message: "The XML of the request body is malformed"})
		}
		req.body = body
		return "", nil
	case isForm && int64(len(body)) > g.opts.MaxBody:
		return "", tooLarge(g.opts.MaxBody)
	case kind == "application/x-www-form-urlencoded":
		return string(body), nil
	case kind == "multipart/form-data":
		form, err := multipartForm(body, params["boundary"])
		if err != nil {
			return "", refuse(&bbb.Failure{Key: "validationError", Message: "The form of the request body is malformed"})
		}
		return form, nil
	}
	return "", refuse(bbb.ErrContentType)
}

// timeForAnswer begins when a body has come: a long upload must not eat it up.
func (g *Gateway) timeForAnswer(w http.ResponseWriter) {
	if g.opts.WriteTimeout > 0 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(g.opts.WriteTimeout))
	}
}

// takesPresentations tells whether more may come than a form. Without a query
// nothing is verified yet.
func takesPresentations(req *request, call handler) bool {
	return call.xml && req.http.Method == http.MethodPost && req.http.URL.RawQuery != ""
}

// isLarge tells whether a body may be larger than a form. Without a
// Content-Length, which is -1, nobody knows.
func (g *Gateway) isLarge(req *request, call handler) bool {
	return takesPresentations(req, call) && (req.http.ContentLength < 0 || req.http.ContentLength > g.opts.MaxBody)
}

// bytesOf reads a body up to its limit. A large one waits for its turn first:
// nothing of it is in memory until then.
func (g *Gateway) bytesOf(w http.ResponseWriter, req *request, call handler) ([]byte, *problem) {
	limit, announced := g.opts.MaxBody, req.http.ContentLength
	if takesPresentations(req, call) {
		limit = g.opts.MaxPresentation
	}
	if announced > limit {
		return nil, tooLarge(limit)
	}
	var room *room
	if g.isLarge(req, call) {
		var err error
		if room, err = g.roomFor(req, announced); err != nil {
			status, failure := failureOf(err)
			return nil, &problem{status, failure}
		}
	}
	body, err := readUpTo(http.MaxBytesReader(w, req.http.Body, limit), announced, room != nil)
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(e.Limit)
	}
	if err != nil {
		return nil, &problem{http.StatusBadRequest, &bbb.Failure{Key: "validationError", Message: "The request body ended too early"}}
	}
	if room != nil {
		room.shrink(int64(len(body)))
	}
	return body, nil
}

// readUpTo makes room for a large body at once: one that grows is in memory
// more than once. For others an announcement is not worth anything.
func readUpTo(r io.Reader, announced int64, large bool) ([]byte, error) {
	if !large || announced < 0 {
		return io.ReadAll(r)
	}
	body := make([]byte, announced)
	n, err := io.ReadFull(r, body)
	return body[:n], err
}

var errNoRoom = b3scale.Errorf(b3scale.Unavailable, "too many large request bodies are under way")

// roomFor waits until a large body may be read. The call is one of the
// frontend's calls to nodes from now on, and all bodies together have a limit,
// of which one frontend never has more than half.
func (g *Gateway) roomFor(req *request, announced int64) (*room, error) {
	size := announced
	if size < 0 {
		size = g.opts.MaxPresentation
	}
	done, err := g.share(req.http.Context(), req.frontend)
	if err != nil {
		return nil, err
	}
	req.hasShare = true
	req.whenDone(done)
	r := &room{size: size}
	req.whenDone(func() { r.shrink(0) })
	ctx, cancel := context.WithTimeout(req.http.Context(), shareWait)
	defer cancel()
	for _, budget := range []*semaphore.Weighted{g.quotaOf(req.frontend, time.Now()).bodies, g.bodies} {
		if budget.Acquire(ctx, size) != nil {
			return nil, g.noRoom(req, size)
		}
		r.within = append(r.within, budget)
	}
	return r, nil
}

func (g *Gateway) noRoom(req *request, size int64) error {
	ctx := req.http.Context()
	if ctx.Err() != nil { // the client has left, as clients do
		return errNoRoom
	}
	if others, due := g.overBodies.due(time.Now()); due {
		g.log.WarnContext(ctx, "no room for a large request body", "frontend", req.frontend.Key, "bytes", size,
			"refused_since_last_line", others)
	}
	return errNoRoom
}

// room is what a large body may take up.
type room struct {
	within []*semaphore.Weighted
	size   int64
}

// shrink gives back what is above size.
func (r *room) shrink(size int64) {
	for _, budget := range r.within {
		budget.Release(r.size - size)
	}
	r.size = size
}

func tooLarge(limit int64) *problem {
	return &problem{http.StatusRequestEntityTooLarge, &bbb.Failure{
		Key: "sizeError", Message: fmt.Sprintf("The request body must not be larger than %d bytes", limit),
	}}
}

// multipartForm turns the fields of a multipart form into an encoded one.
// Files are left out: no call takes one here.
func multipartForm(body []byte, boundary string) (string, error) {
	var params bbb.Params
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return params.Encode(), nil
		}
		if err != nil {
			return "", err
		}
		if part.FileName() != "" || part.FormName() == "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return "", err
		}
		params.Add(part.FormName(), string(value))
	}
}
