package adminapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
)

func TestFrontendCreate(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		body string
		want func(*b3scale.Frontend)
	}{
		{"§7 create: defaults", `{"bbb":{"key":"k","secret":"s"}}`, func(*b3scale.Frontend) {}},
		{"§7 create: trimmed", `{"bbb":{"key":" k\t","secret":"\n s "}}`, func(*b3scale.Frontend) {}},
		{"§7 create: as it was shown to somebody without secrets", `{"bbb":{"key":"k","secret":"s","secondary_secret":null},"settings":null,"account_ref":null}`, func(*b3scale.Frontend) {}},
		{"C23 create: not active", `{"active":false,"bbb":{"key":"k","secret":"s"}}`, func(f *b3scale.Frontend) { f.Active = false }},
		{"§1 create: names in any case", `{"BBB":{"Key":"k","SECRET":"s"},"ACCOUNT_REF":"a"}`, func(f *b3scale.Frontend) { f.AccountRef = "a" }},
		{"§1 create: unknown members", `{"id":"mine","created_at":"0001-01-01T00:00:00Z","x":[{}],"bbb":{"key":"k","secret":"s","y":1}}`, func(*b3scale.Frontend) {}},
		{"§7 create: two secrets", `{"bbb":{"key":"k","secret":"s","secondary_secret":" t "}}`, func(f *b3scale.Frontend) { f.SecondarySecret = "t" }},
		{"§7 create: all settings", `{"bbb":{"key":"k","secret":"s"},"settings":{
			"required_tags":["a","b"],"default_presentation":{"url":"https://x.example.org/a.pdf?v=1","force":true},"attendees_limit":{"limit":7},
			"create_default_params":{"a":"1","gone":""},"create_override_params":{"b":"2"},"join_default_params":{"c":"3"},"join_override_params":{"d":"4"},
			"recordings":{"visibility_override":"public_protected"}}}`, func(f *b3scale.Frontend) {
			f.Settings = b3scale.FrontendSettings{
				RequiredTags:         b3scale.Tags{"a", "b"},
				DefaultPresentation:  &b3scale.DefaultPresentation{URL: "https://x.example.org/a.pdf?v=1", Force: true},
				AttendeesLimit:       &b3scale.AttendeesLimit{Limit: 7},
				CreateDefaultParams:  b3scale.Params{"a": "1"},
				CreateOverrideParams: b3scale.Params{"b": "2"},
				JoinDefaultParams:    b3scale.Params{"c": "3"},
				JoinOverrideParams:   b3scale.Params{"d": "4"},
				Recordings:           &b3scale.RecordingSettings{VisibilityOverride: new(b3scale.RecordingPublicProtected)},
			}
		}},
		{"§7 create: a key of old", `{"bbb":{"key":"Schule-1_a.example.org:3000 (alt) ü","secret":"s"}}`, func(f *b3scale.Frontend) { f.Key = "Schule-1_a.example.org:3000 (alt) ü" }},
	}
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		for _, tt := range rows {
			t.Run(tt.name, func(t *testing.T) {
				h := h.in(t)
				shown := h.ask(admin, "POST /frontends", tt.body).frontend()
				shown.Warnings = nil // "a" is no parameter of BigBlueButton
				got := h.storedFrontend(shown.ID)
				want := b3scale.Frontend{Key: "k", Secret: "s", Active: true, Settings: emptySettings()}
				tt.want(&want)
				want.Settings = mended(want.Settings)
				want.ID, want.CreatedAt, want.UpdatedAt, want.Version = got.ID, got.CreatedAt, got.UpdatedAt, got.Version
				if diff := cmp.Diff(reveals(want), reveals(got)); diff != "" {
					t.Errorf("want - and stored +:\n%s", diff)
				}
				if diff := cmp.Diff(frontendOf(&got, nil, auth.Identity{Scopes: auth.Scopes{auth.Admin}}), shown); diff != "" {
					t.Errorf("want - and shown +:\n%s", diff)
				}
				if got.UpdatedAt == 0 || shown.UpdatedAt.IsZero() { // C21
					t.Error("C21: no time")
				}
				if h.cluster.Frontend(want.Key) == nil {
					t.Error("the cluster does not know it")
				}
			})
		}
	})
}

// emptySettings are as they come from the store.
func emptySettings() b3scale.FrontendSettings { return mended(b3scale.FrontendSettings{}) }

func mended(s b3scale.FrontendSettings) b3scale.FrontendSettings {
	text, err := json.Marshal(s)
	if err == nil {
		s = b3scale.FrontendSettings{}
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		panic(err)
	}
	return s
}

// reveals lets a comparison see secrets.
func reveals(f b3scale.Frontend) any {
	return []any{f, f.Secret.Reveal(), f.SecondarySecret.Reveal()}
}

func TestFrontendCreateRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 9000)
	for _, tt := range []struct{ name, body, want string }{
		{"§1 an empty body", ``, "bbb: this field is required"},
		{"§7 without bbb", `{}`, "bbb: this field is required"},
		{"§7 bbb null", `{"bbb":null}`, "bbb: this field is required"},
		{"§7 empty", `{"bbb":{}}`, "bbb.key: this field is required; bbb.secret: this field is required"},
		{"§7 blank", `{"bbb":{"key":" ","secret":" \t"}}`, "bbb.key: this field is required; bbb.secret: this field is required"},
		{"C24 a key with a slash", `{"bbb":{"key":"a/b","secret":"s"}}`, "bbb.key: should have no slashes and no control characters"},
		{"C24 a key with a line break", `{"bbb":{"key":"a\nb","secret":"s"}}`, "bbb.key: should have no slashes and no control characters"},
		{"C24 a key with NUL", `{"bbb":{"key":"a\u0000b","secret":"s"}}`, "bbb.key: should have no slashes and no control characters"},
		{"C24 a key that is a path", `{"bbb":{"key":"..","secret":"s"}}`, "bbb.key: should not be a path"},
		{"C24 a long key", `{"bbb":{"key":"` + long[:81] + `","secret":"s"}}`, "bbb.key: should have 80 bytes at most"},
		{"C24 a key that is long as an id", `{"bbb":{"key":"` + strings.Repeat("<", 40) + `","secret":"s"}}`, "bbb.key: is too long for the ids of its meetings"},
		{"C24 a long secret", `{"bbb":{"key":"k","secret":"` + long + `"}}`, "bbb.secret: should have 1024 bytes at most"},
		{"C24 a secret with NUL", `{"bbb":{"key":"k","secret":"a\u0000"}}`, "bbb.secret: should have no control characters"},
		{"C24 a second secret with NUL", `{"bbb":{"key":"k","secret":"a","secondary_secret":"a\u0000"}}`, "bbb.secondary_secret: should have no control characters"},
		{"C24 a long account", `{"bbb":{"key":"k","secret":"s"},"account_ref":"` + long[:81] + `"}`, "account_ref: should have 80 characters at most"},
		{"§7 a limit below 0", settings(`"attendees_limit":{"limit":-1}`), "settings.attendees_limit.limit: should not be negative"},
		{"§7 a presentation that is no URL", settings(`"default_presentation":{"url":"ftp://x/y"}`), "settings.default_presentation.url: should start with http(s)://"},
		{"§7 an unknown visibility", settings(`"recordings":{"visibility_override":"secret"}`), "settings.recordings.visibility_override: should be unpublished, published, protected, public or public_protected"},
		{"§7 an empty visibility", settings(`"recordings":{"visibility_override":""}`), "settings.recordings.visibility_override: should be unpublished, published, protected, public or public_protected"},
		{"§7 an empty tag", settings(`"required_tags":["a"," "]`), "settings.required_tags: should have no empty tags"},
		{"§7 too many tags", settings(`"required_tags":["a"` + strings.Repeat(`,"b"`, 100) + `]`), "settings.required_tags: should have 100 tags at most"},
		{"§7 a long value", settings(`"join_override_params":{"p":"` + long + `"}`), "settings.join_override_params.p: should have 8192 bytes at most"},
		{"§7 a long name", settings(`"create_default_params":{"` + long[:129] + `":"v"}`), "settings.create_default_params: should have 128 characters at most"},
		{"§7 an empty name", settings(`"create_override_params":{"":"v"}`), "settings.create_override_params: should have no empty names"},
		{"§7 too many params", settings(`"join_default_params":{` + numbered(251) + `}`), "settings.join_default_params: should have 250 names at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, setup{})
			a := h.ask(admin, "POST /frontends", tt.body).is(http.StatusBadRequest)
			if got := a.fields(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if p := a.problem(); p.Kind != "validation_error" || p.Message != "validation failed with input" {
				t.Errorf("§1: got %+v", p)
			}
			if n := h.store.writes.Load(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// settings are those of a frontend to be.
func settings(members string) string {
	return `{"bbb":{"key":"k","secret":"s"},"settings":{` + members + `}}`
}

func numbered(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`"p%d":"v"`, i)
	}
	return strings.Join(names, ",")
}

// What cannot be decoded is told as the shipped clients know it.
func TestBodies(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("k", "")
	for _, tt := range []struct {
		name, contentType, body string
		status                  int
		message                 string
	}{
		{"§1 no JSON", "application/json", `{"bbb":`, 400, "Syntax error: offset=7, error=unexpected end of JSON input"},
		{"§1 more than one", "application/json", `{} {}`, 400, "Syntax error: offset=4, error=invalid character '{' after top-level value"},
		{"§1 another type", "application/json", `{"bbb":{"key":1}}`, 400, "Unmarshal type error: expected=string, got=number, field=bbb.key, offset=15"},
		{"§7 a param that is a number", "application/json", `{"settings":{"create_default_params":{"a":1}}}`, 400, "Unmarshal type error: expected=string, got=number, field=settings.create_default_params, offset=43"},
		{"§1 another content type", "text/plain", `{}`, 415, "Unsupported Media Type"},
		{"§1 no content type", "", `{}`, 415, "Unsupported Media Type"},
		{"§1 no body, no content type", "", ``, 200, ""},
		{"§1 a charset", "Application/JSON; charset=utf-8", `{}`, 200, ""},
		{"§1 too much", "application/json", `{"x":"` + strings.Repeat("x", 65<<10) + `"}`, 413, "a body may have 65536 bytes at most"},
		{"§1 null", "application/json", `null`, 200, ""},
	} {
		r := h.requestFor(admin, "PATCH", "/frontends/"+f.ID, tt.body)
		r.Header.Set("Content-Type", tt.contentType)
		a := h.send(h.handler, r)
		if a.Code != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, a.Code, a.Body, tt.status)
		} else if tt.message != "" && a.problem().Message != tt.message {
			t.Errorf("%s: got %s, want %s", tt.name, a.problem().Message, tt.message)
		}
	}
	if after := h.storedFrontend(f.ID); after.Version != f.Version {
		t.Error("something was written")
	}
}

// §7: the table of merge rules, row by row.
func TestFrontendPatch(t *testing.T) {
	t.Parallel()
	type frontend = b3scale.Frontend
	rows := []struct {
		name, body string
		edit       func(*frontend)
	}{
		{"§7 patch: an empty body", ``, func(*frontend) {}},
		{"§7 patch: nothing", `{}`, func(*frontend) {}},
		{"§7 patch: object for an object", `{"bbb":{"secret":"x"}}`, func(f *frontend) { f.Secret = "x" }},
		{"§7 patch: object in an object", `{"settings":{"default_presentation":{"force":true}}}`, func(f *frontend) { f.Settings.DefaultPresentation.Force = true }},
		{"§7 patch: object where there is none", `{"settings":{"recordings":{"visibility_override":"public"}}}`, func(f *frontend) {
			f.Settings.Recordings = &b3scale.RecordingSettings{VisibilityOverride: new(b3scale.RecordingPublic)}
		}},
		{"§7 patch: map by key", `{"settings":{"create_default_params":{"b":"new","c":"3"}}}`, func(f *frontend) {
			f.Settings.CreateDefaultParams = b3scale.Params{"a": "1", "b": "new", "c": "3"}
		}},
		{"§7 patch: empty value removes", `{"settings":{"create_default_params":{"a":""}}}`, func(f *frontend) {
			f.Settings.CreateDefaultParams = b3scale.Params{"b": "2"}
		}},
		{"§7 patch: null for a map", `{"settings":{"create_default_params":null}}`, func(f *frontend) { f.Settings.CreateDefaultParams = nil }},
		{"§7 patch: null for a pointer", `{"settings":{"attendees_limit":null,"default_presentation":null}}`, func(f *frontend) {
			f.Settings.AttendeesLimit, f.Settings.DefaultPresentation = nil, nil
		}},
		{"§7 patch: null for an array", `{"settings":{"required_tags":null}}`, func(f *frontend) { f.Settings.RequiredTags = nil }},
		{"§7 patch: null for a struct", `{"settings":null}`, func(*frontend) {}},
		{"§7 patch: null for a scalar", `{"active":null,"bbb":{"key":null,"secret":null}}`, func(*frontend) {}},
		{"§7 patch: array replaces", `{"settings":{"required_tags":["z"]}}`, func(f *frontend) { f.Settings.RequiredTags = b3scale.Tags{"z"} }},
		{"§7 patch: empty array", `{"settings":{"required_tags":[]}}`, func(f *frontend) { f.Settings.RequiredTags = b3scale.Tags{} }},
		{"§1 patch: names in any case", `{"BBB":{"KEY":"k2"},"Settings":{"Attendees_Limit":{"LIMIT":9}}}`, func(f *frontend) {
			f.Key, f.Settings.AttendeesLimit.Limit = "k2", 9
		}},
		{"§1 patch: unknown members", `{"id":"x","created_at":"junk","bbb":{"z":1},"settings":{"z":1}}`, func(*frontend) {}},
		{"§7 patch: active", `{"active":false}`, func(f *frontend) { f.Active = false }},
		{"§7 patch: account", `{"account_ref":"other"}`, func(f *frontend) { f.AccountRef = "other" }},
		{"§7 patch: no account", `{"account_ref":null}`, func(f *frontend) { f.AccountRef = "" }},
		{"§7 patch: empty account", `{"account_ref":""}`, func(f *frontend) { f.AccountRef = "" }},
		{"§7 patch: rotate", `{"bbb":{"secret":" new ","secondary_secret":"` + frontendSecret + `"}}`, func(f *frontend) {
			f.Secret, f.SecondarySecret = "new", frontendSecret
		}},
		{"§7 patch: second secret null", `{"bbb":{"secondary_secret":null}}`, func(f *frontend) { f.SecondarySecret = "" }},
		{"§7 patch: second secret empty", `{"bbb":{"secondary_secret":""}}`, func(f *frontend) { f.SecondarySecret = "" }},
		{"§7 patch: key trimmed", `{"bbb":{"key":" k2 "}}`, func(f *frontend) { f.Key = "k2" }},
	}
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		for _, tt := range rows {
			t.Run(tt.name, func(t *testing.T) {
				h := h.in(t)
				before := h.fullFrontend("account")
				shown := h.ask(admin, "PATCH /frontends/"+before.ID, tt.body).frontend()
				shown.Warnings = nil // "c" is no parameter of BigBlueButton
				got := h.storedFrontend(before.ID)
				want := before
				want.Settings = cloneSettings(before.Settings)
				tt.edit(&want)
				want.Settings = mended(want.Settings)
				want.Version, want.UpdatedAt = got.Version, got.UpdatedAt
				if diff := cmp.Diff(reveals(want), reveals(got)); diff != "" {
					t.Errorf("want - and stored +:\n%s", diff)
				}
				if diff := cmp.Diff(frontendOf(&got, nil, auth.Identity{Scopes: auth.Scopes{auth.Admin}}), shown); diff != "" {
					t.Errorf("want - and shown +:\n%s", diff)
				}
			})
		}
	})
}

// fullFrontend is one with settings.
func (h *harness) fullFrontend(account string) b3scale.Frontend {
	h.Helper()
	f := h.frontend("k", account)
	f, err := h.cluster.EditFrontend(h.Context(), f.ID, b3scale.Actor{}, func(f *b3scale.Frontend) error {
		f.Settings = b3scale.FrontendSettings{
			RequiredTags:         b3scale.Tags{"x", "y"},
			DefaultPresentation:  &b3scale.DefaultPresentation{URL: "https://x.example.org/a.pdf"},
			AttendeesLimit:       &b3scale.AttendeesLimit{Limit: 5},
			CreateDefaultParams:  b3scale.Params{"a": "1", "b": "2"},
			CreateOverrideParams: b3scale.Params{"o": "1"},
		}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	return f
}

func TestFrontendPatchRefuses(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		h.frontend("taken", "")
		before := h.fullFrontend("account")
		for _, tt := range []struct {
			name, body string
			status     int
			want       string
		}{
			{"§7 bbb null", `{"bbb":null}`, 400, "bbb: this field is required"},
			{"§7 no key", `{"bbb":{"key":""}}`, 400, "bbb.key: this field is required"},
			{"§7 no secret", `{"bbb":{"secret":" "}}`, 400, "bbb.secret: this field is required"},
			{"§7 a limit below 0", `{"settings":{"attendees_limit":{"limit":-1},"required_tags":["new"]}}`, 400, "settings.attendees_limit.limit: should not be negative"},
			{"§7 two mistakes", `{"bbb":{"key":"a/b"},"settings":{"default_presentation":{"url":"x"}}}`, 400,
				"bbb.key: should have no slashes and no control characters; settings.default_presentation.url: should start with http(s)://"},
			{"C24 a key that is taken", `{"bbb":{"key":"taken"}}`, 409, "bbb.key: is the key of another frontend"},
		} {
			a := h.ask(admin, "PATCH /frontends/"+before.ID, tt.body).is(tt.status)
			if got := a.fields(); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
			}
		}
		a := h.ask(admin, "POST /frontends", `{"bbb":{"key":"taken","secret":"s"}}`).is(http.StatusConflict)
		if got := a.fields(); got != "bbb.key: is the key of another frontend" || a.problem().Message != `the frontend key "taken" is taken` {
			t.Errorf("C24 create: got %s", a.Body)
		}
		if diff := cmp.Diff(reveals(before), reveals(h.storedFrontend(before.ID))); diff != "" {
			t.Errorf("something was written:\n%s", diff)
		}
	})
}

// What was stored under other rules is in nobody's way.
func TestOldFrontendsStay(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		old, err := h.store.AddFrontend(t.Context(), b3scale.Frontend{Key: "a/b", Secret: " ", Settings: b3scale.FrontendSettings{
			AttendeesLimit: &b3scale.AttendeesLimit{Limit: -1}, DefaultPresentation: &b3scale.DefaultPresentation{URL: "x"}, RequiredTags: b3scale.Tags{""},
			JoinDefaultParams: b3scale.Params{"p": strings.Repeat("x", maxParamValue+1)},
		}}, b3scale.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		f := h.ask(admin, "PATCH /frontends/"+old.ID, `{"active":true,"settings":{"default_presentation":{"force":true}}}`).frontend()
		if !f.Active || f.BBB.Key != "a/b" || *f.BBB.Secret != " " || !f.Settings.DefaultPresentation.Force {
			t.Errorf("got %+v", f)
		}
	})
}

func TestFrontendsList(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		for key, account := range map[string]string{"beta": "two", "Alpha": "one", "al%pha": "one", "gamma": ""} {
			h.frontend(key, account)
		}
		owner := token("one", auth.Owner)
		for _, tt := range []struct{ name, token, query, want, total string }{
			{"§7 all", admin, "", "Alpha al%pha beta gamma", "4"},
			{"§7 by account", admin, "?account_ref=one", "Alpha al%pha", "2"},
			{"§7 by key", admin, "?key=beta", "beta", "1"},
			{"§7 by key, in its case only", admin, "?key=alpha", "", "0"},
			{"§7 key like", admin, "?key__like=l", "Alpha al%pha", "2"},
			{"§7 key like, in its case only", admin, "?key__like=A", "Alpha", "1"},
			{"§7 key like, a literal %", admin, "?key__like=%25", "al%pha", "1"},
			{"§7 key like, a literal _", admin, "?key__like=_", "", "0"},
			{"§7 both", admin, "?account_ref=one&key__like=lph", "Alpha", "1"},
			{"§6 other parameters", admin, "?foo=bar&key=", "Alpha al%pha beta gamma", "4"},
			{"a page", admin, "?limit=2&offset=1", "al%pha beta", "4"},
			{"behind the end", admin, "?offset=9", "", "4"},
			{"order", admin, "?order=-bbb.key", "gamma beta al%pha Alpha", "4"},
			{"two orders", admin, "?order=-account_ref,bbb.key", "beta Alpha al%pha gamma", "4"},
			{"equals are by key", admin, "?order=-active", "Alpha al%pha beta gamma", "4"},
			{"§7 own", owner, "", "Alpha al%pha", "2"},
			{"§7 own, a foreign account", owner, "?account_ref=two", "", "0"},
			{"§7 own, a foreign key", owner, "?key=beta", "", "0"},
			{"no subject owns nothing", token("", auth.Owner), "", "", "0"},
			{"an account is not a pattern", token("%", auth.Owner), "", "", "0"},
			{"readers see all", reader, "", "Alpha al%pha beta gamma", "4"},
			{"readers who own see all", token("one", auth.Owner, auth.Read), "", "Alpha al%pha beta gamma", "4"},
			{"admins who own see all", token("one", auth.Owner, auth.Admin), "", "Alpha al%pha beta gamma", "4"},
		} {
			var all []Frontend
			a := h.ask(tt.token, "GET /frontends"+tt.query, "")
			a.into(&all)
			var keys []string
			for _, f := range all {
				keys = append(keys, f.BBB.Key)
			}
			if got := strings.Join(keys, " "); got != tt.want || a.Header().Get("X-Total-Count") != tt.total {
				t.Errorf("%s: got %q of %s, want %q of %s", tt.name, got, a.Header().Get("X-Total-Count"), tt.want, tt.total)
			}
		}
		for query, want := range map[string]string{
			"limit=0":     "limit: should be between 1 and 10000",
			"limit=10001": "limit: should be between 1 and 10000",
			"limit=x":     "limit: cannot be read",
			"offset=-1":   "offset: should not be negative",
			"order=foo":   `order: unknown field "foo"`,
			"order=id,":   `order: unknown field ""`,
		} {
			if got := h.ask(admin, "GET /frontends?"+query, "").is(http.StatusBadRequest).fields(); got != want {
				t.Errorf("%s: got %s, want %s", query, got, want)
			}
		}
	})
}

// Who may see which secrets.
func TestFrontendSecrets(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	own, foreign := h.frontend("own", "me"), h.frontend("foreign", "you")
	for _, tt := range []struct {
		name         string
		token        string
		own, foreign bool // the secrets are shown
	}{
		{"admin", admin, true, true},
		{"reader", reader, false, false},
		{"owner", token("me", auth.Owner), true, false},
		{"reader with the subject of an owner", token("me", auth.Read), false, false},
		{"reader and owner", token("me", auth.Read, auth.Owner), true, false},
		{"reader and admin", token("me", auth.Read, auth.Admin), true, true},
	} {
		var all []Frontend
		a := h.ask(tt.token, "GET /frontends", "")
		a.into(&all)
		for _, f := range all {
			may := f.ID == own.ID && tt.own || f.ID == foreign.ID && tt.foreign
			if shown := f.BBB.Secret != nil || f.BBB.SecondarySecret != nil; shown != may {
				t.Errorf("%s: the secrets of %s are shown: %t", tt.name, f.BBB.Key, shown)
			}
			one := h.ask(tt.token, "GET /frontends/"+f.ID, "").frontend()
			if diff := cmp.Diff(f, one); diff != "" {
				t.Errorf("%s: the list - and the frontend +:\n%s", tt.name, diff)
			}
		}
		if shown := strings.Contains(a.Body.String(), frontendSecret); shown != (tt.own || tt.foreign) {
			t.Errorf("%s: a secret is in the body: %t", tt.name, shown)
		}
	}
}

// §2, S17: what tenants may change of their own frontends, and what not.
func TestFrontendPatchByItsOwner(t *testing.T) {
	t.Parallel()
	owner := token("me", auth.Owner)
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		f := h.fullFrontend("me")
		path := "/frontends/" + f.ID
		full := h.ask(owner, "GET "+path, "").is(http.StatusOK).Body.String()
		for _, tt := range []struct{ name, body, want string }{
			{"key", `{"bbb":{"key":"x"}}`, "bbb.key"},
			{"secrets", `{"bbb":{"secret":"x","secondary_secret":null}}`, "bbb.secondary_secret bbb.secret"},
			{"active", `{"active":false}`, "active"},
			{"account", `{"account_ref":"you"}`, "account_ref"},
			{"no account", `{"account_ref":null}`, "account_ref"},
			{"tags", `{"settings":{"required_tags":null}}`, "settings.required_tags"},
			{"limit", `{"settings":{"attendees_limit":{"limit":6}}}`, "settings.attendees_limit"},
			{"no limit", `{"settings":{"attendees_limit":null}}`, "settings.attendees_limit"},
			{"overrides", `{"settings":{"create_override_params":{"o":""},"join_override_params":{"p":"1"}}}`, "settings.create_override_params settings.join_override_params"},
			{"recordings", `{"settings":{"recordings":{"visibility_override":"public"}}}`, "settings.recordings"},
			{"something allowed, too", `{"settings":{"join_default_params":{"a":"1"}},"active":false}`, "active"},
			{"not allowed and wrong", `{"bbb":{"key":""}}`, "bbb.key"},
		} {
			a := h.ask(owner, "PATCH "+path, tt.body).is(http.StatusForbidden)
			var want []string
			for field := range strings.FieldsSeq(tt.want) {
				want = append(want, field+": this action is not allowed")
			}
			if got := a.fields(); got != strings.Join(want, "; ") {
				t.Errorf("%s: got %s, want %s", tt.name, got, want)
			}
			if h.storedFrontend(f.ID).Version != f.Version {
				t.Errorf("%s: something was written", tt.name)
			}
		}
		h.ask(owner, "PATCH "+path, full).is(http.StatusOK)
		if h.storedFrontend(f.ID).Version != f.Version {
			t.Error("the object as it was shown changes something")
		}
		got := h.ask(owner, "PATCH "+path, `{"settings":{"default_presentation":{"url":"https://y.example.org/b.pdf"},
			"create_default_params":{"a":""},"join_default_params":{"z":"1"}}}`).frontend()
		if got.Settings.DefaultPresentation.URL != "https://y.example.org/b.pdf" || len(got.Settings.CreateDefaultParams) != 1 || got.Settings.JoinDefaultParams["z"] != "1" {
			t.Errorf("got %+v", got.Settings)
		}
		h.ask(owner, "PATCH "+path, `{"settings":{"default_presentation":{"url":"x"}}}`).is(http.StatusBadRequest)

		// Foreign and missing are the same.
		foreign := h.frontend("foreign", "you")
		missing := "00000000-0000-4000-8000-000000000000"
		for _, call := range []string{"GET", "PATCH"} {
			a := h.ask(owner, call+" /frontends/"+foreign.ID, `{}`).is(http.StatusNotFound)
			b := h.ask(owner, call+" /frontends/"+missing, `{}`).is(http.StatusNotFound)
			if strings.ReplaceAll(a.Body.String(), foreign.ID, missing) != b.Body.String() {
				t.Errorf("%s tells foreign %s from missing %s", call, a.Body, b.Body)
			}
		}
		h.ask(token("", auth.Owner), "PATCH /frontends/"+h.frontend("nobody's", "").ID, `{}`).is(http.StatusNotFound)
		// C32: more scopes are never less.
		h.ask(token("me", auth.Owner, auth.Admin), "PATCH /frontends/"+foreign.ID, `{"active":false}`).is(http.StatusOK)
		h.ask(token("me", auth.Owner, auth.Read), "PATCH "+path, `{"active":false}`).is(http.StatusForbidden)
	})
}

func TestFrontendDestroy(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		f := h.frontend("k", "")
		got := h.ask(admin, "DELETE /frontends/"+f.ID, "").frontend()
		if got.ID != f.ID || got.Active || got.BBB.Key != "k" {
			t.Errorf("§7 got %+v, want it with active false", got)
		}
		if h.cluster.Frontend("k") != nil {
			t.Error("the cluster still knows it")
		}
		for _, call := range []string{"GET", "PATCH", "DELETE"} {
			for _, id := range []string{f.ID, "not-a-uuid", "%00", "a%2Fb", strings.Repeat("x", 2000), "%ff"} {
				h.ask(admin, call+" /frontends/"+id, "").is(http.StatusNotFound) // C1: never 500
			}
		}
	})
}

// What another instance has just changed is seen at once.
func TestReadsAreFresh(t *testing.T) {
	t.Parallel()
	onEach(t, setup{nodes: 1}, func(t *testing.T, h *harness) {
		t.Helper()
		_, _, other := h.instance(cluster.Options{})
		f := h.askAt(other, admin, "POST /frontends", `{"bbb":{"key":"k","secret":"s"}}`).frontend()
		b := h.askAt(other, admin, "POST /backends", `{"bbb":{"host":"https://a.example.org","secret":"s"}}`).backend()
		if got := h.ask(admin, "GET /frontends/"+f.ID, "").frontend(); got.BBB.Key != "k" {
			t.Errorf("got %+v", got)
		}
		if got := h.ask(admin, "GET /backends/"+b.ID, "").backend(); got.NodeState != NodeStateInit || got.Eligible || len(got.Reasons) != 1 {
			t.Errorf("got %+v", got)
		}
		h.askAt(other, admin, "PATCH /frontends/"+f.ID, `{"active":false}`).is(http.StatusOK)
		h.askAt(other, admin, "DELETE /backends/"+b.ID+"?force=1", "").is(http.StatusOK)
		h.askAt(other, admin, "PATCH /backends/"+h.backends[0].ID, `{"admin_state":"stopped"}`).is(http.StatusOK)
		if got := h.ask(admin, "GET /backends/"+h.backends[0].ID, "").backend(); got.AdminState != AdminStateStopped || got.Eligible || len(got.Reasons) != 1 {
			t.Errorf("got %+v, want it stopped and not eligible", got)
		}
		if h.ask(admin, "GET /frontends/"+f.ID, "").frontend().Active {
			t.Error("it is still active")
		}
		h.ask(admin, "GET /backends/"+b.ID, "").is(http.StatusNotFound)
	})
}

// When the secrets of a frontend were used is shown.
func TestSecretUsesAreShown(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		f := h.frontend("k", "")
		if got := h.ask(admin, "GET /frontends/"+f.ID, "").frontend(); got.BBB.SecretUsedAt != nil || got.BBB.SecondarySecretUsedAt != nil {
			t.Errorf("never used, got %+v", got.BBB)
		}
		h.cluster.SecretUsed(h.cluster.Frontend("k"), true)
		for _, who := range []string{admin, reader} {
			got := h.ask(who, "GET /frontends/"+f.ID, "").frontend()
			if got.BBB.SecretUsedAt != nil || got.BBB.SecondarySecretUsedAt == nil || time.Since(*got.BBB.SecondarySecretUsedAt) > time.Minute {
				t.Errorf("got %+v", got.BBB)
			}
		}
	})
}
