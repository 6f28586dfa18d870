package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/auth"
)

func TestTicketsComeBack(t *testing.T) {
	t.Parallel()
	keys, later := auth.NewKeys(first, ""), auth.NewKeys(second, first)
	for _, want := range []b3scale.CallbackTicket{
		{FrontendID: "f", Target: "https://lms.example.org/end?a=b&c", Kind: b3scale.CallbackEnd, MeetingID: "Küche <1>", Origin: b3scale.Origin{Generation: 1767225600123456, Create: "one"}},
		{FrontendID: "f", Kind: b3scale.CallbackMeetingEnded, MeetingID: "m"},
		{FrontendID: "f", Target: "https://lms.example.org/"},
	} {
		token, err := keys.MintCallback(want)
		again, _ := keys.MintCallback(want)
		if err != nil || token != again {
			t.Errorf("%q and %q, %v: want the same", token, again, err)
		}
		for _, k := range []auth.Keys{keys, later} {
			if got, err := k.ParseCallback(token); err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		}
		if who, err := keys.Parse(token); err != nil || !who.Has(auth.Callback) || len(who.Scopes) != 1 || who.Subject != "f" {
			t.Errorf("as a bearer it is %+v, %v", who, err)
		}
	}
	if _, err := (auth.Keys{}).MintCallback(b3scale.CallbackTicket{}); err == nil {
		t.Error("signed with nothing")
	}
	if token, err := keys.MintCallback(b3scale.CallbackTicket{Target: strings.Repeat("x", 9000)}); err == nil {
		t.Errorf("signed a token that nobody accepts: %d bytes", len(token))
	}
}

// What the existing product has signed, and what nobody has.
func TestTicketsOfOthers(t *testing.T) {
	t.Parallel()
	keys := auth.NewKeys(first, "")
	for _, c := range []struct {
		claims string
		want   string // the target, or what is wrong
	}{
		{`{"sub":"f","aud":["https://a"],"scope":"b3scale:callback"}`, "https://a"},
		{`{"sub":"f","aud":"https://a","scope":"b3scale:callback","iat":1e99,"jti":"x"}`, "https://a"},
		{`{"sub":"f","aud":["https://a","https://b"],"scope":"b3scale b3scale:callback"}`, "https://a"},
		{`{"sub":"f","scope":"b3scale:callback"}`, ""},
		{`{"sub":"f","aud":[],"scope":"b3scale:callback"}`, ""},
		{`{"sub":"f","aud":null,"scope":"b3scale:callback"}`, ""},
		{`{"sub":"f","aud":[1],"scope":"b3scale:callback"}`, "invalid"},
		{`{"sub":"f","aud":{},"scope":"b3scale:callback"}`, "invalid"},
		{`{"sub":1,"scope":"b3scale:callback"}`, "invalid"},
		{`{"sub":"f","scope":"b3scale:callback","kind":1}`, "invalid"},
		{`{"sub":"f","scope":"b3scale:callback","key":[]}`, "invalid"},
		{`{"sub":"f","scope":"b3scale:callback","exp":1}`, "expired"},
		{`{"sub":"f","aud":["https://a"],"scope":"b3scale:admin"}`, "b3scale:callback scope required"},
		{`{"sub":"f","aud":["https://a"]}`, "b3scale:callback scope required"},
	} {
		got, err := keys.ParseCallback(token(first, c.claims))
		text := got.Target
		if err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%s: got %q, want %q", c.claims, text, c.want)
		}
	}
	if _, err := keys.ParseCallback(token(other, `{"sub":"f","scope":"b3scale:callback"}`)); err == nil {
		t.Error("a forged token is good")
	}
}

func TestTicketAtTheDoor(t *testing.T) {
	t.Parallel()
	for claims, want := range map[string]int{
		`{"sub":"f","scope":"b3scale:callback"}`: 0, `{"sub":"f","scope":"b3scale:admin"}`: http.StatusForbidden, `{"sub":1}`: http.StatusUnauthorized,
	} {
		d := newDoor()
		w := httptest.NewRecorder()
		_, ok := d.guard.Ticket(w, httptest.NewRequest(http.MethodGet, "/x", nil), token(first, claims))
		if ok != (want == 0) || !ok && w.Code != want {
			t.Errorf("%s: got %v, %d, want %d", claims, ok, w.Code, want)
		}
	}
}
