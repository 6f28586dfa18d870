package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/gateway"
)

func TestGetRecordingsAsNodesAnswer(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	parent, video := physics(), physics()
	for fixture, c := range map[string]struct {
		query string
		first b3scale.Recording // as physics is stored
	}{
		"getRecordings.success.xml":          {"recordID=" + physicsID + "," + staffID, parent},
		"getRecordings.breakout.xml":         {"recordID=" + physicsID + "," + roomID, parent},
		"getRecordings.videoOnly.3.0.xml":    {"recordID=" + physicsID, video},
		"getRecordings.paginated.3.0.18.xml": {"limit=1&offset=1&recordID=" + physicsID + "," + staffID, parent},
	} {
		switch fixture {
		case "getRecordings.breakout.xml":
			c.first.BreakoutRooms, c.first.Formats = []string{roomID}, c.first.Formats[:1]
		case "getRecordings.videoOnly.3.0.xml":
			c.first.Formats = c.first.Formats[1:]
		}
		h.put(h.one, c.first)
		got := h.call("getRecordings", c.query)
		if got, want := shape(t, got.body), shape(t, responseFixture(t, fixture)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", fixture, got, want)
		}
	}
	if got, want := h.call("getRecordings", "recordID=none").body, responseFixture(t, "getRecordings.empty.xml"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := h.do(request{method: http.MethodHead, target: signed("getRecordings", "")}); got.status != http.StatusOK {
		t.Errorf("HEAD: got %v", got)
	}
}

func TestRecordingFilters(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	odd := recording("odd-1", `a+b %41 "'\_`, "odd", 10, 20)
	odd.Metadata[`quote`] = `it's 100% "x" \ ÄÖ 👋`
	odd.Metadata["dotted.Name_1-x"], odd.Metadata["empty"] = "1", ""
	odd.Metadata["protect"] = "true"
	odd.Formats = []b3scale.RecordingFormat{{Type: "video", URL: "x"}}
	h.put(h.one, odd)
	const hash = "332ae5e4c0705d8f3bb27d92682b154b335660b9"
	escape := url.QueryEscape
	usual := []string{staffID, roomID, physicsID, "odd-1"}
	everything := []string{staffID, roomID, physicsID, deletedID, "odd-1"}
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", usual},
		{"recordID=&meetingID=&state=", usual},
		{"recordID=,&meetingID=+", usual},
		{"recordID=" + physicsID, []string{physicsID}},
		{"recordID=" + hash, []string{physicsID}},
		{"state=any&recordID=" + hash, []string{physicsID, deletedID}},
		{"recordID=" + staffID + ",,+odd,none", []string{staffID, "odd-1"}},
		{"recordID=" + strings.ToUpper(hash), nil},
		{"recordID=%25", nil}, {"recordID=_", nil}, {"recordID=odd_1", nil}, {"recordID=*", nil}, {"recordID=%00", usual},
		{"recordID=%25,odd", []string{"odd-1"}},
		{"recordID=od%2564", []string{"odd-1"}}, // encoded twice
		{"recordID=" + strings.Repeat("a", 300), nil},
		{"recordID=%FF%FE", nil},
		{"meetingID=phys-101-spring", []string{physicsID}},
		{"meetingID=phys-101", nil},
		{"meetingID=PHYS-101-SPRING", nil},
		{"meetingID=staff-room,none,phys-101-spring", []string{staffID, physicsID}},
		{"meetingID=" + escape(odd.MeetingID), []string{"odd-1"}},
		{"meetingID=" + escape(escape(odd.MeetingID)), []string{"odd-1"}},
		{"meetingID=%FF", nil},
		{"meetingID=" + strings.Repeat("x", 2000), nil},
		{"meetingID=" + escape(nodeID("staff-room")), nil},
		{"recordID=" + staffID + "&meetingID=phys-101-spring", nil},
		{"recordID=" + staffID + "&meetingID=staff-room", []string{staffID}},
		{"state=any", everything},
		{"state=deleted,any", everything},
		{"state=deleted", []string{deletedID}},
		{"state=unpublished,deleted", []string{staffID, deletedID}},
		{"state=published", []string{roomID, physicsID, "odd-1"}},
		{"state=available", []string{roomID, physicsID, "odd-1"}},
		{"state=processing", nil}, {"state=PUBLISHED", nil}, {"state=%25", nil}, {"state=%FF", nil},
		{"meta_bbb-origin=Moodle", []string{physicsID}},
		{"META_BBB-Origin=Moodle", []string{physicsID}},
		{"meta_bbb-origin=moodle", nil},
		{"meta_meetingId=staff-room", []string{staffID}},
		{"meta_meetingid=staff-room", []string{staffID}},
		{"meta_bbb-origin=Moodle&meta_bbb-recording-name=Week+2", nil},
		{"meta_bbb-origin=Moodle&meta_bbb-recording-name=Week+1", []string{physicsID}},
		{"meta_bbb-recording-name=Week", nil},
		{"meta_bbb-recording-name=Week%25", []string{physicsID}},
		{"meta_bbb-recording-name=%25+1", []string{physicsID}},
		{"meta_bbb-recording-name=%25eek%25", []string{physicsID}},
		{"meta_bbb-recording-name=%ek%", []string{physicsID}}, // a % that was not encoded
		{"meta_bbb-recording-name=W_ek+1", nil},
		{"meta_bbb-recording-name=%25_eek%25", nil},
		{"meta_bbb-recording-name=W%25k+1", nil}, // only the ends are open
		{"meta_bbb-origin=%25", []string{physicsID}},
		{"meta_bbb-origin=%25%25", []string{physicsID}},
		{"meta_quote=" + escape(odd.Metadata["quote"]), []string{"odd-1"}},
		{"meta_quote=" + escape(`%100% "x" \%`), []string{"odd-1"}},
		{"meta_quote=" + escape(`%ÖÄ%`), nil},
		{"meta_dotted.name_1-x=1", []string{"odd-1"}},
		{"meta_empty=", []string{"odd-1"}},
		{"meta_none=", nil}, {"meta_=", nil}, {"meta_quote=%FF", nil}, {"meta_%FF=1", nil}, {"meta_" + strings.Repeat("n", 2000) + "=1", nil},
		{"meta_quote%27%22=x", nil}, {"meta_a%00b=x", nil}, {"meta_quote=a%00", nil},
		{"protect=true", []string{"odd-1"}}, {"meta_protect=true", []string{"odd-1"}}, {"protect=false", nil},
		{"offset=1", usual}, {"limit=x&offset=1", usual}, {"limit=&offset=1", usual}, {"unknown=1", usual},
	} {
		if got := h.call("getRecordings", c.query).listed(t); !slices.Equal(got, c.want) {
			t.Errorf("%.100s: got %q, want %q", c.query, got, c.want)
		}
	}
	h.untouched("reading")
}

func TestTooManyFilters(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	ids := func(n int) (list string) {
		for i := range n {
			list += fmt.Sprintf("id%d,", i)
		}
		return list
	}
	filters := func(n int) (query string) {
		for range n {
			query += "meta_bbb-origin=Moodle&meta_bbb-origin=M%25&"
		}
		return query
	}
	for query, want := range map[string]string{
		"recordID=" + ids(1000): "SUCCESS", "recordID=" + ids(1001): "validationError",
		"meetingID=" + ids(1000): "SUCCESS", "meetingID=" + ids(1001): "validationError",
		"state=" + ids(1000): "SUCCESS", "state=" + ids(1001): "validationError",
		filters(25): "SUCCESS", filters(26): "validationError",
		"recordID=a&recordID=b": "validationError", "meetingID=a&meetingID=b": "validationError",
	} {
		if got := h.call("getRecordings", query); got.outcome(t) != want {
			t.Errorf("%.50s: got %v, want %s", query, got, want)
		}
	}
	for _, call := range []string{"publishRecordings", "updateRecordings", "deleteRecordings"} {
		if got := h.call(call, "publish=true&recordID="+ids(1001)); got.outcome(t) != "validationError" {
			t.Errorf("%s: got %v", call, got)
		}
	}
}

func TestPagesOfRecordings(t *testing.T) {
	t.Parallel()
	h, _ := newRecordingsHarness(t, gateway.Options{})
	var many []b3scale.Recording
	for i := range 120 {
		many = append(many, recording(fmt.Sprintf("many-%03d", i), "many", "many", int64(i/2), 0)) // two of each time
	}
	h.put(h.one, many...)
	newest := func(from, n int) (ids []string) {
		for i := from; i < from+n; i++ {
			ids = append(ids, fmt.Sprintf("many-%03d", 119-i))
		}
		return ids
	}
	for query, want := range map[string][]string{
		"limit=3":                      newest(0, 3),
		"limit=3&offset=4":             newest(4, 3),
		"limit=3&offset=-7":            newest(0, 3),
		"limit=3&offset=x":             newest(0, 3),
		"limit=0":                      newest(0, 1),
		"limit=-5":                     newest(0, 1),
		"limit=+2+":                    newest(0, 2),
		"limit=1000":                   newest(0, 100),
		"limit=99999999999999999999":   newest(0, 100),
		"limit=100&offset=100":         newest(100, 20),
		"limit=9&offset=120":           nil,
		"limit=9&offset=9999999999999": nil,
	} {
		got := h.call("getRecordings", "meetingID=many&"+query)
		if ids := got.listed(t); !slices.Equal(ids, want) || got.text(t, "totalElements") != "120" {
			t.Errorf("%s: got %q of %s, want %q", query, ids, got.text(t, "totalElements"), want)
		}
	}
	for _, query := range []string{"", "limit=", "limit=ten", "limit=1.5", "offset=5"} {
		got := h.call("getRecordings", "meetingID=many&"+query)
		if ids := got.listed(t); !slices.Equal(ids, newest(0, 120)) || strings.Contains(got.body, "totalElements") {
			t.Errorf("%q: got %d, want all without their number", query, len(ids))
		}
	}
	if got := h.call("getRecordings", "limit=5&recordID=none"); len(got.listed(t)) != 0 || got.text(t, "totalElements") != "0" {
		t.Errorf("got %v", got)
	}
}

// Whatever is stored, the list is a document and tells the same.
func TestHostileRecordings(t *testing.T) {
	t.Parallel()
	h, s := newRecordingsHarness(t, gateway.Options{})
	const hostile = "</name></response>&amp;&<![CDATA[x]]>]]>\"' \x01\x1f\u0085\u2028\ufffe👋\xff"
	const shown = "</name></response>&amp;&<![CDATA[x]]>]]>\"' \u0085\u2028👋\ufffd"
	s.more = func() []b3scale.Recording {
		r := recording("x<", hostile, hostile, -1, 1<<62)
		r.InternalMeetingID, r.State = hostile, hostile
		r.Metadata = map[string]string{"good": hostile, "größe": "1", "a b": "1", "1": "1", "<x>": "1", "": "1", "x:y": "1", "a\x00": "1", "x/": "1", "\xff": "1"}
		r.BreakoutOf = &b3scale.RecordingParent{ParentID: hostile}
		r.BreakoutRooms = []string{hostile}
		r.Formats = []b3scale.RecordingFormat{{Type: hostile, URL: hostile, Preview: []b3scale.RecordingImage{{URL: hostile, Alt: hostile}}, Size: 1}}
		return []b3scale.Recording{r, {}}
	}
	got := h.call("getRecordings", "recordID="+staffID)
	var hostileOne = got.root(t)
	for e := range got.root(t).Child("recordings").Children() {
		if e.Child("recordID").Text() == "x<" {
			hostileOne = e
		}
	}
	format := hostileOne.Child("playback").Child("format")
	image := format.Child("preview").Child("images").Child("image")
	for what, text := range map[string]string{
		"name": hostileOne.Child("name").Text(), "meetingID": hostileOne.Child("meetingID").Text(), "state": hostileOne.Child("state").Text(),
		"internal": hostileOne.Child("internalMeetingID").Text(), "metadata": hostileOne.Child("metadata").Child("good").Text(),
		"parent": hostileOne.Child("breakout").Child("parentId").Text(), "room": hostileOne.Child("breakoutRooms").Child("breakoutRoom").Text(),
		"type": format.Child("type").Text(), "url": format.Child("url").Text(), "image": image.Text(), "alt": image.Attribute("alt"),
	} {
		if text != shown {
			t.Errorf("%s: got %q, want %q", what, text, shown)
		}
	}
	var names []string
	for e := range hostileOne.Child("metadata").Children() {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"good", "größe"}) || strings.Contains(got.body, "width=") {
		t.Errorf("got the names %q in %v", names, got)
	}
}

// A list of all that a large frontend has, and one that breaks off.
func TestManyRecordings(t *testing.T) {
	t.Parallel()
	h, s := newRecordingsHarness(t, gateway.Options{})
	const n = 10_000
	s.more = func() []b3scale.Recording { return slices.Repeat([]b3scale.Recording{physics()}, n) }
	got := h.call("getRecordings", "recordID=none")
	if ids := got.listed(t); len(ids) != n {
		t.Errorf("got %d recordings, want %d", len(ids), n)
	}
	s.fail = b3scale.Errorf(b3scale.Unavailable, "the database does not answer")
	if got := h.call("getRecordings", ""); got.outcome(t) != "b3scaleGatewayError" || got.text(t, "message") != "the database does not answer" || got.status != http.StatusOK {
		t.Errorf("got %.300s", got)
	}
}

// elsewhere plays recordings at another place, and does not play videos.
type elsewhere struct{}

func (elsewhere) Link(r *b3scale.Recording, f *b3scale.RecordingFormat) string {
	if f.Type == "video" {
		return ""
	}
	return "https://play.example.org/?a=1&id=" + r.ID
}

func (elsewhere) Image(address string) string { return "https://play.example.org/image?of=" + address }

func TestLinksToRecordings(t *testing.T) {
	t.Parallel()
	extended := physics()
	extended.Metadata["protect"] = "true"
	extended.Formats[0].Extensions = `<chapters n="1"><a>&amp;</a></chapters><other/>`
	extended.Formats = append(extended.Formats, b3scale.RecordingFormat{Type: "statistics", URL: "s", Data: true, Size: 7})
	for name, playback := range map[string]gateway.Playback{"elsewhere": elsewhere{}, "nowhere": nil} {
		h, _ := newRecordingsHarness(t, gateway.Options{Playback: playback})
		h.put(h.one, extended)
		got := h.call("getRecordings", "recordID="+physicsID)
		r := got.root(t).Child("recordings").Child("recording")
		formats := slices.Collect(r.Child("playback").Children())
		if playback == nil { // a protected recording has no address that anybody may use
			if len(formats) != 0 || strings.Contains(got.body, node1) {
				t.Errorf("%s: got %v", name, got)
			}
			h.put(h.one, physics())
			if got := h.call("getRecordings", "recordID="+physicsID); strings.Count(got.body, "<url>"+node1) != 2 {
				t.Errorf("got %v", got)
			}
			continue
		}
		if len(formats) != 1 || formats[0].Child("url").Text() != "https://play.example.org/?a=1&id="+physicsID ||
			formats[0].Child("preview").Child("images").Child("image").Text() != "https://play.example.org/image?of="+thumbs+"1.png" ||
			string(formats[0].Child("chapters").Raw()) != `<chapters n="1"><a>&amp;</a></chapters>` || !formats[0].Child("other").Exists() {
			t.Errorf("%s: got %v", name, got)
		}
		data := r.Child("data").Child("format")
		if data.Child("type").Text() != "statistics" || data.Child("url").Text() == "" || data.Child("size").Exists() || r.Child("size").Number() != 7340032+99614720+7 {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRecordingsAreOff(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for call, want := range map[string]string{
		"getRecordings":          responseFixture(t, "getRecordings.empty.xml"),
		"publishRecordings":      responseFixture(t, "publishRecordings.notFound.xml"),
		"updateRecordings":       responseFixture(t, "updateRecordings.notFound.xml"),
		"deleteRecordings":       responseFixture(t, "deleteRecordings.notFound.xml"),
		"getRecordingTextTracks": strings.ReplaceAll(responseFixture(t, "getRecordingTextTracks.noRecordings.json"), physicsID, "x"),
	} {
		if got := h.call(call, "recordID=x&publish=true"); got.body != want || got.status != http.StatusOK {
			t.Errorf("%s: got %v, want %s", call, got, want)
		}
	}
	h.untouched("an installation without recordings")
}

// A client that leaves stops what it has asked for.
func TestClientLeavesRecordings(t *testing.T) {
	t.Parallel()
	rs := &records{}
	h, _ := newRecordingsHarness(t, gateway.Options{Done: rs.add})
	gone, leave := context.WithCancel(t.Context())
	leave()
	h.do(request{target: signed("getRecordings", ""), ctx: gone})
	h.do(request{target: signed("deleteRecordings", "recordID="+physicsID), ctx: gone})
	for _, r := range rs.take() {
		if r.Result != "gone" {
			t.Errorf("got %+v", r)
		}
	}
	if h.stored(physicsID).ID != physicsID {
		t.Error("it was deleted")
	}
}
