package adminapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// Callbacks takes in what nodes tell frontends. *callbacks.Intake is one.
type Callbacks interface {
	// TakeGet takes a call without a body. token is the one of the ticket.
	TakeGet(ctx context.Context, t b3scale.CallbackTicket, token, query string) error
	// TakePost takes a call with a body of a type that Accepts.
	TakePost(ctx context.Context, t b3scale.CallbackTicket, token, contentType, authorization string, body []byte) error
	Accepts(contentType string) bool
	// Tried is how long a message is good for, and Wake sends what is due.
	Tried() time.Duration
	Wake()
}

var callbackOrders = ordering[Callback]{
	"id":          by(func(c Callback) string { return c.ID }),
	"frontend_id": by(func(c Callback) string { return c.FrontendID }),
	"kind":        by(func(c Callback) CallbackKind { return c.Kind }),
	"meeting_id":  by(func(c Callback) string { return text(c.MeetingID) }),
	"url":         by(func(c Callback) string { return c.URL }),
	"state":       by(func(c Callback) CallbackState { return c.State }),
	"attempts":    by(func(c Callback) int { return c.Attempts }),
	"created_at":  func(a, b Callback) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"next_at":     func(a, b Callback) int { return a.NextAt.Compare(b.NextAt) },
	"expires_at":  func(a, b Callback) int { return a.ExpiresAt.Compare(b.ExpiresAt) },
}

// usualCallbacks is how many a list has that asks for no other number: a
// frontend that is away for a week leaves a lot of them.
const usualCallbacks = 1000

// CallbacksList lists messages, the newest first.
func (s *Server) CallbacksList(w http.ResponseWriter, r *http.Request, params CallbacksListParams) {
	query, err := callbackQuery(params)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if params.Limit == nil {
		params.Limit = new(usualCallbacks)
	}
	// Only an order of its own needs more than what is on the page and before it.
	query.Limit = maxLimit
	if params.Order == nil {
		query.Limit = min(maxLimit, max(1, *params.Limit)+max(0, orZero(params.Offset)))
	}
	var found []Callback
	reveal := who(r).Has(auth.Admin)
	total, err := s.Store.Callbacks(r.Context(), query, func(c b3scale.Callback) { found = append(found, callbackOf(c, reveal)) })
	if err == nil {
		found, err = page(w, found, paging{params.Limit, params.Offset, params.Order}, callbackOrders)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(total))
	s.send(w, r, http.StatusOK, found)
}

func callbackQuery(params CallbacksListParams) (b3scale.CallbackQuery, error) {
	query := b3scale.CallbackQuery{FrontendID: text(params.FrontendID), MeetingID: text(params.Meeting)}
	wrong := fieldErrors{}
	if params.State != nil {
		query.State = b3scale.CallbackState(*params.State)
		if !params.State.Valid() {
			wrong.add("state", "no such state")
		}
	}
	if params.Kind != nil {
		query.Kind = b3scale.CallbackKind(*params.Kind)
		if !params.Kind.Valid() {
			wrong.add("kind", "no such kind")
		}
	}
	if hasControls(query.FrontendID) {
		wrong.add("frontend_id", "is no id")
	}
	if hasControls(query.MeetingID) {
		wrong.add("meeting", "is no id")
	}
	return query, wrong.err()
}

// CallbacksRead shows one message.
func (s *Server) CallbacksRead(w http.ResponseWriter, r *http.Request, id CallbackID) {
	s.aboutCallback(w, r, id, func(ctx context.Context) (b3scale.Callback, error) { return s.Store.Callback(ctx, id) })
}

// CallbacksDestroy drops a message that waits.
func (s *Server) CallbacksDestroy(w http.ResponseWriter, r *http.Request, id CallbackID) {
	s.aboutCallback(w, r, id, func(ctx context.Context) (b3scale.Callback, error) { return s.Store.DropCallback(ctx, id, s.actor(r)) })
}

// CallbacksReplay sends a message anew.
func (s *Server) CallbacksReplay(w http.ResponseWriter, r *http.Request, id CallbackID) {
	s.aboutCallback(w, r, id, func(ctx context.Context) (b3scale.Callback, error) {
		c, err := s.Store.ReplayCallback(ctx, id, s.Callbacks.Tried(), s.actor(r))
		if err == nil {
			s.Callbacks.Wake()
		}
		return c, err
	})
}

func (s *Server) aboutCallback(w http.ResponseWriter, r *http.Request, id string, do func(context.Context) (b3scale.Callback, error)) {
	if !validID(id) {
		s.fail(w, r, unknown("callback", id))
		return
	}
	c, err := do(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, callbackOf(c, who(r).Has(auth.Admin)))
}

// callbackOf leaves out what may be a secret of the frontend, unless it is for
// an administrator.
func callbackOf(c b3scale.Callback, reveal bool) Callback {
	shown := Callback{
		ID:         c.ID,
		FrontendID: c.FrontendID,
		Kind:       CallbackKind(c.Kind),
		MeetingID:  orNull(c.MeetingID),
		URL:        c.URL,
		State:      CallbackState(c.State),
		Attempts:   c.Attempts,
		LastError:  orNull(c.LastError),
		CreatedAt:  moment(c.CreatedAt),
		NextAt:     moment(c.NextAt),
		ExpiresAt:  moment(c.ExpiresAt),
		DoneAt:     unlessNever(c.DoneAt),
	}
	if c.LastStatus != 0 {
		shown.LastStatus = &c.LastStatus
	}
	if !reveal {
		shown.URL = masked(c.URL)
	}
	return shown
}

// masked is an address without user name, query and fragment.
func masked(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" {
		return "…"
	}
	hidden := u.RawQuery != "" || u.Fragment != ""
	prefix := strings.TrimPrefix(u.Scheme+"://", "://")
	if u.User != nil {
		prefix += "…@"
	}
	shown := prefix + u.Host + u.EscapedPath()
	if hidden {
		shown += "?…"
	}
	return shown
}
