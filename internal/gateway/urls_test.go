package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"b3scale/bbb"
)

func TestURLForms(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("known")
	const index = "index"
	query := "?" + bbb.SignedQuery("isMeetingRunning", "meetingID=known", secretOne)
	for _, c := range []struct {
		path string // with the query of an isMeetingRunning
		want string // outcome, or index
	}{
		{"/bbb/fe1/bigbluebutton/api/isMeetingRunning", bbb.Success},
		{"/bbb/fe1/api/isMeetingRunning", bbb.Success},
		{"/bbb/fe1/isMeetingRunning", bbb.Success},
		{"/bbb/fe1//isMeetingRunning", bbb.Success},
		{"/bbb/fe1/bigbluebutton/api//isMeetingRunning", bbb.Success},
		{"/bbb/fe1//bigbluebutton//api//isMeetingRunning", bbb.Success},
		{"/bbb//fe1/api/isMeetingRunning", bbb.Success},
		{"/bbb/fe1/anything/in/between/isMeetingRunning", bbb.Success},
		{"/bbb/fe1/api/is%4deetingRunning", bbb.Success},
		{"/bbb/%66e1/api/isMeetingRunning", bbb.Success},

		{"/bbb/fe1", index},
		{"/bbb/fe1/", index},
		{"/bbb/fe1/api", index},
		{"/bbb/fe1/api/", index},
		{"/bbb/fe1/bigbluebutton", index},
		{"/bbb/fe1/bigbluebutton/", index},
		{"/bbb/fe1/bigbluebutton/api", index},
		{"/bbb/fe1/bigbluebutton/api/", index},
		{"/bbb/fe1/bigbluebutton/api//", index},
		{"/bbb/fe1/bigbluebutton/api/isMeetingRunning/", bbb.Success},
		{"/bbb/", index},
		{"/bbb/nobody/bigbluebutton/api", index},
		{"/bbb/off/bigbluebutton/api", index},

		// The checksum is that of another call: names are case-sensitive.
		{"/bbb/fe1/api/ismeetingrunning", "checksumError"},
		{"/bbb/fe1/api/IsMeetingRunning", "checksumError"},
		{"/bbb/fe1/api/isMeetingRunning%20", "checksumError"},
		{"/bbb/fe1/api/isMeetingRunning.xml", "checksumError"},
		{"/bbb/FE1/api/isMeetingRunning", "checksumError"},
		{"/bbb/fe1%2fapi/isMeetingRunning", bbb.Success}, // a key never has a slash
		{"/bbb/nobody/isMeetingRunning", "checksumError"},
		{"/bbb/isMeetingRunning", index}, // a frontend of that name, for all that can be told
	} {
		got := h.do(request{target: c.path + query})
		if got.status != http.StatusOK || got.header.Get("Content-Type") != bbb.ContentType {
			t.Errorf("%s: got %v", c.path, got)
			continue
		}
		outcome := got.outcome(t)
		if got.root(t).Child("apiVersion").Exists() {
			outcome = index
		}
		if outcome != c.want {
			t.Errorf("%s: got %s, want %s", c.path, outcome, c.want)
		}
		h.untouched(c.path)
	}
}

// Only what lies below the prefix is the gateway's, and nothing of it is
// redirected by a mux.
func TestOtherPathsAreNotTheGateways(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for _, path := range []string{"/", "/bbb", "/bbbx/fe1/api", "/api/v1", "/b3s/retry-join"} {
		if got := h.do(request{target: path}); got.status != http.StatusNotFound {
			t.Errorf("%s: got %v, want 404", path, got)
		}
	}
}

func TestIndexNeedsNoChecksum(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	want := string(bbb.VersionAnswer())
	for _, query := range []string{"", "?checksum=wrong", "?a=b&checksum=" + strings.Repeat("0", 40)} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got := h.do(request{method: method, target: "/bbb/fe1/bigbluebutton/api" + query})
			if got.status != http.StatusOK || got.body != want {
				t.Errorf("%s index%s: got %v, want %s", method, query, got, want)
			}
		}
	}
	h.untouched("index")
}

// A resource that is not known is never signed with a node's secret.
func TestUnknownResources(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("known")
	for _, call := range []string{
		"Create", "JOIN", "getJoinUrl", "feedback", "enter", "getSessions", "setConfigXML", "getDefaultConfigXML",
		"create.json", "..", ".", "hooks", "destroy", "ping", "%", "ä", "getrecordings", "DeleteRecordings",
	} {
		query := "meetingID=known&recordID=x&name=Room"
		path := apiURL(keyOne, strings.ReplaceAll(call, "%", "%25"))
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got := h.do(request{method: method, target: path + "?" + bbb.SignedQuery(call, query, secretOne)})
			if outcome := got.outcome(t); got.status != http.StatusOK || outcome != "unsupportedRequest" {
				t.Errorf("%s %s: got %v, want unsupportedRequest", method, call, got)
			}
			got = h.do(request{method: method, target: path + "?" + query})
			if outcome := got.outcome(t); outcome != "checksumError" {
				t.Errorf("%s %s without a checksum: got %v, want checksumError", method, call, got)
			}
		}
		h.untouched(call)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{gateway: extraResources("getPolls")})
	h.create("known")
	readOnly := []string{"", "join", "isMeetingRunning", "getMeetingInfo", "getMeetings"}
	effects := []string{"create", "end", "insertDocument", "sendChatMessage", "getPolls"}
	target := func(call string) string {
		return signed(call, "name=Room&meetingID=known&message=hi&fullName="+personQuery+"&role=VIEWER")
	}
	for _, call := range readOnly {
		got := h.do(request{method: http.MethodHead, target: target(call)})
		if got.status != http.StatusOK && got.status != http.StatusFound {
			t.Errorf("HEAD %q: got %v", call, got)
		}
	}
	h.forget() // a HEAD of getMeetingInfo may ask
	for _, call := range append(readOnly, effects...) {
		for _, method := range []string{
			http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, http.MethodTrace, http.MethodConnect, "PROPFIND", "get", "",
		} {
			if method == "" {
				if !contains(effects, call) {
					continue
				}
				method = http.MethodHead
			}
			got := h.do(request{method: method, target: target(call)})
			if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, POST" {
				t.Errorf("%s %q: got %v, want 405 with Allow", method, call, got)
			}
			h.untouched(method + " " + call)
		}
	}
}
