package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// playing are the tokens of one link and one cookie, for an hour.
func playing(t *testing.T, keys auth.Keys) (link b3scale.PlaybackLink, grants []b3scale.PlaybackGrant, linkToken, cookieToken string) {
	t.Helper()
	until := b3scale.MicrosOf(time.Now().Truncate(time.Second).Add(time.Hour))
	link = b3scale.PlaybackLink{FrontendID: "f", RecordingID: "abc-1", Format: "presentation", Until: until}
	grants = []b3scale.PlaybackGrant{{FrontendID: "f", RecordingID: "abc-1", Until: until}, {FrontendID: "g", Until: until.Add(-time.Minute)}}
	linkToken, err1 := keys.MintPlaybackLink(link)
	cookieToken, err2 := keys.MintPlaybackCookie(grants)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return link, grants, linkToken, cookieToken
}

func TestPlaybackTokensComeBack(t *testing.T) {
	t.Parallel()
	keys := auth.NewKeys(first, "")
	link, grants, linkToken, cookieToken := playing(t, keys)
	for _, k := range []auth.Keys{keys, auth.NewKeys(second, first), auth.NewKeys(first, second)} {
		if got, err := k.ParsePlaybackLink(linkToken); err != nil || got != link {
			t.Errorf("got %+v, %v, want %+v", got, err, link)
		}
		if got, err := k.ParsePlaybackCookie(cookieToken); err != nil || !reflect.DeepEqual(got, grants) {
			t.Errorf("got %+v, %v, want %+v", got, err, grants)
		}
	}
	for _, k := range []auth.Keys{{}, auth.NewKeys(second, other)} {
		if got, err := k.ParsePlaybackLink(linkToken); err == nil {
			t.Errorf("%v took %+v", k, got)
		}
		if got, err := k.ParsePlaybackCookie(cookieToken); err == nil {
			t.Errorf("%v took %+v", k, got)
		}
	}
	if _, err := (auth.Keys{}).MintPlaybackLink(link); err == nil {
		t.Error("signed a link with nothing")
	}
	if _, err := (auth.Keys{}).MintPlaybackCookie(grants); err == nil {
		t.Error("signed a cookie with nothing")
	}
}

func TestPlaybackTokensEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := auth.NewKeys(first, "")
		_, grants, linkToken, cookieToken := playing(t, keys)
		time.Sleep(59*time.Minute + 30*time.Second)
		if _, err := keys.ParsePlaybackLink(linkToken); err != nil {
			t.Error(err)
		}
		if got, err := keys.ParsePlaybackCookie(cookieToken); err != nil || !reflect.DeepEqual(got, grants[:1]) {
			t.Errorf("got %+v, %v, want only the one that is not over", got, err)
		}
		time.Sleep(30 * time.Second)
		if _, err := keys.ParsePlaybackLink(linkToken); err != auth.Expired { //nolint:errorlint // the very value
			t.Errorf("a link that is over: %v", err)
		}
		if _, err := keys.ParsePlaybackCookie(cookieToken); err != auth.Expired { //nolint:errorlint // the very value
			t.Errorf("a cookie that is over: %v", err)
		}
	})
}

// Every kind of token is good at its own door, and nowhere else.
func TestPlaybackTokensAreOfTheirKind(t *testing.T) {
	t.Parallel()
	keys := auth.NewKeys(first, second)
	_, _, link, cookie := playing(t, keys)
	bearer, err1 := keys.Mint(auth.Claims{Subject: "f", Scopes: auth.Scopes{auth.Admin, auth.Recordings}, Expires: time.Now().Add(time.Hour)})
	callback, err2 := keys.MintCallback(b3scale.CallbackTicket{FrontendID: "f", Target: "presentation:abc-1"})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	doors := map[string]func(string) error{
		"link":     func(s string) error { _, err := keys.ParsePlaybackLink(s); return err },
		"cookie":   func(s string) error { _, err := keys.ParsePlaybackCookie(s); return err },
		"bearer":   func(s string) error { _, err := keys.Parse(s); return err },
		"callback": func(s string) error { _, err := keys.ParseCallback(s); return err },
	}
	for kind, token := range map[string]string{"link": link, "cookie": cookie, "bearer": bearer, "callback": callback} {
		for door, open := range doors {
			alsoBearer := kind == "callback" && door == "bearer" // it has a scope that no door accepts
			if err := open(token); (err == nil) != (kind == door || alsoBearer) {
				t.Errorf("a %s token at the door of %ss: %v", kind, door, err)
			}
		}
	}
	guard := auth.New(auth.Options{Keys: keys}).Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	for kind, token := range map[string]string{"link": link, "cookie": cookie} {
		r, w := httptest.NewRequest(http.MethodGet, "/api/v1/status", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		if guard.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
			t.Errorf("a %s as a bearer's token: got %d", kind, w.Code)
		}
	}
}

// keyOf is the key for one kind of playback token, made by hand.
func keyOf(kind string) b3scale.Secret {
	mac := hmac.New(sha512.New384, []byte(first.Reveal()))
	mac.Write([]byte("b3scale " + kind))
	return b3scale.Secret(mac.Sum(nil))
}

// What is wrong although the signature may be right.
func TestPlaybackTokensRefused(t *testing.T) {
	t.Parallel()
	keys := auth.NewKeys(first, "")
	exp := time.Now().Add(time.Hour).Unix()
	good := map[string]string{
		"playback-link":   fmt.Sprintf(`{"sub":"f","aud":"presentation:a-1","exp":%d,"scope":"b3scale:recordings","kind":"playback-link"}`, exp),
		"playback-cookie": fmt.Sprintf(`{"grants":[["f","a-1",%d]],"exp":%d,"scope":"b3scale:recordings","kind":"playback-cookie"}`, exp, exp),
	}
	opens := map[string]func(string) error{
		"playback-link":   func(s string) error { _, err := keys.ParsePlaybackLink(s); return err },
		"playback-cookie": func(s string) error { _, err := keys.ParsePlaybackCookie(s); return err },
	}
	for kind, claims := range good {
		if err := opens[kind](token(keyOf(kind), claims)); err != nil {
			t.Fatalf("%s: %v", claims, err)
		}
		for what, bad := range map[string]string{
			"signed with the secret itself": token(first, claims),
			"signed with another":           token(other, claims),
			"HS256":                         sign(sha256.New, keyOf(kind), `{"alg":"HS256","typ":"JWT"}`, claims),
			"HS512":                         sign(sha512.New, keyOf(kind), `{"alg":"HS512","typ":"JWT"}`, claims),
			"alg none":                      sign(func() hash.Hash { return sha256.New() }, "", `{"alg":"none"}`, claims),
			"no signature":                  strings.TrimRight(token(keyOf(kind), claims), "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
			"of the other kind":             token(keyOf(kind), strings.Replace(claims, kind, "playback", 1)),
			"no kind":                       token(keyOf(kind), strings.Replace(claims, `"kind"`, `"kin"`, 1)),
			"no scope":                      token(keyOf(kind), strings.Replace(claims, `"scope"`, `"scop"`, 1)),
			"another scope":                 token(keyOf(kind), strings.Replace(claims, `b3scale:recordings`, `b3scale:recordings b3scale:admin`, 1)),
			"no end":                        token(keyOf(kind), strings.Replace(claims, `"exp"`, `"ex"`, 1)),
			"end is no number":              token(keyOf(kind), strings.Replace(claims, fmt.Sprintf(`"exp":%d`, exp), `"exp":"later"`, 1)),
			"not yet good":                  token(keyOf(kind), strings.Replace(claims, `{`, `{"nbf":9e9,`, 1)),
			"no subject":                    token(keyOf(kind), strings.NewReplacer(`"sub":"f",`, "", `["f"`, `[""`).Replace(claims)),
			"numbers":                       token(keyOf(kind), strings.NewReplacer(`"f"`, "1", `"presentation:a-1"`, "[1]").Replace(claims)),
			"no target":                     token(keyOf(kind), strings.NewReplacer(`"presentation:a-1"`, `"a-1"`, `[["f"`, `[[`).Replace(claims)),
			"empty target":                  token(keyOf(kind), strings.NewReplacer(`"presentation:a-1"`, `"presentation:"`, `[["f","a-1",`, `["f","a-1",`).Replace(claims)),
			"nothing":                       "",
			"too long":                      strings.Repeat("e", 9000),
		} {
			if err := opens[kind](bad); err == nil {
				t.Errorf("%s, %s: it is good", kind, what)
			}
		}
	}
}
