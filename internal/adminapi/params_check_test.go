package adminapi

import (
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"

	"b3scale"
)

// What is saved and perhaps not meant is told, once, to whoever saves it.
func TestWarnings(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		f := h.ask(admin, "POST /frontends", settings(`
			"create_default_params":{"foo":"1","record":"true","gone":"","meta_school":"x"},"create_override_params":{"muteonstart":"true"},
			"join_default_params":{"userdata-bbb_x":"1","duration":"5"},"join_override_params":{"bar":"2"}`)).frontend()
		const unknown = ": BigBlueButton knows no such parameter"
		for _, tt := range []struct{ name, body, want string }{
			{"as it is", `{}`, ""},
			{"as it is, said again", `{"create_default_params":{"foo":"1"}}`, ""},
			{"another value", `{"create_default_params":{"foo":"2"}}`, "settings.create_default_params.foo" + unknown},
			{"taken out", `{"create_default_params":{"foo":""}}`, ""},
			{"another member", `{"required_tags":["a"]}`, ""},
			{"unknown and blocked", `{"create_blocked_params":["logo","logoo"],"join_blocked_params":["avatarUrl"]}`,
				"settings.create_blocked_params.logoo" + unknown + "; settings.join_blocked_params.avatarUrl" + unknown},
			{"the same list", `{"create_blocked_params":["logoo","logo"]}`, ""},
			{"blocked and overridden", `{"create_override_params":{"logo":"https://example.org/a.png"}}`, "settings.create_override_params.logo: is blocked, too, and never sent"},
			{"blocked and overridden before", `{"create_override_params":{"copyright":"c"}}`, ""},
			{"overridden and blocked", `{"create_blocked_params":["logo","copyright"]}`, "settings.create_override_params.copyright: is blocked, too, and never sent"},
			{"metadata in another spelling", `{"create_override_params":{"meta_School":"y"},"create_blocked_params":["META_school"]}`,
				"settings.create_override_params.meta_school: is blocked, too, and never sent"},
			{"other names in another spelling", `{"join_override_params":{"password":"pw"},"join_blocked_params":["avatarURL","Password"]}`, "settings.join_blocked_params.Password" + unknown},
			{"overridden there, blocked here", `{"join_override_params":{"logoutURL":"https://example.org"},"create_blocked_params":["logoutURL"]}`, ""},
			{"tags that no backend has", `{"allowed_tags":["nowhere"]}`, ""},
		} {
			a := h.ask(admin, "PATCH /frontends/"+f.ID, `{"settings":`+tt.body+`}`)
			if got := strings.Join(a.frontend().Warnings, "; "); got != tt.want || (got == "") == strings.Contains(a.Body.String(), `"warnings"`) {
				t.Errorf("%s: got %s, want %s", tt.name, a.Body, tt.want)
			}
		}
		if got, want := strings.Join(f.Warnings, "; "), "settings.create_default_params.foo"+unknown+"; settings.create_override_params.muteonstart"+unknown+
			"; settings.join_default_params.duration"+unknown+"; settings.join_override_params.bar"+unknown; got != want {
			t.Errorf("a new one: got %s, want %s", got, want)
		}
		if body := h.ask(admin, "GET /frontends/"+f.ID, "").Body.String(); strings.Contains(body, "warnings") {
			t.Errorf("nobody has saved anything: %s", body)
		}
	})
}

// Metadata is one parameter in any spelling, and has one in the store. What was
// stored otherwise stays until somebody changes it.
func TestMetadataHasOneSpelling(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		f := h.frontend("old", "")
		for _, tt := range []struct {
			name         string
			stored, want b3scale.Params
			body         string
		}{
			{"a new one", nil, b3scale.Params{"meta_course": "a"}, `{"META_Course":"a"}`},
			{"another value", b3scale.Params{"meta_course": "a"}, b3scale.Params{"meta_course": "b"}, `{"meta_Course":"b"}`},
			{"the same value", b3scale.Params{"meta_course": "a"}, b3scale.Params{"meta_course": "a"}, `{" meta_Course ":"a"}`},
			{"taken out", b3scale.Params{"meta_course": "a", "x": "1"}, b3scale.Params{"x": "1"}, `{"meta_Course":""}`},
			{"one set, one taken out", nil, b3scale.Params{"meta_course": "a"}, `{"meta_Course":"a","meta_course":""}`},
			{"other names", nil, b3scale.Params{"Meta": "1", "Welcome": "2", "welcome": "3"}, `{"Meta":"1","Welcome":"2","welcome":"3"}`},
			{"stored otherwise", b3scale.Params{"meta_Course": "a"}, b3scale.Params{"meta_Course": "a", "x": "1"}, `{"meta_Course":"a","x":"1"}`},
			{"stored otherwise, changed", b3scale.Params{"meta_Course": "a"}, b3scale.Params{"meta_course": "b"}, `{"meta_Course":"b"}`},
			{"stored otherwise, set anew", b3scale.Params{"meta_Course": "a"}, b3scale.Params{"meta_course": "b"}, `{"meta_course":"b"}`},
			{"stored otherwise, taken out", b3scale.Params{"meta_Course": "a", "x": "1"}, b3scale.Params{"x": "1"}, `{"meta_Course":""}`},
			{"stored twice, one taken out", b3scale.Params{"meta_Course": "a", "meta_course": "b"}, b3scale.Params{"meta_course": "b"}, `{"meta_Course":""}`},
			{"stored twice, one changed", b3scale.Params{"meta_Course": "a", "meta_course": "b"}, b3scale.Params{"meta_course": "c"}, `{"meta_Course":"c"}`},
		} {
			_, err := h.cluster.EditFrontend(h.Context(), f.ID, b3scale.Actor{}, func(f *b3scale.Frontend) error {
				f.Settings.JoinOverrideParams, f.Settings.CreateDefaultParams = tt.stored, tt.stored
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			h.ask(admin, "PATCH /frontends/"+f.ID, `{"settings":{"join_override_params":`+tt.body+`,"create_default_params":`+tt.body+`}}`).is(http.StatusOK)
			stored := h.storedFrontend(f.ID).Settings
			for _, got := range []b3scale.Params{stored.JoinOverrideParams, stored.CreateDefaultParams} {
				if !maps.Equal(got, tt.want) {
					t.Errorf("%s: stored is %q, want %q", tt.name, got, tt.want)
				}
			}
		}
		// A default in one spelling is replaced by the frontend's own in another.
		h.ask(admin, "PATCH /frontend-defaults", `{"create_default_params":{"Meta_Course":"all","meta_School":"x"}}`).is(http.StatusOK)
		p := h.ask(admin, "GET /frontends/"+f.ID+"/policy", "").policy()
		if got, want := p.Settings.CreateDefaultParams, map[string]string{"meta_course": "c", "meta_school": "x"}; !maps.Equal(got, want) {
			t.Errorf("what counts is %q, want %q", got, want)
		}
		if course, school := p.Sources["create_default_params.meta_course"], p.Sources["create_default_params.meta_school"]; course != "frontend" || school != "defaults" {
			t.Errorf("sources: %v", p.Sources)
		}
	})
}

// Nothing that a node could take for our marks is anybody's to set.
func TestReservedNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"meta_b3s-frontend": true, "META_B3S-FRONTEND": true, " meta_b3s-x": true, "\tmeta_b3s-x": true, "meta_b3s-x\x00": true, "\x01\x02meta_b3s-": true,
		"meetingID": true, "meetingid": true, " meetingID ": true, "checksum": true, "Checksum": true,
		"meta_b3s": false, "meta_b3sx": false, "xmeta_b3s-frontend": false, "parentMeetingID": false, "meetingIDs": false, "meta_meetingID": false, "": false,
	} {
		if got := isReserved(name); got != want {
			t.Errorf("%q is reserved: %t, want %t", name, got, want)
		}
	}
}

func FuzzSettings(f *testing.F) {
	for _, body := range []string{
		`{"hosts":["A.example.org."," ","::1"],"create_max_params":{"duration":0,"x":-1}}`,
		`{"create_default_params":{"groups":"[","meta_B3S-x":"1"},"join_blocked_params":["","checksum"],"attendees_limit":{"mode":"x"}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var s b3scale.FrontendSettings
		if decode(body, &s) != nil {
			return
		}
		s = settled(s, &b3scale.FrontendSettings{})
		wrong := fieldErrors{}
		wrong.checkSettings("", &s, &b3scale.FrontendSettings{})
		if len(wrong) > 0 {
			return
		}
		for _, host := range s.Hosts {
			if host != strings.ToLower(host) || strings.ContainsAny(host, ":/* \n%[]") || net.ParseIP(host) != nil {
				t.Errorf("the host %q passes", host)
			}
		}
		for _, params := range []b3scale.Params{s.CreateDefaultParams, s.CreateOverrideParams, s.JoinDefaultParams, s.JoinOverrideParams} {
			for name, value := range params {
				if plain := strings.ToLower(strings.TrimSpace(name)); value != "" && (plain == "meetingid" || strings.HasPrefix(plain, "meta_b3s-")) {
					t.Errorf("%q passes", name)
				}
			}
		}
		// What is saved is good when it is saved again.
		again := mended(s)
		wrong.checkSettings("", &again, &b3scale.FrontendSettings{})
		if err := wrong.err(); err != nil {
			t.Errorf("as it is stored: %v", wrong)
		}
	})
}
