package gateway_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/gateway"
)

func TestPublishUpdateDeleteRecordings(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	for _, c := range []struct{ call, query, fixture string }{
		{"publishRecordings", "publish=false&recordID=" + physicsID, "publishRecordings.false.success.xml"},
		{"publishRecordings", "publish=true&recordID=" + staffID + ",%2C+" + staffID, "publishRecordings.success.xml"},
		{"updateRecordings", "recordID=" + physicsID, "updateRecordings.success.xml"},
		{"updateRecordings", "meta_a=1&recordID=" + physicsID + "," + staffID, "updateRecordings.success.xml"},
		{"deleteRecordings", "recordID=" + roomID, "deleteRecordings.success.xml"},
		{"deleteRecordings", "recordID=" + roomID, "deleteRecordings.notFound.xml"},
		{"updateRecordings", "meta_a=2&recordID=" + physicsID + "," + roomID, "updateRecordings.notFound.xml"},
		{"publishRecordings", "publish=true&recordID=none," + physicsID, "publishRecordings.notFound.xml"},
		{"deleteRecordings", "recordID=" + physicsID + ",%25", "deleteRecordings.notFound.xml"},
		{"deleteRecordings", "recordID=,", "deleteRecordings.notFound.xml"},
	} {
		got := h.call(c.call, c.query)
		if want := responseFixture(t, c.fixture); got.body != want || got.status != http.StatusOK || got.header.Get("Content-Type") != bbb.ContentType {
			t.Errorf("%s %s: got %v, want %s", c.call, c.query, got, want)
		}
	}
	if r := h.stored(physicsID); r.Published || r.Metadata["a"] != "1" || r.Metadata["bbb-origin"] != "Moodle" {
		t.Errorf("got %+v", r)
	}
	if r := h.stored(staffID); !r.Published || r.State != "published" || r.Metadata["a"] != "1" {
		t.Errorf("got %+v", r)
	}
	if got := h.call("getRecordings", "meta_A=1&state=published").listed(t); len(got) != 1 || got[0] != staffID {
		t.Errorf("got %q", got)
	}
}

// Nodes repeat the word that they were told.
func TestWordsOfPublish(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	for value, published := range map[string]bool{"TRUE": true, " true\t": true, "1": true, "y": true, "False": false, "0": false, "n": false} {
		got := h.call("publishRecordings", "recordID="+physicsID+"&publish="+url.QueryEscape(value))
		if got.outcome(t) != bbb.Success || got.text(t, "published") != value || h.stored(physicsID).Published != published {
			t.Errorf("%q: got %v", value, got)
		}
	}
	h.store.takeWrites()
	for _, value := range []string{"yes", "no", "<true/>", "truee", "", "%00", "2"} {
		got := h.call("publishRecordings", "recordID="+physicsID+"&publish="+url.QueryEscape(value))
		if got.body != responseFixture(t, "publishRecordings.missingParamPublish.xml") {
			t.Errorf("%q: got %v", value, got)
		}
	}
	h.untouched("words that mean nothing")
}

func TestUpdateMetadata(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	base := physics()
	base.Metadata["Mixed-Case"], base.Metadata["gone"] = "1", "x"
	escape := url.QueryEscape
	for _, c := range []struct {
		query string
		want  map[string]string // what is different; empty: not there
	}{
		{"", nil},
		{"meta_new=1&meta_New=2&META_b.c_d-e=x", map[string]string{"new": "1", "b.c_d-e": "x"}},
		{"meta_MIXED-case=2", map[string]string{"Mixed-Case": "2"}},
		{"meta_mixed-case=&meta_gone&meta_none=", map[string]string{"Mixed-Case": "", "gone": ""}},
		{"meta_bbb-recording-name=" + escape("Wöche <2> & \"3\" 👋 %20+"), map[string]string{"bbb-recording-name": "Wöche <2> & \"3\" 👋 %20+"}},
		{"meta_new=a%00b%01%0A%7F%EF%BF%BEc", map[string]string{"new": "ab\n\x7fc"}},
		{"meta_new=%01", nil}, // nothing is left of it
		{"meta_meetingId=x&meta_meetingid=x&meta_meetingName=x&meta_isBreakout=true&meta_b3s-frontend=fe2&meta_B3S-x=1&meta_new=1", map[string]string{"new": "1"}},
		{"protect=true", map[string]string{"protect": "true"}},
		{"protect=+TRUE&meta_protect=false", map[string]string{"protect": "true"}},
		{"meta_Protect=True", map[string]string{"protect": "true"}},
		{"protect=false", map[string]string{"protect": "false"}},
		{"protect=", nil},
		{"Protect=true&name=x&state=deleted&published=false&frontendID=x", nil},
		{"meta_endCallbackUrl=https%3A%2F%2Fexample.org", map[string]string{"endcallbackurl": "https://example.org"}},
	} {
		h.put(h.one, base)
		if got := h.call("updateRecordings", "recordID="+physicsID+"&"+c.query); got.body != responseFixture(t, "updateRecordings.success.xml") {
			t.Errorf("%s: got %v", c.query, got)
		}
		want := h.stored(physicsID)
		want.Metadata = maps.Clone(base.Metadata)
		for name, value := range c.want {
			if want.Metadata[name] = value; value == "" {
				delete(want.Metadata, name)
			}
		}
		if got := h.stored(physicsID); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v, want\n%+v", c.query, got, want)
		}
		h.call("getRecordings", "recordID="+physicsID).listed(t) // is checked to be well-formed
	}
}

func TestUpdatesThatAreRefused(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	many := func(n int) (query string) {
		for i := range n {
			query += fmt.Sprintf("&meta_n%d=1", i)
		}
		return query
	}
	already := len(physics().Metadata)
	for query, want := range map[string]string{
		"meta_a+b=1": "name of the parameter", "meta_=1": "name of the parameter", "meta_1=1": "name of the parameter",
		"meta_-a=1": "name of the parameter", "meta_a:b=1": "name of the parameter", "meta_%3Cx%3E=1": "name of the parameter",
		"meta_gr%C3%B6%C3%9Fe=1": "name of the parameter", "meta_a/=1": "name of the parameter", "meta_%FF=1": "name of the parameter",
		"meta_a%27=": "name of the parameter",
		"meta_" + strings.Repeat("n", 129) + "=1": "longer than 128",
		"meta_a=%FF":                              "no text",
		"meta_a=" + strings.Repeat("x", 64<<10):   "65536 bytes",
		"meta_a=" + strings.Repeat("%22", 11_000): "65536 bytes", // &quot; in lists
		many(201 - already):                       "200 entries",
		"protect=yes":                             "true or false",
		"meta_PROTECT=1":                          "true or false",
	} {
		before, other := h.stored(physicsID), h.stored(staffID)
		got := h.call("updateRecordings", "meta_good=1&recordID="+staffID+","+physicsID+"&"+query)
		if got.outcome(t) != "validationError" || !strings.Contains(got.text(t, "message"), want) || got.status != http.StatusOK || len(got.body) > 500 {
			t.Errorf("%.50s: got %v, want %q", query, got, want)
		}
		if !reflect.DeepEqual(h.stored(physicsID), before) || !reflect.DeepEqual(h.stored(staffID), other) {
			t.Errorf("%.50s: something was changed", query)
		}
	}
	if got := h.call("updateRecordings", "recordID="+physicsID+many(200-already)); got.outcome(t) != bbb.Success {
		t.Errorf("got %v", got)
	}
	// What an import brought may be more. It can get less.
	large := physics()
	large.Metadata["large"], large.Metadata["small"] = strings.Repeat("x", 70<<10), "12"
	h.put(h.one, large)
	for query, want := range map[string]string{"meta_small=1": bbb.Success, "meta_small=1234": "validationError", "meta_large=": bbb.Success} {
		if got := h.call("updateRecordings", "recordID="+physicsID+"&"+query); got.outcome(t) != want {
			t.Errorf("%s: got %v", query, got)
		}
		h.put(h.one, large)
	}
}

func TestRecordingsThatCannotBeChanged(t *testing.T) {
	t.Parallel()
	h, s := newRecordingsHarness(t, gateway.Options{})
	for _, c := range []struct {
		fail   error
		status int
		text   string
	}{
		{b3scale.Errorf(b3scale.Conflict, "files are in the way").Because(errors.New("/srv/private")), http.StatusOK, "files are in the way"},
		{b3scale.Errorf(b3scale.Unavailable, "try again later").Because(errors.New("/srv/private")), http.StatusOK, "try again later"},
		{errors.New("/srv/private"), http.StatusInternalServerError, "internal error"},
	} {
		s.fail = c.fail
		for _, call := range []string{"getRecordings", "publishRecordings", "updateRecordings", "deleteRecordings", "getRecordingTextTracks"} {
			before := h.log.String()
			got := h.call(call, "publish=true&recordID="+physicsID)
			if got.status != c.status || got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != c.text {
				t.Errorf("%s: got %v, want %s", call, got, c.text)
			}
			if told := h.log.String()[len(before):]; !strings.Contains(told, "/srv/private") || !strings.Contains(told, "call="+call) || !strings.Contains(told, "level=WARN") {
				t.Errorf("%s: the log tells %q", call, told)
			}
		}
	}
}
