package policy_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/policy"
)

// What a rule does to each call is tested at the gateway's door. Here are the
// details that need no door.

func frontend(p b3scale.FrontendSettings) *b3scale.Frontend {
	return &b3scale.Frontend{Key: "fe", Policy: p}
}

func create(p b3scale.FrontendSettings, query string) bbb.Params {
	call, _ := policy.Create(frontend(p), bbb.Call{Name: "create", Params: bbb.ParseParams(query)})
	return call.Params
}

// The caller's parameters and body stay as they are: the same call can be
// explained and made.
func TestCreateLeavesItsInputAlone(t *testing.T) {
	t.Parallel()
	f := frontend(b3scale.FrontendSettings{
		CreateBlockedParams:  []string{"welcome"},
		CreateOverrideParams: b3scale.Params{"name": "Other", "record": "false"},
		CreateMaxParams:      b3scale.Caps{"duration": 60},
		DefaultPresentation:  &b3scale.DefaultPresentation{URL: "https://example.org/a.pdf", Force: true},
	})
	const query = "meetingID=room&name=Room&welcome=hi&duration=90&parentMeetingID=p&META_b3s-frontend=x&isBreakout=true&isBreakout=false"
	const modules = `<modules><module name="presentation"><document url="u"/></module></modules>`
	in := bbb.Call{Name: "create", Params: bbb.ParseParams(query), Body: []byte(modules)}
	first, _ := policy.Create(f, in)
	if in.Params.Encode() != query || string(in.Body) != modules {
		t.Errorf("the input is now %s with %s", in.Params.Encode(), in.Body)
	}
	second, _ := policy.Create(f, in)
	if first.Params.Encode() != second.Params.Encode() || string(first.Body) != string(second.Body) {
		t.Errorf("the second result differs:\n%s %s\n%s %s", first.Params.Encode(), first.Body, second.Params.Encode(), second.Body)
	}
	want := "meetingID=" + url.QueryEscape(b3scale.EncodeMeetingID("fe", "room")) + "&name=Other&duration=60&parentMeetingID=" +
		url.QueryEscape(b3scale.EncodeMeetingID("fe", "p")) + "&isBreakout=true&record=false&meta_b3s-frontend=fe"
	if got := first.Params.Encode(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Without a policy only ids and marks differ, and no body is copied.
func TestCreateWithoutPolicy(t *testing.T) {
	t.Parallel()
	body := []byte(`<modules/>`)
	in := bbb.Call{Name: "create", Params: bbb.ParseParams("z=%c3%bc;&meetingID=room&parentMeetingID=" + strings.Repeat("a", 40) + "-17"), Body: body, Form: false}
	call, wish := policy.Create(frontend(b3scale.FrontendSettings{}), in)
	want := "z=%c3%bc;&meetingID=" + url.QueryEscape(b3scale.EncodeMeetingID("fe", "room")) + "&parentMeetingID=" + strings.Repeat("a", 40) + "-17&meta_b3s-frontend=fe"
	if got := call.Params.Encode(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if &call.Body[0] != &body[0] || call.Name != "create" || call.Form || call.Once {
		t.Errorf("got %+v", call)
	}
	if wish.Required || wish.Untagged || wish.AnyOf != nil || wish.Refused != nil {
		t.Errorf("got the wish %+v", wish)
	}
}

// Parameters that do not fit into an address go into a form, whoever brought
// them, and a presentation with them.
func TestLongParameters(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 7000)
	show := &b3scale.DefaultPresentation{URL: "https://example.org/a.pdf"}
	xml := `<modules><module name="presentation"><document url="https://example.org/a.pdf" filename="a.pdf"/></module></modules>`
	for _, c := range []struct {
		name     string
		policy   b3scale.FrontendSettings
		query    string
		form     bool
		body     string
		wantForm bool
		want     string // body
		byParam  string
	}{
		{name: "short", query: "name=Room"},
		{name: "short form", query: "name=Room", form: true, wantForm: true},
		{name: "long form", query: "name=" + long, form: true, wantForm: true},
		{name: "long override", policy: b3scale.FrontendSettings{CreateOverrideParams: b3scale.Params{"welcome": long}}, wantForm: true},
		{name: "long default", policy: b3scale.FrontendSettings{CreateDefaultParams: b3scale.Params{"clientSettingsOverride": long}}, wantForm: true},
		{name: "long beside a body", policy: b3scale.FrontendSettings{CreateDefaultParams: b3scale.Params{"welcome": long}}, body: "<modules/>", want: "<modules/>"},
		{name: "blank body", body: " \n"},
		{name: "presentation", policy: b3scale.FrontendSettings{DefaultPresentation: show}, want: xml},
		{name: "presentation, short form", policy: b3scale.FrontendSettings{DefaultPresentation: show}, query: "name=Room", form: true, want: xml},
		{name: "presentation, blank body", policy: b3scale.FrontendSettings{DefaultPresentation: show}, body: " ", want: xml},
		{name: "presentation, long form", policy: b3scale.FrontendSettings{DefaultPresentation: show}, query: "name=" + long, form: true, wantForm: true, byParam: show.URL},
		{name: "presentation, long default", policy: b3scale.FrontendSettings{DefaultPresentation: show, CreateDefaultParams: b3scale.Params{"welcome": long}}, wantForm: true, byParam: show.URL},
		{name: "presentation, long form, blocked", policy: b3scale.FrontendSettings{DefaultPresentation: show, CreateBlockedParams: []string{"preUploadedPresentation"}},
			query: "name=" + long, form: true, wantForm: true},
		{name: "presentation, long form, own", policy: b3scale.FrontendSettings{DefaultPresentation: show},
			query: "preUploadedPresentation=own&name=" + long, form: true, wantForm: true, byParam: "own"},
		{name: "forced, long form, own", policy: b3scale.FrontendSettings{DefaultPresentation: &b3scale.DefaultPresentation{URL: show.URL, Force: true}},
			query: "preUploadedPresentation=own&preUploadedPresentationName=own&name=" + long, form: true, wantForm: true, byParam: show.URL},
	} {
		call, _ := policy.Create(frontend(c.policy), bbb.Call{Name: "create", Params: bbb.ParseParams(c.query), Form: c.form, Body: []byte(c.body)})
		if call.Form != c.wantForm || string(call.Body) != c.want || call.Params.Get("preUploadedPresentation") != c.byParam {
			t.Errorf("%s: got form %v, body %q, parameter %q", c.name, call.Form, call.Body, call.Params.Get("preUploadedPresentation"))
		}
		if (call.Body == nil) != (c.want == "") {
			t.Errorf("%s: the body is %#v", c.name, call.Body)
		}
		if name := call.Params.Get("preUploadedPresentationName"); (name == "a.pdf") != (c.byParam == show.URL) {
			t.Errorf("%s: the presentation is called %q", c.name, name)
		}
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://example.org/intro.pdf":                   "intro.pdf",
		"https://example.org/a/b/intro.pdf?token=x/y.z":   "intro.pdf",
		"https://example.org/intro.pdf#page/2":            "intro.pdf",
		"https://example.org/Begr%C3%BC%C3%9Fung%201.pdf": "Begrüßung 1.pdf",
		"https://example.org/a%2Fb.pdf":                   "b.pdf",
		"https://example.org/a%0A%00b.pdf":                "ab.pdf",
		"https://example.org/%22%3E%3Cx%26.pdf":           `"><x&.pdf`,
		"https://example.org/a%FFb.pdf":                   "a\ufffdb.pdf",
		"https://example.org/slides/":                     "",
		"https://example.org/slides/?file=a.pdf":          "",
		"https://example.org":                             "",
		"https://example.org?x=/a.pdf":                    "",
		"https://example.org/%zz.pdf":                     "",
	} {
		call, _ := policy.Create(frontend(b3scale.FrontendSettings{DefaultPresentation: &b3scale.DefaultPresentation{URL: address}}), bbb.Call{})
		doc, err := bbb.ParseXML(call.Body)
		if err != nil {
			t.Fatalf("%s: %q: %v", address, call.Body, err)
		}
		document := doc.Root().Child("module").Child("document")
		if got := document.Attribute("filename"); got != want || strings.Contains(string(call.Body), "filename") != (want != "") {
			t.Errorf("%s: got %q in %s, want %q", address, got, call.Body, want)
		}
		if got := document.Attribute("url"); got != address {
			t.Errorf("%s: the address is now %q", address, got)
		}
	}
}

func TestWishes(t *testing.T) {
	t.Parallel()
	type tags = b3scale.Tags
	type wish = b3scale.TagWish
	ab, all := tags{"a", "b"}, tags{b3scale.AnyTag}
	for _, c := range []struct {
		value   string
		allowed tags
		want    wish
	}{
		{"", all, wish{}}, {"!", all, wish{}}, {" ; ;; !", all, wish{}}, {"%00", all, wish{}},
		{"a", ab, wish{AnyOf: tags{"a"}}},
		{"a;b", ab, wish{AnyOf: ab}},
		{"+a+;;+b;+!", ab, wish{AnyOf: ab, Required: true}},
		{"a!", ab, wish{AnyOf: tags{"a"}, Required: true}},
		{"a!;b", ab, wish{AnyOf: tags{"b"}, Refused: tags{"a!"}}},
		{"a;c", ab, wish{AnyOf: tags{"a"}, Refused: tags{"c"}}},
		{"A", ab, wish{Refused: tags{"A"}}},
		{"a", nil, wish{Refused: tags{"a"}}},
		{"a!", tags{}, wish{Refused: tags{"a"}, Required: true}},
		{"*", ab, wish{Refused: tags{"*"}}},
		{"none", nil, wish{Untagged: true}},
		{"none!", nil, wish{Untagged: true, Required: true}},
		{"none;a;x!", ab, wish{AnyOf: tags{"a"}, Untagged: true, Refused: tags{"x"}, Required: true}},
		{"None", all, wish{AnyOf: tags{"None"}}},
		{"x;y,z", all, wish{AnyOf: tags{"x", "y,z"}}},
	} {
		f := frontend(b3scale.FrontendSettings{AllowedTags: c.allowed})
		_, got := policy.Create(f, bbb.Call{Params: bbb.ParseParams("META_Server-Tag=" + c.value)})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", c.value, diff)
		}
	}
	_, got := policy.Create(frontend(b3scale.FrontendSettings{AllowedTags: all}), bbb.Call{Params: bbb.ParseParams("meta_server-tag=" + strings.Repeat("x;", 100_000))})
	if len(got.AnyOf) != 32 {
		t.Errorf("of very many tags %d are kept", len(got.AnyOf))
	}
}

// What a cap makes of whatever is sent: of an amount without which there is no
// limit, of one with a default of the nodes and 0 for no limit, and of one of
// which 0 is the least.
func TestCaps(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][3]string{
		"":    {"60", "-", "-"},
		"0":   {"60", "60", "0"},
		"000": {"60", "60", "0"},
		"1":   {"1", "1", "1"}, "59": {"59", "59", "59"}, "60": {"60", "60", "60"},
		"61": {"60", "60", "60"}, "2147483648": {"60", "60", "60"}, "999999999999999999999": {"60", "60", "60"},
		"+5": {"5", "5", "5"}, "5+": {"5", "5", "5"}, "%2b5": {"5", "5", "5"}, "007": {"7", "7", "7"}, "1%000": {"10", "10", "10"},
		"-1": {"60", "-", "-"}, "-999999999999999999999": {"60", "-", "-"},
		"1e1": {"60", "-", "-"}, "0x10": {"60", "-", "-"}, "1_0": {"60", "-", "-"}, "12.0": {"60", "-", "-"}, "many": {"60", "-", "-"},
		"%C2%A05": {"60", "-", "-"}, "%D9%A5": {"60", "-", "-"},
	} {
		for i, name := range []string{"duration", "userCameraCap", "maxPinnedCameras"} {
			params := create(b3scale.FrontendSettings{CreateMaxParams: b3scale.Caps{name: 60, "logoutTimer": 0, "meetingID": 5}}, name+"="+value+"&"+name+"=999")
			got, found := params.Lookup(name)
			if !found {
				got = "-"
			}
			if got != want[i] || params.Count(name) > 1 || params.Count("logoutTimer") != 0 {
				t.Errorf("%s=%s: got %s, want %s", name, value, params.Encode(), want[i])
			}
			if params.Get("meetingID") == "5" {
				t.Error("the meeting's id was capped")
			}
		}
	}
}

// Where nobody says anything, a cap gives a limit to what has none, and leaves
// what the nodes limit by themselves alone. What an operator has set by default
// is not above the cap either.
func TestCapsOfAbsentParameters(t *testing.T) {
	t.Parallel()
	all := b3scale.Caps{}
	for _, name := range []string{
		"duration", "maxParticipants", "meetingCameraCap", "logoutTimer", "userCameraCap", "maxNumPages", "maxPinnedCameras", "endWhenNoModeratorDelayInMinutes",
		"learningDashboardCleanupDelayInMinutes", "meetingExpireIfNoUserJoinedInMinutes", "meetingExpireWhenLastUserLeftInMinutes",
	} {
		all[name] = 600
	}
	params := create(b3scale.FrontendSettings{CreateMaxParams: all}, "x=1")
	params.Delete("meetingID")
	if got, want := params.Encode(), "x=1&duration=600&logoutTimer=600&maxParticipants=600&meetingCameraCap=600&meta_b3s-frontend=fe"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	byDefault := create(b3scale.FrontendSettings{CreateMaxParams: all, CreateDefaultParams: b3scale.Params{"userCameraCap": "700", "maxNumPages": "50"}}, "x=1")
	if cameras, pages := byDefault.Get("userCameraCap"), byDefault.Get("maxNumPages"); cameras != "600" || pages != "50" {
		t.Errorf("over defaults: %s cameras and %s pages, want 600 and 50", cameras, pages)
	}
}

// What an operator disables, nobody enables again.
func TestDisabledFeaturesStay(t *testing.T) {
	t.Parallel()
	type params = b3scale.Params
	for _, c := range []struct {
		name                string
		overrides, defaults params
		sent, want          string // "-": none
	}{
		{"nothing is set", nil, nil, "chat,,polls", "chat,,polls"},
		{"override", params{"disabledFeatures": "chat"}, nil, "chat", "-"},
		{"default", nil, params{"disabledFeatures": "chat"}, "chat", "-"},
		{"override and default", params{"disabledFeatures": "chat"}, params{"disabledFeatures": "polls"}, "layouts, polls ,chat,timer", "layouts,timer"},
		{"nothing of it", params{"disabledFeatures": "chat"}, nil, "polls,,layouts", "polls,,layouts"},
		{"empty", params{"disabledFeatures": "chat"}, nil, "", "-"},
		{"twice", params{"disabledFeatures": "chat"}, nil, "polls&disabledFeaturesExclude=chat", "polls"},
		{"by default", params{"disabledFeatures": "chat"}, params{"disabledFeaturesExclude": "chat,polls"}, "-", "polls"},
		{"an operator's own", params{"disabledFeatures": "chat,polls", "disabledFeaturesExclude": "chat"}, nil, "polls", "chat"},
	} {
		query := "disabledFeaturesExclude=" + c.sent
		if c.sent == "-" {
			query = "x=1"
		}
		created := create(b3scale.FrontendSettings{CreateOverrideParams: c.overrides, CreateDefaultParams: c.defaults}, query)
		got, found := created.Lookup("disabledFeaturesExclude")
		if !found {
			got = "-"
		}
		if got != c.want || created.Count("disabledFeaturesExclude") > 1 {
			t.Errorf("%s: the node gets %s, want %s", c.name, created.Encode(), c.want)
		}
	}
}

// Metadata of the frontend counts before that of the defaults, in any spelling.
func TestMetadataOfTheFrontendCounts(t *testing.T) {
	t.Parallel()
	type params = b3scale.Params
	for _, c := range []struct{ own, defaults params }{
		{params{"meta_Course": "own"}, params{"meta_course": "all"}},
		{params{"meta_course": "own"}, params{"meta_Course": "all"}},
		{params{"META_COURSE": "own"}, params{" meta_course": "all"}},
		{params{"meta_course": "own", "meta_Course": "older"}, params{"META_course": "all"}},
	} {
		for name, own := range map[string]b3scale.FrontendSettings{
			"override": {CreateOverrideParams: c.own}, "default": {CreateDefaultParams: c.own},
		} {
			defaults := b3scale.FrontendSettings{CreateDefaultParams: c.defaults}
			if name == "override" {
				defaults = b3scale.FrontendSettings{CreateOverrideParams: c.defaults}
			}
			created := create(own.Over(defaults), "x=1")
			if got := created.Metadata("course"); got != "own" {
				t.Errorf("%s %q over %q: got %q", name, c.own, c.defaults, got)
			}
			if sources := own.Sources(defaults); sources["create_"+name+"_params.meta_course"] != b3scale.FromFrontend || len(sources) != 1 {
				t.Errorf("%s %q over %q: got the sources %v", name, c.own, c.defaults, sources)
			}
		}
	}
}
