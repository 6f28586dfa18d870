package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/cluster"
)

const joinQuery = "meetingID=room&role=VIEWER&fullName=" + personQuery + "&x=%c3%bc;y"

// claim puts a meeting of the first frontend there that is still being
// created, as another request would.
func (h *harness) claim(meetingID string) b3scale.Meeting {
	h.Helper()
	m, fit, err := h.store.Store.ClaimMeeting(h.Context(), b3scale.Claim{
		Key: b3scale.MeetingKey{FrontendID: h.one.ID, MeetingID: meetingID}, BackendID: h.backend(h.nodes[0]).ID,
		AttendeePW: attendeePW, ModeratorPW: moderatorPW, Size: 15,
	})
	if err != nil || !fit {
		h.Fatalf("claim: %v, %v", fit, err)
	}
	h.load()
	return m
}

func (h *harness) confirm(m b3scale.Meeting) {
	h.Helper()
	_, ok, err := h.store.Store.ConfirmMeeting(h.Context(), m.Key, m.Generation, b3scale.Incarnation{
		InternalID: "internal-1", CreateTime: 1, AttendeePW: attendeePW, ModeratorPW: moderatorPW, Info: []byte("<meetingID>x</meetingID>"),
	})
	if err != nil || !ok {
		h.Fatalf("confirm: %v, %v", ok, err)
	}
	h.load()
}

// refresh reads when a page goes where.
func refresh(t *testing.T, got reply) (time.Duration, string) {
	t.Helper()
	header := got.header.Get("Refresh")
	if header == "" {
		return 0, ""
	}
	seconds, target, ok := strings.Cut(header, "; url=")
	n, err := strconv.Atoi(seconds)
	if !ok || err != nil {
		t.Fatalf("Refresh is %q", header)
	}
	return time.Duration(n) * time.Second, target
}

func TestWaitingPage(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	m := h.claim("room")

	got := h.browse(signed("join", joinQuery))
	next := got.header.Get("Location")
	if got.status != http.StatusFound || !strings.HasPrefix(next, "/b3s/retry-join/") {
		t.Fatalf("got %v, want a redirect to the waiting page", got)
	}
	var (
		pauses []time.Duration
		total  time.Duration
		middle string
	)
	for {
		got = h.browse(next)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("got %v, want a page", got)
		}
		if text := strings.ToLower(got.body); strings.Contains(text, "http-equiv") || strings.Contains(text, "<script") {
			t.Fatalf("the page reloads by itself: %v", got)
		}
		pause, target := refresh(t, got)
		if target == "" {
			break
		}
		if target == next {
			t.Fatalf("the page reloads itself: %v", got)
		}
		if len(pauses) == 10 {
			middle = target
		}
		pauses, total, next = append(pauses, pause), total+pause, target
		if len(pauses) > 100 {
			t.Fatal("the page never gives up")
		}
	}
	for i, pause := range pauses {
		if pause < 2*time.Second || pause > 15*time.Second || i > 0 && pause < pauses[i-1] {
			t.Errorf("the pauses are %v", pauses)
			break
		}
	}
	if pauses[len(pauses)-1] <= pauses[0] {
		t.Errorf("the pauses do not grow: %v", pauses)
	}
	if total < 3*time.Minute || total > 10*time.Minute {
		t.Errorf("the page gives up after %v", total)
	}
	if !strings.Contains(got.body, "We could not reach your meeting") || !strings.Contains(got.body, `href="/bbb/fe1/`) {
		t.Errorf("the last page does not explain itself: %v", got)
	}
	h.untouched("waiting")

	h.confirm(m)
	want := strings.Replace(joinQuery, "=room", "="+url.QueryEscape(nodeID("room")), 1)
	for _, target := range []string{middle, next, signed("join", joinQuery)} {
		if sent := h.joinQuery(h.browse(target), h.nodes[0]); sent != want {
			t.Errorf("%s: the node gets\n%s, want\n%s", target, sent, want)
		}
	}
	if _, err := h.store.EndMeeting(t.Context(), h.cluster.Room(m.Key).Meeting); err != nil {
		t.Fatal(err)
	}
	ended, err := h.store.Meeting(t.Context(), m.Key)
	if err != nil {
		t.Fatal(err)
	}
	h.table.Apply(ended, time.Now())
	if got := h.browse(next); got.status != http.StatusNotFound {
		t.Errorf("after the end: got %v, want 404", got)
	}
}

// The link on the waiting page is the join as it came, so that its checksum
// still is right.
func TestWaitingPageLinksToTheJoin(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.claim("room")
	target := "/bbb/fe1/" + strings.TrimPrefix(signed("join", joinQuery+"&y=(a)'b\"%22<>"), "/bbb/fe1/")
	page := h.browse(h.browse(target).header.Get("Location"))
	_, rest, _ := strings.Cut(page.body, `href="`)
	link, _, _ := strings.Cut(rest, `"`)
	link = strings.NewReplacer("&amp;", "&", "&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">").Replace(link)
	if link != target {
		t.Errorf("the link is\n%s, want\n%s", link, target)
	}
	if got := h.do(request{target: page.header.Get("Refresh")[len("3; url="):], header: http.Header{"Accept": {"text/html"}, "Accept-Language": {"de"}}}); !strings.Contains(got.body, "Einen Moment, bitte") || !strings.Contains(got.body, "Versuch 2") {
		t.Errorf("in German: got %v", got)
	}
}

// Programs and posts are told in XML.
func TestWaitingWithoutABrowser(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.claim("room")
	for name, r := range map[string]request{
		"redirect=false":         {target: signed("join", joinQuery+"&redirect=false")},
		"redirect=false, browse": {target: signed("join", joinQuery+"&redirect=false"), header: http.Header{"Accept": {"text/html"}}},
		"POST":                   {method: http.MethodPost, target: signed("join", joinQuery)},
	} {
		got := h.do(r)
		if got.status != http.StatusOK || got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != "the meeting is being prepared" {
			t.Errorf("%s: got %v", name, got)
		}
	}
	for _, call := range []string{"getMeetingInfo", "end", "sendChatMessage"} {
		if got := h.call(call, "meetingID=room&message=hi"); got.outcome(t) != "b3scaleGatewayError" {
			t.Errorf("%s: got %v", call, got)
		}
	}
	if got := h.call("getMeetings", ""); got.text(t, "messageKey") != "noMeetings" {
		t.Errorf("getMeetings lists a meeting that is not there yet: %v", got)
	}
	h.untouched("waiting")
}

// A join that comes while the meeting is being created waits for it.
func TestJoinWaitsForTheCreate(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{cluster: cluster.Options{JoinWait: 20 * time.Second}})
	m := h.claim("room")
	done := make(chan reply)
	go func() { done <- h.browse(signed("join", joinQuery)) }()
	h.confirm(m)
	h.joinQuery(<-done, h.nodes[0])
}

// People whose node is lost wait: it may come back.
func TestJoinOnALostNode(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("room")
	if err := h.cluster.DeclareLost(t.Context(), h.backend(h.nodes[0]).ID, b3scale.Actor{}); err != nil {
		t.Fatal(err)
	}
	h.eventually("the node is lost", func() bool { return h.backend(h.nodes[0]).Lost })
	got := h.browse(signed("join", joinQuery))
	if page := h.browse(got.header.Get("Location")); !strings.Contains(page.body, "One moment, please") {
		t.Errorf("got %v, then %v", got, page)
	}
	if got := h.call("getMeetingInfo", "meetingID=room"); got.outcome(t) != "b3scaleGatewayError" {
		t.Errorf("getMeetingInfo: got %v", got)
	}
}

func retryAddress(target string) string {
	text, _ := json.Marshal(map[string]string{"mth": "GET", "url": target})
	return "/b3s/retry-join/" + base64.RawURLEncoding.EncodeToString(text)
}

// A retry address leads to a join on this host and nowhere else.
func TestRetryAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.claim("room")
	good := retryAddress(signed("join", joinQuery))
	if got := h.browse(good); got.status != http.StatusOK || got.header.Get("Refresh") == "" {
		t.Fatalf("got %v, want the waiting page", got)
	}
	encode := func(text string) string {
		return "/b3s/retry-join/" + base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	query := strings.TrimPrefix(signed("join", joinQuery), apiURL(keyOne, "join"))
	for name, target := range map[string]string{
		"empty":             "/b3s/retry-join/",
		"cut":               good[:len(good)-7],
		"longer":            good + "AA",
		"odd character":     good + "!",
		"padded":            good + "=",
		"a path behind":     good + "/x",
		"other alphabet":    encode("\xff\xef")[:16] + "/-+",
		"not JSON":          encode("url=/bbb/fe1/join"),
		"half JSON":         encode(`{"mth":"GET","url":"/bbb/fe1/join"`),
		"no object":         encode(`"/bbb/fe1/join"`),
		"no URL":            encode(`{"mth":"GET"}`),
		"URL is a number":   encode(`{"mth":"GET","url":1}`),
		"absolute":          retryAddress("https://evil.example.org" + signed("join", joinQuery)),
		"own host":          retryAddress("http://b3scale.test" + signed("join", joinQuery)),
		"other host":        retryAddress("//evil.example.org" + signed("join", joinQuery)),
		"three slashes":     retryAddress("///evil.example.org/bbb/fe1/api/join" + query),
		"backslash":         retryAddress("/\\evil.example.org/bbb/fe1/api/join" + query),
		"user":              retryAddress("//user@/bbb/fe1/api/join" + query),
		"javascript":        retryAddress("javascript:alert(1)//bbb/fe1/join" + query),
		"data":              retryAddress("data:text/html,/bbb/fe1/join"),
		"relative":          retryAddress("bbb/fe1/api/join" + query),
		"query only":        retryAddress(query),
		"control character": retryAddress("/bbb/fe1/api/join?\r\nx"),
		"broken escape":     retryAddress("/bbb/fe1/%zz/join" + query),
		"elsewhere":         retryAddress("/api/v1/join"),
		"create":            retryAddress(signed("create", "name=Room&meetingID=new")),
		"end":               retryAddress(signed("end", "meetingID=room")),
		"index":             retryAddress(apiURL(keyOne, "")),
		"another case":      retryAddress(apiURL(keyOne, "Join") + query),
		"itself":            retryAddress(good),
		"escaped slash":     retryAddress("/bbb/fe1/join%2Fcreate" + query),
	} {
		got := h.browse(target + "?n=1")
		if got.status != http.StatusBadRequest || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: got %v, want 400 and a page", name, got)
		}
		if got.header.Get("Location") != "" || got.header.Get("Refresh") != "" || strings.Contains(got.body, "evil") {
			t.Errorf("%s: the answer leads elsewhere: %v", name, got)
		}
		h.untouched(name)
	}
	for name, target := range map[string]string{
		"checksum changed": retryAddress(strings.Replace(signed("join", joinQuery), "role=VIEWER", "role=MODERATOR", 1)),
		"other frontend":   retryAddress(strings.Replace(signed("join", joinQuery), keyOne, keyTwo, 1)),
		"not signed":       retryAddress(apiURL(keyOne, "join") + "?" + joinQuery),
	} {
		if got := h.browse(target); got.outcome(t) != "checksumError" {
			t.Errorf("%s: got %v, want checksumError", name, got)
		}
		h.untouched(name)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		if got := h.do(request{method: method, target: good}); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
			t.Errorf("%s: got %v, want 405 with Allow", method, got)
		}
	}
	h.untouched("retry addresses")
}

// The count in the address is anybody's to change; it must not break the
// back-off.
func TestRetryCounts(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.claim("room")
	for n, givesUp := range map[string]bool{
		"": false, "0": false, "-1": false, "-99999999999999999999": false, "x": false, "1": false, "29": false,
		"30": true, "31": true, "1000000": true, "99999999999999999999": true,
	} {
		pause, target := refresh(t, h.browse(retryAddress(signed("join", joinQuery))+"?n="+n))
		if (target == "") != givesUp || !givesUp && pause < 2*time.Second {
			t.Errorf("n=%s: goes on after %v to %q, want it to give up: %v", n, pause, target, givesUp)
		}
	}
	if got := h.browse(retryAddress(signed("join", joinQuery)) + "?n=%zz&n=2;"); got.status != http.StatusOK {
		t.Errorf("broken query: got %v", got)
	}
}
