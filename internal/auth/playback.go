package auth

import (
	"crypto/hmac"
	"crypto/sha512"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
)

// Tokens for playback reach the browsers of many people. Each kind is signed
// with a key of its own, which is made of ours: no other token opens a
// recording, and with these nobody gets in anywhere else, whatever they say.
const (
	linkKind   = "playback-link"
	cookieKind = "playback-cookie"
)

// MintPlaybackLink signs a link.
func (k Keys) MintPlaybackLink(l b3scale.PlaybackLink) (string, error) {
	return k.of(linkKind).mintPlayback(linkKind, l.Until, jwt.MapClaims{
		"sub": l.FrontendID,
		"aud": l.Format + ":" + l.RecordingID, // as the existing product has them
	})
}

// ParsePlaybackLink verifies a link. The error is a Reason.
func (k Keys) ParsePlaybackLink(token string) (b3scale.PlaybackLink, error) {
	claims, until, err := k.of(linkKind).parsePlayback(linkKind, token)
	if err != nil {
		return b3scale.PlaybackLink{}, err
	}
	subject, ok := text(claims, "sub")
	target, fine := text(claims, "aud")
	format, id, found := strings.Cut(target, ":")
	if !ok || !fine || !found || subject == "" || format == "" || id == "" {
		return b3scale.PlaybackLink{}, Invalid
	}
	return b3scale.PlaybackLink{FrontendID: subject, RecordingID: id, Format: format, Until: until}, nil
}

// MintPlaybackCookie signs grants. The cookie is good for as long as one of
// them is.
func (k Keys) MintPlaybackCookie(grants []b3scale.PlaybackGrant) (string, error) {
	var until b3scale.Micros
	listed := make([][3]any, 0, len(grants))
	for _, g := range grants {
		until = max(until, g.Until)
		listed = append(listed, [3]any{g.FrontendID, g.RecordingID, seconds(g.Until)})
	}
	return k.of(cookieKind).mintPlayback(cookieKind, until, jwt.MapClaims{"grants": listed})
}

// ParsePlaybackCookie verifies a cookie, and gives those of its grants that are
// still good. The error is a Reason.
func (k Keys) ParsePlaybackCookie(token string) ([]b3scale.PlaybackGrant, error) {
	claims, _, err := k.of(cookieKind).parsePlayback(cookieKind, token)
	if err != nil {
		return nil, err
	}
	listed, ok := claims["grants"].([]any)
	if !ok {
		return nil, Invalid
	}
	now := b3scale.MicrosOf(time.Now())
	var grants []b3scale.PlaybackGrant
	for _, one := range listed {
		g, ok := grantOf(one)
		if !ok {
			return nil, Invalid
		}
		if g.Until > now {
			grants = append(grants, g)
		}
	}
	return grants, nil
}

func grantOf(claim any) (g b3scale.PlaybackGrant, ok bool) {
	members, _ := claim.([]any)
	if len(members) != 3 {
		return g, false
	}
	frontend, ok1 := members[0].(string)
	recording, ok2 := members[1].(string)
	until, ok3 := members[2].(float64)
	if !ok1 || !ok2 || !ok3 || frontend == "" {
		return g, false
	}
	return b3scale.PlaybackGrant{FrontendID: frontend, RecordingID: recording, Until: micros(until)}, true
}

// of makes the keys for one kind of token.
func (k Keys) of(kind string) Keys {
	derived := Keys{active: make([]b3scale.Secret, len(k.active))}
	for i, secret := range k.active {
		mac := hmac.New(sha512.New384, []byte(secret.Reveal()))
		mac.Write([]byte("b3scale " + kind))
		derived.active[i] = b3scale.Secret(mac.Sum(nil))
	}
	return derived
}

func (k Keys) mintPlayback(kind string, until b3scale.Micros, claims jwt.MapClaims) (string, error) {
	if len(k.active) == 0 {
		return "", errors.New("no secret to sign tokens with")
	}
	claims["scope"], claims["kind"], claims["exp"] = Recordings, kind, seconds(until)
	return k.sign(claims)
}

// parsePlayback takes no token without an end.
func (k Keys) parsePlayback(kind, token string) (jwt.MapClaims, b3scale.Micros, error) {
	claims, err := k.parse(token)
	if err != nil {
		return nil, 0, err
	}
	until, found, _ := number(claims, "exp")
	if !found || claims["kind"] != kind || claims["scope"] != string(Recordings) {
		return nil, 0, Invalid
	}
	return claims, micros(until), nil
}

// Tokens tell times in seconds.
func seconds(m b3scale.Micros) int64 { return int64(m) / 1e6 }

// micros is a time that may be too large for one: it is never then.
func micros(seconds float64) b3scale.Micros {
	const latest = 1 << 33 // some centuries from now
	return b3scale.Micros(min(max(seconds, 0), latest) * 1e6)
}
