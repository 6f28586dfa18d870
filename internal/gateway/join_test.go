package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// joinQuery takes a redirect to a node apart and wants it to be signed with
// the node's secret.
func (h *harness) joinQuery(got reply, n *bbbtest.Node) string {
	h.Helper()
	location := got.header.Get("Location")
	raw, ok := strings.CutPrefix(location, n.BaseURL()+"join?")
	if got.status != http.StatusFound || !ok {
		h.Fatalf("got %v, want a redirect to %s", got, n.BaseURL())
	}
	query, checksum, count := bbb.SplitChecksum(raw)
	if count != 1 || !bbb.Verify("join", query, checksum, n.API().Secret) {
		h.Errorf("%s is not signed for the node", location)
	}
	if control := got.header.Get("Cache-Control"); control != "no-store" {
		h.Errorf("Cache-Control of a redirect is %q, want no-store", control)
	}
	return query
}

// The node gets every parameter of a join: in order and byte for byte.
func TestJoinRedirects(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: []bbbtest.Options{{}, {}, {}}})
	h.create("room")
	home := h.homeOf("room")
	const id = "meetingID=room"
	for _, query := range []string{
		id + "&fullName=" + personQuery + "&role=MODERATOR",
		"fullName=Ada%20Lovelace&password=" + moderatorPW + "&" + id,
		"fullName=%41da&" + id + "&password=" + attendeePW + "&userID=u%2f1&createTime=1&userdata-bbb_a=%7b1%7D&userdata-bbb_b=x;y&userdata-c",
		id + "&fullName=Ada&role=viewer&redirect=false",
		id + "&fullName=Ada&redirect=FALSE&redirect=true&joinViaHtml5=true",
		id + "&fullName=Ada&role=VIEWER&avatarURL=https%3A%2F%2Fexample.org%2Fa%3Fb%3Dc%26d&logoutURL=https://example.org/&errorRedirectUrl=https%3a%2f%2fexample.org",
		id + "&fullName=Ada&future=%zz&a=1&a=2&&guest=true",
		id + "&fullName=<script>alert(1)</script>\"'&role=VIEWER",
	} {
		for name, got := range map[string]reply{
			"program": h.call("join", query), "browser": h.browse(signed("join", query)),
			"HEAD": h.do(request{method: http.MethodHead, target: signed("join", query)}),
		} {
			want := strings.Replace(strings.ReplaceAll(query, "&&", "&"), id, "meetingID="+url.QueryEscape(nodeID("room")), 1)
			if sent := h.joinQuery(got, home); sent != want {
				t.Errorf("%s: the node gets\n%s, want\n%s", name, sent, want)
			}
			if strings.Contains(got.body, "<script") {
				t.Errorf("%s: the answer holds a script: %v", name, got)
			}
		}
	}
	h.untouched("joins")
	// And the node agrees.
	client := http.Client{Transport: h.network, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(h.call("join", id+"&fullName=Ada&role=MODERATOR").header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if location := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || !strings.Contains(location, "sessionToken=") {
		t.Errorf("the node answers %d to %q", resp.StatusCode, location)
	}
}

// Raw bytes that cannot stand in a URL are escaped on the way.
func TestJoinEscapesWhatAHeaderCannotCarry(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("room")
	got := h.call("join", "meetingID=room&role=VIEWER&fullName=J\u00fcrgen \xff")
	if sent := h.joinQuery(got, h.nodes[0]); !strings.HasSuffix(sent, "fullName=J%C3%BCrgen+%FF") {
		t.Errorf("the node gets %q", sent)
	}
}

func TestJoinOfAnUnknownMeeting(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	const query = "meetingID=unknown&role=VIEWER&fullName=" + personQuery
	browser := func(language, query string) reply {
		header := http.Header{"Accept": {"text/html"}}
		if language != "" {
			header.Set("Accept-Language", language)
		}
		return h.do(request{target: signed("join", query), header: header})
	}
	for language, text := range map[string]string{
		"":                  "There is no such meeting",
		"en-GB,en;q=0.9":    "There is no such meeting",
		"de-AT,de;q=0.9":    "Diese Konferenz gibt es gerade nicht",
		"fr;q=0.9,de;q=0.8": "Diese Konferenz gibt es gerade nicht",
		"ja":                "There is no such meeting",
	} {
		got := browser(language, query)
		if got.status != http.StatusNotFound || got.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(got.body, text) {
			t.Errorf("%q: got %v, want 404 with %q", language, got, text)
		}
		if got.header.Get("Refresh") != "" || strings.Contains(strings.ToLower(got.body), "http-equiv") || strings.Contains(got.body, "<script") {
			t.Errorf("%q: the page reloads: %v", language, got)
		}
	}
	for name, got := range map[string]reply{
		"no Accept":      h.call("join", query),
		"Accept all":     h.do(request{target: signed("join", query), header: http.Header{"Accept": {"*/*"}}}),
		"redirect=false": browser("en", query+"&redirect=false"),
		"redirect=FALSE": browser("en", query+"&redirect=FALSE"),
	} {
		if got.status != http.StatusOK || got.body != string(bbb.ErrNotFound.Answer()) {
			t.Errorf("%s: got %v, want notFound in XML", name, got)
		}
	}
	h.untouched("joins of an unknown meeting")
}

// The frontend may want to hear of errors itself, at a web address.
func TestErrorRedirectURL(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	query := func(target string) string {
		return "meetingID=unknown&role=VIEWER&fullName=" + personQuery + "&errorRedirectUrl=" + url.QueryEscape(target)
	}
	for target, want := range map[string]string{
		"https://lms.example.org":                      "https://lms.example.org?",
		"https://lms.example.org/course/1":             "https://lms.example.org/course/1?",
		"http://lms.example.org:8080/?a=%26b&c=d":      "http://lms.example.org:8080/?a=%26b&c=d&",
		"https://lms.example.org/%C3%A4?q=\u00e4#part": "https://lms.example.org/%C3%A4?q=%C3%A4&",
		"https://lms.example.org/?q=a b":               "https://lms.example.org/?q=a%20b&",
	} {
		got := h.browse(signed("join", query(target)))
		location := got.header.Get("Location")
		if got.status != http.StatusFound || !strings.HasPrefix(location, want+"errors=") {
			t.Errorf("%s: got %v, want a redirect to %s", target, got, want)
			continue
		}
		u, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		var told []struct{ Key, Message string }
		if err := json.Unmarshal([]byte(u.Query().Get("errors")), &told); err != nil || len(told) != 1 {
			t.Fatalf("%s: errors are %q (%v)", target, u.Query().Get("errors"), err)
		}
		if told[0].Key != bbb.ErrNotFound.Key || told[0].Message != bbb.ErrNotFound.Message {
			t.Errorf("%s: told %+v", target, told)
		}
	}
	for _, target := range []string{
		"", "/here", "//evil.example.org", "evil.example.org", "javascript:alert(1)", "javascript://evil.example.org/%0aalert(1)",
		"data:text/html,x", "ftp://evil.example.org", "https:", "https:///path", "https://[::1", "https://a b/", "\thttps://evil.example.org",
		"https://evil.example.org/\r\nSet-Cookie: a=b",
	} {
		got := h.browse(signed("join", query(target)))
		if got.status != http.StatusNotFound || got.header.Get("Location") != "" {
			t.Errorf("%q: got %v, want the page", target, got)
		}
	}
	if got := h.call("join", query("https://lms.example.org")); got.outcome(t) != "notFound" {
		t.Errorf("a program: got %v, want XML", got)
	}
	if got := h.browse(signed("join", query("https://lms.example.org")+"&redirect=false")); got.outcome(t) != "notFound" {
		t.Errorf("redirect=false: got %v, want XML", got)
	}
	h.untouched("error redirects")
}

// The room may be gone without anybody knowing: that is the node's to say.
func TestJoinDoesNotAskTheNode(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for i := range 5 {
		h.create("room-" + strconv.Itoa(i))
	}
	h.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
	for i := range 5 {
		h.joinQuery(h.call("join", "meetingID=room-"+strconv.Itoa(i)+"&role=VIEWER&fullName=Ada"), h.nodes[0])
	}
	h.nodes[0].ClearFaults()
	h.untouched("joins")
}
