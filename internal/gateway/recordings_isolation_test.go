package gateway_test

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"b3scale/bbb"
	"b3scale/internal/gateway"
)

var changesOfRecordings = []string{"publishRecordings", "updateRecordings", "deleteRecordings"}

// Whatever a frontend names, in whatever spelling and list, it meets its own
// recordings only.
func TestIsolationOfRecordings(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	theirs := h.stored(foreignID)
	mine := h.stored(physicsID)
	for _, id := range []string{
		foreignID, foreignID[:40], foreignID[:len(foreignID)-1], foreignID[:1], "%", "%%", "_", "*", "%" + foreignID[1:], foreignID + "%", "?", ".*",
		strings.Replace(foreignID, "-", "%2D", 1), strings.Replace(foreignID, "-", "%252D", 1), strings.ToUpper(foreignID),
		foreignID + "," + foreignID, physicsID + "," + foreignID, foreignID + "," + physicsID, "," + foreignID + ",", " " + foreignID + "\x00",
		"' OR '1'='1", `"] OR 1=1 --`, foreignID + "' --", "fe2", h.two.ID, "../" + foreignID, foreignID + "/..",
	} {
		query := "recordID=" + url.QueryEscape(id)
		got := h.call("getRecordings", "state=any&"+query)
		if strings.Contains(got.body, theirs.Name) || strings.Contains(got.body, foreignID) {
			t.Errorf("getRecordings of %q tells of another's: %v", id, got)
		}
		for _, call := range changesOfRecordings {
			got := h.call(call, query+"&publish=false&meta_mark=1&protect=true")
			if got.outcome(t) != "notFound" {
				t.Errorf("%s of %q: got %v", call, id, got)
			}
		}
		for call, file := range map[string]string{"getRecordingTextTracks": "", "putRecordingTextTrack": "x"} {
			got := h.track(call, query+"&kind=captions&lang=en", file)
			if !strings.Contains(got.body, `"noRecordings"`) {
				t.Errorf("%s of %q: got %v", call, id, got)
			}
		}
	}
	for _, query := range []string{
		"", "state=any", "meetingID=phys-101-spring", "meta_meetingName=of+the+other", "meta_meetingName=%25&state=any", "meta_bbb-origin=Moodle", "limit=100&state=any",
		"frontendID=" + h.two.ID, "meta_b3s-frontend=fe2", "state=published&recordID=&meetingID=", "limit=100&offset=-1", "meta_meetingId=phys-101-spring",
		"meetingID=" + url.QueryEscape(nodeID("phys-101-spring")),
	} {
		got := h.call("getRecordings", query)
		if strings.Contains(got.body, theirs.Name) || strings.Contains(got.body, foreignID) || got.text(t, "totalElements") > "4" {
			t.Errorf("getRecordings %s tells of another's: %v", query, got)
		}
		got = h.as(keyTwo, secretTwo, "getRecordings", query)
		if strings.Contains(got.body, physicsID) || strings.Contains(got.body, staffID) || strings.Contains(got.body, roomID) {
			t.Errorf("getRecordings %s tells the other of ours: %v", query, got)
		}
	}
	if got := h.stored(foreignID); !reflect.DeepEqual(got, theirs) {
		t.Errorf("the other's is now %+v", got)
	}
	if got := h.stored(physicsID); !reflect.DeepEqual(got, mine) {
		t.Errorf("ours is now %+v", got)
	}
	for _, call := range append(changesOfRecordings, "getRecordings") { // it can be reached by whose it is
		if got := h.as(keyTwo, secretTwo, call, "publish=true&recordID="+foreignID); got.outcome(t) != bbb.Success {
			t.Errorf("%s: got %v", call, got)
		}
		h.put(h.two, foreign())
	}
}

// Without a checksum over the query nothing is told and nothing changes,
// whatever a body says.
func TestOnlyTheQueryOfRecordings(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	form := "recordID=" + physicsID + "&meta_mark=1&limit=1"
	for _, call := range []string{"getRecordings", "updateRecordings", "getRecordingTextTracks"} {
		for name, c := range map[string]struct{ target, body string }{
			"signed form":         {apiURL(keyOne, call), bbb.SignedQuery(call, "", secretOne) + "&" + form},
			"sorted form":         {apiURL(keyOne, call), bbb.SignedQuery(call, "limit=1&meta_mark=1&recordID="+physicsID, secretOne)},
			"query without it":    {apiURL(keyOne, call) + "?" + form, bbb.SignedQuery(call, form, secretOne)},
			"wrong checksum":      {apiURL(keyOne, call) + "?" + bbb.SignedQuery(call, form, secretTwo), form},
			"second checksum":     {apiURL(keyOne, call) + "?" + bbb.SignedQuery(call, form, secretOne) + "&checksum=x", form},
			"another call's":      {apiURL(keyOne, call) + "?" + bbb.SignedQuery("getMeetings", form, secretOne), form},
			"an unknown frontend": {apiURL("none", call) + "?" + bbb.SignedQuery(call, form, secretOne), form},
			"a disabled one":      {apiURL(keyOff, call) + "?" + bbb.SignedQuery(call, form, secretOff), form},
		} {
			got := h.post(c.target, formType, c.body)
			if got.body != responseFixture(t, "getRecordings.checksumError.xml") {
				t.Errorf("%s, %s: got %v", call, name, got)
			}
		}
	}
	h.untouched("a body")
	if got := h.post(signed("getRecordings", "recordID="+staffID), formType, form); len(got.listed(t)) != 1 || !strings.Contains(got.body, staffID) || strings.Contains(got.body, "totalElements") {
		t.Errorf("got %v", got)
	}
	for _, body := range []string{"not-a-form", "<xml", strings.Repeat("x", 2<<20), ""} {
		if got := h.post(signed("getRecordings", ""), "application/json", body); len(got.listed(t)) != 3 {
			t.Errorf("%.20s: got %v", body, got)
		}
	}
	if got := h.post(signed("updateRecordings", "recordID="+physicsID), formType, form); got.outcome(t) != bbb.Success || h.stored(physicsID).Metadata["mark"] != "" {
		t.Errorf("got %v", got)
	}
	if got := h.post(signed("updateRecordings", ""), formType, form); got.outcome(t) != "missingParamRecordID" {
		t.Errorf("got %v", got)
	}
}

func TestMethodsOfRecordings(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	for call, allowed := range map[string]string{
		"getRecordings": "GET POST HEAD", "getRecordingTextTracks": "GET POST HEAD", "updateRecordings": "GET POST",
		"publishRecordings": "GET", "deleteRecordings": "GET", "putRecordingTextTrack": "POST",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			got := h.do(request{method: method, target: signed(call, "publish=true&recordID="+physicsID)})
			may := contains(strings.Fields(allowed), method)
			if may != (got.status == http.StatusOK) || !may && (got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != strings.Join(strings.Fields(strings.TrimSuffix(allowed, " HEAD")), ", ")) {
				t.Errorf("%s %s: got %v", method, call, got)
			}
			if call == "deleteRecordings" && method == http.MethodGet {
				h.put(h.one, physics())
			}
			if !may {
				h.untouched(method + " " + call)
			}
			h.store.takeWrites()
		}
	}
}
