package auth

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"b3scale"
)

// FuzzParse reads any Authorization header. Who is let in has a token that
// HMAC-SHA384 with one of the secrets verifies, computed here by hand.
func FuzzParse(f *testing.F) {
	secrets := []b3scale.Secret{"first-secret", "second-secret"}
	keys := NewKeys(secrets[0], secrets[1])
	for _, minter := range []Keys{keys, NewKeys(secrets[1], ""), NewKeys("other-secret", "")} {
		token, err := minter.Mint(Claims{Subject: "a", Scopes: Scopes{Admin, Node}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add("Bearer " + token)
		f.Add("bearer  " + token + ".")
	}
	for _, seed := range []string{
		"", "Bearer", "Bearer ", "Basic YTpi", "Bearer ..", "Bearer a.b.c", "Bearer bnVsbA.bnVsbA.",
		"Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer eyJhbGciOiJIUzM4NCJ9.e30.", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
		"Bearer eyJhbGciOiJIUzM4NCIsImNyaXQiOlsiYjY0Il19.e30.AAAA",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		token, err := bearer(http.Header{"Authorization": {header}})
		if err != nil {
			if err != Malformed { //nolint:errorlint // the very value
				t.Errorf("%q: got %v, want %v", header, err, Malformed)
			}
			return
		}
		who, err := keys.Parse(token)
		if err != nil {
			if _, ok := err.(Reason); !ok || who.Subject != "" || who.Scopes != nil { //nolint:errorlint // the very type
				t.Errorf("%q: got %+v, %v", token, who, err)
			}
			return
		}
		end := strings.LastIndexByte(token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
		if err != nil {
			t.Fatalf("%q: let in, but its signature is no base64: %v", token, err)
		}
		for _, secret := range secrets {
			mac := hmac.New(sha512.New384, []byte(secret.Reveal()))
			mac.Write([]byte(token[:end]))
			if hmac.Equal(mac.Sum(nil), signature) {
				return
			}
		}
		t.Errorf("%q: let in, but none of the secrets has signed it", token)
	})
}
