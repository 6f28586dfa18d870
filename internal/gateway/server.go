package gateway

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/cluster"
	"b3scale/internal/gateway/pages"
)

// The prefixes of the paths that belong to the gateway.
const (
	Prefix      = "/bbb/"
	RetryPrefix = "/b3s/retry-join/"
)

// Options have useful zero values.
type Options struct {
	MaxBody         int64         // bytes of a form; 1 MiB
	MaxPresentation int64         // bytes of an XML body with presentations; 64 MiB
	WriteTimeout    time.Duration // for the answer, counted from the end of the body; 0: the server's own
	ExtraResources  []string      // further calls about one meeting that are forwarded to its backend
}

// Gateway serves the BBB API.
type Gateway struct {
	cluster *cluster.Cluster
	pages   *pages.Pages
	log     *slog.Logger
	opts    Options
	calls   map[string]handler
	nobody  string // a secret that nobody has
}

// New makes a gateway.
func New(c *cluster.Cluster, log *slog.Logger, opts Options) *Gateway {
	if opts.MaxBody == 0 {
		opts.MaxBody = 1 << 20
	}
	if opts.MaxPresentation == 0 {
		opts.MaxPresentation = 64 << 20
	}
	g := &Gateway{cluster: c, pages: pages.New(), log: log, opts: opts, nobody: b3scale.NewID()}
	g.calls = map[string]handler{
		"create":           {do: g.create, meeting: true, xml: true, effect: true},
		"join":             {do: g.join, meeting: true},
		"isMeetingRunning": {do: g.isMeetingRunning, meeting: true},
		"end":              {do: g.end, meeting: true, effect: true},
		"getMeetingInfo":   {do: g.getMeetingInfo, meeting: true},
		"getMeetings":      {do: g.getMeetings},
		"insertDocument":   {do: g.forward, meeting: true, xml: true, effect: true},
		"sendChatMessage":  {do: g.sendChatMessage, meeting: true, effect: true},
	}
	for _, name := range opts.ExtraResources {
		if _, known := g.calls[name]; !known {
			g.calls[name] = handler{do: g.forward, meeting: true, xml: true, effect: true}
		}
	}
	return g
}

// handler is one call of the API.
type handler struct {
	do      func(http.ResponseWriter, *request)
	meeting bool // it is about one meeting
	xml     bool // it takes an XML body
	effect  bool // it changes something: not to be run by a HEAD
}

// request is a verified call of a frontend.
type request struct {
	bbb.Request
	http     *http.Request
	frontend *b3scale.Frontend
	body     []byte // XML
	form     bool   // the parameters came in the body
	attempt  int    // how often a waiting browser has tried before

	key    b3scale.MeetingKey // of the meeting it is about
	nodeID string             // that meeting's id on the nodes
}

// ServeHTTP answers one call. The path is taken as it came, before any
// ServeMux: base URLs with a trailing slash give // and must not be redirected.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, RetryPrefix) {
		g.retryJoin(w, r)
		return
	}
	g.serve(w, r, 0)
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, attempt int) {
	key, resource := splitPath(r.URL.Path)
	call, known := g.calls[resource]
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodHead}, r.Method) || r.Method == http.MethodHead && call.effect {
		w.Header().Set("Allow", "GET, POST")
		fail(w, http.StatusMethodNotAllowed, bbb.ErrUnsupported)
		return
	}
	if resource == "" {
		answer(w, bbb.VersionAnswer())
		return
	}
	req, problem := g.verify(w, r, key, resource, call)
	if problem == nil && !known {
		problem = refuse(bbb.ErrUnsupported)
	}
	if problem == nil && call.meeting {
		problem = req.findMeeting()
	}
	if problem != nil {
		fail(w, problem.status, problem.failure)
		return
	}
	req.attempt = attempt
	call.do(w, req)
}

// splitPath takes the frontend's key and the resource out of a path below
// /bbb/: the first and the last segment. What lies between is not looked at.
// A path that names no call is the index, with resource "".
func splitPath(path string) (key, resource string) {
	key, rest, _ := strings.Cut(strings.TrimLeft(strings.TrimPrefix(path, Prefix), "/"), "/")
	rest = strings.TrimRight(rest, "/")
	resource = rest[strings.LastIndexByte(rest, '/')+1:]
	if resource == "api" || resource == "bigbluebutton" {
		resource = "" // the index, with or without its slash
	}
	return key, resource
}
