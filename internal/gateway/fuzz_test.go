package gateway_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/gateway"
)

// How FuzzGateway sends what it is given.
const (
	signQuery    = 1 << iota // with a right checksum
	signForm                 // with one in front of the body
	asBrowser                // accepting pages
	beingCreated             // about a meeting that is being created
	ownHost                  // at the first frontend's host
)

// FuzzGateway sends anything at all. Whatever it is, the answer is well-formed
// and no server error, and without a right checksum no node is asked and
// nothing is written.
func FuzzGateway(f *testing.F) {
	library := &shelf{}
	base := newHarness(f, setup{nodes: []bbbtest.Options{{ExtraElements: unknown}}, gateway: gateway.Options{Recordings: library}})
	library.store = base.store
	base.put(base.one, physics(), staff())
	base.put(base.two, foreign())
	base.set(base.one, func(s *b3scale.FrontendSettings) { s.Hosts = []string{hostOne} })
	base.create("room")
	base.claim("pending")
	base.forget()
	for _, seed := range []struct {
		method, path, query, contentType, body string
		mode                                   byte
	}{
		{"GET", "/bbb/fe1/bigbluebutton/api/", "", "", "", 0},
		{"GET", "/bbb/fe1/bigbluebutton/api/create", "name=Room&meetingID=room", "", "", signQuery},
		{"GET", "/bbb//fe1//api//create", "name=Room&meetingID=%c3%bc&&x;y=%zz&meta_b3s-frontend=x", "", "", signQuery},
		{"GET", "/bbb/fe1/create", "meetingID=" + strings.Repeat("a", 250), "", "", signQuery},
		{"GET", "/bbb/fe1/create", "name=Room&meetingID=sub&isBreakout=true&parentMeetingID=room&sequence=1", "", "", signQuery},
		{"POST", "/bbb/fe1/api/create", "name=Room&meetingID=room", "text/xml", slides, signQuery},
		{"POST", "/bbb/fe1/api/create", "name=Room&meetingID=room", "text/xml", "<modules><module>", signQuery},
		{"POST", "/bbb/fe1/api/create", "", formType, "name=Room&meetingID=form", signForm},
		{"POST", "/bbb/fe1/api/create", "checksum=0", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--", 0},
		{"POST", "/bbb/fe1/api/insertDocument", "meetingID=room", "application/xml", "<modules/>", signQuery},
		{"GET", "/bbb/fe1/api/join", joinQuery, "", "", signQuery | asBrowser},
		{"GET", "/bbb/fe1/api/join", "meetingID=pending&fullName=x", "", "", signQuery | asBrowser | beingCreated},
		{"GET", "/bbb/fe1/api/join", "meetingID=gone&errorRedirectUrl=https://example.org/?a=b%26", "", "", signQuery | asBrowser},
		{"GET", "/bbb/fe1/api/getMeetingInfo", "meetingID=room", "", "", signQuery},
		{"GET", "/bbb/fe1/api/isMeetingRunning", "meetingID=a%00,b", "", "", signQuery},
		{"HEAD", "/bbb/fe1/api/getMeetings", "", "", "", signQuery},
		{"GET", "/bbb/fe1/api/end", "meetingID=room&meetingID=room", "", "", signQuery},
		{"GET", "/bbb/fe1/api/sendChatMessage", "meetingID=room&message=%F0%9F%91%8B", "", "", signQuery},
		{"GET", "/bbb/fe1/api/getRecordings", "recordID=a", "", "", signQuery},
		{"GET", "/bbb/fe1/api/getRecordings", "recordID=332a,%25&meetingID=phys-101-spring&state=any&meta_bbb-origin=%25oo%25&protect=&limit=2&offset=0", "", "", signQuery},
		{"POST", "/bbb/fe1/api/getRecordings", "meetingID=%2525%252B&state=deleted,any", formType, "recordID=b", signQuery},
		{"GET", "/bbb/fe1/api/publishRecordings", "publish=%26true&recordID=" + physicsID, "", "", signQuery},
		{"GET", "/bbb/fe1/api/publishRecordings", "publish=false&recordID=" + physicsID + "," + staffID, "", "", signQuery},
		{"POST", "/bbb/fe1/api/updateRecordings", "meta_A.b=%3Cx%3E&META_meetingid=1&protect=true&meta_gone=&recordID=" + physicsID, "", "", signQuery},
		{"GET", "/bbb/fe1/api/deleteRecordings", "recordID=" + physicsID, "", "", signQuery},
		{"GET", "/bbb/fe1/api/getRecordingTextTracks", "recordID=" + foreignID, "", "", signQuery},
		{"POST", "/bbb/fe1/api/putRecordingTextTrack", "lang=en&kind=captions&recordID=" + physicsID, "multipart/form-data; boundary=x", multipartTrack(3), signQuery},
		{"DELETE", "/bbb/fe1/api/create", "", "", "", signQuery},
		{"GET", "/bbb/off/api/create", "name=Room&meetingID=room", "", "", signQuery},
		{"GET", retryAddress(signed("join", "meetingID=pending&fullName=x")), "n=3", "", "", asBrowser},
		{"GET", retryAddress("//evil.example.org/bbb/join"), "n=x", "", "", asBrowser},
		{"GET", "/bigbluebutton/api/create", "name=Room&meetingID=room", "", "", signQuery | ownHost},
		{"GET", "/bigbluebutton//api//join", "meetingID=pending&fullName=x", "", "", signQuery | asBrowser | ownHost},
		{"GET", "/bigbluebutton/api/getMeetings", "", "", "", signQuery},
		{"GET", retryAddress(atHost(secretOne, "join", "meetingID=pending&fullName=x")), "n=3", "", "", asBrowser | ownHost},
		{"GET", "/healthz", "", "", "", 0},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.contentType, []byte(seed.body), seed.mode)
	}
	f.Fuzz(func(t *testing.T, method, path, query, contentType string, body []byte, mode byte) {
		h := *base
		h.TB = t
		call := path[strings.LastIndexByte(path, '/')+1:]
		if mode&beingCreated != 0 {
			query = strings.Replace(query, "room", "pending", 1)
		}
		if mode&signQuery != 0 {
			query = bbb.SignedQuery(call, query, secretOne)
		}
		if mode&signForm != 0 {
			body = append([]byte(bbb.SignedQuery(call, "", secretOne)+"&"), body...)
		}
		signed, sum, _ := bbb.SplitChecksum(query)
		host := ""
		if mode&ownHost != 0 {
			host = hostOne
		}
		proven := (strings.Contains(path, keyOne) || host != "") && (mode&signForm != 0 || bbb.Verify(call, signed, sum, secretOne, secondSecretOne))

		header := http.Header{"Content-Type": {contentType}}
		if mode&asBrowser != 0 {
			header.Set("Accept", "text/html")
		}
		got := h.send(&url.URL{Path: path, RawQuery: query}, request{method: method, host: host, header: header, body: strings.NewReader(string(body))})
		switch got.status {
		case http.StatusOK, http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect,
			http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("got %v", got)
		}
		if strings.HasPrefix(got.header.Get("Content-Type"), "text/html") && got.body != "" &&
			!strings.HasPrefix(got.body, "<!DOCTYPE html>") && !strings.HasPrefix(got.body, "<a href=") { // the mux's own
			t.Errorf("half a page: %v", got)
		}
		gatewayPath := slices.ContainsFunc(gateway.Prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
		if strings.ContainsFunc(got.header.Get("Location"), func(r rune) bool { return r <= ' ' || r > '~' }) && gatewayPath {
			t.Errorf("Location would break the header: %q", got.header.Get("Location"))
		}
		if !proven {
			h.untouched("without a right checksum")
		}
		if strings.Contains(got.body, foreign().Name) && strings.Contains(path, keyOne) {
			t.Errorf("tells of a recording of another: %v", got)
		}
		if proven && strings.HasSuffix(call, "Recordings") {
			h.put(h.one, physics(), staff())
		}
		h.forget()
		h.checkLog()
		h.log.Reset()
	})
}
