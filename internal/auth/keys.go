package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
)

const (
	// maxToken is far more than any token of the tools has.
	maxToken = 8 << 10

	// leeway is by how much the clock of who mints a token may run ahead.
	leeway = 5 * time.Second
)

// Keys sign and verify tokens. The zero value verifies none.
type Keys struct {
	active []b3scale.Secret // none is empty; the first one signs
}

// NewKeys takes the secret that signs, and a second one whose tokens are still,
// or already, accepted while secrets are being rotated; it may be unset. When
// the first is unset, nothing is signed or accepted.
func NewKeys(secret, secondary b3scale.Secret) Keys {
	var keys Keys
	if secret == "" {
		return keys // an empty key would verify what everybody can sign
	}
	keys.active = append(keys.active, secret)
	if secondary != "" {
		keys.active = append(keys.active, secondary)
	}
	return keys
}

// Format keeps the secrets out of every fmt verb: fmt prints unexported fields
// without asking them.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%d keys", len(k.active)) }

// LogValue hides the secrets from slog.
func (k Keys) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// Claims are what a new token says.
type Claims struct {
	Subject string
	Scopes  Scopes
	Expires time.Time // zero: never, as the tokens of the tools
}

// Mint signs a token.
func (k Keys) Mint(c Claims) (string, error) {
	if len(k.active) == 0 {
		return "", errors.New("no secret to sign tokens with")
	}
	claims := jwt.MapClaims{
		"scope": c.Scopes.String(),
		"sub":   c.Subject,
		"jti":   newTokenID(),
		"iat":   time.Now().Unix(),
	}
	if !c.Expires.IsZero() {
		claims["exp"] = c.Expires.Unix()
	}
	return k.sign(claims)
}

func (k Keys) sign(claims jwt.MapClaims) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS384, claims).SignedString([]byte(k.active[0].Reveal()))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}

// newTokenID is 24 characters of a-z, A-Z, 0-9, - and _.
func newTokenID() string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// parser judges signatures only: the library has one leeway for all times.
var parser = jwt.NewParser(
	jwt.WithValidMethods([]string{jwt.SigningMethodHS384.Alg()}),
	jwt.WithoutClaimsValidation(),
)

// Parse verifies a token and gives its bearer. The error is a Reason.
//
// The audience and the time of issue are not judged: the first is for other
// readers, and the second would lock out whose clock runs ahead.
func (k Keys) Parse(token string) (Identity, error) {
	claims, err := k.parse(token)
	if err != nil {
		return Identity{}, err
	}
	scope, ok := text(claims, "scope")
	subject, fine := text(claims, "sub")
	if !ok || !fine {
		return Identity{}, Invalid
	}
	return Identity{Subject: subject, Scopes: ParseScopes(scope)}, nil
}

// parse verifies a token and gives what it says. The error is a Reason.
func (k Keys) parse(token string) (jwt.MapClaims, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // base64 would skip line breaks
		return nil, Invalid
	}
	claims := jwt.MapClaims{}
	if _, err := parser.ParseWithClaims(token, claims, k.verifying); err != nil {
		return nil, Invalid
	}
	return claims, checkTimes(claims, time.Now())
}

// verifying gives the library the keys. Their method is fixed before.
func (k Keys) verifying(token *jwt.Token) (any, error) {
	if _, found := token.Header["crit"]; found {
		return nil, errors.New("the token asks for an extension") // RFC 7515: then we must understand it
	}
	var set jwt.VerificationKeySet
	for _, secret := range k.active {
		set.Keys = append(set.Keys, []byte(secret.Reveal()))
	}
	return set, nil // the library refuses a set without keys
}

// checkTimes compares in seconds, as tokens tell them: numbers that are too
// large for a time are still later than now.
func checkTimes(claims jwt.MapClaims, t time.Time) error {
	now := float64(t.UnixMicro()) / 1e6
	expires, hasExpires, ok := number(claims, "exp")
	notBefore, hasNotBefore, fine := number(claims, "nbf")
	switch {
	case !ok || !fine:
		return Invalid
	case hasExpires && now >= expires:
		return Expired
	case hasNotBefore && now+leeway.Seconds() < notBefore:
		return NotYetValid
	}
	return nil
}

// number reads a claim that may be missing; ok is false when it is no number.
func number(claims jwt.MapClaims, name string) (value float64, found, ok bool) {
	switch claim := claims[name].(type) {
	case nil:
		return 0, false, true
	case float64:
		return claim, true, true
	}
	return 0, true, false
}

// text reads a claim that may be missing; ok is false when it is no text.
func text(claims jwt.MapClaims, name string) (value string, ok bool) {
	if claims[name] == nil {
		return "", true
	}
	value, ok = claims[name].(string)
	return value, ok
}
