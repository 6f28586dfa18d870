package gateway

import (
	"net/http"
	"net/url"

	"b3scale"
	"b3scale/bbb"
)

// problem is why a call is refused at the door.
type problem struct {
	status  int
	failure *bbb.Failure
}

func refuse(f *bbb.Failure) *problem { return &problem{http.StatusOK, f} }

// answered is no problem any more: the call has its answer.
var answered = &problem{}

// identify reads what a request says of itself before its body.
func (g *Gateway) identify(r *http.Request, resource string) *request {
	return &request{http: r, Request: bbb.NewRequest(resource, r.URL.RawQuery, ""), frontend: g.frontend(r)}
}

// verify checks the checksum and lets the call in. Nobody can tell an unknown or
// disabled frontend from a wrong checksum: both take the same way. A body is
// read after the query's checksum, and up to a limit. A large one is read when
// the call has been let in; others before that, or their senders, who still
// send, would not see the answer.
func (g *Gateway) verify(w http.ResponseWriter, req *request, call handler) *problem {
	if call.recordings {
		return g.verifyRecordings(w, req)
	}
	query, post := req.http.URL.RawQuery, req.http.Method == http.MethodPost
	secrets := g.secretsOf(req.frontend)
	if query != "" || !post {
		if failure := g.prove(req, secrets); failure != nil {
			return refuse(failure)
		}
		noteFrontend(w, req.frontend)
	}
	large := g.isLarge(req, call)
	if large && !g.admit(w, req) {
		return answered
	}
	if post {
		form, problem := g.readBody(w, req, call)
		if problem != nil {
			return problem
		}
		if form != "" || query == "" {
			req.form = form != ""
			req.Request = bbb.NewRequest(req.Call, query, form)
			if failure := g.prove(req, secrets); failure != nil {
				return refuse(failure)
			}
			noteFrontend(w, req.frontend)
		}
	}
	if !large && !g.admit(w, req) {
		return answered
	}
	return nil
}

// secretsOf are those of a frontend that may call. For others there is one that
// nobody has: it makes as much work.
func (g *Gateway) secretsOf(f *b3scale.Frontend) []string {
	if f == nil || !f.Active {
		return []string{g.nobody}
	}
	return []string{f.Secret.Reveal(), f.SecondarySecret.Reveal()}
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

// findMeeting applies BBB's rules to the meeting id and sets the id that the
// nodes know. A repeated id could mean two things, so it is refused.
func (req *request) findMeeting() *problem {
	if problem := req.onlyOnce("meetingID", "recordID"); problem != nil {
		return problem
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

func (req *request) onlyOnce(names ...string) *problem {
	for _, name := range names {
		if req.Params.Count(name) > 1 {
			return refuse(&bbb.Failure{Key: "validationError", Message: "The parameter " + name + " must be given only once"})
		}
	}
	return nil
}

// original is the call's own address on this host.
func (req *request) original() string {
	return (&url.URL{Path: req.http.URL.Path, RawPath: req.http.URL.RawPath, RawQuery: req.http.URL.RawQuery}).String()
}
