package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"

	"b3scale"
	"b3scale/bbb"
)

// trackAnswer is a failure in the words of the calls about text tracks. Theirs
// are the only answers of the API in JSON.
type trackAnswer struct {
	ReturnCode string `json:"returncode"`
	RecordID   string `json:"recordId,omitempty"`
	MessageKey string `json:"messageKey"`
	Message    string `json:"message"`

	compact bool
}

// getRecordingTextTracks tells that there are none: nobody gives us any.
func (g *Gateway) getRecordingTextTracks(w http.ResponseWriter, req *request) {
	id := bbb.Clean(req.Params.Get("recordID"))
	switch known, err := g.knowsRecording(req, id); {
	case err != nil:
		g.recordingsFailed(w, req, err)
	case known:
		answerTrack(w, trackAnswer{MessageKey: "noCaptionsFound", Message: "No captions found for " + id, compact: true})
	default:
		answerTrack(w, trackAnswer{MessageKey: "noRecordings", Message: "No recording found for " + id, compact: true})
	}
}

// languages are those that nodes take for one.
var languages = regexp.MustCompile(`^[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8})*$`)

// putRecordingTextTrack takes no track. The upload is read all the same: a
// client that still sends would not see the answer.
func (g *Gateway) putRecordingTextTrack(w http.ResponseWriter, req *request) {
	empty := isEmptyUpload(w, req.http, g.opts.MaxBody)
	g.timeForAnswer(w)
	id := bbb.Clean(req.Params.Get("recordID"))
	kind, lang := bbb.Clean(req.Params.Get("kind")), bbb.Clean(req.Params.Get("lang"))
	known, err := g.knowsRecording(req, id)
	failed := trackAnswer{MessageKey: "paramError"}
	switch {
	case err != nil:
		g.recordingsFailed(w, req, err)
		return
	case !known:
		failed.MessageKey, failed.Message = "noRecordings", "No recording was found for "+id
	case kind == "":
		failed.Message = "Missing param kind."
	case kind != "subtitles" && kind != "captions":
		failed.MessageKey, failed.Message = "invalidKind", "Invalid kind parameter, expected='subtitles|captions' actual="+kind
	case lang == "":
		failed.Message = "Missing param lang."
	case !languages.MatchString(lang):
		failed.MessageKey, failed.Message = "invalidLang", "Malformed lang param, received="+lang
	case empty:
		failed.MessageKey, failed.Message = "empty_uploaded_text_track", "Empty uploaded text track."
	default:
		failed = trackAnswer{RecordID: id, MessageKey: "upload_text_track_failed", Message: "Text track upload failed.", compact: true}
	}
	answerTrack(w, failed)
}

// knowsRecording tells whether the frontend has a recording of that very id.
func (g *Gateway) knowsRecording(req *request, id string) (known bool, err error) {
	if cannotBeStored(id) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(req.http.Context(), g.opts.RequestTimeout)
	defer cancel()
	q := b3scale.RecordingQuery{FrontendID: req.frontend.ID, IDs: []string{id}}
	_, err = g.opts.Recordings.Find(ctx, q, func(b3scale.Recording) { known = true })
	return known, err
}

// isEmptyUpload reads a form up to its limit and tells whether its file is
// missing or empty.
func isEmptyUpload(w http.ResponseWriter, r *http.Request, limit int64) bool {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	defer func() { _, _ = io.Copy(io.Discard, r.Body) }()
	form, err := r.MultipartReader()
	if err != nil {
		return true
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return true
		}
		if part.FormName() == "file" {
			n, _ := io.ReadFull(part, make([]byte, 1))
			return n == 0
		}
	}
}

// answerTrack writes a failure. Nodes write some on one line, others on several.
func answerTrack(w http.ResponseWriter, a trackAnswer) {
	a.ReturnCode = bbb.Failed
	body := map[string]trackAnswer{"response": a}
	text, err := json.MarshalIndent(body, "", "    ")
	if a.compact {
		text, err = json.Marshal(body)
	}
	if err != nil {
		panic("gateway: texts cannot be encoded: " + err.Error()) // they always can
	}
	h := w.Header()
	h["Content-Type"] = []string{"application/json;charset=utf-8"}
	h["Cache-Control"] = []string{"no-cache"}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	noteFailure(w, a.MessageKey)
	_, _ = w.Write(text)
}
