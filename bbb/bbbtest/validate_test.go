package bbbtest

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"b3scale/bbb"
)

func TestChecksumPositionsOfTheFixture(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/checksum-positions.json")
	if err != nil {
		t.Fatal(err)
	}
	var positions []struct {
		Position, Call, RawQuery, Secret string
		Valid                            any // true, or text
	}
	if err := json.Unmarshal(b, &positions); err != nil {
		t.Fatal(err)
	}
	for _, p := range positions {
		for _, version := range versions {
			n := New(Options{Version: version, Secret: p.Secret})
			want := p.Valid == true || p.Position == "upper case" && version == "3.0"
			body := text(t, send(t, n, request{call: p.Call}, p.RawQuery))
			if got := keyOf(t, body) != "checksumError"; got != want {
				t.Errorf("%s, %s: accepted is %v, want %v", version, p.Position, got, want)
			}
		}
	}
}

func TestHashesByVersion(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		n := New(Options{Version: version})
		for size, sum := range allSums("isMeetingRunning" + "meetingID=room" + "bbbtest-secret") {
			body := text(t, send(t, n, request{call: "isMeetingRunning"}, "meetingID=room&checksum="+sum))
			got, want := keyOf(t, body) == "", version != "2.4" || size <= 64
			if got != want {
				t.Errorf("%s: a checksum of %d digits is accepted: %v, want %v", version, size, got, want)
			}
		}
	}
}

// allSums are the checksums by their length.
func allSums(signed string) map[int]string {
	one, two := sha1.Sum([]byte(signed)), sha256.Sum256([]byte(signed))
	three, five := sha512.Sum384([]byte(signed)), sha512.Sum512([]byte(signed))
	sums := make(map[int]string)
	for _, sum := range [][]byte{one[:], two[:], three[:], five[:]} {
		sums[2*len(sum)] = hex.EncodeToString(sum)
	}
	return sums
}

// The releases around the change of the POST rules (BBB API, POST requests).
func TestPostRulesByVersion(t *testing.T) {
	t.Parallel()
	const form = "name=A+room&meetingID=room"
	old := bbb.Sign("create", "meetingID=room&name=A+room", "bbbtest-secret") // sorted
	modern := bbb.Sign("create", "", "bbbtest-secret")
	tests := []struct {
		version                   string
		oldRule, newRule, strange bool
	}{
		{"2.4", true, false, true}, {"2.5", true, false, true}, {"2.6.17", true, false, true}, {"2.7.7", true, false, true},
		{"2.6.18", false, true, false}, {"2.6", false, true, false}, {"2.7.8", false, true, false}, {"3.0", false, true, false},
	}
	for _, test := range tests {
		post := func(rawQuery, contentType, body string) string {
			n := New(Options{Version: test.version})
			r := request{call: "create", method: http.MethodPost, contentType: contentType, body: body}
			return keyOf(t, text(t, send(t, n, r, rawQuery)))
		}
		const formType = "application/x-www-form-urlencoded"
		if got := post("", formType, form+"&checksum="+old) == ""; got != test.oldRule {
			t.Errorf("%s: sorted form is accepted: %v, want %v", test.version, got, test.oldRule)
		}
		if got := post("", formType, form+"&checksum="+modern) == ""; got != test.newRule {
			t.Errorf("%s: signed call alone is accepted: %v, want %v", test.version, got, test.newRule)
		}
		if got := post("checksum="+modern, formType, form); got != "" {
			t.Errorf("%s: universal form: messageKey is %q, want none", test.version, got)
		}
		signed := bbb.SignedQuery("create", form, "bbbtest-secret")
		if got := post(signed, "text/plain", "<modules></modules>") == ""; got != test.strange {
			t.Errorf("%s: strange content type is accepted: %v, want %v", test.version, got, test.strange)
		}
		if got := post(signed, "application/xml", "<modules></modules>"); got != "" {
			t.Errorf("%s: XML: messageKey is %q, want none", test.version, got)
		}
		charset := test.version != "2.6.18" && test.version != "2.7.8"
		if got := post(signed, "text/xml; charset=utf-8", "<modules></modules>") == ""; got != charset {
			t.Errorf("%s: charset is accepted: %v, want %v", test.version, got, charset)
		}
	}
}

func TestMultipartFormIsRead(t *testing.T) {
	t.Parallel()
	n := New(Options{})
	body := "--xx\r\nContent-Disposition: form-data; name=\"meetingID\"\r\n\r\nroom\r\n" +
		"--xx\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nA & B\r\n--xx--\r\n"
	resp := ask(t, n, request{call: "create", method: "POST", contentType: "multipart/form-data; boundary=xx", body: body})
	if got := keyOf(t, text(t, resp)); got != "" {
		t.Errorf("messageKey is %q, want none", got)
	}
	if r, ok := n.Room("room"); !ok || r.Name != "A & B" {
		t.Errorf("room is %q, %v", r.Name, ok)
	}
}

// The table of BBB API, which error wins.
func TestWhichErrorWins(t *testing.T) {
	t.Parallel()
	n, old := New(Options{}), New(Options{Version: "2.4"})
	for _, node := range []*Node{n, old} {
		node.AddRoom(Room{ExternalID: "room"})
	}
	tests := []struct {
		node  *Node
		call  string
		query string
		want  string
	}{
		{n, "create", "meetingID=x&name=", "emptyError"},
		{n, "create", "meetingID=x&name=&attendeePW=y&record=maybe", "emptyError"},
		{n, "create", "meetingID=x&attendeePW=y", "invalidPassword"},
		{n, "create", "meetingID=x&record=maybe", "sizeError"},
		{n, "create", "meetingID=&name=Room&record=maybe", "validationError"},
		{n, "create", "meetingID=%20%01&name=Room", "missingParamMeetingID"},
		{n, "create", "meetingID=a,b&voiceBridge=1", "validationError"},
		{n, "create", "meetingID=a,b", "validationError"},
		{n, "create", "meetingID=" + strings.Repeat("a", 257) + "&name=Room", "sizeError"},
		{n, "create", "meetingID=room2&name=Room&isBreakout=perhaps", "validationError"},
		{n, "create", "meetingID=room2&name=Room&record=1", ""},
		{n, "getMeetingInfo", "meetingID=x", "notFound"},
		{n, "end", "meetingID=", "notFound"},
		{n, "end", "meetingID=a,b", "notFound"},
		{n, "end", "", "notFound"},
		{old, "end", "meetingID=room", "emptyError"},
		{old, "end", "meetingID=x&password=y", "invalidPassword"},
		{n, "isMeetingRunning", "", ""},
		{n, "isMeetingRunning", "meetingID=", "missingParamMeetingID"},
		{n, "sendChatMessage", "meetingID=room&message=", "sizeError"},
		{n, "sendChatMessage", "meetingID=room&message=x&userName=" + strings.Repeat("x", 256), "sizeError"},
	}
	for _, test := range tests {
		if got := keyOf(t, text(t, ask(t, test.node, request{call: test.call, query: test.query}))); got != test.want {
			t.Errorf("%s?%s: messageKey is %q, want %q", test.call, test.query, got, test.want)
		}
	}
}

func TestWhichJoinErrorWins(t *testing.T) {
	t.Parallel()
	n, old := New(Options{}), New(Options{Version: "2.4"})
	for _, node := range []*Node{n, old} {
		node.AddRoom(Room{ExternalID: "room", AttendeePW: "attend", ModeratorPW: "moderate"})
	}
	tests := []struct {
		node  *Node
		query string
		want  string
	}{
		{n, "meetingID=nope", "missingParamFullName"},
		{n, "meetingID=nope&fullName=Ada", "meetingForciblyEnded"},
		{n, "meetingID=nope&fullName=Ada&password=x", "meetingForciblyEnded"},
		{n, "fullName=Ada", "meetingForciblyEnded"},
		{n, "meetingID=room&fullName=Ada&password=x", "invalidPassword"},
		{n, "meetingID=room&fullName=Ada&role=viewer&guest=x", "validationError"},
		{n, "meetingID=room&fullName=Ada&role=viewer&createTime=x&redirect=false", "validationError"},
		{n, "meetingID=room&fullName=Ada&role=viewer&createTime=12", "mismatchCreateTimeParam"},
		{old, "meetingID=room&fullName=Ada&role=viewer&createTime=12&redirect=false", "mismatchCreateTimeParam"},
		{old, "meetingID=room&fullName=Ada&password=wrong&redirect=false", "invalidPassword"},
		{old, "meetingID=room&fullName=Ada", "invalidPassword"},
	}
	for _, test := range tests {
		resp := ask(t, test.node, request{call: "join", query: test.query})
		var errors []struct{ Key, Message string }
		if err := json.Unmarshal([]byte(errorOf(t, resp)), &errors); err != nil || len(errors) != 1 {
			t.Errorf("%s: status %d to %q, want an error", test.query, resp.StatusCode, resp.Header.Get("Location"))
			continue
		}
		if errors[0].Key != test.want {
			t.Errorf("%s: key is %q, want %q", test.query, errors[0].Key, test.want)
		}
	}
}

func TestWhereJoinErrorsGo(t *testing.T) {
	t.Parallel()
	const back, out = "https://lms.example.org/back?a=b%26c#top", "https://lms.example.org/out"
	tests := []struct{ version, errorRedirect, logout, want string }{
		{"3.0", back, out, "https://lms.example.org/back?a=b&c&errors=["},
		{"2.7", back, out, "https://lms.example.org/back?a=b&c&errors=["},
		{"2.5", back, out, "https://lms.example.org/out?errors=["},
		{"3.0", "", out, "https://lms.example.org/out?errors=["},
		{"3.0", "", "", "https://node1.bbb.test?errors=["},
	}
	for _, test := range tests {
		n := New(Options{Version: test.version})
		resp := ask(t, n, request{call: "join", query: query("fullName", "Ada", "meetingID", "nope",
			"errorRedirectUrl", test.errorRedirect, "logoutURL", test.logout)})
		location := resp.Header.Get("Location")
		if !strings.HasPrefix(location, test.want) {
			t.Errorf("%s: location is %q, want %q…", test.version, location, test.want)
		}
		if strings.Contains(test.want, "back") && !strings.HasSuffix(location, "]#top") {
			t.Errorf("%s: location is %q, want the fragment at the end", test.version, location)
		}
		if _, err := url.Parse(location); err != nil {
			t.Error(err)
		}
	}
}
