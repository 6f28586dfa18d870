package auth

import (
	"context"
	"slices"
	"strings"
)

// Scope is one thing that the bearer of a token may be.
type Scope string

// The scopes. Each door says which of them it accepts.
const (
	Owner      Scope = "b3scale"            // of frontends: their account_ref is the subject
	Admin      Scope = "b3scale:admin"      // operates the cluster
	Node       Scope = "b3scale:node"       // the agent of one backend: its agent_ref is the subject
	Read       Scope = "b3scale:read"       // looks at everything, changes nothing
	Recordings Scope = "b3scale:recordings" // plays protected recordings; for this program's own tokens
	Callback   Scope = "b3scale:callback"   // calls back through the proxy; for this program's own tokens
)

// Scopes are all scopes of one token. What one of them grants, no other takes
// away: the token of an administrator that is a node's as well is no smaller.
type Scopes []Scope

// ParseScopes reads them from the text in a token, where blanks separate them.
// Unknown ones are kept and grant nothing.
func ParseScopes(text string) Scopes {
	var scopes Scopes
	for name := range strings.FieldsSeq(text) {
		if !scopes.Has(Scope(name)) {
			scopes = append(scopes, Scope(name))
		}
	}
	return scopes
}

// Has reports whether scope is one of them.
func (s Scopes) Has(scope Scope) bool { return slices.Contains(s, scope) }

// HasAny reports whether at least one of the given scopes is one of them.
func (s Scopes) HasAny(scopes ...Scope) bool { return slices.ContainsFunc(scopes, s.Has) }

// String is the text in a token.
func (s Scopes) String() string { return s.join(" ") }

func (s Scopes) join(separator string) string {
	names := make([]string, len(s))
	for i, scope := range s {
		names[i] = string(scope)
	}
	return strings.Join(names, separator)
}

// Identity is who sends a request, as a valid token says.
type Identity struct {
	Subject string // may be empty
	Scopes  Scopes
}

// Has reports whether the bearer has the scope.
func (i Identity) Has(scope Scope) bool { return i.Scopes.Has(scope) }

// HasAny reports whether the bearer has at least one of the scopes.
func (i Identity) HasAny(scopes ...Scope) bool { return i.Scopes.HasAny(scopes...) }

type identityKey struct{}

// Of gives the identity that Guard.Require has put into a request's context.
// It is false where no Guard stands before.
func Of(ctx context.Context) (Identity, bool) {
	identity, ok := ctx.Value(identityKey{}).(Identity)
	return identity, ok
}
