package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// Recordings are those of all frontends. *recordings.Library is one.
type Recordings interface {
	// Find calls yield with those that match, the newest first, and tells how
	// many match on all pages together.
	Find(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (total int, err error)
	// The others change all recordings or none: NotFound when one of them is
	// not there, or not the frontend's.
	Publish(ctx context.Context, frontendID string, ids []string, published bool) error
	Update(ctx context.Context, frontendID string, ids []string, edit func(*b3scale.Recording) error) error
	Delete(ctx context.Context, frontendID string, ids []string) error
}

// Playback knows where recordings are played. *recordings.Playback is one.
type Playback interface {
	// Link is the address of a format; "" when it cannot be played.
	Link(r *b3scale.Recording, f *b3scale.RecordingFormat) string
	// Image is the address of a picture.
	Image(address string) string
}

// The failures of calls about recordings, which have their own words.
var (
	errRecordingsChecksum = &bbb.Failure{Key: "checksumError", Message: "You did not pass the checksum security check"}
	errMissingRecordID    = &bbb.Failure{Key: "missingParamRecordID", Message: "You must specify a recordID."}
	errMissingPublish     = &bbb.Failure{Key: "missingParamPublish", Message: "You must specify a publish value true or false."}
	errNoRecordings       = &bbb.Failure{Key: "notFound", Message: "We could not find recordings"}
)

// maxRecordings is how many recordings a call may name.
const maxRecordings = 1000

var errManyRecordings = &bbb.Failure{Key: "validationError", Message: "At most 1000 ids are possible in one call"}

// verifyRecordings lets a call about recordings in. Only its query counts, a
// body holds no parameters. What is missing is told before the checksum is
// looked at, as nodes do (BBB API, publishRecordings).
func (g *Gateway) verifyRecordings(w http.ResponseWriter, req *request) *problem {
	upload := req.Call == "putRecordingTextTrack"
	if unsigned := errors.Is(req.Verify(), bbb.ErrChecksumMissing); unsigned && upload {
		answerTrack(w, trackAnswer{MessageKey: "paramError", Message: "Missing param checksum."})
		return answered
	} else if !unsigned && req.Call != "getRecordings" {
		switch noID := bbb.Clean(req.Params.Get("recordID")) == ""; {
		case noID && upload:
			answerTrack(w, trackAnswer{MessageKey: "paramError", Message: "Missing param recordID."})
			return answered
		case noID:
			return refuse(errMissingRecordID)
		case req.Call == "publishRecordings":
			if _, ok := publishValue(req); !ok {
				return refuse(errMissingPublish)
			}
		}
	}
	if g.prove(req, g.secretsOf(req.frontend)) != nil {
		return refuse(errRecordingsChecksum)
	}
	noteFrontend(w, req.frontend)
	if !g.admit(w, req) {
		return answered
	}
	return req.onlyOnce("meetingID", "recordID")
}

// getRecordings writes the list in full before the client gets the first byte:
// a slow one must not keep the store waiting.
func (g *Gateway) getRecordings(w http.ResponseWriter, req *request) {
	asked, failure := askedRecordings(req)
	if failure != nil {
		fail(w, http.StatusOK, failure)
		return
	}
	ctx, cancel := context.WithTimeout(req.http.Context(), g.opts.RequestTimeout)
	defer cancel()
	list, err := g.listRecordings(ctx, req, asked)
	if err != nil {
		g.recordingsFailed(w, req, err)
		return
	}
	list.answer(w, asked.paged)
}

func (g *Gateway) publishRecordings(w http.ResponseWriter, req *request) {
	published, _ := publishValue(req)
	g.changeRecordings(w, req, "published", req.Params.Get("publish"), func(ctx context.Context, ids []string) error {
		return g.opts.Recordings.Publish(ctx, req.frontend.ID, ids, published)
	})
}

func (g *Gateway) deleteRecordings(w http.ResponseWriter, req *request) {
	g.changeRecordings(w, req, "deleted", "true", func(ctx context.Context, ids []string) error {
		return g.opts.Recordings.Delete(ctx, req.frontend.ID, ids)
	})
}

func (g *Gateway) updateRecordings(w http.ResponseWriter, req *request) {
	update, failure := askedUpdate(req)
	if failure != nil {
		fail(w, http.StatusOK, failure)
		return
	}
	g.changeRecordings(w, req, "updated", "true", func(ctx context.Context, ids []string) error {
		return g.opts.Recordings.Update(ctx, req.frontend.ID, ids, update.apply)
	})
}

// changeRecordings changes those that the call names. Ids that cannot be any
// are as good as unknown ones.
func (g *Gateway) changeRecordings(w http.ResponseWriter, req *request, element, done string, change func(context.Context, []string) error) {
	ids, valid := recordIDs(req)
	switch {
	case len(ids) > maxRecordings:
		fail(w, http.StatusOK, errManyRecordings)
		return
	case len(ids) == 0 || len(valid) < len(ids):
		fail(w, http.StatusOK, errNoRecordings)
		return
	}
	ctx, cancel := context.WithTimeout(req.http.Context(), g.opts.RequestTimeout)
	defer cancel()
	if err := change(ctx, valid); err != nil {
		g.recordingsFailed(w, req, err)
		return
	}
	answer(w, []byte("<response><returncode>SUCCESS</returncode><"+element+">"+bbb.EscapeXML(done)+"</"+element+"></response>"))
}

// recordingsFailed answers an error, and logs it if an operator may want to
// act.
func (g *Gateway) recordingsFailed(w http.ResponseWriter, req *request, err error) {
	if b3scale.CodeOf(err) == b3scale.NotFound {
		fail(w, http.StatusOK, errNoRecordings)
		return
	}
	ctx := req.http.Context()
	if _, refused := errors.AsType[*bbb.Failure](err); !refused && ctx.Err() == nil {
		g.log.WarnContext(ctx, "call failed", "call", req.Call, "frontend", req.frontend.Key, "error", err)
	}
	failErr(w, err)
}

// publishValue reads what shall be: nodes know these words. Others are no
// answer to whether somebody may see a recording.
func publishValue(req *request) (published, ok bool) {
	switch strings.ToLower(bbb.Clean(req.Params.Get("publish"))) {
	case "true", "y", "1":
		return true, true
	case "false", "n", "0":
		return false, true
	}
	return false, false
}

// noRecordings are those of an installation that keeps none.
type noRecordings struct{}

func (noRecordings) Find(context.Context, b3scale.RecordingQuery, func(b3scale.Recording)) (int, error) {
	return 0, nil
}

func (noRecordings) Publish(context.Context, string, []string, bool) error { return errKeepsNone }

func (noRecordings) Update(context.Context, string, []string, func(*b3scale.Recording) error) error {
	return errKeepsNone
}

func (noRecordings) Delete(context.Context, string, []string) error { return errKeepsNone }

var errKeepsNone = b3scale.Errorf(b3scale.NotFound, "this installation keeps no recordings")

// storedLinks lead to where recordings were made. Nothing protects them there.
type storedLinks struct{}

func (storedLinks) Link(r *b3scale.Recording, f *b3scale.RecordingFormat) string {
	if r.Protected() {
		return ""
	}
	return f.URL
}

func (storedLinks) Image(address string) string { return address }
