package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
)

// MintCallback signs a ticket. The same one always gives the same token. It
// never expires: a recording may be ready long after its meeting.
func (k Keys) MintCallback(t b3scale.CallbackTicket) (string, error) {
	if len(k.active) == 0 {
		return "", errors.New("no secret to sign tokens with")
	}
	claims := jwt.MapClaims{ // JSON sorts them
		"scope": Callback, "sub": t.FrontendID, // as the existing product has them, and "aud"
		"kind": t.Kind, "key": t.MeetingID, "generation": t.Origin.Generation,
	}
	if t.Origin.Create != "" {
		claims["create"] = t.Origin.Create
	}
	if t.Target != "" {
		claims["aud"] = []string{t.Target}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS384, claims).SignedString([]byte(k.active[0].Reveal()))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	if len(token) > maxToken {
		return "", errors.New("the token gets too long")
	}
	return token, nil
}

// ParseCallback verifies the token of a callback. The error is a Reason, or a
// Forbidden when the token is for something else.
func (k Keys) ParseCallback(token string) (t b3scale.CallbackTicket, err error) {
	claims, err := k.parse(token)
	if err != nil {
		return t, err
	}
	scope, ok1 := text(claims, "scope")
	subject, ok2 := text(claims, "sub")
	kind, ok3 := text(claims, "kind")
	key, ok4 := text(claims, "key")
	generation, _, ok5 := number(claims, "generation")
	create, ok6 := text(claims, "create")
	target, ok7 := audience(claims)
	switch {
	case !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || !ok7:
		return t, Invalid
	case !ParseScopes(scope).Has(Callback):
		return t, b3scale.Errorf(b3scale.Forbidden, "%s scope required", Callback)
	}
	return b3scale.CallbackTicket{
		FrontendID: subject, Target: target, Kind: b3scale.CallbackKind(kind), MeetingID: key,
		Origin: b3scale.Origin{Generation: int64(generation), Create: create},
	}, nil
}

// audience is the first of a list, or the one that stands alone.
func audience(claims jwt.MapClaims) (first string, ok bool) {
	switch aud := claims["aud"].(type) {
	case nil:
		return "", true
	case string:
		return aud, true
	case []any:
		if len(aud) == 0 {
			return "", true
		}
		first, ok = aud[0].(string)
	}
	return first, ok
}

// Ticket verifies the token in the address of a callback. It answers the
// request itself when that is not good.
func (g *Guard) Ticket(w http.ResponseWriter, r *http.Request, token string) (b3scale.CallbackTicket, bool) {
	t, err := g.keys.ParseCallback(strings.TrimSpace(token))
	switch {
	case err == nil:
		return t, true
	case b3scale.CodeOf(err) == b3scale.Forbidden:
		Forbidden(w, Callback)
	default:
		g.refuse(w, r, err)
	}
	return t, false
}
