package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"b3scale"
	"b3scale/bbb"
)

// problem is why a call is refused at the door.
type problem struct {
	status  int
	failure *bbb.Failure
}

func refuse(f *bbb.Failure) *problem { return &problem{http.StatusOK, f} }

// verify identifies the frontend and checks its checksum. Nobody can tell an
// unknown or disabled frontend from a wrong checksum: both take the same way.
// A body is read after the query's checksum, and up to a limit.
func (g *Gateway) verify(w http.ResponseWriter, r *http.Request, resource string, call handler) (*request, *problem) {
	req := &request{http: r, Request: bbb.NewRequest(resource, r.URL.RawQuery, ""), frontend: g.frontend(r)}
	secrets := []string{g.nobody} // as much work as for a frontend
	if f := req.frontend; f != nil && f.Active {
		secrets = []string{f.Secret.Reveal(), f.SecondarySecret.Reveal()}
	}
	post := r.Method == http.MethodPost
	if !post || r.URL.RawQuery != "" {
		if failure := g.prove(req, secrets); failure != nil {
			return nil, refuse(failure)
		}
	}
	if !post {
		return req, nil
	}
	form, problem := g.readBody(w, req, call)
	if problem != nil {
		return nil, problem
	}
	if form != "" || r.URL.RawQuery == "" {
		req.form = form != ""
		req.Request = bbb.NewRequest(resource, r.URL.RawQuery, form)
		if failure := g.prove(req, secrets); failure != nil {
			return nil, refuse(failure)
		}
	}
	return req, nil
}

// prove checks the checksum and notes which of the frontend's secrets it was
// made with.
func (g *Gateway) prove(req *request, secrets []string) *bbb.Failure {
	var failure *bbb.Failure
	for i, secret := range secrets {
		if failure = req.Verify(secret); failure == nil {
			g.cluster.SecretUsed(req.frontend, i == 1)
			return nil
		}
	}
	if g.opts.Unproven != nil {
		g.opts.Unproven(keyOf(req.frontend))
	}
	return failure
}

func keyOf(f *b3scale.Frontend) string {
	if f == nil {
		return ""
	}
	return f.Key
}

// readBody reads the body of a POST: parameters of a form, which it returns,
// or XML, which it keeps (BBB API, POST bodies and content types).
func (g *Gateway) readBody(w http.ResponseWriter, req *request, call handler) (form string, _ *problem) {
	limit := g.opts.MaxBody
	if call.xml && req.http.URL.RawQuery != "" { // without a query nothing is verified yet
		limit = g.opts.MaxPresentation
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.http.Body, limit))
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return "", tooLarge(e.Limit)
	}
	if err != nil {
		return "", &problem{http.StatusBadRequest, &bbb.Failure{Key: "validationError", Message: "The request body ended too early"}}
	}
	if g.opts.WriteTimeout > 0 { // a long upload must not eat up the time of the answer
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(g.opts.WriteTimeout))
	}
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

// findMeeting applies BBB's rules to the meeting id and sets the id that the
// nodes know. A repeated id could mean two things, so it is refused.
func (req *request) findMeeting() *problem {
	for _, name := range []string{"meetingID", "recordID"} {
		if req.Params.Count(name) > 1 {
			return refuse(&bbb.Failure{Key: "validationError", Message: "The parameter " + name + " must be given only once"})
		}
	}
	id := bbb.Clean(req.Params.Get("meetingID"))
	failure := bbb.CheckMeetingID(id)
	nodeID := b3scale.EncodeMeetingID(req.frontend.Key, id)
	if failure == nil && len(nodeID) > b3scale.MaxMeetingIDLength {
		failure = bbb.ErrMeetingIDSize // the node would refuse it
	}
	if failure != nil && (req.Call == "getMeetingInfo" || req.Call == "end") {
		failure = bbb.ErrNotFound // it wins there over all that is wrong with the id (BBB API, which error wins)
	}
	if failure != nil {
		return refuse(failure)
	}
	req.key = b3scale.MeetingKey{FrontendID: req.frontend.ID, MeetingID: id}
	req.nodeID = nodeID
	return nil
}

// original is the call's own address on this host.
func (req *request) original() string {
	return (&url.URL{Path: req.http.URL.Path, RawPath: req.http.URL.RawPath, RawQuery: req.http.URL.RawQuery}).String()
}
