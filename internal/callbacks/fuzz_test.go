package callbacks

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"b3scale/bbb"
)

// Whatever a node adds, the call goes to the host and path that the frontend
// named, and every parameter of the node arrives.
func FuzzOverlaid(f *testing.F) {
	for _, address := range []string{"https://lms.example.org/end?course=7", "http://a/?x=%zz&y;z", "//a", "http://[::1", "x:y", "https://u:p@h/p#f"} {
		f.Add(address, "recordingmarks=false&meetingID=room")
		f.Add(address, "a=%&&=b&c#d?e@evil.example.org/")
	}
	f.Fuzz(func(t *testing.T, address, query string) {
		before, err := url.Parse(address)
		params := bbb.ParseParams(query)
		got := overlaid(address, &params)
		if err != nil {
			if got != address {
				t.Errorf("got %q for %q", got, address)
			}
			return
		}
		after, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q and %q: %q cannot be read: %v", address, query, got, err)
		}
		if after.Scheme != before.Scheme || after.Host != before.Host || after.Opaque != before.Opaque || params.Len() > 0 && before.Opaque == "" && after.Path != before.Path {
			t.Errorf("%q and %q: got %q", address, query, got)
		}
		arrived := bbb.ParseParams(after.RawQuery)
		for name, value := range params.All() {
			if params.Count(name) == 1 && arrived.Get(name) != value {
				t.Errorf("%q and %q: %q has %q, not %q", address, query, got, arrived.Get(name), value)
			}
		}
	})
}

// No body makes the reader of signed parameters panic, and what it finds was in
// the body.
func FuzzSignedParameters(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", "signed_parameters=a.b.c")
	f.Add("application/json", `{"signed_parameters":"a.b.c"}`)
	f.Add(`multipart/form-data; boundary="b"`, "--b\r\nContent-Disposition: form-data; name=\"signed_parameters\"\r\n\r\na.b.c\r\n--b--\r\n")
	f.Add("multipart/form-data", "----\r\n\r\n")
	f.Add("text/plain", "")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		signed, err := signedParameters(contentType, []byte(body))
		if (signed == "") != (err != nil) {
			t.Errorf("got %q, %v", signed, err)
		}
		if strings.HasPrefix(contentType, "text/") && err == nil {
			t.Errorf("%q was read as %q", body, signed)
		}
		if _, err := verified(jwt.SigningMethodHS256, signed, nil); err == nil {
			t.Errorf("%q was signed by nobody", signed)
		}
	})
}

// What a body says stays, but for the texts that are changed.
func FuzzMapTexts(f *testing.F) {
	for _, seed := range []string{`{"meeting_id":"id","data":{"id":["id",{"a":"id"}]}}`, `"id"`, `["i\u0064","\\\"id"]`, `{"a" : "id" }`, `{"id":"\ud800"}`, `1`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			_ = mapTexts(body, func(string) (string, bool) { return "new", true }) // it must only come back
			return
		}
		if got := mapTexts(body, func(string) (string, bool) { return "", false }); string(got) != string(body) {
			t.Errorf("%q became %q", body, got)
		}
		got := mapTexts(body, func(text string) (string, bool) { return "new", text == "id" })
		var is, want any
		if err := json.Unmarshal(body, &want); err != nil {
			return // numbers that no float holds
		}
		if err := json.Unmarshal(got, &is); err != nil {
			t.Fatalf("%q became %q: %v", body, got, err)
		}
		if want = replaced(want); !reflect.DeepEqual(is, want) {
			t.Errorf("%q became %q", body, got)
		}
	})
}

// replaced does to values what mapTexts does to their text.
func replaced(value any) any {
	switch v := value.(type) {
	case string:
		if v == "id" {
			return "new"
		}
	case []any:
		for i := range v {
			v[i] = replaced(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = replaced(v[name])
		}
	}
	return value
}
