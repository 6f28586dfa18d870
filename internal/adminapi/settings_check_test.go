package adminapi

import (
	"net/http"
	"strings"
	"testing"

	"b3scale"
)

// Every mistake in what limits a frontend, where it is made and what is told.
// One of the defaults is told in the same way.
func TestSettingsRefuse(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("x", 63)
	for _, tt := range []struct{ name, body, want string }{
		{"no name", `"hosts":["  "]`, "hosts: should have no empty names"},
		{"null in a list", `"hosts":[null]`, "hosts: should have no empty names"},
		{"IPv4", `"hosts":["192.0.2.1"]`, `hosts: "192.0.2.1" should be a name, not an address`},
		{"short IPv4", `"hosts":["127.1"]`, `hosts: "127.1" should be a name, not an address`},
		{"hexadecimal IPv4", `"hosts":["0x7f000001"]`, `hosts: "0x7f000001" should be a name, not an address`},
		{"a number at the end", `"hosts":["a.example.08"]`, `hosts: "a.example.08" should be a name, not an address`},
		{"IPv6", `"hosts":["2001:db8::1"]`, `hosts: "2001:db8::1" should be a name, not an address`},
		{"IPv6 in brackets", `"hosts":["[::1]"]`, `hosts: "[::1]" should be a name, not an address`},
		{"a port", `"hosts":["a.example.org:443"]`, `hosts: "a.example.org:443" should have no port`},
		{"a pattern", `"hosts":["*.example.org"]`, `hosts: "*.example.org" should be one name, not a pattern`},
		{"a URL", `"hosts":["https://a.example.org"]`, `hosts: "https://a.example.org" should be a host name, not a URL`},
		{"not ASCII", `"hosts":["münchen.example.org"]`, `hosts: "münchen.example.org" should be in the form that begins with xn--`},
		{"an empty label", `"hosts":["a..example.org"]`, `hosts: "a..example.org" is no host name`},
		{"only a dot", `"hosts":[".."]`, `hosts: "." is no host name`},
		{"a blank", `"hosts":["a example.org"]`, `hosts: "a example.org" is no host name`},
		{"NUL", `"hosts":["a\u0000.example.org"]`, `hosts: "a\x00.example.org" is no host name`},
		{"a line break", `"hosts":["a\n.example.org"]`, `hosts: "a\n.example.org" is no host name`},
		{"a dash at the end", `"hosts":["a-.example.org"]`, `hosts: "a-.example.org" is no host name`},
		{"a dash at the beginning", `"hosts":["-a.example.org"]`, `hosts: "-a.example.org" is no host name`},
		{"an underscore", `"hosts":["a_b.example.org"]`, `hosts: "a_b.example.org" is no host name`},
		{"a long label", `"hosts":["` + label + `y.example.org"]`, `hosts: "` + label + `y.example.org" is no host name`},
		{"a long name", `"hosts":["` + strings.Repeat(label+".", 4) + `org"]`, "hosts: each name should have 253 bytes at most"},
		{"twice", `"hosts":["a.example.org","b.example.org","A.example.org"]`, "hosts: should have each name once"},
		{"too many", `"hosts":[` + numberedHosts(101) + `]`, "hosts: should have 100 names at most"},

		{"an empty tag", `"allowed_tags":["a",""]`, "allowed_tags: should have no empty tags"},
		{"a long tag", `"allowed_tags":["` + strings.Repeat("x", 129) + `"]`, "allowed_tags: should have 128 characters at most"},
		{"too many tags", `"allowed_tags":["a"` + strings.Repeat(`,"b"`, 100) + `]`, "allowed_tags: should have 100 tags at most"},

		{"an empty name", `"create_blocked_params":[""]`, "create_blocked_params: should have no empty names"},
		{"a name with a line break", `"join_blocked_params":["a\nb"]`, "join_blocked_params: should have no control characters"},
		{"a long blocked name", `"join_blocked_params":["` + strings.Repeat("x", 129) + `"]`, "join_blocked_params: should have 128 characters at most"},
		{"too many names", `"create_blocked_params":[` + numberedHosts(251) + `]`, "create_blocked_params: should have 250 names at most"},
		{"our mark", `"create_blocked_params":["meta_b3s-frontend"]`, `create_blocked_params: "meta_b3s-frontend" is set by b3scale alone`},
		{"our mark in another spelling", `"create_blocked_params":[" META_B3S-x"]`, `create_blocked_params: " META_B3S-x" is set by b3scale alone`},
		{"meetingID", `"join_blocked_params":["meetingID"]`, `join_blocked_params: "meetingID" is set by b3scale alone`},
		{"checksum", `"join_blocked_params":["checksum"]`, `join_blocked_params: "checksum" is set by b3scale alone`},
		{"an override of our mark", `"create_override_params":{"Meta_b3s-frontend":"x"}`, "create_override_params.meta_b3s-frontend: is set by b3scale alone"},
		{"an override of meetingID", `"join_override_params":{"meetingID":"xx"}`, "join_override_params.meetingID: is set by b3scale alone"},
		{"a default of meetingID", `"create_default_params":{"meetingID":"xx"}`, "create_default_params.meetingID: is set by b3scale alone"},
		{"a default of the checksum", `"join_default_params":{"checksum":"x"}`, "join_default_params.checksum: is set by b3scale alone"},

		{"metadata in two spellings", `"create_override_params":{"meta_Course":"a","META_course":"b"}`,
			"create_override_params.META_course: should be there in one spelling; create_override_params.meta_Course: should be there in one spelling"},
		{"metadata with blanks around", `"join_default_params":{" meta_a":"1","meta_a":"1"}`,
			"join_default_params. meta_a: should be there in one spelling; join_default_params.meta_a: should be there in one spelling"},

		{"no number", `"create_default_params":{"duration":"soon"}`, "create_default_params.duration: must be a whole number between 0 and 2147483647"},
		{"neither true nor false", `"create_override_params":{"record":"yes"}`, "create_override_params.record: must be true or false"},
		{"two of them", `"create_override_params":{"record":"1"},"join_default_params":{"guest":"1"}`,
			"create_override_params.record: must be true or false; join_default_params.guest: must be true or false"},
		{"no role", `"join_override_params":{"role":"BOSS"}`, "join_override_params.role: must be one of MODERATOR, VIEWER"},

		{"a cap that is no amount", `"create_max_params":{"name":5}`, "create_max_params.name: should be a parameter of create that is a number"},
		{"a cap of nothing known", `"create_max_params":{"foo":5}`, "create_max_params.foo: should be a parameter of create that is a number"},
		{"a cap of meetingID", `"create_max_params":{"meetingID":5}`, "create_max_params.meetingID: should be a parameter of create that is a number"},
		{"a cap below 0", `"create_max_params":{"duration":-1}`, "create_max_params.duration: should be between 1 and 2147483647"},
		{"a cap that no node reads", `"create_max_params":{"duration":2147483648}`, "create_max_params.duration: should be between 1 and 2147483647"},

		{"people below 0", `"attendees_limit":{"limit":-1}`, "attendees_limit.limit: should not be negative"},
		{"an unknown mode", `"attendees_limit":{"limit":1,"mode":"block"}`, "attendees_limit.mode: should be block_join, block_create or warn"},
		{"meetings below 0", `"meetings_limit":{"limit":-1}`, "meetings_limit.limit: should not be negative"},
		{"a rate below 0", `"rate_limit":{"requests_per_second":-1}`, "rate_limit.requests_per_second: should be 0 or between 0.01 and 1000000"},
		{"a rate of almost nothing", `"rate_limit":{"requests_per_second":1e-300}`, "rate_limit.requests_per_second: should be 0 or between 0.01 and 1000000"},
		{"a rate of everything", `"rate_limit":{"requests_per_second":1e300}`, "rate_limit.requests_per_second: should be 0 or between 0.01 and 1000000"},
		{"a burst below 0", `"rate_limit":{"requests_per_second":1,"burst":-1}`, "rate_limit.burst: should not be negative"},
		{"a presentation that is no URL", `"default_presentation":{"url":"/a.pdf"}`, "default_presentation.url: should start with http(s)://"},
		{"too much of all", `"create_default_params":{` + long(9) + `}`, "settings: should have 65536 bytes as a whole at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{})
			h.server.MaxBody = 128 << 10
			want := "settings." + strings.ReplaceAll(tt.want, "; ", "; settings.")
			want = strings.Replace(want, "settings.settings:", "settings:", 1)
			if got := h.ask(admin, "POST /frontends", settings(tt.body)).is(http.StatusBadRequest).fields(); got != want {
				t.Errorf("a frontend: got %s, want %s", got, want)
			}
			if !strings.HasPrefix(tt.body, `"hosts"`) {
				if got := h.ask(admin, "PATCH /frontend-defaults", "{"+tt.body+"}").is(http.StatusBadRequest).fields(); got != tt.want {
					t.Errorf("the defaults: got %s, want %s", got, tt.want)
				}
			}
			if n := len(h.storedFrontends()); n != 0 {
				t.Errorf("%d frontends", n)
			}
		})
	}
	h := newHarness(t, setup{})
	for _, tt := range []struct{ body, want string }{
		{`"create_max_params":{"duration":1.5}`, "Unmarshal type error: expected=int, got=number 1.5, field=settings.create_max_params"},
		{`"create_max_params":{"duration":"5"}`, "Unmarshal type error: expected=int, got=string, field=settings.create_max_params"},
		{`"rate_limit":{"requests_per_second":1e999}`, "Unmarshal type error: expected=float64, got=number 1e999, field=settings.rate_limit.requests_per_second"},
		{`"hosts":"a.example.org"`, "Unmarshal type error: expected=[]string, got=string, field=settings.hosts"},
	} {
		if got := h.ask(admin, "POST /frontends", settings(tt.body)).is(http.StatusBadRequest).problem().Message; !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %s, want %s", tt.body, got, tt.want)
		}
	}
}

func numberedHosts(n int) string {
	return strings.NewReplacer(`:"v"`, "").Replace(numbered(n))
}

// long is so many parameters with values as long as they may be.
func long(n int) string {
	value := strings.Repeat("x", maxParamValue)
	return strings.ReplaceAll(numbered(n), `"v"`, `"`+value+`"`)
}

// What is good and looks odd.
func TestSettingsAllow(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	for _, body := range []string{
		`"hosts":["bbb"]`,
		`"hosts":["1.a.example.org","xn--80ak6aa92e.com"]`,
		`"allowed_tags":["*"]`,
		`"create_max_params":{"duration":2147483647,"maxParticipants":1}`,
		`"create_max_params":{"foo":0,"name":null}`,
		`"rate_limit":{"requests_per_second":0.01,"burst":100000}`,
		`"attendees_limit":{"mode":""}`,
		`"default_presentation":{"force":true}`,
		`"create_default_params":{"meetingID":"","record":"TRUE","meta_x":"1"}`,
		`"create_blocked_params":["record","meta_b3x","meta_b3"]`,
	} {
		f := h.ask(admin, "POST /frontends", settings(body)).frontend()
		if len(f.Warnings) > 0 {
			t.Errorf("%s: %s", body, f.Warnings)
		}
		h.ask(admin, "DELETE /frontends/"+f.ID, "").is(http.StatusOK)
	}
}

// What was stored under other rules is in nobody's way, and is judged when it
// changes.
func TestOldSettingsStay(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		old, err := h.store.AddFrontend(t.Context(), b3scale.Frontend{Key: "k", Secret: "s", Settings: b3scale.FrontendSettings{
			Hosts: []string{"192.0.2.1", "Old_name"}, AllowedTags: b3scale.Tags{""}, CreateBlockedParams: []string{"meetingID", ""},
			CreateMaxParams: b3scale.Caps{"foo": 5}, RateLimit: &b3scale.RateLimit{RequestsPerSecond: -1, Burst: -1},
			AttendeesLimit: &b3scale.AttendeesLimit{Limit: -1}, MeetingsLimit: &b3scale.MeetingsLimit{Limit: -1},
			CreateDefaultParams: b3scale.Params{"duration": "soon", "meetingID": "x"},
		}}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		path := "/frontends/" + old.ID
		h.ask(admin, "PATCH "+path, `{"settings":{"required_tags":["a"],"hosts":["Old_name","192.0.2.1","new.example.org"],
			"create_blocked_params":["","meetingID","logo"],"create_default_params":{"record":"true"},"create_max_params":{"duration":5},
			"rate_limit":{"burst":1},"attendees_limit":{"moderators_exempt":true}}}`).is(http.StatusOK)
		a := h.ask(admin, "PATCH "+path, `{"settings":{"create_default_params":{"duration":"later","meetingID":"y"},"allowed_tags":["x",""],
			"attendees_limit":{"limit":-2},"meetings_limit":{"limit":-2},"rate_limit":{"burst":-2}}}`).is(http.StatusBadRequest)
		if got, want := a.fields(), "settings.allowed_tags: should have no empty tags; settings.attendees_limit.limit: should not be negative; "+
			"settings.create_default_params.duration: must be a whole number between 0 and 2147483647; "+
			"settings.create_default_params.meetingID: is set by b3scale alone; settings.meetings_limit.limit: should not be negative; "+
			"settings.rate_limit.burst: should not be negative"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
