package gateway_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"b3scale/bbb"
	"b3scale/internal/gateway"
)

// track sends a call about text tracks; with a file it uploads one.
func (h *harness) track(call, query, file string) reply {
	h.Helper()
	r := request{target: signed(call, query)}
	if call == "putRecordingTextTrack" {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("file", "legends.vtt")
		if err == nil {
			_, err = io.WriteString(part, file)
		}
		if err != nil || form.Close() != nil {
			h.Fatal(err)
		}
		r.method, r.body, r.header = http.MethodPost, &body, http.Header{"Content-Type": {form.FormDataContentType()}}
	}
	return h.do(r)
}

const track = "WEBVTT\n\n1\n00:00:01.000 --> 00:00:03.500\nHello and welcome.\n"

func TestTextTracksAsNodesAnswer(t *testing.T) {
	t.Parallel()
	rs := &records{}
	h, _ := newRecordingsHarness(t, gateway.Options{Done: rs.add})
	ours, theirs := "recordID="+physicsID, "recordID="+foreignID
	for _, c := range []struct{ call, query, file, fixture, result string }{
		{"getRecordingTextTracks", ours, "", "getRecordingTextTracks.noCaptionsFound.json", "noCaptionsFound"},
		{"getRecordingTextTracks", "recordID=+" + staffID, "", "getRecordingTextTracks.noCaptionsFound.json", "noCaptionsFound"},
		{"getRecordingTextTracks", theirs, "", "getRecordingTextTracks.noRecordings.json", "noRecordings"},
		{"getRecordingTextTracks", "recordID=nope", "", "getRecordingTextTracks.noRecordings.json", "noRecordings"},
		{"getRecordingTextTracks", ours + ",nope", "", "getRecordingTextTracks.noRecordings.json", "noRecordings"},
		{"getRecordingTextTracks", "recordID=" + physicsID[:50], "", "getRecordingTextTracks.noRecordings.json", "noRecordings"},
		{"putRecordingTextTrack", "kind=captions&lang=en", track, "putRecordingTextTrack.paramError.recordID.json", "paramError"},
		{"putRecordingTextTrack", "recordID=nope", track, "putRecordingTextTrack.noRecordings.json", "noRecordings"},
		{"putRecordingTextTrack", theirs, track, "putRecordingTextTrack.noRecordings.json", "noRecordings"},
		{"putRecordingTextTrack", ours, "", "putRecordingTextTrack.paramError.kind.json", "paramError"},
		{"putRecordingTextTrack", ours + "&kind=lyrics", "", "putRecordingTextTrack.invalidKind.json", "invalidKind"},
		{"putRecordingTextTrack", ours + "&kind=captions", "", "putRecordingTextTrack.paramError.lang.json", "paramError"},
		{"putRecordingTextTrack", ours + "&kind=captions&lang=english_", "", "putRecordingTextTrack.invalidLang.json", "invalidLang"},
		{"putRecordingTextTrack", ours + "&kind=subtitles&lang=pt_BR", "", "putRecordingTextTrack.empty.json", "empty_uploaded_text_track"},
		{"putRecordingTextTrack", ours + "&kind=subtitles&lang=pt-BR", track, "putRecordingTextTrack.failed.json", "upload_text_track_failed"},
		{"putRecordingTextTrack", ours + "&kind=captions&lang=en&label=x", strings.Repeat(track, 50_000), "putRecordingTextTrack.failed.json", "upload_text_track_failed"},
	} {
		got := h.track(c.call, c.query, c.file)
		id := responseID(c.query)
		want := strings.NewReplacer(physicsID, id, " nope", " "+id).Replace(responseFixture(t, c.fixture))
		if got.body != want || got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json;charset=utf-8" {
			t.Errorf("%s %s: got %v, want %s", c.call, c.query, got, want)
		}
		if r := rs.take(); len(r) != 1 || r[0].Resource != c.call || r[0].Result != c.result {
			t.Errorf("%s %s: got the record %+v, want %s", c.call, c.query, r, c.result)
		}
	}
	h.untouched("text tracks")
}

// responseID is the id that a query begins with.
func responseID(query string) string {
	id, found := strings.CutPrefix(query, "recordID=")
	if !found {
		return ""
	}
	id, _, _ = strings.Cut(id, "&")
	return strings.TrimPrefix(id, "+")
}

// What is missing is told in the order of nodes, partly before the checksum.
func TestOrderOfChecksOfRecordings(t *testing.T) {
	t.Parallel()
	rs := &records{}
	h, _ := newRecordingsHarness(t, gateway.Options{Done: rs.add})
	const wrong = "&checksum=0123456789012345678901234567890123456789"
	for _, c := range []struct{ call, query, fixture, key string }{
		{"getRecordings", "", "getRecordings.checksumError.xml", "checksumError"},
		{"getRecordings", "a=b" + wrong, "getRecordings.checksumError.xml", "checksumError"},
		{"publishRecordings", "", "getRecordings.checksumError.xml", "checksumError"},
		{"publishRecordings", "recordID=x&publish=true", "getRecordings.checksumError.xml", "checksumError"},
		{"publishRecordings", "publish=true" + wrong, "publishRecordings.missingParamRecordID.xml", "missingParamRecordID"},
		{"publishRecordings", "recordID=+&publish=true" + wrong, "publishRecordings.missingParamRecordID.xml", "missingParamRecordID"},
		{"publishRecordings", "recordID=x" + wrong, "publishRecordings.missingParamPublish.xml", "missingParamPublish"},
		{"publishRecordings", "recordID=x&publish=true" + wrong, "getRecordings.checksumError.xml", "checksumError"},
		{"deleteRecordings", "a=b" + wrong, "deleteRecordings.missingParamRecordID.xml", "missingParamRecordID"},
		{"deleteRecordings", "recordID=" + physicsID + wrong, "getRecordings.checksumError.xml", "checksumError"},
		{"deleteRecordings", "recordID=" + physicsID, "getRecordings.checksumError.xml", "checksumError"},
		{"updateRecordings", "meta_%20=b" + wrong, "updateRecordings.missingParamRecordID.xml", "missingParamRecordID"},
		{"updateRecordings", "meta_%20=b&recordID=x" + wrong, "getRecordings.checksumError.xml", "checksumError"},
		{"getRecordingTextTracks", "", "getRecordings.checksumError.xml", "checksumError"},
		{"getRecordingTextTracks", "a=b" + wrong, "deleteRecordings.missingParamRecordID.xml", "missingParamRecordID"},
		{"getRecordingTextTracks", "recordID=" + physicsID + wrong, "getRecordings.checksumError.xml", "checksumError"},
		{"putRecordingTextTrack", "", "putRecordingTextTrack.paramError.checksum.json", "paramError"},
		{"putRecordingTextTrack", "recordID=" + physicsID, "putRecordingTextTrack.paramError.checksum.json", "paramError"},
		{"putRecordingTextTrack", "a=b" + wrong, "putRecordingTextTrack.paramError.recordID.json", "paramError"},
		{"putRecordingTextTrack", "recordID=" + physicsID + wrong, "getRecordings.checksumError.xml", "checksumError"},
	} {
		method := http.MethodGet
		if c.call == "putRecordingTextTrack" {
			method = http.MethodPost
		}
		got := h.do(request{method: method, target: apiURL(keyOne, c.call) + "?" + c.query})
		if got.body != responseFixture(t, c.fixture) || got.status != http.StatusOK {
			t.Errorf("%s %s: got %v", c.call, c.query, got)
		}
		if r := rs.take(); len(r) != 1 || r[0].Frontend != "" || r[0].Resource != c.call || r[0].Result != c.key {
			t.Errorf("%s %s: got the record %+v, want %s", c.call, c.query, r, c.key)
		}
		h.untouched(c.call)
	}
}

// Texts of clients come back in JSON, where they mean nothing.
func TestHostileTextTracks(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	const hostile = `%22%7D%3Cscript%3E%26%27%5C%0A%E2%80%A8%FF`
	for query, want := range map[string]string{
		"recordID=" + hostile:                                      "No recording was found for \"}<script>&'\\\u2028\ufffd",
		"recordID=" + physicsID + "&kind=" + hostile:               "actual=\"}<script>&'\\\u2028\ufffd",
		"recordID=" + physicsID + "&kind=captions&lang=" + hostile: "received=\"}<script>&'\\\u2028\ufffd",
		"recordID=%00": "Missing param recordID.",
	} {
		got := h.track("putRecordingTextTrack", query, track)
		var answer struct{ Response struct{ Message string } }
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || !strings.HasSuffix(answer.Response.Message, want) || strings.Contains(got.body, "<script>") {
			t.Errorf("%s: got %v (%v), want %q", query, got, err, want)
		}
	}
	for _, c := range []struct{ contentType, body string }{
		{"", track}, {"text/vtt", track}, {"multipart/form-data", "x"}, {"multipart/form-data; boundary=x", "--x"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--x--"}, {formType, "file=x"},
	} {
		got := h.post(signed("putRecordingTextTrack", "recordID="+physicsID+"&kind=captions&lang=en"), c.contentType, c.body)
		if got.body != responseFixture(t, "putRecordingTextTrack.empty.json") {
			t.Errorf("%s: got %v", c.contentType, got)
		}
	}
}

// A client sees its answer over a socket, also when it sends more than is read.
func TestUploadsOfTracksOverSockets(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{MaxBody: 64 << 10})
	server := httptest.NewServer(h.handler)
	defer server.Close()
	for _, size := range []int{0, 100, 60 << 10, 70 << 10} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			server.URL+signed("putRecordingTextTrack", "recordID="+physicsID+"&kind=captions&lang=en"), strings.NewReader(multipartTrack(size)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		body, err := io.ReadAll(answer.Body)
		if closed := answer.Body.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		want := "upload_text_track_failed"
		if size == 0 {
			want = "empty_uploaded_text_track"
		}
		if !strings.Contains(string(body), want) || answer.StatusCode != http.StatusOK {
			t.Errorf("%d bytes: got %s, want %s", size, body, want)
		}
	}
}

func multipartTrack(size int) string {
	return "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.vtt\"\r\n\r\n" + strings.Repeat("a", size) + "\r\n--x--\r\n"
}

// The records of calls about recordings have names that are few.
func TestRecordsOfRecordings(t *testing.T) {
	t.Parallel()
	rs := &records{}
	h, _ := newRecordingsHarness(t, gateway.Options{Done: rs.add})
	for _, c := range []struct{ call, query, result string }{
		{"getRecordings", "", "ok"},
		{"getRecordings", "recordID=none", "ok"},
		{"getRecordings", "recordID=a&recordID=b", "validationError"},
		{"publishRecordings", "publish=true&recordID=" + physicsID, "ok"},
		{"publishRecordings", "publish=true&recordID=" + foreignID, "notFound"},
		{"updateRecordings", "meta_+=1&recordID=" + physicsID, "validationError"},
		{"updateRecordings", "meta_a=1&recordID=" + physicsID, "ok"},
		{"deleteRecordings", "recordID=" + physicsID, "ok"},
		{"deleteRecordings", "", "missingParamRecordID"},
	} {
		before := len(h.log.String())
		h.call(c.call, c.query)
		got := rs.take()
		frontend := keyOne
		if strings.HasPrefix(c.result, "missing") {
			frontend = "" // it has not proven who it is
		}
		want := gateway.Record{Frontend: frontend, Resource: c.call, Result: c.result}
		if len(got) != 1 || got[0].Frontend != want.Frontend || got[0].Resource != want.Resource || got[0].Result != want.Result || got[0].Backend != "" {
			t.Fatalf("%s %s: got %+v, want %+v", c.call, c.query, got, want)
		}
		h.lineTells(c.call, before, want)
	}
}

// Calls about recordings count for the rate of the frontend as others do.
func TestRateOfRecordings(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	h.limit(0.01, 1)
	if got := h.call("getRecordings", ""); got.outcome(t) != bbb.Success {
		t.Errorf("got %v", got)
	}
	for _, call := range []string{"getRecordings", "deleteRecordings", "getRecordingTextTracks"} {
		if got := h.call(call, "recordID="+physicsID); got.outcome(t) != overRate || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %v", call, got)
		}
	}
	h.untouched("too many calls")
}
