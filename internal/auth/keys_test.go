package auth_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

const (
	first  = b3scale.Secret("first-secret")
	second = b3scale.Secret("second-secret")
	other  = b3scale.Secret("other-secret")

	toolsHeader = `{"alg":"HS384","typ":"JWT"}`
)

// sign makes a token as RFC 7515 says, without the library.
func sign(method func() hash.Hash, secret b3scale.Secret, header, claims string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(method, []byte(secret.Reveal()))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// token is one that the tools could have made.
func token(secret b3scale.Secret, claims string) string {
	return sign(sha512.New384, secret, toolsHeader, claims)
}

// §2: the tokens of the shipped tools, and others that must be good.
func TestParseAccepts(t *testing.T) {
	t.Parallel()
	now := time.Now().Unix()
	keys := auth.NewKeys(first, second)
	for _, c := range []struct {
		name    string
		token   string
		subject string
		scopes  auth.Scopes
	}{
		{"§2 v1.0.6: no iat", token(first, `{"scope":"b3scale:admin","sub":"b3scalectl","jti":"abcdefghijklmnopqrstuvwx"}`), "b3scalectl", auth.Scopes{auth.Admin}},
		{"§2 HEAD: iat", token(first, fmt.Sprintf(`{"scope":"b3scale:node","sub":"red-green-blue","jti":"x","iat":%d}`, now)), "red-green-blue", auth.Scopes{auth.Node}},
		{"§2 several scopes", token(first, `{"scope":" b3scale  b3scale:admin b3scale ","sub":"a"}`), "a", auth.Scopes{auth.Owner, auth.Admin}},
		{"§2 unknown scope", token(first, `{"scope":"b3scale:moon"}`), "", auth.Scopes{"b3scale:moon"}},
		{"§2 no subject", token(first, `{"scope":"b3scale:admin"}`), "", auth.Scopes{auth.Admin}},
		{"§2 no scope", token(first, `{"sub":"a"}`), "a", nil},
		{"§2 nothing", token(first, `{}`), "", nil},
		{"§2 aud is ignored", token(first, `{"sub":"a","aud":["presentation:1"]}`), "a", nil},
		{"§2 even a strange one", token(first, `{"sub":"a","aud":{"x":1},"iss":7,"jti":7}`), "a", nil},
		{"§2 not expired", token(first, fmt.Sprintf(`{"sub":"a","exp":%d}`, now+60)), "a", nil},
		{"§2 expires in an age", token(first, `{"sub":"a","exp":1e300}`), "a", nil},
		{"§2 exp null is none", token(first, `{"sub":"a","exp":null,"nbf":null}`), "a", nil},
		{"§2 valid since now", token(first, fmt.Sprintf(`{"sub":"a","nbf":%d}`, now)), "a", nil},
		{"§2 nbf of a clock ahead", token(first, fmt.Sprintf(`{"sub":"a","nbf":%d}`, now+3)), "a", nil},
		{"§2 iat of a clock far ahead", token(first, fmt.Sprintf(`{"sub":"a","iat":%d}`, now+3600)), "a", nil},
		{"§2 header without typ", sign(sha512.New384, first, `{"alg":"HS384"}`, `{"sub":"a"}`), "a", nil},
		{"the second secret", token(second, `{"scope":"b3scale:admin","sub":"a"}`), "a", auth.Scopes{auth.Admin}},
	} {
		got, err := keys.Parse(c.token)
		if err != nil || got.Subject != c.subject || !slices.Equal(got.Scopes, c.scopes) {
			t.Errorf("%s: got %+v and %v, want %q with %q", c.name, got, err, c.subject, c.scopes)
		}
	}
}

// §2: HS384 only, exp and nbf enforced when present; and whatever is no token.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const admin = `{"scope":"b3scale:admin","sub":"a"}`
	now := time.Now().Unix()
	good := token(first, admin)
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	for _, c := range []struct {
		name  string
		token string
		want  auth.Reason
	}{
		{"§2 another secret", token(other, admin), auth.Invalid},
		{"§2 an unset secret", token("", admin), auth.Invalid},
		{"§2 alg none", b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + body + ".", auth.Invalid},
		{"§2 alg None", b64([]byte(`{"alg":"None"}`)) + "." + body + ".", auth.Invalid},
		{"§2 alg none, signed", sign(sha512.New384, first, `{"alg":"none"}`, admin), auth.Invalid},
		{"§2 no alg", sign(sha512.New384, first, `{"typ":"JWT"}`, admin), auth.Invalid},
		{"§2 alg is no text", sign(sha512.New384, first, `{"alg":384}`, admin), auth.Invalid},
		{"§2 HS256", sign(sha256.New, first, `{"alg":"HS256","typ":"JWT"}`, admin), auth.Invalid},
		{"§2 HS512", sign(sha512.New, first, `{"alg":"HS512","typ":"JWT"}`, admin), auth.Invalid},
		{"§2 RS256", sign(sha512.New384, first, `{"alg":"RS256"}`, admin), auth.Invalid},
		{"§2 RS384", sign(sha512.New384, first, `{"alg":"RS384"}`, admin), auth.Invalid},
		{"§2 ES384", sign(sha512.New384, first, `{"alg":"ES384"}`, admin), auth.Invalid},
		{"§2 hs384", sign(sha512.New384, first, `{"alg":"hs384"}`, admin), auth.Invalid},
		{"§2 HS384, but signed as HS512", sign(sha512.New, first, toolsHeader, admin), auth.Invalid},
		{"an extension that we must understand", sign(sha512.New384, first, `{"alg":"HS384","crit":["b64"],"b64":false}`, admin), auth.Invalid},
		{"§2 expired", token(first, fmt.Sprintf(`{"sub":"a","exp":%d}`, now-1)), auth.Expired},
		{"§2 exp has no leeway", token(first, fmt.Sprintf(`{"sub":"a","exp":%d}`, now)), auth.Expired},
		{"§2 expired in 1970", token(first, `{"sub":"a","exp":0}`), auth.Expired},
		{"§2 expired before all times", token(first, `{"sub":"a","exp":-1e300}`), auth.Expired},
		{"§2 nbf", token(first, fmt.Sprintf(`{"sub":"a","nbf":%d}`, now+60)), auth.NotYetValid},
		{"§2 exp is no number", token(first, `{"sub":"a","exp":"2999-01-01"}`), auth.Invalid},
		{"§2 exp is too large for any number", token(first, `{"sub":"a","exp":1e400}`), auth.Invalid},
		{"§2 nbf is no number", token(first, `{"sub":"a","nbf":true}`), auth.Invalid},
		{"§2 scope is a list", token(first, `{"scope":["b3scale:admin"]}`), auth.Invalid},
		{"§2 sub is a number", token(first, `{"sub":7}`), auth.Invalid},
		{"expired, but of somebody else", token(other, `{"exp":0}`), auth.Invalid},
		{"other claims", head + "." + b64([]byte(`{"scope":"b3scale:admin","sub":"b"}`)) + "." + signature, auth.Invalid},
		{"no signature", head + "." + body + ".", auth.Invalid},
		{"half a signature", good[:len(good)-10], auth.Invalid},
		{"two parts", head + "." + body, auth.Invalid},
		{"four parts", good + "." + signature, auth.Invalid},
		{"padding", good + "=", auth.Invalid},
		{"a line break", good + "\n", auth.Invalid},
		{"a blank", head + ". " + body + "." + signature, auth.Invalid},
		{"claims are no JSON", token(first, `{`), auth.Invalid},
		{"claims are a list", token(first, `[]`), auth.Invalid},
		{"header is null", sign(sha512.New384, first, `null`, admin), auth.Invalid},
		{"too long", token(first, `{"sub":"`+strings.Repeat("a", 8<<10)+`"}`), auth.Invalid},
		{"dots", strings.Repeat(".", 1000), auth.Invalid},
		{"nothing", "", auth.Invalid},
	} {
		got, err := auth.NewKeys(first, second).Parse(c.token)
		if err != c.want || got.Subject != "" || got.Scopes != nil { //nolint:errorlint // the very value
			t.Errorf("%s: got %+v and %v, want %v", c.name, got, err, c.want)
		}
	}
}

// An unset secret verifies nothing, least of all what was signed with it.
func TestKeysAreOptional(t *testing.T) {
	t.Parallel()
	const claims = `{"scope":"b3scale:admin"}`
	for _, c := range []struct {
		name   string
		keys   auth.Keys
		signed b3scale.Secret
		good   bool
	}{
		{"zero", auth.Keys{}, "", false},
		{"none", auth.NewKeys("", ""), "", false},
		{"only the second: unset", auth.NewKeys("", second), "", false},
		{"only the second", auth.NewKeys("", second), second, false},
		{"only the first: unset", auth.NewKeys(first, ""), "", false},
		{"only the first", auth.NewKeys(first, ""), first, true},
		{"only the first: second", auth.NewKeys(first, ""), second, false},
		{"both: first", auth.NewKeys(first, second), first, true},
		{"both: second", auth.NewKeys(first, second), second, true},
		{"both: unset", auth.NewKeys(first, second), "", false},
	} {
		if _, err := c.keys.Parse(token(c.signed, claims)); (err == nil) != c.good {
			t.Errorf("%s: got %v, want it to be accepted: %v", c.name, err, c.good)
		}
		_, err := c.keys.Mint(auth.Claims{Subject: "a"})
		if _, signs := c.keys.Parse(token(first, claims)); (err == nil) != (signs == nil) {
			t.Errorf("%s: mints with %v, but parses what the first one signed with %v", c.name, err, signs)
		}
	}
}

// §2: header, claims and signature of what we mint look like those of the tools.
func TestMint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := auth.NewKeys(first, second)
		expires := time.Now().Add(time.Hour)
		got, err := keys.Mint(auth.Claims{Subject: "Ada & Bob", Scopes: auth.Scopes{auth.Admin, auth.Node}, Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(got, ".")
		header, _ := base64.RawURLEncoding.DecodeString(parts[0])
		if string(header) != toolsHeader {
			t.Errorf("header %s, want %s", header, toolsHeader)
		}
		raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
		if want := sign(sha512.New384, first, toolsHeader, string(raw)); got != want {
			t.Errorf("signed as %s, want %s", got, want)
		}
		var claims map[string]any
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatal(err)
		}
		if id, _ := claims["jti"].(string); !regexp.MustCompile(`^[a-zA-Z0-9_-]{24}$`).MatchString(id) {
			t.Errorf("jti is %q", id)
		}
		delete(claims, "jti")
		want := fmt.Sprint(map[string]any{
			"scope": "b3scale:admin b3scale:node", "sub": "Ada & Bob",
			"iat": float64(time.Now().Unix()), "exp": float64(expires.Unix()),
		})
		if fmt.Sprint(claims) != want {
			t.Errorf("claims %v, want %v", claims, want)
		}

		if who, err := keys.Parse(got); err != nil || who.Subject != "Ada & Bob" || !who.Has(auth.Admin) || !who.Has(auth.Node) {
			t.Errorf("parsed as %+v, %v", who, err)
		}
		time.Sleep(time.Hour)
		if _, err := keys.Parse(got); err != auth.Expired { //nolint:errorlint // the very value
			t.Errorf("after its time: %v, want %v", err, auth.Expired)
		}
	})
}

func TestMintForever(t *testing.T) {
	t.Parallel()
	keys := auth.NewKeys(first, "")
	seen := map[string]bool{}
	for range 100 {
		got, err := keys.Mint(auth.Claims{Subject: "a"})
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(got, ".")[1])
		if strings.Contains(string(raw), `"exp"`) {
			t.Fatalf("claims %s, want no exp", raw)
		}
		seen[got] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 tokens have %d ids", len(seen))
	}
}

func TestKeysKeepTheirSecrets(t *testing.T) {
	t.Parallel()
	keys := auth.NewKeys(first, second)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("keys", "keys", keys)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("keys", "keys", keys, "options", auth.Options{Keys: keys})
	text := log.String() + fmt.Sprintf("%v %+v %#v %s %q %x", keys, keys, keys, keys, keys, keys) +
		fmt.Sprintf("%v %+v %#v", auth.Options{Keys: keys}, &auth.Options{Keys: keys}, auth.Options{Keys: keys})
	for _, secret := range []b3scale.Secret{first, second} {
		if strings.Contains(text, secret.Reveal()) || strings.Contains(text, fmt.Sprintf("%x", secret.Reveal())) {
			t.Errorf("shows %s: %s", secret.Reveal(), text)
		}
	}
}

// C32: what one scope grants, another does not take away.
func TestScopesAreAUnion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scopes string
		ask    []auth.Scope
		want   bool
	}{
		{"b3scale:admin b3scale:node", []auth.Scope{auth.Admin}, true},
		{"b3scale:admin b3scale:node", []auth.Scope{auth.Node}, true},
		{"b3scale:node b3scale:admin", []auth.Scope{auth.Admin, auth.Owner}, true},
		{"b3scale:node", []auth.Scope{auth.Admin, auth.Owner}, false},
		{"b3scale", []auth.Scope{auth.Admin}, false},
		{"b3scale:adminx b3scale:", []auth.Scope{auth.Admin, auth.Owner}, false},
		{"B3SCALE:ADMIN", []auth.Scope{auth.Admin}, false},
		{"b3scale:admin", nil, false},
		{"", []auth.Scope{auth.Admin}, false},
		{"", []auth.Scope{""}, false},
	} {
		who := auth.Identity{Scopes: auth.ParseScopes(c.scopes)}
		if got := who.HasAny(c.ask...); got != c.want {
			t.Errorf("%q has any of %q: %v, want %v", c.scopes, c.ask, got, c.want)
		}
		if len(c.ask) == 1 && who.Has(c.ask[0]) != c.want {
			t.Errorf("%q has %q: want %v", c.scopes, c.ask[0], c.want)
		}
	}
}
