package bbbtest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
)

const (
	apiPath    = "/bigbluebutton/api"
	clientPath = "/html5client"
	maxBody    = 64 << 20
)

// ServeHTTP answers as the node, faults included.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "body cannot be read", http.StatusBadRequest)
		return
	}
	answer := n.answer(r.Context(), r, body)
	if answer.hangUp {
		panic(http.ErrAbortHandler) // closes the connection
	}
	maps.Copy(w.Header(), answer.header())
	w.WriteHeader(answer.status)
	if r.Method != http.MethodHead {
		n.write(r.Context(), w, &answer)
	}
}

// write sends the body, as slowly and as far as the reply says.
func (n *Node) write(ctx context.Context, w http.ResponseWriter, answer *reply) {
	body := answer.body
	if answer.cutOff > 0 {
		// The server closes the connection itself when less comes than was announced.
		body = body[:answer.cutOff]
	}
	if answer.pace == 0 {
		_, _ = w.Write(body)
		return
	}
	control := http.NewResponseController(w)
	_ = control.Flush()
	for i := range body {
		if !n.wait(ctx, answer.pace) {
			return
		}
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
		_ = control.Flush()
	}
}

// answer routes a request below the node's root.
func (n *Node) answer(ctx context.Context, r *http.Request, body []byte) reply {
	path := r.URL.Path
	if name, ok := strings.CutPrefix(path, apiPath); ok && (name == "" || name[0] == '/') {
		return n.call(ctx, newCall(n, strings.Trim(name, "/"), r, body))
	}
	switch {
	case path == "/bigbluebutton" || path == "/bigbluebutton/":
		return n.call(ctx, newCall(n, "", r, body))
	case path == "/bigbluebutton/ping":
		return reply{status: http.StatusOK}
	case path == "/":
		return n.homePage(r)
	case path == clientPath || strings.HasPrefix(path, clientPath+"/"):
		return n.landingPage(r)
	}
	return statusReply(http.StatusNotFound)
}

// call takes one API call through the faults, the log and its execution.
func (n *Node) call(ctx context.Context, c *call) reply {
	entry := n.log.add(c)
	plan := n.faults.take(c.name)
	if done := plan.before(ctx, n); done != nil {
		return *done
	}
	c.apply(&plan)
	var answer reply
	if plan.late > 0 {
		late, ok := n.executeLate(ctx, c, entry, plan.late)
		if !ok {
			return reply{hangUp: true}
		}
		answer = late
	} else {
		answer = n.execute(c, entry)
	}
	return plan.after(ctx, n, answer)
}

func (n *Node) execute(c *call, entry *logEntry) reply {
	n.log.executed(entry)
	h, ok := calls[c.name]
	if !ok || h.since != (version{}) && !n.version.atLeast(h.since.major, h.since.minor, h.since.patch) {
		return statusReply(http.StatusNotFound)
	}
	if !h.allows(c.method, n.version) {
		return statusReply(http.StatusMethodNotAllowed)
	}
	return h.run(c)
}

// calls are the resources of the API that a balancer may use.
var calls = map[string]handler{
	"":                 {run: (*call).root, methods: "GET"},
	"create":           {run: (*call).create, methods: "GET POST"},
	"join":             {run: (*call).join, methods: "GET"},
	"isMeetingRunning": {run: (*call).isMeetingRunning, methods: "GET POST"},
	"end":              {run: (*call).end, methods: "GET POST"},
	"getMeetingInfo":   {run: (*call).getMeetingInfo, methods: "GET POST"},
	"getMeetings":      {run: (*call).getMeetings, methods: "GET POST"},
	"getSessions":      {run: (*call).getSessions, methods: "GET POST"},
	"insertDocument":   {run: (*call).insertDocument, methods: "POST", since: version{2, 5, 0}},
	"sendChatMessage":  {run: (*call).sendChatMessage, methods: "GET", since: version{3, 0, 0}},

	"getRecordings":          {run: (*call).getRecordings, methods: "GET POST"},
	"publishRecordings":      {run: (*call).publishRecordings, methods: "GET"},
	"deleteRecordings":       {run: (*call).deleteRecordings, methods: "GET"},
	"updateRecordings":       {run: (*call).updateRecordings, methods: "GET POST"},
	"getRecordingTextTracks": {run: (*call).getRecordingTextTracks, methods: "GET POST"},
	"putRecordingTextTrack":  {run: (*call).putRecordingTextTrack, methods: "POST"},
}

type handler struct {
	run     func(*call) reply
	methods string
	since   version
}

// allows: older versions had a generic route, which let every method pass.
func (h handler) allows(method string, v version) bool {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if !v.strictPosts() && method == http.MethodPost {
		return true
	}
	return strings.Contains(" "+h.methods+" ", " "+method+" ")
}

// readBody reads a request body for the in-process transport.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer func() { _ = r.Body.Close() }()
	var buf bytes.Buffer
	_, err := buf.ReadFrom(io.LimitReader(r.Body, maxBody))
	return buf.Bytes(), err
}
