package adminapi

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"sync/atomic"
	"time"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
	"b3scale/internal/gateway/pages"
	"b3scale/internal/routing"
	"b3scale/internal/web"
)

// Mind is what the API asks of the cluster. *cluster.Cluster is one.
type Mind interface {
	AddFrontend(ctx context.Context, f b3scale.Frontend, by b3scale.Actor) (b3scale.Frontend, error)
	EditFrontend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Frontend) error) (b3scale.Frontend, error)
	DeleteFrontend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Frontend, error)
	FrontendDefaults(ctx context.Context) (b3scale.FrontendSettings, error)
	EditFrontendDefaults(ctx context.Context, by b3scale.Actor, edit func(*b3scale.FrontendSettings) error) (b3scale.FrontendSettings, error)

	AddBackend(ctx context.Context, b b3scale.Backend, by b3scale.Actor) (b3scale.Backend, error)
	EditBackend(ctx context.Context, id string, by b3scale.Actor, edit func(*b3scale.Backend) error) (b3scale.Backend, error)
	DeleteBackend(ctx context.Context, id string, by b3scale.Actor) (b3scale.Backend, error)
	DeclareLost(ctx context.Context, id string, by b3scale.Actor) error
	Counts() (frontends, backends map[string]cluster.Count)
	NodeViews(ctx context.Context) (map[string]cluster.NodeView, error)
	SecretUses(ctx context.Context) (map[b3scale.SecretSlot]b3scale.Micros, error)

	Frontend(key string) *b3scale.Frontend
	FrontendByID(id string) *b3scale.Frontend
	Explain(ctx context.Context, req cluster.CreateRequest) (cluster.Explanation, error)

	Rooms(backendID string) []*routing.Room
	AllRooms() []*routing.Room
	Room(key b3scale.MeetingKey) *routing.Room
	RoomByInternalID(backendID, internalID string) *routing.Room
	RemoveMeeting(ctx context.Context, key b3scale.MeetingKey, internalID string) (bool, error)
	EndRoom(ctx context.Context, key b3scale.MeetingKey, internalID string) error
	EditRoom(ctx context.Context, key b3scale.MeetingKey, generation int64, internalID string, info []byte, attendees []b3scale.Attendee) (bool, error)

	BackendOfAgent(subject string) *routing.Backend
	Heartbeat(backendID string, report *cluster.AgentReport) b3scale.Micros
	TakeEvents(backendID string, b cluster.Batch) (acknowledged int64, reconcile bool)
	TakeUnnumbered(backendID string, e cluster.Event)

	AddCommand(ctx context.Context, action b3scale.CommandAction, params []byte, by b3scale.Actor) (b3scale.Command, error)
	Commands(ctx context.Context) ([]b3scale.Command, error)
	Command(ctx context.Context, id string) (b3scale.Command, error)
}

// Store is what the API reads as it is stored, so that an operator sees at
// once, through any instance, what another operator has just changed.
type Store interface {
	Frontends(ctx context.Context) ([]b3scale.Frontend, error)
	Backends(ctx context.Context) ([]b3scale.Backend, error)
	Callbacks(ctx context.Context, q b3scale.CallbackQuery, yield func(b3scale.Callback)) (total int, err error)
	Callback(ctx context.Context, id string) (b3scale.Callback, error)
	ReplayCallback(ctx context.Context, id string, tried time.Duration, by b3scale.Actor) (b3scale.Callback, error)
	DropCallback(ctx context.Context, id string, by b3scale.Actor) (b3scale.Callback, error)
	NoteAction(ctx context.Context, e b3scale.AuditEntry) error
	Audit(ctx context.Context, q b3scale.AuditQuery, yield func(b3scale.AuditEntry)) error
	Schema(ctx context.Context) (b3scale.Schema, error)
	Migrate(ctx context.Context) error
}

// Options are what a Server needs.
type Options struct {
	Mind       Mind
	Store      Store
	Callbacks  Callbacks
	Recordings Recordings // nil: none are kept
	Playback   Playback   // nil: no recordings are kept
	Guard      *auth.Guard
	Log        *slog.Logger
	Trusted    []netip.Prefix // proxies whose X-Forwarded-For is believed
	Version    string
	Build      string

	Instance string   // which one of several this is
	Level    LogLevel // nil: it cannot be changed

	MaxBody int64         // bytes of a request body; 0: 1 MiB
	Timeout time.Duration // of one request; 0: 60 s
}

// Server serves the API.
type Server struct {
	Options
	mux     *http.ServeMux
	pages   *pages.Pages
	checks  atomic.Bool // recordings and files
	guarded http.Handler
}

var _ ServerInterface = (*Server)(nil)

// Paths are those that a Server answers, as patterns of http.ServeMux.
var Paths = []string{"/api/v1", "/api/v1/", docsPath}

const (
	docsPath     = "/docs/api/v1"
	contractPath = "/api/v1/openapi.yaml"
)

// New makes a Server.
func New(opts Options) *Server {
	if opts.MaxBody == 0 {
		opts.MaxBody = 1 << 20
	}
	if opts.Timeout == 0 {
		opts.Timeout = time.Minute
	}
	s := &Server{Options: opts, mux: http.NewServeMux(), pages: pages.New()}
	HandlerWithOptions(s, StdHTTPServerOptions{BaseRouter: s.mux, ErrorHandlerFunc: s.badParameter})
	s.guarded = opts.Guard.Require(http.HandlerFunc(s.route))
	return s
}

// ServeHTTP lets everybody read the contract, nodes and browsers come with a
// token in the path and web servers ask what they may serve, and asks for a
// token in a header otherwise.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.recover(w, r)
	token, isCallback := callbackToken(r)
	name, isProtected := protectedName(r)
	switch {
	case r.URL.Path == contractPath && r.Method == http.MethodGet:
		s.ContractRead(w, r)
	case r.URL.Path == docsPath:
		s.docs(w, r)
	case isCallback:
		s.nodeCalls(w, r, token)
	case isProtected:
		s.protected(w, r, name)
	default:
		timeout := s.Timeout
		if movesFiles(r) {
			timeout = longest
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		s.guarded.ServeHTTP(w, r.WithContext(ctx))
	}
}

// recover answers a panic as clients understand it: with an object.
func (s *Server) recover(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // it is passed on as it is
		panic(cause) // the server knows what this means
	}
	s.Log.ErrorContext(r.Context(), "panic", "cause", web.Redacted(cause), "stack", string(debug.Stack()))
	s.send(w, r, http.StatusInternalServerError, Problem{Message: http.StatusText(http.StatusInternalServerError)})
}

// route checks the scopes of a route, and then takes it. Nobody learns without
// a token which routes there are.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	_, pattern := s.mux.Handler(r)
	scopes, known := acceptedScopes(pattern)
	if !known || path.Clean(r.URL.EscapedPath()) != r.URL.EscapedPath() { // the mux would redirect
		s.fail(w, r, b3scale.Errorf(b3scale.NotFound, "Not Found"))
		return
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Allow", "OPTIONS, GET")
		s.fail(w, r, statusError{http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)})
		return
	}
	web.Note(w, notes{pattern, who(r).Subject})
	if len(scopes) > 0 && !who(r).HasAny(scopes...) {
		auth.Forbidden(w, scopes...)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.MaxBody)
	s.mux.ServeHTTP(w, r)
}

// notes are for the line of a request in the log.
type notes struct{ route, subject string }

// LogAttrs tell which operation it was and whose token.
func (n notes) LogAttrs() []slog.Attr {
	return []slog.Attr{slog.String("route", n.route), slog.String("subject", n.subject)}
}

// Matters leaves it to the status.
func (notes) Matters() bool { return false }

// who sends the request.
func who(r *http.Request) auth.Identity {
	identity, _ := auth.Of(r.Context()) // Require has put it there
	return identity
}

// actor is who, for the audit.
func (s *Server) actor(r *http.Request) b3scale.Actor {
	return b3scale.Actor{
		Subject:   who(r).Subject,
		Address:   web.ClientAddress(r, s.Trusted),
		RequestID: web.RequestIDOf(r.Context()),
	}
}

var (
	//go:embed openapi.yaml
	document []byte
	//go:embed docs.html
	docsPage []byte
)

// ContractRead sends the contract.
func (s *Server) ContractRead(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(document)
}

// docs sends the contract for people to read.
func (s *Server) docs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(docsPage)
}
