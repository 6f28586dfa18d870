package adminapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

// caller is one row of the matrix.
type caller struct {
	name   string
	token  string
	scope  auth.Scope // "": the token is none
	own    bool       // the objects of the world are its own
	admits string     // the markers that it may see, by prefix; "" is none
}

func callers() []caller {
	return []caller{
		{name: "no token"},
		{name: "broken token", token: admin[:len(admin)-2]},
		{name: "foreign signature", token: forged(sha512.New384, "another-secret", "HS384")},
		{name: "alg none", token: forged(nil, "", "none")},
		{name: "HS256", token: forged(sha256.New, jwtSecret, "HS256")},
		{name: "HS512", token: forged(sha512.New, jwtSecret, "HS512")},
		{name: "expired", token: expired()},
		{name: "no scope", token: token("own"), scope: "none"},
		{name: "read", token: reader, scope: auth.Read, own: true, admits: "name"},
		{name: "read, of the owner's name", token: token("own", auth.Read), scope: auth.Read, own: true, admits: "name"},
		{name: "owner", token: token("own", auth.Owner), scope: auth.Owner, own: true, admits: "own-frontend own-recording-name own-recording-host"},
		{name: "foreign owner", token: token("foreign", auth.Owner), scope: auth.Owner, admits: "foreign-frontend foreign-recording-name foreign-recording-host"},
		{name: "owner of nothing", token: token("", auth.Owner), scope: auth.Owner},
		{name: "node", token: token("own-agent", auth.Node), scope: auth.Node, own: true, admits: "own-backend own-meeting"},
		{name: "foreign node", token: token("foreign-agent", auth.Node), scope: auth.Node, admits: "foreign-backend"},
		{name: "admin", token: admin, scope: auth.Admin, own: true, admits: "all"},
	}
}

// forged is a token for an admin that nobody gave.
func forged(method func() hash.Hash, secret b3scale.Secret, alg string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"scope":"b3scale:admin","sub":"own"}`))
	if method == nil {
		return text + "."
	}
	mac := hmac.New(method, []byte(secret.Reveal()))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func expired() string {
	t, err := auth.NewKeys(jwtSecret, "").Mint(auth.Claims{Subject: "own", Scopes: auth.Scopes{auth.Admin}, Expires: time.Now().Add(-time.Minute)})
	if err != nil {
		panic(err)
	}
	return t
}

// world has two of everything, the own and the foreign one. All its texts are
// markers: where one of them shows up, somebody has seen that object.
type world struct {
	*harness
	ids   map[string]string // for {id}, by collection
	names []string          // what readers may see, too
}

func newWorld(h *harness) *world {
	h.Helper()
	w := &world{harness: h, ids: map[string]string{}}
	for _, side := range []string{"foreign", "own"} {
		f, err := h.cluster.AddFrontend(h.Context(), b3scale.Frontend{
			Key: side + "-frontend-key", Secret: b3scale.Secret(side + "-frontend-secret"), SecondarySecret: b3scale.Secret(side + "-frontend-second"),
			Active: true, AccountRef: side, Settings: b3scale.FrontendSettings{
				Hosts:                []string{side + "-frontend-host.example.org"},
				CreateOverrideParams: b3scale.Params{"moderatorPW": side + "-frontend-modpw"},
			},
		}, b3scale.Actor{})
		if err != nil {
			h.Fatal(err)
		}
		b, err := h.cluster.AddBackend(h.Context(), b3scale.Backend{
			Host: "https://" + side + "-backend-host.example.org/", Secret: b3scale.Secret(side + "-backend-secret"),
			SecondarySecret: b3scale.Secret(side + "-backend-second"), AdminState: b3scale.AdminReady, LoadFactor: 1, AgentRef: side + "-agent",
		}, b3scale.Actor{})
		if err != nil {
			h.Fatal(err)
		}
		if err := h.store.MarkListed(h.Context(), b.ID, 1); err != nil {
			h.Fatal(err)
		}
		room := b3scale.Incarnation{
			InternalID: side + "-meeting-internal", CreateTime: 1, AttendeePW: side + "-meeting-attpw", ModeratorPW: side + "-meeting-modpw",
			Info: []byte("<meetingName>" + side + "-meeting-name</meetingName><attendeePW>" + side + "-meeting-attpw</attendeePW>" +
				"<moderatorPW>" + side + "-meeting-modpw</moderatorPW>"),
		}
		_, adopted, err := h.store.AdoptMeeting(h.Context(), b3scale.MeetingKey{FrontendID: f.ID, MeetingID: "room"}, b.ID, room, 15)
		if err != nil || !adopted {
			h.Fatal("no meeting:", err)
		}
		c, err := h.store.AddCommand(h.Context(), b3scale.EndAllMeetings, []byte(`{"BackendID":"`+b.ID+`"}`), time.Minute, b3scale.Actor{})
		if err != nil {
			h.Fatal(err)
		}
		message, _, err := h.store.AddCallback(h.Context(), b3scale.Callback{
			FrontendID: f.ID, Kind: b3scale.CallbackEnd, URL: "https://" + side + "-frontend-secret@" + side + "-callback-host/?" + side + "-frontend-second",
		}, b3scale.CallbackTerms{Tried: time.Hour})
		if err != nil {
			h.Fatal(err)
		}
		recording := h.stored(b3scale.Recording{
			ID: side + "-recording-id", FrontendID: f.ID, MeetingID: "room", Name: side + "-recording-name", State: "published", Published: true, StartMillis: 1,
			Metadata: map[string]string{"endCallbackUrl": apiURL + callbackPath + side + "-recording-token"},
			Formats:  []b3scale.RecordingFormat{{Type: "video", URL: "https://" + side + "-recording-host/"}},
		})
		w.ids = map[string]string{"recordings": recording.ID, "callbacks": message.ID, "frontends": f.ID, "backends": b.ID, "meetings": "internal:" + room.InternalID, "commands": c.ID}
		w.names = append(w.names, side+"-frontend-key", side+"-frontend-host", side+"-backend-host", side+"-meeting-internal", side+"-meeting-name", side+"-callback-host", side+"-recording-name", side+"-recording-host")
	}
	_, err := h.cluster.EditFrontendDefaults(h.Context(), b3scale.Actor{}, func(s *b3scale.FrontendSettings) error {
		s.CreateOverrideParams = b3scale.Params{"attendeePW": "defaults-attpw"}
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	if err := h.cluster.Load(h.Context()); err != nil {
		h.Fatal(err)
	}
	return w
}

// markers are all that somebody could see, some of them secrets.
func (w *world) markers() []string {
	all := slices.Clone(w.names)
	for _, side := range []string{"foreign", "own"} {
		all = append(all, side+"-frontend-secret", side+"-frontend-second", side+"-frontend-modpw", side+"-backend-secret", side+"-backend-second",
			side+"-meeting-attpw", side+"-meeting-modpw", side+"-recording-token")
	}
	return append(all, "defaults-attpw", jwtSecret.Reveal(), jwtSecondSecret.Reveal())
}

// admits reports whether a caller may see a marker.
func (w *world) admits(c caller, marker string) bool {
	if marker == jwtSecret.Reveal() || marker == jwtSecondSecret.Reveal() {
		return false
	}
	switch c.admits {
	case "all":
		return true
	case "name":
		return slices.Contains(w.names, marker)
	}
	for prefix := range strings.FieldsSeq(c.admits) {
		if strings.HasPrefix(marker, prefix) {
			return true
		}
	}
	return false
}

// wants is the status that a caller must get.
func wants(pattern string, scopes []auth.Scope, c caller) int {
	switch {
	case pattern == "GET /api/v1/openapi.yaml":
		return http.StatusOK
	case strings.HasSuffix(pattern, protectedPath+judgeName): // no header lets anybody in there
		return http.StatusForbidden
	case strings.Contains(pattern, protectedPath): // no recordings are kept in this world
		return http.StatusNotFound
	case c.scope == "", strings.Contains(pattern, callbackPath): // where the token stands in the path
		return http.StatusUnauthorized
	case len(scopes) > 0 && !slices.Contains(scopes, c.scope):
		return http.StatusForbidden
	case pattern == "POST /api/v1/backends" && c.scope == auth.Node:
		return http.StatusConflict // these agents have one
	case strings.Contains(pattern, "{id}") && !c.own:
		return http.StatusNotFound
	case pattern == "DELETE /api/v1/frontends/{id}":
		return http.StatusConflict // it has a recording
	case pattern == "POST /api/v1/commands":
		return http.StatusAccepted
	}
	return http.StatusOK
}

// Every route and every kind of token: who gets in, and what they see.
func TestMatrix(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"POST /api/v1/frontends":              `{"bbb":{"key":"new","secret":"s"}}`,
		"POST /api/v1/backends":               `{"bbb":{"host":"https://new.example.org","secret":"s"}}`,
		"PATCH /api/v1/frontends/id":          `{}`,
		"PATCH /api/v1/frontend-defaults":     `{"meetings_limit":{"limit":9}}`,
		"POST /api/v1/placements/explain":     `{"frontend_key":"own-frontend-key"}`,
		"POST /api/v1/recordings-import":      metadataOf("imported", "video", "own-frontend-key", "room"),
		"POST /api/v1/recordings/{id}/move":   `{"frontend_key":"foreign-frontend-key"}`,
		"POST /api/v1/recordings-visibility":  `{"record_id":"own-recording-id","visibility":"public"}`,
		"PATCH /api/v1/recordings-visibility": `{"record_id":"own-recording-id","visibility":"protected"}`,
		"POST /api/v1/agent/events":           `{"boot":"b","events":[]}`,
		"POST /api/v1/agent/rpc":              `{"action":"meeting_state_reset","payload":{"internal_meeting_id":"own-meeting-internal"}}`,
	}
	for _, pattern := range slices.Sorted(maps.Keys(promised().operations)) {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			onEach(t, setup{}, func(t *testing.T, h *harness) {
				t.Helper()
				w := newWorld(h)
				h.files("inbox", "video", "imported")
				method, target, _ := strings.Cut(pattern, " ")
				target = strings.TrimPrefix(target, "/api/v1")
				collection, _, _ := strings.Cut(strings.TrimPrefix(target, "/"), "/")
				target = strings.NewReplacer("{id}", w.ids[collection], "{token}", "in-the-path").Replace(target)
				body := bodies[pattern]
				if pattern == "POST /api/v1/commands" {
					body = `{"action":"end_all_meetings","params":{"BackendID":"` + w.ids["backends"] + `"}}`
				}
				scopes, _ := acceptedScopes(pattern)
				for _, c := range callers() { // admin is the last one: it deletes things
					if strings.Contains(pattern, callbackPath) && c.token == "" {
						c.token = "of no meaning there"
					}
					if pattern == "DELETE /api/v1/meetings/{id}" && c.scope == auth.Admin {
						target = "/meetings/internal:foreign-meeting-internal" // an agent has deleted its own
					}
					a := h.ask(c.token, method+" "+target, body)
					if want := wants(pattern, scopes, c); a.Code != want {
						t.Errorf("%s: got %d %s, want %d", c.name, a.Code, a.Body, want)
					}
					w.judge(c, a, w.ids[collection])
				}
			})
		})
	}
}

// judge finds what a caller must not see.
func (w *world) judge(c caller, a *answer, asked string) {
	w.Helper()
	told := strings.ReplaceAll(a.Body.String(), asked, "") // what was asked for may be repeated
	for _, values := range a.Header() {
		told += " " + strings.Join(values, " ")
	}
	for _, marker := range w.markers() {
		if strings.Contains(told, marker) && !w.admits(c, marker) {
			w.Errorf("%s sees %s: %s", c.name, marker, a.Body)
		}
	}
	if strings.Contains(a.what, protectedPath) {
		return // browsers read its answers, or web servers
	}
	if a.Code == http.StatusForbidden && a.problem().Fields == nil && !strings.HasSuffix(a.problem().Message, " scope required") {
		w.Errorf("§1 %s: got %s", c.name, a.Body)
	}
	if a.Code == http.StatusUnauthorized {
		want := "invalid or expired jwt"
		if c.token == "" {
			want = "missing or malformed jwt"
		}
		if got := a.problem().Message; got != want {
			w.Errorf("§1 %s: got %s, want %s", c.name, got, want)
		}
	}
}

// Lists show their own frontends to tenants, and nothing of others, whatever
// they ask for.
func TestTenantsSeeTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(newHarness(t, setup{}))
	for _, c := range callers() {
		for _, query := range []string{"?account_ref=foreign", "?account_ref=own", "?key=foreign-frontend-key", "?key__like=e", "?order=account_ref", "?limit=1&offset=1"} {
			a := w.ask(c.token, "GET /frontends"+query, "")
			w.judge(c, a, "")
			if c.scope == auth.Owner && a.is(http.StatusOK).Header().Get("X-Total-Count") > "1" {
				t.Errorf("%s %s: the total is %s", c.name, query, a.Header().Get("X-Total-Count"))
			}
		}
	}
}
