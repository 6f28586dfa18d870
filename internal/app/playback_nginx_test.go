package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
	"b3scale/internal/auth"
)

// Whoever has a link sees the recording with everything in it, and nothing of
// any other that is protected.
func TestProtectedPlayback(t *testing.T) {
	t.Parallel()
	th := startTheater(t)
	stranger, viewer := th.browser(), th.browser()
	of := func(id string) []string {
		return []string{
			"/presentation/" + id + "/metadata.xml", "/presentation/" + id + "/presentation/" + pres + "/thumbnails/thumb-1.png",
			"/playback/video/" + id + "/", "/video/" + id + "/video-0.m4v", "/podcast/" + id + "/audio.ogg", "/notes/" + id + "/notes.pdf", "/recording/screenshare/" + id + "/",
		}
	}
	sees := func(c *http.Client, who, id string, want bool) {
		t.Helper()
		for _, path := range of(id) {
			status, _, body := th.visit(c, "https://"+playbackHost+path)
			if want && (status != http.StatusOK || body != "of "+id) || !want && (status != http.StatusForbidden || strings.Contains(body, "of "+id)) {
				t.Errorf("%s, %s: got %d %s", who, path, status, body)
			}
		}
	}
	for _, id := range []string{guarded, guarded2, foreign, hidden, stray} {
		sees(stranger, "a stranger", id, false)
	}
	sees(stranger, "a stranger", open1, true)
	if status, _, body := th.visit(stranger, "https://"+playbackHost+"/playback/presentation/2.3/static/js/app.js"); status != http.StatusOK || body != "code of the player" {
		t.Errorf("the player: got %d %s", status, body)
	}
	if status, at, body := th.visit(stranger, "https://"+playbackHost+"/playback/presentation/2.0/playback.html?meetingId="+open1); status != http.StatusOK || !strings.HasSuffix(at, "/2.3/"+open1) || body != "the player" {
		t.Errorf("an old address: got %d %s at %s", status, body, at)
	}

	for format, want := range map[string]string{"presentation": "the player", "video": "of " + guarded, "podcast": "of " + guarded, "notes": "of " + guarded, "screenshare": "of " + guarded} {
		c := th.browser()
		status, at, body := th.visit(c, th.link(guarded, format))
		if status != http.StatusOK || body != want || !strings.HasPrefix(at, "https://"+playbackHost+"/") || !strings.Contains(at, guarded) {
			t.Errorf("the link of %s: got %d %s at %s", format, status, body, at)
		}
		sees(c, "a viewer of "+format, guarded, true)
	}
	th.visit(viewer, th.link(guarded, "video"))
	for _, id := range []string{guarded2, foreign, hidden, stray} {
		sees(viewer, "a viewer of another one", id, false)
	}
	th.visit(viewer, th.link(foreign, "presentation"))
	th.visit(viewer, th.link(guarded2, "presentation"))
	for _, id := range []string{guarded, guarded2, foreign, open1} {
		sees(viewer, "a viewer of three", id, true)
	}
	_, header, _ := th.raw(apiHost, http.MethodGet, strings.TrimPrefix(th.link(guarded, "video"), "https://"+apiHost))
	c, err := http.ParseSetCookie(header.Get("Set-Cookie"))
	if err != nil || c.Name != "_b3s_protected" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "example.org" || c.MaxAge != 8*60*60 {
		t.Errorf("the cookie is %+v, %v", c, err)
	}
	if header.Get("Cache-Control") != "no-store" || header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("got %v", header)
	}
	if err := th.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{guarded, open1} { // nobody can be asked
		if status, _, body := th.visit(viewer, "https://"+playbackHost+"/presentation/"+id+"/metadata.xml"); status != http.StatusInternalServerError || strings.Contains(body, "of ") {
			t.Errorf("without b3scaled: got %d %s", status, body)
		}
	}
	noSecrets(t, "the log", th.log.String(), "eyJ", playbackKey)
}

// What may be asked for with the right cookie is there, and what nobody may see
// is not, with whatever cookie.
func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	th := startTheater(t)
	var all []b3scale.PlaybackGrant
	for _, id := range []string{guarded, guarded2, hidden, stray, open1, ""} {
		for _, key := range []string{frontendKey, "other"} {
			all = append(all, b3scale.PlaybackGrant{FrontendID: th.frontends[key], RecordingID: id})
		}
	}
	cookie := th.cookie(time.Now().Add(time.Hour), all...)
	for _, target := range []string{
		"/", "/presentation/", "/presentation", "/presentation/" + guarded + "/", "/presentation/" + open1 + "/", "/metadata.xml", "/presentation/metadata.xml",
		"/presentation/" + hidden + "/metadata.xml", "/presentation/" + hidden + "/../" + hidden + "/metadata.xml", "/video/" + hidden + "/video-0.m4v",
		"/unpublished/presentation/" + hidden + "/metadata.xml", "/presentation/../unpublished/presentation/" + hidden + "/metadata.xml", "/presentation/../../unpublished/presentation/" + hidden + "/x",
		"/presentation/" + open1 + "/../../../unpublished/presentation/" + hidden + "/x", "/presentation/" + open1 + "/link.xml",
		"/presentation/" + stray + "/metadata.xml", "/presentation/" + stray + "/" + open1 + "/metadata.xml", "/presentation/" + open1 + "/../" + stray + "/metadata.xml",
		"/presentation/.b3scale-new/metadata.xml", "/presentation/.b3scale-" + open1 + "/metadata.xml", "/presentation/%2eb3scale-new/metadata.xml", "/presentation/" + open1 + "/../.b3scale-new/metadata.xml",
		"/presentation/" + foreign + "/metadata.xml",
		"/_b3scale", "/%5fb3scale", "/playback/presentation/2.3/../2.4/x", "/playback/presentation/", "/playback/video/", "/nginx.conf", "/api/v1/status",
	} {
		if status, _, body := th.raw(playbackHost, http.MethodGet, target, cookie); status < 400 || strings.Contains(body, "of ") {
			t.Errorf("%s: got %d %s", target, status, body)
		}
	}
	for _, c := range []struct {
		method, header string
		status         int
		body           string
	}{
		{http.MethodGet, "X: y", http.StatusOK, "of " + guarded},
		{http.MethodHead, "X: y", http.StatusOK, ""},
		{http.MethodGet, "Range: bytes=0-1", http.StatusPartialContent, "of"},
		{http.MethodPost, "Content-Length: 0", http.StatusMethodNotAllowed, ""},
		{http.MethodPut, "Content-Length: 0", http.StatusMethodNotAllowed, ""},
		{http.MethodDelete, "X: y", http.StatusMethodNotAllowed, ""},
		{http.MethodOptions, "X: y", http.StatusMethodNotAllowed, ""},
		{"PROPFIND", "X: y", http.StatusMethodNotAllowed, ""},
	} {
		status, header, body := th.raw(playbackHost, c.method, secretFile, c.header)
		if status != http.StatusForbidden || strings.Contains(body, "of "+guarded) || header.Get("ETag") != "" {
			t.Errorf("%s without a cookie: got %d %v %s", c.method, status, header, body)
		}
		if status, _, body = th.raw(playbackHost, c.method, secretFile, c.header, cookie); status != c.status || c.status < 400 && body != c.body {
			t.Errorf("%s with the cookie: got %d %s", c.method, status, body)
		}
	}
	if status, header, body := th.raw(apiHost, http.MethodGet, "/api/v1/protected/recordings/auth", cookie); status != http.StatusForbidden || body != "" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("without an address: got %d %s", status, body)
	}
}

// Nothing but a cookie of ours for this recording, that is not over, opens it.
func TestOtherCredentials(t *testing.T) {
	t.Parallel()
	th := startTheater(t)
	own, others := th.frontends[frontendKey], th.frontends["other"]
	later := time.Now().Add(time.Hour)
	good := th.cookie(later, b3scale.PlaybackGrant{FrontendID: own, RecordingID: guarded})
	name, token, _ := strings.Cut(good, "=")
	bearer, err1 := th.keys.Mint(auth.Claims{Subject: own, Scopes: auth.Scopes{auth.Admin, auth.Recordings}})
	callback, err2 := th.keys.MintCallback(b3scale.CallbackTicket{FrontendID: own, Target: "presentation:" + guarded})
	link := th.link(guarded, "presentation")
	forged, err3 := auth.NewKeys("another-secret-of-32-random-bytes", "").MintPlaybackCookie([]b3scale.PlaybackGrant{{FrontendID: own, RecordingID: guarded, Until: b3scale.MicrosOf(later)}})
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	claims := jwt.MapClaims{
		"sub": own, "aud": "presentation:" + guarded, "scope": "b3scale:recordings", "kind": "playback-cookie", "exp": later.Unix(),
		"grants": [][]any{{own, guarded, later.Unix()}},
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	for what, header := range map[string]string{
		"nothing":                    "X: y",
		"an empty one":               name + "=",
		"garbage":                    name + "=x.y.z",
		"another recording's":        th.cookie(later, b3scale.PlaybackGrant{FrontendID: own, RecordingID: guarded2}),
		"another tenant's":           th.cookie(later, b3scale.PlaybackGrant{FrontendID: others, RecordingID: guarded}),
		"all of the tenant":          th.cookie(later, b3scale.PlaybackGrant{FrontendID: own}),
		"one that is over":           th.cookie(time.Now().Add(-time.Second), b3scale.PlaybackGrant{FrontendID: own, RecordingID: guarded}),
		"a link's token":             name + "=" + link[strings.LastIndex(link, "/")+1:],
		"a callback's token":         name + "=" + callback,
		"an operator's token":        name + "=" + bearer,
		"an operator's header":       "Authorization: Bearer " + bearer,
		"the token as a header":      "Authorization: Bearer " + token,
		"signed with another secret": name + "=" + forged,
		"as the product before":      name + "=" + signedBy(playbackKey, jwt.SigningMethodHS384, claims),
		"HS256":                      name + "=" + signedBy(playbackKey, jwt.SigningMethodHS256, claims),
		"alg none":                   name + "=" + none,
		"another signature":          name + "=" + parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"no signature":               name + "=" + parts[0] + "." + parts[1] + ".",
		"cut off":                    good[:len(good)-1],
		"another name":               "Cookie: _B3S_PROTECTED=" + token,
		"a path of their own":        "X-Resource-Path: /presentation/" + open1 + "/metadata.xml",
		"another path of their own":  "X_Resource_Path: /presentation/" + open1 + "/metadata.xml",
		"an original address":        "X-Original-URI: /presentation/" + open1 + "/metadata.xml",
		"a rewritten address":        "X-Rewrite-URL: " + secretFile,
		"a trusted address":          "X-Forwarded-For: 127.0.0.1",
	} {
		if status, _, body := th.raw(playbackHost, http.MethodGet, secretFile, header); status != http.StatusForbidden || strings.Contains(body, "of "+guarded) {
			t.Errorf("%s: got %d %s", what, status, body)
		}
	}
	for what, headers := range map[string][]string{
		"the right one":          {good},
		"among others":           {"Cookie: a=b; " + strings.TrimPrefix(good, "Cookie: ") + "; c=d"},
		"behind a forged one":    {name + "=" + forged + "; " + strings.TrimPrefix(good, "Cookie: ")},
		"and a path of theirs":   {good, "X-Resource-Path: /presentation/" + guarded2 + "/metadata.xml"},
		"and an operator's, too": {good, "Authorization: Bearer " + bearer},
	} {
		if status, _, body := th.raw(playbackHost, http.MethodGet, secretFile, headers...); status != http.StatusOK || body != "of "+guarded {
			t.Errorf("%s: got %d %s", what, status, body)
		}
	}
	for kind, token := range map[string]string{"cookie": token, "link": link[strings.LastIndex(link, "/")+1:]} {
		for _, path := range []string{"/api/v1/status", "/api/v1", "/api/v1/frontends", "/api/v1/callbacks/proxy/" + token} {
			if status, _, body := th.raw(apiHost, http.MethodGet, path, "Authorization: Bearer "+token); status != http.StatusUnauthorized {
				t.Errorf("a %s as a bearer's token at %.40s: got %d %s", kind, path, status, body)
			}
		}
	}
}

// Links open what the frontend was given them for, for an hour.
func TestBadLinks(t *testing.T) {
	t.Parallel()
	th := startTheater(t)
	own, others := th.frontends[frontendKey], th.frontends["other"]
	later := b3scale.MicrosOf(time.Now().Add(time.Hour))
	mint := func(keys auth.Keys, l b3scale.PlaybackLink) string {
		token, err := keys.MintPlaybackLink(l)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := mint(th.keys, b3scale.PlaybackLink{FrontendID: own, RecordingID: guarded, Format: "video", Until: later})
	_, cookie, _ := strings.Cut(th.cookie(time.Now().Add(time.Hour), b3scale.PlaybackGrant{FrontendID: own, RecordingID: guarded}), "=")
	for what, c := range map[string]struct {
		token  string
		status int
	}{
		"good":             {good, http.StatusFound},
		"over":             {mint(th.keys, b3scale.PlaybackLink{FrontendID: own, RecordingID: guarded, Format: "video", Until: b3scale.MicrosOf(time.Now().Add(-time.Second))}), http.StatusForbidden},
		"changed":          {good[:len(good)-2] + "xx", http.StatusForbidden},
		"forged":           {mint(auth.NewKeys("another-secret-of-32-random-bytes", ""), b3scale.PlaybackLink{FrontendID: own, RecordingID: guarded, Format: "video", Until: later}), http.StatusForbidden},
		"a cookie":         {cookie, http.StatusForbidden},
		"garbage":          {"x", http.StatusForbidden},
		"of another":       {mint(th.keys, b3scale.PlaybackLink{FrontendID: others, RecordingID: guarded, Format: "video", Until: later}), http.StatusNotFound},
		"of nobody":        {mint(th.keys, b3scale.PlaybackLink{FrontendID: "nobody", RecordingID: guarded, Format: "video", Until: later}), http.StatusNotFound},
		"unpublished":      {mint(th.keys, b3scale.PlaybackLink{FrontendID: own, RecordingID: hidden, Format: "video", Until: later}), http.StatusNotFound},
		"not there":        {mint(th.keys, b3scale.PlaybackLink{FrontendID: own, RecordingID: stray, Format: "video", Until: later}), http.StatusNotFound},
		"another format":   {mint(th.keys, b3scale.PlaybackLink{FrontendID: own, RecordingID: guarded, Format: "vide", Until: later}), http.StatusNotFound},
		"with a slash":     {good + "/", http.StatusUnauthorized},
		"one level deeper": {"x/" + good, http.StatusUnauthorized},
	} {
		status, header, body := th.raw(apiHost, http.MethodGet, "/api/v1/protected/recordings/"+c.token)
		if status != c.status || (header.Get("Set-Cookie") != "") != (what == "good") || strings.Contains(body, guarded) {
			t.Errorf("%s: got %d %v %s", what, status, header, body)
		}
		if (status == http.StatusForbidden || status == http.StatusNotFound) && !strings.Contains(body, "<h1>") {
			t.Errorf("%s: it is no page for people: %s", what, body)
		}
	}
	if status, _, _ := th.raw(apiHost, http.MethodPost, "/api/v1/protected/recordings/"+good, "Content-Length: 0"); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d", status)
	}
	noSecrets(t, "the log", th.log.String(), "eyJ", playbackKey)
}

// Where the operator wants it, one link opens all recordings of its frontend,
// and none of another.
func TestALinkOpensTheFrontend(t *testing.T) {
	t.Parallel()
	th := startTheater(t, "B3SCALE_RECORDINGS_COOKIE_OPENS=frontend")
	c := th.browser()
	th.visit(c, th.link(guarded, "video"))
	for id, want := range map[string]int{guarded: http.StatusOK, guarded2: http.StatusOK, open1: http.StatusOK, foreign: http.StatusForbidden, hidden: http.StatusForbidden} {
		if status, _, body := th.visit(c, "https://"+playbackHost+"/presentation/"+id+"/metadata.xml"); status != want {
			t.Errorf("%s: got %d %s, want %d", id, status, body, want)
		}
	}
}
