package adminapi

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
)

// facts are what is known of backends besides their rows.
type facts struct {
	views  map[string]cluster.NodeView
	counts map[string]cluster.Count
	uses   secretUses
}

// BackendsList lists them.
func (s *Server) BackendsList(w http.ResponseWriter, r *http.Request, params BackendsListParams) {
	all, known, err := s.backends(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	var found []Backend
	for _, b := range all {
		if wantsBackend(params, &b) {
			found = append(found, backendOf(&b, known, who(r)))
		}
	}
	found, err = page(w, found, paging{params.Limit, params.Offset, params.Order}, backendOrders)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, found)
}

// BackendsCreate adds one, or gives an agent the one that an operator has added
// for it.
func (s *Server) BackendsCreate(w http.ResponseWriter, r *http.Request) {
	var body backendBody
	if err := request(r, &body); err != nil {
		s.fail(w, r, err)
		return
	}
	b, err := body.create(who(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	all, err := s.Store.Backends(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if who(r).HasAny(auth.Admin) && slices.ContainsFunc(all, func(o b3scale.Backend) bool { return o.AgentRef == b.AgentRef }) {
		b.AgentRef = "" // its agent has a backend already; an operator may add more
	}
	if i := slices.IndexFunc(all, func(o b3scale.Backend) bool { return withSlash(o.Host) == b.Host }); i >= 0 {
		b, err = s.bind(r, all[i].ID, &b)
	} else {
		b, err = s.Mind.AddBackend(r.Context(), b, s.actor(r))
	}
	s.answerBackend(w, r, "", b, err)
}

const takenHost = "is the host of another backend"

// bind gives a backend that has no agent to the one that knows its secret.
func (s *Server) bind(r *http.Request, id string, wanted *b3scale.Backend) (b3scale.Backend, error) {
	hostTaken := taken("bbb.host", takenHost, b3scale.Errorf(b3scale.Conflict, "the host %q is taken", wanted.Host))
	if wanted.AgentRef == "" {
		return b3scale.Backend{}, hostTaken
	}
	return s.Mind.EditBackend(r.Context(), id, s.actor(r), func(b *b3scale.Backend) error {
		if b.AgentRef != "" || withSlash(b.Host) != wanted.Host || !knowsSecret(wanted.Secret, b) {
			return hostTaken
		}
		b.AgentRef = wanted.AgentRef
		return nil
	})
}

func knowsSecret(secret b3scale.Secret, b *b3scale.Backend) bool {
	first := subtle.ConstantTimeCompare([]byte(secret.Reveal()), []byte(b.Secret.Reveal()))
	second := subtle.ConstantTimeCompare([]byte(secret.Reveal()), []byte(b.SecondarySecret.Reveal()))
	return secret != "" && first|second == 1
}

// BackendsRead shows one.
func (s *Server) BackendsRead(w http.ResponseWriter, r *http.Request, id BackendID) {
	all, known, err := s.backends(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	i := slices.IndexFunc(all, func(b b3scale.Backend) bool { return b.ID == id })
	if i < 0 || !seesBackend(who(r), &all[i]) {
		s.fail(w, r, unknown("backend", id))
		return
	}
	s.send(w, r, http.StatusOK, backendOf(&all[i], known, who(r)))
}

// BackendsPatch changes one.
func (s *Server) BackendsPatch(w http.ResponseWriter, r *http.Request, id BackendID) {
	text, err := readBody(r)
	if err == nil && !validID(id) {
		err = unknown("backend", id)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	b, err := s.Mind.EditBackend(r.Context(), id, s.actor(r), func(b *b3scale.Backend) error {
		if !who(r).Has(auth.Admin) && !isAgentOf(who(r), b) {
			return unknown("backend", id)
		}
		body := backendBodyOf(b)
		if err := body.merge(text, who(r)); err != nil {
			return err
		}
		return body.edit(b, who(r))
	})
	s.answerBackend(w, r, id, b, err)
}

// BackendsDestroy decommissions one, or deletes it.
func (s *Server) BackendsDestroy(w http.ResponseWriter, r *http.Request, id BackendID, params BackendsDestroyParams) {
	if !validID(id) {
		s.fail(w, r, unknown("backend", id))
		return
	}
	var b b3scale.Backend
	var err error
	if isYes(text(params.Force)) {
		b, err = s.Mind.DeleteBackend(r.Context(), id, s.actor(r))
		b.AdminState = b3scale.AdminState(AdminStateDestroyed)
	} else {
		b, err = s.Mind.EditBackend(r.Context(), id, s.actor(r), func(b *b3scale.Backend) error {
			b.AdminState = b3scale.AdminDecommissioned
			return nil
		})
	}
	s.answerBackend(w, r, id, b, err)
}

// BackendsDeclareLost passes the verdict on one.
func (s *Server) BackendsDeclareLost(w http.ResponseWriter, r *http.Request, id BackendID) {
	if !validID(id) {
		s.fail(w, r, unknown("backend", id))
		return
	}
	if err := s.Mind.DeclareLost(r.Context(), id, s.actor(r)); err != nil {
		s.answerBackend(w, r, id, b3scale.Backend{}, err)
		return
	}
	s.BackendsRead(w, r, id)
}

// backends reads them all, and what else is known of them.
func (s *Server) backends(ctx context.Context) ([]b3scale.Backend, facts, error) {
	all, err := s.Store.Backends(ctx)
	if err != nil {
		return nil, facts{}, err
	}
	known, err := s.facts(ctx)
	return all, known, err
}

func (s *Server) facts(ctx context.Context) (known facts, err error) {
	if known.views, err = s.Mind.NodeViews(ctx); err != nil {
		return facts{}, err
	}
	_, known.counts = s.Mind.Counts()
	known.uses, err = s.Mind.SecretUses(ctx)
	return known, err
}

// answerBackend answers a change.
func (s *Server) answerBackend(w http.ResponseWriter, r *http.Request, id string, b b3scale.Backend, err error) {
	switch b3scale.CodeOf(err) {
	case b3scale.NotFound:
		err = unknown("backend", id)
	case b3scale.Conflict:
		err = s.takenBackend(r, err)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	known, err := s.facts(r.Context())
	if err != nil { // the change is done, and must not look as if it were not
		s.Log.WarnContext(r.Context(), "facts about backends not read", "error", err)
	}
	s.send(w, r, http.StatusOK, backendOf(&b, known, who(r)))
}

// takenBackend finds out what is taken: an agent's token may have a backend
// already.
func (s *Server) takenBackend(r *http.Request, cause error) error {
	if _, known := errors.AsType[refusal](cause); known {
		return cause
	}
	if i := who(r); i.Has(auth.Node) {
		all, err := s.Store.Backends(r.Context())
		if err != nil {
			return err
		}
		if r.Method == http.MethodPost && slices.ContainsFunc(all, func(b b3scale.Backend) bool { return b.AgentRef == i.Subject }) {
			return taken("agent_ref", "is the agent of another backend", cause)
		}
	}
	return taken("bbb.host", takenHost, cause)
}

// isAgentOf reports whether an agent's token is that of this backend. A token
// without a subject is nobody's.
func isAgentOf(i auth.Identity, b *b3scale.Backend) bool {
	return i.Has(auth.Node) && i.Subject != "" && b.AgentRef == i.Subject
}

func seesBackend(i auth.Identity, b *b3scale.Backend) bool {
	return i.HasAny(auth.Admin, auth.Read) || isAgentOf(i, b)
}

func wantsBackend(params BackendsListParams, b *b3scale.Backend) bool {
	host := text(params.Host)
	return (host == "" || withSlash(b.Host) == withSlash(host)) &&
		strings.Contains(b.Host, text(params.HostLike)) &&
		strings.Contains(strings.ToLower(b.Host), strings.ToLower(text(params.HostILike)))
}

// withSlash is the one spelling of a host.
func withSlash(host string) string { return strings.TrimRight(host, "/") + "/" }

var backendOrders = ordering[Backend]{
	"":                by(func(b Backend) string { return b.BBB.Host }),
	"id":              by(func(b Backend) string { return b.ID }),
	"node_state":      by(func(b Backend) NodeState { return b.NodeState }),
	"admin_state":     by(func(b Backend) AdminState { return b.AdminState }),
	"lost":            by(func(b Backend) int { return number(b.Lost) }),
	"eligible":        by(func(b Backend) int { return number(b.Eligible) }),
	"agent_heartbeat": func(a, b Backend) int { return a.AgentHeartbeat.Compare(b.AgentHeartbeat) },
	"agent_ref":       by(func(b Backend) string { return text(b.AgentRef) }),
	"last_error":      by(func(b Backend) string { return text(b.LastError) }),
	"latency":         by(func(b Backend) int64 { return b.Latency }),
	"meetings_count":  by(func(b Backend) int { return b.MeetingsCount }),
	"attendees_count": by(func(b Backend) int { return b.AttendeesCount }),
	"load_factor":     by(func(b Backend) float64 { return b.LoadFactor }),
	"bbb.host":        by(func(b Backend) string { return b.BBB.Host }),
	"created_at":      func(a, b Backend) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"updated_at":      func(a, b Backend) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
	"synced_at":       func(a, b Backend) int { return a.SyncedAt.Compare(b.SyncedAt) },
}

// neverHeard is how old clients know an agent that was never heard.
var neverHeard = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// backendOf is the backend as i may see it. The row is as it is stored; what
// this instance knows of the node may be a moment older.
func backendOf(b *b3scale.Backend, known facts, i auth.Identity) Backend {
	secrets := i.Has(auth.Admin) || isAgentOf(i, b)
	view, seen := known.views[b.ID]
	if !seen {
		view.State = cluster.NodeInit
	}
	eligible := view.Eligible && b.TakesMeetings()
	reasons := append([]string{}, view.Reasons...) // an array, never null
	if !eligible && len(reasons) == 0 {
		reasons = append(reasons, "it was changed a moment ago")
	}
	heartbeat := neverHeard
	if view.Heartbeat != 0 {
		heartbeat = moment(view.Heartbeat)
	}
	return Backend{
		ID:             b.ID,
		NodeState:      NodeState(view.State),
		AdminState:     AdminState(b.AdminState),
		Lost:           b.Lost,
		LostAt:         unlessNever(b.LostAt),
		Eligible:       eligible,
		Reasons:        reasons,
		AgentHeartbeat: heartbeat,
		AgentRef:       orNull(b.AgentRef),
		LastError:      orNull(view.LastError),
		Node:           nodeOf(view.Node),
		Latency:        view.Latency.Nanoseconds(),
		MeetingsCount:  max(view.Meetings, 0),
		AttendeesCount: max(view.Attendees, 0),
		Counts:         countsOf(known.counts[b.ID]),
		LoadFactor:     b.LoadFactor,
		BBB: BackendBBB{
			Host:                  b.Host,
			Secret:                reveal(b.Secret, secrets),
			SecondarySecret:       reveal(b.SecondarySecret, secrets),
			SecretUsedAt:          unlessNever(known.uses[b3scale.SecretSlot{OwnerID: b.ID}]),
			SecondarySecretUsedAt: unlessNever(known.uses[b3scale.SecretSlot{OwnerID: b.ID, Secondary: true}]),
		},
		Settings:  BackendSettings{Tags: b.Settings.Tags, MaxMeetings: b.Settings.MaxMeetings, MaxAttendees: b.Settings.MaxAttendees},
		CreatedAt: moment(b.CreatedAt),
		UpdatedAt: moment(b.UpdatedAt),
		SyncedAt:  moment(b.ListedAt),
	}
}
