package callbacks

import (
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/auth"
)

const ourAPI = "https://b3scale.example.org"

var (
	keys  = auth.NewKeys("the-secret-of-the-api-0123456789", "")
	room  = b3scale.MeetingKey{FrontendID: "fe", MeetingID: "room"}
	relay = NewRelay(ourAPI+"/", keys)
)

// ours is an address of ours.
func ours(t testing.TB, ticket b3scale.CallbackTicket) string {
	t.Helper()
	token, err := keys.MintCallback(ticket)
	if err != nil {
		t.Fatal(err)
	}
	return ourAPI + Path + token
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	mine := ours(t, b3scale.CallbackTicket{FrontendID: "fe", Target: "https://a/x"})
	twice := ours(t, b3scale.CallbackTicket{FrontendID: "fe", Target: mine})
	theirs := ours(t, b3scale.CallbackTicket{FrontendID: "another", Target: "https://s3cret"})
	elsewhere := "https://b3scale.other.org" + Path + "eyJ.not.ours"
	for _, c := range []struct {
		name, sent string
		generation int64
		want       map[string]string // targets by name; "-": it is as it was
	}{
		{"nothing", "name=x", 7, map[string]string{"meetingEndedURL": "", "name": "-"}},
		{"all", "meta_endCallbackUrl=https://a/1&meta_bbb-recording-ready-url=https://a/2&meta_analytics-callback-url=https://a/3&meetingEndedURL=https://a/4", 7,
			map[string]string{"meta_endCallbackUrl": "https://a/1", "meta_bbb-recording-ready-url": "https://a/2", "meta_analytics-callback-url": "https://a/3", "meetingEndedURL": "https://a/4"}},
		{"spellings", "META_ENDCALLBACKURL=https://a/1&meta_endcallbackurl=https://a/2&meetingendedurl=https://a/3", 7,
			map[string]string{"META_ENDCALLBACKURL": "https://a/1", "meta_endcallbackurl": "https://a/2", "meetingendedurl": "-", "meetingEndedURL": ""}},
		{"aliases", "meta_bn-recording-ready-url=https://a/1&meta_canvas-recording-ready-url=https://a/2", 7,
			map[string]string{"meta_bn-recording-ready-url": "https://a/1", "meta_canvas-recording-ready-url": "https://a/2", "meetingEndedURL": ""}},
		{"repeated", "meta_endCallbackUrl=https://a/1&meta_endCallbackUrl=https://a/2", 7, map[string]string{"meta_endCallbackUrl": "https://a/1", "meetingEndedURL": ""}},
		{"empty", "meta_endCallbackUrl=&meetingEndedURL=", 7, map[string]string{"meta_endCallbackUrl": "-", "meetingEndedURL": ""}},
		{"blanks", "meta_endCallbackUrl=%20https://a/1%0a", 7, map[string]string{"meta_endCallbackUrl": "https://a/1", "meetingEndedURL": ""}},
		{"ours", "meta_endCallbackUrl=" + mine, 7, map[string]string{"meta_endCallbackUrl": "https://a/x", "meetingEndedURL": ""}},
		{"ours twice", "meta_endCallbackUrl=" + twice, 7, map[string]string{"meta_endCallbackUrl": "https://a/x", "meetingEndedURL": ""}},
		{"another frontend's", "meta_endCallbackUrl=" + theirs + "&meetingEndedURL=" + theirs, 7, map[string]string{"meetingEndedURL": ""}},
		{"one that we never made", "meta_endCallbackUrl=" + ourAPI + Path + "eyJ.x.y", 7, map[string]string{"meetingEndedURL": ""}},
		{"another installation's", "meta_endCallbackUrl=" + elsewhere, 7, map[string]string{"meta_endCallbackUrl": elsewhere, "meetingEndedURL": ""}},
		{"too long", "meta_endCallbackUrl=https://" + strings.Repeat("a", maxTarget), 7, map[string]string{"meetingEndedURL": ""}},
		{"no address", "meta_endCallbackUrl=javascript:x", 7, map[string]string{"meta_endCallbackUrl": "javascript:x", "meetingEndedURL": ""}},
		{"breakout room", "meta_endCallbackUrl=https://a/1", 0, map[string]string{"meta_endCallbackUrl": "https://a/1"}},
	} {
		params := bbb.ParseParams(c.sent)
		origin := b3scale.Origin{Generation: c.generation, Create: "one"}
		relay.Rewrite(&params, room, origin)
		again := bbb.ParseParams(c.sent)
		relay.Rewrite(&again, room, origin)
		if params.Encode() != again.Encode() {
			t.Errorf("%s: twice is not the same", c.name)
		}
		if params.Len() != len(c.want) {
			t.Errorf("%s: got %s", c.name, params.Encode())
		}
		before := bbb.ParseParams(c.sent)
		for name, want := range c.want {
			got := params.Get(name)
			if want == "-" {
				if got != before.Get(name) {
					t.Errorf("%s: %s is %q", c.name, name, got)
				}
				continue
			}
			ticket, known := relay.Ticket(got)
			if !known || !strings.HasPrefix(got, ourAPI+Path) || ticket.Target != want || ticket.FrontendID != "fe" || ticket.MeetingID != "room" || ticket.Origin != origin {
				t.Errorf("%s: %s is %q, %+v", c.name, name, got, ticket)
			}
		}
	}
	params := bbb.ParseParams("meta_endCallbackUrl=https://a/1")
	NewRelay("", keys).Rewrite(&params, room, b3scale.Origin{Generation: 7})
	if got := params.Encode(); got != "meta_endCallbackUrl=https://a/1" {
		t.Errorf("without an address: %s", got)
	}
}

func TestOriginal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address, want string
		ours          bool
	}{
		{ours(t, b3scale.CallbackTicket{FrontendID: "fe", Target: "https://a/x"}), "https://a/x", true},
		{strings.Replace(ours(t, b3scale.CallbackTicket{FrontendID: "fe", Target: "https://a/x"}), ourAPI, "http://before", 1), "https://a/x", true},
		{ours(t, b3scale.CallbackTicket{FrontendID: "fe"}), "", true},
		{ours(t, b3scale.CallbackTicket{FrontendID: "another", Target: "https://s3cret"}), "", true},
		{ourAPI + Path + "x", "", true},
		{"https://b3scale.other.org" + Path + "x", "", false},
		{"https://a/x", "", false},
		{"", "", false},
		{Path, "", false},
	} {
		if got, ours := relay.Original("fe", c.address); got != c.want || ours != c.ours {
			t.Errorf("%s: got %q, %v, want %q, %v", c.address, got, ours, c.want, c.ours)
		}
	}
}

func TestOverlaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, query, want string }{
		{"https://a/x", "", "https://a/x"},
		{"https://a/x", "recordingmarks=false&meetingID=m", "https://a/x?recordingmarks=false&meetingID=m"},
		{"https://a/x?course=%37&y=a;b", "recordingmarks=true&meetingID=a+b", "https://a/x?course=%37&y=a;b&recordingmarks=true&meetingID=a+b"},
		{"https://a/x?meetingID=mine&b=c&meetingID=too", "meetingID=m", "https://a/x?meetingID=m&b=c"},
		{"https://a/x?b=c#part", "d=e", "https://a/x?b=c&d=e#part"},
		{"https://a/x?", "d=e", "https://a/x?d=e"},
		{"http://[::1", "d=e", "http://[::1"},
	} {
		params := bbb.ParseParams(c.query)
		if got := overlaid(c.address, &params); got != c.want {
			t.Errorf("%s and %s: got %s, want %s", c.address, c.query, got, c.want)
		}
	}
}

func TestMapTexts(t *testing.T) {
	t.Parallel()
	change := func(text string) (string, bool) { return "<new>", text == "id" }
	for body, want := range map[string]string{
		`{"meeting_id":"id"}`:                             `{"meeting_id":"\u003cnew\u003e"}`,
		`{ "id" : "id", "a":["id", "xid", {"id":"id"}] }`: `{ "id" : "\u003cnew\u003e", "a":["\u003cnew\u003e", "xid", {"id":"\u003cnew\u003e"}] }`,
		`["\"id\"", "i\u0064", "id\\", 1.50, null]`:       `["\"id\"", "\u003cnew\u003e", "id\\", 1.50, null]`,
		`"id"`: `"\u003cnew\u003e"`,
		`{}`:   `{}`,
	} {
		if got := string(mapTexts([]byte(body), change)); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}
