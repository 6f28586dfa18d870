package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"b3scale/internal/web"
)

// Options are what a Guard needs.
type Options struct {
	Keys    Keys
	Log     *slog.Logger   // nil: nothing is logged
	Trusted []netip.Prefix // proxies whose X-Forwarded-For is believed
}

// Guard lets requests with a valid token pass and slows those down that try
// others again and again. One Guard stands before all doors, so that an address
// is known at each of them.
type Guard struct {
	keys    Keys
	log     *slog.Logger
	trusted []netip.Prefix
	brake   *brake
	failed  map[Reason]*atomic.Int64 // fixed, only the counts change
}

// New makes a Guard.
func New(opts Options) *Guard {
	g := &Guard{
		keys:    opts.Keys,
		log:     opts.Log,
		trusted: opts.Trusted,
		brake:   newBrake(),
		failed:  make(map[Reason]*atomic.Int64),
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	for _, reason := range reasons {
		g.failed[reason] = new(atomic.Int64)
	}
	return g
}

// Require hands requests with a valid token to next, with the identity in their
// context (see Of), and answers all others itself.
func (g *Guard) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity, err := g.identify(r)
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		if identity.forAnAddress() {
			Forbidden(w, Admin, Owner, Node, Read)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, identity)))
	})
}

// Failures counts the requests that were not let in since the start. Every
// reason is in it, those that never happened too.
func (g *Guard) Failures() map[Reason]int64 {
	counts := make(map[Reason]int64, len(g.failed))
	for reason, count := range g.failed {
		counts[reason] = count.Load()
	}
	return counts
}

// forAnAddress reports whether the token is one that we put into addresses:
// nodes, browsers and their logs have it, and it opens what stands there alone.
func (i Identity) forAnAddress() bool {
	return len(i.Scopes) > 0 && !slices.ContainsFunc(i.Scopes, func(s Scope) bool { return s != Callback && s != Recordings })
}

func (g *Guard) identify(r *http.Request) (Identity, error) {
	token, err := bearer(r.Header)
	if err != nil {
		return Identity{}, err
	}
	return g.keys.Parse(token)
}

// bearer takes the token out of the one Authorization header.
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", Missing
	}
	scheme, token, found := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if len(values) > 1 || !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", Malformed
	}
	return token, nil
}

// refuse answers now or, when the address has failed a lot, a little later. Who
// has a valid token never comes here.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	reason, ok := errors.AsType[Reason](err)
	if !ok {
		reason = Invalid
	}
	client := web.ClientAddress(r, g.trusted)
	hold, ok := g.brake.note(client)
	if !ok {
		// Not worth a line each: the address has some already, and may send
		// as many of these as the network can carry.
		g.failed[Throttled].Add(1)
		g.log.DebugContext(r.Context(), "authentication failed", "reason", Throttled, "client", client)
		w.Header().Set("Retry-After", retryAfter)
		answer(w, http.StatusTooManyRequests, http.StatusText(http.StatusTooManyRequests))
		return
	}
	g.failed[reason].Add(1)
	g.log.WarnContext(r.Context(), "authentication failed", "reason", reason, "client", client)
	hold.wait(r.Context())
	w.Header().Set("WWW-Authenticate", "Bearer")
	answer(w, http.StatusUnauthorized, reason.message())
}
