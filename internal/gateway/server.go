package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/cluster"
	"b3scale/internal/gateway/pages"
	"b3scale/internal/web"
)

// The prefixes of the paths that belong to the gateway. Below Prefix the path
// names the frontend, below HostPrefix the host does.
const (
	Prefix      = "/bbb/"
	HostPrefix  = "/bigbluebutton/"
	RetryPrefix = "/b3s/retry-join/"
)

// Prefixes are all of them.
var Prefixes = []string{Prefix, HostPrefix, RetryPrefix}

// Options have useful zero values.
type Options struct {
	MaxBody         int64          // bytes of a form; 1 MiB
	MaxPresentation int64          // bytes of an XML body with presentations; 64 MiB
	MaxBodies       int64          // bytes of all bodies above MaxBody at a time; 1 GiB, and never less than MaxPresentation
	MaxList         int64          // bytes of one list of recordings; 64 MiB. All together take half of MaxBodies, and never less than two of them
	WriteTimeout    time.Duration  // for the answer, counted from the end of the body; 0: the server's own
	RequestTimeout  time.Duration  // for a call that reaches a node, waiting for its turn included; 55 s
	NodeCalls       int            // of one frontend to nodes at a time; 128
	ExtraResources  []string       // further calls about one meeting that are forwarded to its backend
	Done            func(Record)   // hears what became of every request; nil: nobody does
	Unproven        func(string)   // hears of wrong checksums, with the key of the frontend that was meant or ""; nil: nobody does
	Trusted         []netip.Prefix // reverse proxies whose X-Forwarded-Host is believed
	Recordings      Recordings     // nil: there are none
	Playback        Playback       // nil: recordings are played where they were made, protected ones nowhere
}

// Gateway serves the BBB API.
type Gateway struct {
	cluster *cluster.Cluster
	pages   *pages.Pages
	log     *slog.Logger
	opts    Options
	calls   map[string]handler
	nobody  string // a secret that nobody has
	quotas  quotas
	flights flights

	bodies     *semaphore.Weighted // bytes of large bodies
	overBodies remark
	lists      *semaphore.Weighted // bytes of lists of recordings
	overLists  remark
}

// New makes a gateway.
func New(c *cluster.Cluster, log *slog.Logger, opts Options) *Gateway {
	if opts.MaxBody == 0 {
		opts.MaxBody = 1 << 20
	}
	if opts.MaxPresentation == 0 {
		opts.MaxPresentation = 64 << 20
	}
	if opts.MaxBodies == 0 {
		opts.MaxBodies = 1 << 30
	}
	opts.MaxBodies = max(opts.MaxBodies, opts.MaxPresentation)
	if opts.MaxList == 0 {
		opts.MaxList = 64 << 20
	}
	if opts.RequestTimeout == 0 {
		opts.RequestTimeout = 55 * time.Second
	}
	if opts.NodeCalls == 0 {
		opts.NodeCalls = 128
	}
	if opts.Recordings == nil {
		opts.Recordings = noRecordings{}
	}
	if opts.Playback == nil {
		opts.Playback = storedLinks{}
	}
	g := &Gateway{
		cluster: c, pages: pages.New(), log: log, opts: opts, nobody: b3scale.NewID(),
		bodies: semaphore.NewWeighted(opts.MaxBodies), lists: semaphore.NewWeighted(opts.roomForLists()),
	}
	g.calls = map[string]handler{
		"create":           {do: g.create, meeting: true, xml: true, effect: true, node: true},
		"join":             {do: g.join, meeting: true},
		"isMeetingRunning": {do: g.isMeetingRunning, meeting: true},
		"end":              {do: g.end, meeting: true, effect: true, node: true},
		"getMeetingInfo":   {do: g.getMeetingInfo, meeting: true},
		"getMeetings":      {do: g.getMeetings},
		"insertDocument":   {do: g.forward, meeting: true, xml: true, effect: true, node: true},
		"sendChatMessage":  {do: g.sendChatMessage, meeting: true, effect: true, node: true},

		"getRecordings":          {do: g.getRecordings, recordings: true},
		"publishRecordings":      {do: g.publishRecordings, recordings: true, effect: true, only: http.MethodGet},
		"updateRecordings":       {do: g.updateRecordings, recordings: true, effect: true},
		"deleteRecordings":       {do: g.deleteRecordings, recordings: true, effect: true, only: http.MethodGet},
		"getRecordingTextTracks": {do: g.getRecordingTextTracks, recordings: true},
		"putRecordingTextTrack":  {do: g.putRecordingTextTrack, recordings: true, effect: true, only: http.MethodPost},
	}
	for _, name := range opts.ExtraResources {
		if _, known := g.calls[name]; !known {
			g.calls[name] = handler{do: g.forward, meeting: true, xml: true, effect: true, node: true}
		}
	}
	for name, call := range g.calls {
		call.name = name
		g.calls[name] = call
	}
	return g
}

// handler is one call of the API.
type handler struct {
	name    string
	do      func(http.ResponseWriter, *request)
	meeting bool // it is about one meeting
	xml     bool // it takes an XML body
	effect  bool // it changes something: not to be run by a HEAD
	node    bool // it reaches a node, each by itself

	recordings bool   // it is about recordings, see verifyRecordings
	only       string // the one method that it takes
}

// methods are those that the call takes.
func (call handler) methods() []string {
	switch {
	case call.only != "":
		return []string{call.only}
	case call.effect:
		return []string{http.MethodGet, http.MethodPost}
	default:
		return []string{http.MethodGet, http.MethodPost, http.MethodHead}
	}
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

	hasShare bool     // it is one of the frontend's calls to nodes already
	held     []func() // give back what it holds
}

func (req *request) whenDone(release func()) { req.held = append(req.held, release) }

func (req *request) done() {
	for _, release := range req.held {
		release()
	}
}

// ServeHTTP answers one call. The path is taken as it came, before any
// ServeMux: base URLs with a trailing slash give // and must not be redirected.
func (g *Gateway) ServeHTTP(writer http.ResponseWriter, r *http.Request) {
	w := g.begin(writer, r)
	defer g.finish(w, r)
	if strings.HasPrefix(r.URL.Path, RetryPrefix) {
		g.retryJoin(w, r)
		return
	}
	g.serve(w, r, 0)
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, attempt int) {
	resource := resourceOf(r.URL.Path)
	call, known := g.calls[resource]
	noteCall(w, resource, call)
	if methods := call.methods(); !slices.Contains(methods, r.Method) {
		w.Header().Set("Allow", strings.Join(methods[:min(2, len(methods))], ", "))
		fail(w, http.StatusMethodNotAllowed, bbb.ErrUnsupported)
		return
	}
	if resource == "" {
		answer(w, bbb.VersionAnswer())
		return
	}
	req := g.identify(r, resource)
	defer req.done()
	req.attempt = attempt
	problem := g.verify(w, req, call)
	if problem == answered {
		return
	}
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
	if call.node {
		g.atNode(w, req, call)
	} else {
		call.do(w, req)
	}
}

// atNode runs a call that reaches a node, when it is its turn.
func (g *Gateway) atNode(w http.ResponseWriter, req *request, call handler) {
	ctx, cancel := context.WithTimeout(req.http.Context(), g.opts.RequestTimeout)
	defer cancel()
	if !req.hasShare {
		done, err := g.share(ctx, req.frontend)
		if err != nil {
			failErr(w, err)
			return
		}
		defer done()
	}
	req.http = req.http.WithContext(ctx)
	call.do(w, req)
}

// frontend finds the frontend that a request is meant for: below /bbb/ its key
// is the first segment, below /bigbluebutton/ the host is one of its names.
func (g *Gateway) frontend(r *http.Request) *b3scale.Frontend {
	if below, found := strings.CutPrefix(r.URL.Path, Prefix); found {
		key, _, _ := strings.Cut(strings.TrimLeft(below, "/"), "/")
		return g.cluster.Frontend(key)
	}
	if host := web.Host(r, g.opts.Trusted); host != "" {
		return g.cluster.FrontendAt(host)
	}
	return nil
}

// resourceOf takes the resource out of a path: its last segment. What lies
// between that and the prefix, or the key, is not looked at. A path that names
// no call is the index, with resource "".
func resourceOf(path string) string {
	if below, found := strings.CutPrefix(path, Prefix); found {
		_, path, _ = strings.Cut(strings.TrimLeft(below, "/"), "/")
	}
	path = strings.TrimRight(path, "/")
	resource := path[strings.LastIndexByte(path, '/')+1:]
	if resource == "api" || resource == "bigbluebutton" {
		return "" // the index, with or without its slash
	}
	return resource
}
