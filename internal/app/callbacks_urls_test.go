package app_test

import (
	"net/http"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
)

// However an address got into a create, the node gets ours.
func TestAddressesThatNodesGet(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	s := newCallbackSite(t, []*bbbtest.Node{n})
	_, err := s.Cluster().EditFrontend(t.Context(), s.key("").FrontendID, b3scale.Actor{}, func(f *b3scale.Frontend) error {
		f.Settings.CreateDefaultParams = b3scale.Params{"meta_endCallbackUrl": s.lms.URL + "/default"}
		f.Settings.CreateOverrideParams = b3scale.Params{"meta_bbb-recording-ready-url": s.lms.URL + "/override"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	room := s.creates(n, "class", "meta_BBB-recording-READY-url", s.lms.URL+"/mine", "meta_bn-recording-ready-url", s.lms.URL+"/bn",
		"meta_canvas-recording-ready-url", s.lms.URL+"/canvas", "meta_Analytics-Callback-Url", s.lms.URL+"/figures", "meta_other", s.lms.URL+"/other")
	m := &room.Metadata
	for name, want := range map[string]b3scale.CallbackTicket{
		"endcallbackurl":             {Target: s.lms.URL + "/default", Kind: b3scale.CallbackEnd},
		"bbb-recording-ready-url":    {Target: s.lms.URL + "/override", Kind: b3scale.CallbackRecordingReady},
		"bn-recording-ready-url":     {Target: s.lms.URL + "/bn", Kind: b3scale.CallbackRecordingReady},
		"canvas-recording-ready-url": {Target: s.lms.URL + "/canvas", Kind: b3scale.CallbackRecordingReady},
		"analytics-callback-url":     {Target: s.lms.URL + "/figures", Kind: b3scale.CallbackAnalytics},
	} {
		got := s.ticket(m.Get(name))
		want.FrontendID, want.MeetingID, want.Origin = s.key("").FrontendID, "class", s.Cluster().Room(s.key("class")).Origin
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if got := s.ticket(room.MeetingEndedURL); got.Target != "" || got.Kind != b3scale.CallbackMeetingEnded {
		t.Errorf("meetingEndedURL that nobody asked for: %+v", got)
	}
	if got := m.Get("other"); got != s.lms.URL+"/other" {
		t.Errorf("other metadata: %q", got)
	}
	// The frontend sees its own, and may send ours back if it has them from elsewhere.
	for _, call := range []string{"getMeetings", "getMeetingInfo"} {
		_, body := s.call(call, "meetingID=class")
		if strings.Contains(body, "/proxy/") || !strings.Contains(body, "<endcallbackurl>"+s.lms.URL+"/default</endcallbackurl>") ||
			!strings.Contains(body, "<canvas-recording-ready-url>"+s.lms.URL+"/canvas</canvas-recording-ready-url>") {
			t.Errorf("%s: %s", call, body)
		}
	}
	again := s.creates(n, "class2", "meta_endCallbackUrl", m.Get("canvas-recording-ready-url"))
	if got := s.ticket(again.Metadata.Get("endcallbackurl")); got.Target != s.lms.URL+"/canvas" || got.Kind != b3scale.CallbackEnd || got.MeetingID != "class2" {
		t.Errorf("ours, sent back: %+v", got)
	}
}

// What belongs to one frontend is of no use to another.
func TestCallbacksOfOtherFrontends(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	s := newCallbackSite(t, []*bbbtest.Node{n})
	room := s.creates(n, "class", "meta_endCallbackUrl", s.lms.URL+"/s3cret")
	theirs, ours := room.Metadata.Get("endcallbackurl"), "/bbb/"+otherKey+"/bigbluebutton/api/create?"
	status, body := s.get(ours + bbb.SignedQuery("create", "name=Mine&meetingID=mine&meta_endCallbackUrl="+theirs+"&meetingEndedURL="+theirs+
		"&meta_own="+theirs, otherSecret))
	if status != http.StatusOK || !strings.Contains(body, "SUCCESS") {
		t.Fatalf("%d %s", status, body)
	}
	mine, _ := n.Room(b3scale.EncodeMeetingID(otherKey, "mine"))
	if got := mine.Metadata.Get("endcallbackurl"); got != "" {
		t.Errorf("the node got %q", got)
	}
	if got := s.ticket(mine.MeetingEndedURL); got.Target != "" || got.FrontendID == s.key("").FrontendID {
		t.Errorf("the node got %+v", got)
	}
	for _, call := range []string{"getMeetings", "getMeetingInfo"} {
		_, body = s.get("/bbb/" + otherKey + "/bigbluebutton/api/" + call + "?" + bbb.SignedQuery(call, "meetingID=mine", otherSecret))
		if strings.Contains(body, "s3cret") || strings.Contains(body, "/proxy/") || !strings.Contains(body, "mine") {
			t.Errorf("%s: %s", call, body)
		}
	}
	for id, address := range map[string]string{mine.ExternalID: theirs, room.ExternalID: mine.MeetingEndedURL} {
		if status, _ := s.knock(http.MethodGet, address+"?meetingID="+id, ""); status != http.StatusForbidden {
			t.Errorf("the token of one for a meeting of another: %d, want 403", status)
		}
	}
	if got := s.stored(""); len(got) != 0 {
		t.Errorf("stored: %+v", got)
	}
}

// Nobody makes us call what only we can reach, and operators see who tried.
func TestHostileTargets(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	s := newCallbackSite(t, []*bbbtest.Node{n}, "B3SCALE_CALLBACK_ALLOW=192.0.2.0/24")
	s.lms.answer = func(message, int) int { t.Error("called"); return http.StatusOK }
	port := s.lms.URL[strings.LastIndexByte(s.lms.URL, ':'):]
	targets := []string{
		s.lms.URL, "http://localhost" + port, "http://[::1]" + port, "http://[::ffff:127.0.0.1]" + port, "http://0.0.0.0" + port, "http://[::]" + port,
		"http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.0.1/", "http://[fe80::1]/", "http://[fd00::1]/",
		"http://127.1" + port, "http://2130706433" + port, "ftp://example.org/", "file:///etc/passwd", "gopher://127.0.0.1" + port + "/_x",
	}
	for i, target := range targets {
		room := s.creates(n, "class"+string(rune('a'+i)), "meta_endCallbackUrl", target)
		n.EndNow(room.ExternalID)
	}
	within(t, 20*1e9, "all are refused", func() string {
		var open []string
		stored := s.stored("?kind=end")
		for _, c := range stored {
			// Names that no resolver knows are tried again.
			odd := strings.Contains(c.URL, "127.1") || strings.Contains(c.URL, "2130706433")
			if c.LastError == nil || c.State != "refused" && !odd {
				open = append(open, c.URL+" is "+c.State)
			}
		}
		if len(stored) != len(targets) {
			open = append(open, "some are missing")
		}
		return strings.Join(open, ", ")
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	s := newCallbackSite(t, []*bbbtest.Node{n})
	s.lms.answer = func(_ message, before int) int {
		if before < 2 {
			return http.StatusFound
		}
		return http.StatusOK
	}
	n.EndNow(s.creates(n, "class", "meta_endCallbackUrl", s.lms.URL+"/end").ExternalID)
	told := false
	eventually(t, "it arrives in the end", func() bool {
		c := s.stored("?kind=end")
		told = told || len(c) > 0 && c[0].LastError != nil && strings.Contains(*c[0].LastError, "elsewhere")
		return len(c) > 0 && c[0].State == "delivered" && c[0].Attempts == 3
	})
	if !told {
		t.Log("nobody looked while it was sent elsewhere")
	}
}

// Without an address of our own everything stays as it was.
func TestAddressesStayWithoutOurs(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	s := newCallbackSite(t, []*bbbtest.Node{n}, "B3SCALE_API_URL=")
	room := s.creates(n, "class", "meta_endCallbackUrl", s.lms.URL+"/end")
	if got := room.Metadata.Get("endcallbackurl"); got != s.lms.URL+"/end" || room.MeetingEndedURL != "" {
		t.Errorf("the node got %q and %q", got, room.MeetingEndedURL)
	}
}
