// Package b3scale is the domain: frontends, backends, meetings, their
// identities and the contracts (Store) that keep them safe.
//
// It knows nothing of HTTP, SQL or the BigBlueButton wire format and uses the
// standard library only. Everything else in this module depends on it.
//
// The protocol that decides where a meeting lives is described in
// docs/consistency.md; the types here carry its facts: generations, claims,
// incarnations and orphans.
package b3scale
