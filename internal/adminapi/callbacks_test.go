package adminapi

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/callbacks"
)

func (s *moodyStore) AddCallback(ctx context.Context, c b3scale.Callback, terms b3scale.CallbackTerms) (b3scale.Callback, bool, error) {
	if err := s.write(); err != nil {
		return b3scale.Callback{}, false, err
	}
	return s.Store.AddCallback(ctx, c, terms)
}

func (s *moodyStore) Callbacks(ctx context.Context, q b3scale.CallbackQuery, yield func(b3scale.Callback)) (int, error) {
	if err := s.mood(); err != nil {
		return 0, err
	}
	return s.Store.Callbacks(ctx, q, yield)
}

// callbacks are all that match.
func (h *harness) callbacks(query string) (found []Callback) {
	h.Helper()
	h.ask(admin, "GET /callbacks"+query, "").into(&found)
	return found
}

func TestCallbacksByREST(t *testing.T) {
	t.Parallel()
	onEach(t, setup{}, func(t *testing.T, h *harness) {
		t.Helper()
		one, two := h.frontend("one", ""), h.frontend("two", "")
		add := func(f b3scale.Frontend, kind b3scale.CallbackKind, meeting, target string) string {
			c, _, err := h.store.AddCallback(t.Context(), b3scale.Callback{FrontendID: f.ID, Kind: kind, MeetingID: meeting, URL: target, Host: "h"}, b3scale.CallbackTerms{Tried: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			return c.ID
		}
		first := add(one, b3scale.CallbackEnd, "room", "https://user:pass@lms.example.org/end?token=s3cret#x")
		add(one, b3scale.CallbackAnalytics, "room", "https://lms.example.org/figures")
		add(two, b3scale.CallbackEnd, "other", "https://lms.example.org/")
		for query, want := range map[string]int{
			"": 3, "?frontend_id=" + one.ID: 2, "?kind=end": 2, "?meeting=room": 2, "?state=waiting": 3, "?state=refused": 0,
			"?frontend_id=" + one.ID + "&kind=analytics&state=waiting&meeting=room": 1, "?frontend_id=nobody": 0,
		} {
			a := h.ask(reader, "GET /callbacks"+query, "").is(http.StatusOK)
			var found []Callback
			if a.into(&found); len(found) != want || a.Header().Get("X-Total-Count") != string(rune('0'+want)) {
				t.Errorf("%q: got %d of %s, want %d", query, len(found), a.Header().Get("X-Total-Count"), want)
			}
		}
		if got := h.ask(reader, "GET /callbacks?limit=1&offset=1", "").is(http.StatusOK); got.Header().Get("X-Total-Count") != "3" || strings.Count(got.Body.String(), `"id"`) != 1 {
			t.Errorf("a page: %v %s", got.Header(), got.Body)
		}
		if got := h.callbacks("?order=kind,-meeting_id&limit=2"); len(got) != 2 || got[0].Kind != CallbackKindAnalytics || text(got[1].MeetingID) != "room" {
			t.Errorf("in order: %+v", got)
		}
		for _, bad := range []string{"?state=lost", "?kind=webhook", "?limit=0", "?offset=-1", "?order=payload", "?meeting=%00"} {
			h.ask(reader, "GET /callbacks"+bad, "").is(http.StatusBadRequest)
		}

		var shown Callback
		h.ask(reader, "GET /callbacks/"+first, "").into(&shown)
		if shown.URL != "https://…@lms.example.org/end?…" || shown.State != CallbackStateWaiting || shown.DoneAt != nil || shown.LastStatus != nil {
			t.Errorf("a reader sees %+v", shown)
		}
		h.ask(admin, "GET /callbacks/"+first, "").into(&shown)
		if shown.URL != "https://user:pass@lms.example.org/end?token=s3cret#x" {
			t.Errorf("an administrator sees %+v", shown)
		}
		h.ask(admin, "DELETE /callbacks/"+first, "").into(&shown)
		if shown.State != CallbackStateDropped || shown.DoneAt == nil {
			t.Errorf("dropped: %+v", shown)
		}
		h.ask(admin, "DELETE /callbacks/"+first, "").is(http.StatusConflict)
		h.ask(admin, "POST /callbacks/"+first+"/replay", "").into(&shown)
		if shown.State != CallbackStateWaiting || shown.DoneAt != nil || time.Until(shown.ExpiresAt) < 23*time.Hour {
			t.Errorf("replayed: %+v", shown)
		}
		for _, call := range []string{"GET /callbacks/unknown", "DELETE /callbacks/%00", "POST /callbacks/unknown/replay"} {
			h.ask(admin, call, "").is(http.StatusNotFound)
		}
		if log := h.ask(reader, "GET /audit?kind=callback", "").is(http.StatusOK).Body.String(); strings.Contains(log, "s3cret") ||
			!strings.Contains(log, `"callback.drop"`) || !strings.Contains(log, `"callback.replay"`) {
			t.Errorf("the audit: %s", log)
		}
		h.store.away.Store(true)
		h.ask(reader, "GET /callbacks", "").is(http.StatusServiceUnavailable)
	})
}

func TestMaskedAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://lms.example.org/a%20b":  "https://lms.example.org/a%20b",
		"https://u@lms.example.org?x=y":  "https://…@lms.example.org?…",
		"http://lms.example.org/#s3cret": "http://lms.example.org/?…",
		"mailto:s3cret@example.org":      "…",
		"http://[s3cret":                 "…",
		"":                               "",
		"/just/a/path?s3cret":            "/just/a/path?…",
	} {
		if got := masked(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

// knocks is a node at the door.
func (h *harness) knocks(method, token, query, contentType, body string, headers ...string) *answer {
	h.Helper()
	r := h.requestFor("", method, "/callbacks/proxy/"+token+query, body)
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return h.send(h.handler, r)
}

// signed is a token of our secret.
func signed(method jwt.SigningMethod, claims jwt.MapClaims) string {
	t, err := jwt.NewWithClaims(method, claims).SignedString([]byte(jwtSecret.Reveal()))
	if err != nil {
		panic(err)
	}
	return t
}

func TestTokensOfCallbacks(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("one", "")
	claims := func(changes ...any) jwt.MapClaims {
		c := jwt.MapClaims{"sub": f.ID, "aud": []string{"https://lms.example.org/end"}, "scope": "b3scale:callback"}
		for i := 0; i < len(changes); i += 2 {
			if c[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
				delete(c, changes[i].(string))
			}
		}
		return c
	}
	hs384, id := jwt.SigningMethodHS384, "?recordingmarks=false&meetingID="+b3scale.EncodeMeetingID("one", "room")
	for _, c := range []struct {
		name   string
		token  string
		query  string
		status int
	}{
		{"of the existing product", signed(hs384, claims()), id, 200},
		{"the same again", signed(hs384, claims()), id, 200},
		{"with one audience", signed(hs384, claims("aud", "https://lms.example.org/other")), id, 200},
		{"an end that tells of no meeting", signed(hs384, claims()), "", 200},
		{"with a kind", signed(hs384, claims("kind", "end", "key", "room", "generation", 1)), id, 200},
		{"for us alone", signed(hs384, claims("aud", nil, "kind", "meeting_ended", "key", "room", "generation", 1)), "", 200},
		{"HS256", signed(jwt.SigningMethodHS256, claims()), id, 401},
		{"HS512", signed(jwt.SigningMethodHS512, claims()), id, 401},
		{"unsigned", strings.Join(strings.Split(signed(hs384, claims()), ".")[:2], ".") + ".", id, 401},
		{"forged", signed(hs384, claims())[:60] + "x" + signed(hs384, claims())[61:], id, 401},
		{"nonsense", "eyJ.eyJ.x", id, 401},
		{"expired", signed(hs384, claims("exp", 1)), id, 401},
		{"audiences that are none", signed(hs384, claims("aud", []int{1})), id, 401},
		{"a generation that is none", signed(hs384, claims("generation", "1")), id, 401},
		{"another scope", signed(hs384, claims("scope", "b3scale:admin b3scale:recordings")), id, 403},
		{"an administrator's", admin, id, 403},
		{"of no frontend", signed(hs384, claims("sub", "nobody")), id, 404},
		{"without audience", signed(hs384, claims("aud", nil)), id, 400},
		{"with an empty list of them", signed(hs384, claims("aud", []string{})), id, 400},
		{"another frontend's meeting", signed(hs384, claims()), "?meetingID=" + b3scale.EncodeMeetingID("two", "room"), 403},
		{"another meeting", signed(hs384, claims("kind", "end", "key", "other", "generation", 1)), id, 403},
		{"no id of ours", signed(hs384, claims()), "?meeting_id=room", 400},
		{"of a recording", signed(hs384, claims("kind", "recording_ready", "key", "room", "generation", 1)), id, 400},
	} {
		if a := h.knocks("GET", c.token, c.query, "", ""); a.Code != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, a.Code, a.Body, c.status)
		}
	}
	if got := h.callbacks("?order=url"); len(got) != 4 || got[0].URL != "https://lms.example.org/end" || got[3].URL != "https://lms.example.org/other?recordingmarks=false&meetingID=room" {
		t.Errorf("stored: %+v", got)
	}
	good := signed(hs384, claims())
	h.knocks("HEAD", good, id, "", "").is(http.StatusMethodNotAllowed)
	h.knocks("DELETE", good, id, "", "").is(http.StatusMethodNotAllowed)
	h.knocks("GET", good+"/more", id, "", "").is(http.StatusUnauthorized)
	h.store.away.Store(true)
	h.knocks("GET", signed(hs384, claims("aud", "https://lms.example.org/later")), id, "", "").is(http.StatusServiceUnavailable)
	h.store.away.Store(false)
	if log := h.log.String(); strings.Contains(log, "lms.example.org") {
		t.Errorf("the log has addresses:\n%s", log)
	}
}

func TestBodiesOfCallbacks(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{nodes: 2})
	f := h.frontend("one", "")
	id := h.meeting(f, "room", "meta_bbb-recording-ready-url", "https://lms.example.org/ready", "meta_analytics-callback-url", "https://lms.example.org/figures")
	home, other := h.nodes[0], h.nodes[1]
	room, here := home.Room(id)
	if !here {
		home, other = other, home
		room, _ = home.Room(id)
	}
	tokenIn := func(name string) string { return strings.TrimPrefix(room.Metadata.Get(name), apiURL+callbackPath) }
	ready, figures := tokenIn("bbb-recording-ready-url"), tokenIn("analytics-callback-url")
	old := signed(jwt.SigningMethodHS384, jwt.MapClaims{"sub": f.ID, "aud": []string{"https://lms.example.org/old"}, "scope": "b3scale:callback"})
	by := func(secret string, method jwt.SigningMethod, claims jwt.MapClaims) string {
		t.Helper()
		text, err := jwt.NewWithClaims(method, claims).SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const form, mime = "application/x-www-form-urlencoded", "application/json; charset=utf-8"
	hs256, hs512 := jwt.SigningMethodHS256, jwt.SigningMethodHS512
	says := jwt.MapClaims{"meeting_id": id, "record_id": "r-1"}
	byHome, tomorrow := by(home.API().Secret, hs256, says), jwt.MapClaims{"exp": time.Now().Add(24 * time.Hour).Unix()}
	multi := "--b\r\nContent-Disposition: form-data; name=\"signed_parameters\"\r\n\r\n" + byHome + "\r\n--b--\r\n"
	for _, c := range []struct {
		name, token, kind, body, bearer string
		status                          int
	}{
		{"a form", ready, form, "signed_parameters=" + byHome, "", 200},
		{"parts", ready, `multipart/form-data; boundary="b"`, multi, "", 200},
		{"JSON", ready, mime, `{"signed_parameters":"` + byHome + `"}`, "", 200},
		{"an old token", old, form, "signed_parameters=" + byHome, "", 200},
		{"an old token, of any node", old, form, "signed_parameters=" + by(other.API().Secret, hs256, says), "", 200},
		{"of another node", ready, form, "signed_parameters=" + by(other.API().Secret, hs256, says), "", 403},
		{"with our own secret", ready, form, "signed_parameters=" + signed(hs256, says), "", 403},
		{"with no secret", ready, form, "signed_parameters=" + by("", hs256, says), "", 403},
		{"by another method", ready, form, "signed_parameters=" + by(home.API().Secret, hs512, says), "", 403},
		{"of another frontend", ready, form, "signed_parameters=" + by(home.API().Secret, hs256, jwt.MapClaims{"meeting_id": b3scale.EncodeMeetingID("two", "room")}), "", 403},
		{"without a meeting", ready, form, "signed_parameters=" + by(home.API().Secret, hs256, jwt.MapClaims{"record_id": "r"}), "", 400},
		{"a breakout room's", ready, form, "signed_parameters=" + by(home.API().Secret, hs256, jwt.MapClaims{"meeting_id": strings.Repeat("a", 40) + "-12"}), "", 200},
		{"nothing", ready, form, "", "", 400},
		{"a broken form", ready, form, "signed_parameters=%", "", 400},
		{"broken parts", ready, "multipart/form-data; boundary=c", multi, "", 400},
		{"broken JSON", ready, mime, "{", "", 400},
		{"text", ready, "text/plain", "signed_parameters=" + byHome, "", 415},
		{"no type", ready, "", "signed_parameters=" + byHome, "", 415},
		{"too much", ready, form, "signed_parameters=" + strings.Repeat("x", 65<<10), "", 413},
		{"figures", figures, mime, `{"meeting_id":"` + id + `"}`, by(home.API().Secret, hs512, tomorrow), 200},
		{"figures with an old token", old, mime, `{"meeting_id":"` + id + `"}`, by(home.API().Secret, hs512, tomorrow), 200},
		{"figures without a bearer", figures, mime, `{"meeting_id":"` + id + `"}`, "", 403},
		{"figures, expired", figures, mime, `{"meeting_id":"` + id + `"}`, by(home.API().Secret, hs512, jwt.MapClaims{"exp": 1}), 403},
		{"figures for ever", figures, mime, `{"meeting_id":"` + id + `"}`, by(home.API().Secret, hs512, jwt.MapClaims{}), 403},
		{"figures of another node", figures, mime, `{"meeting_id":"` + id + `"}`, by(other.API().Secret, hs512, tomorrow), 403},
		{"figures by another method", figures, mime, `{"meeting_id":"` + id + `"}`, by(home.API().Secret, hs256, tomorrow), 403},
		{"figures of nothing", figures, mime, `{}`, by(home.API().Secret, hs512, tomorrow), 400},
		{"figures that are none", figures, mime, `[1`, by(home.API().Secret, hs512, tomorrow), 400},
	} {
		if a := h.knocks("POST", c.token, "", c.kind, c.body, "Authorization", "Bearer "+c.bearer); a.Code != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, a.Code, a.Body, c.status)
		}
	}
	if got := h.callbacks(""); len(got) != 8 {
		t.Errorf("stored %d, want 8: %+v", len(got), got)
	}
	// No tokens for those who must not tell frontends anything.
	for _, token := range []string{reader, admin} {
		body := h.ask(token, "GET /meetings/"+id, "").is(http.StatusOK).Body.String()
		if shows := strings.Contains(body, ready); shows != (token == admin) {
			t.Errorf("the token is shown: %v, %s", shows, body)
		}
	}
	if body := h.ask(reader, "GET /meetings/"+id, "").Body.String(); !strings.Contains(body, callbacks.Path+"…") {
		t.Errorf("the address is not shown: %s", body)
	}
}

// A token for callbacks is good for nothing else.
func TestCallbackTokensOpenNoOtherDoor(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	f := h.frontend("one", f1Account)
	token, err := auth.NewKeys(jwtSecret, "").MintCallback(b3scale.CallbackTicket{FrontendID: f.ID, Target: "https://lms.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"GET ", "GET /status", "GET /frontends", "GET /meetings", "GET /callbacks", "GET /audit"} {
		h.ask(token, call, "").is(http.StatusForbidden)
	}
}

const f1Account = "an-account"
