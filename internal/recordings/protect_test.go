package recordings_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/internal/auth"
	"b3scale/internal/logtest"
	"b3scale/internal/recordings"
	"b3scale/internal/sqlstore"
)

var playbackKeys = auth.NewKeys("a-secret-of-at-least-32-random-bytes", "")

func playback(opts recordings.PlaybackOptions) *recordings.Playback {
	if opts.Host == "" {
		opts.Host = "https://play.example.org"
	}
	opts.APIURL, opts.Tokens = "https://b3scale.example.org/", playbackKeys
	return recordings.NewPlayback(nil, nil, logtest.Logger(), opts)
}

// Addresses keep everything but their host, and never lead to another one.
func TestPlaybackAddresses(t *testing.T) {
	t.Parallel()
	stored := recordings.NewPlayback(nil, nil, logtest.Logger(), recordings.PlaybackOptions{})
	p := playback(recordings.PlaybackOptions{})
	for address, want := range map[string]string{
		"http://node.example.org/playback/video/x/":           "/playback/video/x/",
		"https://node:8443/playback/2.0/playback.html?id=x#y": "/playback/2.0/playback.html?id=x#y",
		"  https://node/a%2fb;c=d?e=http://other/f \n":        "/a%2fb;c=d?e=http://other/f",
		"https://node":                          "/",
		"https://node?x=/y":                     "/?x=/y",
		"presentation/x/thumbnails/thumb-1.png": "/presentation/x/thumbnails/thumb-1.png",
		"/presentation/x.png?at=https://other/": "/presentation/x.png?at=https://other/",
		"//other.example.org/x":                 "/other.example.org/x",
		"https:////other.example.org/x":         "/other.example.org/x",
		"https://user:pw@node/x":                "/x",
		"javascript:alert(1)":                   "/javascript:alert(1)",
		"javascript://%0aalert(1)":              "/",
		"@other.example.org/x":                  "/@other.example.org/x",
		".other.example.org/x":                  "/.other.example.org/x",
		":8443/x":                               "/:8443/x",
	} {
		r, f := b3scale.Recording{ID: "x"}, b3scale.RecordingFormat{URL: address}
		for _, got := range []string{p.Link(&r, &f), p.Image(address)} {
			if got != "https://play.example.org"+want {
				t.Errorf("%q: got %q, want %q there", address, got, want)
			}
		}
		if got := stored.Link(&r, &f); got != strings.TrimSpace(address) {
			t.Errorf("%q without a host: got %q", address, got)
		}
	}
	if got := p.Image(""); got != "" {
		t.Errorf("no address: got %q", got)
	}
}

// A protected recording has a link with a token, or none at all.
func TestPlaybackFailsClosed(t *testing.T) {
	t.Parallel()
	r := b3scale.Recording{ID: "x", FrontendID: "f", Metadata: map[string]string{b3scale.MetaProtect: "true"}}
	f := b3scale.RecordingFormat{Type: "video", URL: "https://node/playback/video/x/"}
	token, found := strings.CutPrefix(playback(recordings.PlaybackOptions{}).Link(&r, &f), "https://b3scale.example.org/api/v1/protected/recordings/")
	if link, err := playbackKeys.ParsePlaybackLink(token); !found || err != nil || link.FrontendID != "f" || link.RecordingID != "x" || link.Format != "video" {
		t.Errorf("got %+v, %v", link, err)
	}
	for what, opts := range map[string]recordings.PlaybackOptions{
		"no tokens": {Host: "https://play.example.org", APIURL: "https://b3scale.example.org"},
		"no API":    {Host: "https://play.example.org", Tokens: playbackKeys},
		"no host":   {APIURL: "https://b3scale.example.org", Tokens: playbackKeys},
		"no secret": {Host: "https://play.example.org", APIURL: "https://b3scale.example.org", Tokens: auth.NewKeys("", "")},
		"nothing":   {},
	} {
		p := recordings.NewPlayback(nil, nil, logtest.Logger(), opts)
		if got := p.Link(&r, &f); got != "" {
			t.Errorf("%s: got %s", what, got)
		}
		if location, c, err := p.Open(t.Context(), token, nil); err == nil {
			t.Errorf("%s: opened %s with %v", what, location, c)
		}
	}
}

// everywhere is a store and frontends with as many recordings as one asks for.
type everywhere struct{ recordings.PlaybackStore }

func (everywhere) Recording(_ context.Context, id string) (b3scale.Recording, error) {
	r := b3scale.Recording{ID: id, FrontendID: "f", Formats: []b3scale.RecordingFormat{{Type: "video", URL: "https://node/" + id}}}
	r.SetVisibility(b3scale.RecordingProtected)
	return r, nil
}

func (everywhere) Frontend(string) *b3scale.Frontend { return nil }
func (everywhere) FrontendByID(id string) *b3scale.Frontend {
	if id != "f" && id != "g" {
		return nil
	}
	return &b3scale.Frontend{ID: id, Active: id == "f"}
}

// A cookie keeps what was opened before, for as long as that was good for, and
// never gets larger than browsers take.
func TestPlaybackCookies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := recordings.PlaybackOptions{Host: "http://play.example.org", APIURL: "http://b3scale.example.org", Tokens: playbackKeys}
		p := recordings.NewPlayback(everywhere{}, everywhere{}, logtest.Logger(), opts)
		opens := func(p *recordings.Playback, cookie, frontend, id string) (*http.Cookie, error) {
			r := b3scale.Recording{ID: id, FrontendID: frontend, Metadata: map[string]string{b3scale.MetaProtect: "true"}}
			link := p.Link(&r, &b3scale.RecordingFormat{Type: "video"})
			_, c, err := p.Open(t.Context(), link[strings.LastIndex(link, "/")+1:], []string{"forged", cookie})
			return c, err
		}
		cookie := ""
		open := func(id string) (granted []string) {
			t.Helper()
			c, err := opens(p, cookie, "f", id)
			if err != nil || c.Secure || c.Domain != "" || c.MaxAge != 8*60*60 || len(c.Value) > 3600 {
				t.Fatalf("got %v, %v", c, err)
			}
			cookie = c.Value
			grants, err := playbackKeys.ParsePlaybackCookie(cookie)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range grants {
				granted = append(granted, g.RecordingID)
			}
			return granted
		}
		for i := range 25 {
			time.Sleep(time.Second)
			got := open(fmt.Sprint("r", i))
			if len(got) != min(i+1, 20) || got[len(got)-1] != fmt.Sprint("r", i) {
				t.Errorf("got %v after %d", got, i)
			}
		}
		if got := fmt.Sprint(open("r6"), len(open("r6"))); !strings.HasPrefix(got, "[r5 r7 ") || !strings.HasSuffix(got, " r24 r6] 20") {
			t.Errorf("again: got %v", got)
		}
		time.Sleep(5 * time.Hour)
		open("late")
		time.Sleep(4 * time.Hour)
		if got := fmt.Sprint(open("later")); got != "[late later]" {
			t.Errorf("what is over stays: got %v", got)
		}
		for i := range 20 {
			time.Sleep(time.Second)
			if got := open(strings.Repeat("x", 250) + fmt.Sprint(i)); len(got) == 20 {
				t.Error("so many long ids do not fit")
			}
		}
		for _, frontend := range []string{"g", "nobody"} { // not active, not there
			if c, err := opens(p, cookie, frontend, "r1"); b3scale.CodeOf(err) != b3scale.NotFound {
				t.Errorf("%s: got %v, %v", frontend, c, err)
			}
		}
		opts.AllOfOne = true
		c, err := opens(recordings.NewPlayback(everywhere{}, everywhere{}, logtest.Logger(), opts), cookie, "f", "r1")
		if err != nil {
			t.Fatal(err)
		}
		if grants, err := playbackKeys.ParsePlaybackCookie(c.Value); err != nil || len(grants) != 1 || grants[0].RecordingID != "" || grants[0].FrontendID != "f" {
			t.Errorf("got %v, %v, want one for the frontend", grants, err)
		}
	})
}

// Judge asks the real store, too, and takes what is no id for none.
func TestJudgeWithTheStore(t *testing.T) {
	t.Parallel()
	store, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "b3scale.db"), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := recordings.NewPlayback(store, everywhere{}, logtest.Logger(), recordings.PlaybackOptions{Players: []string{"/player/"}})
	for path, want := range map[string]b3scale.Code{
		"/player/app.js": "", "/player/%ff/%7f%25": b3scale.Forbidden, "/player/a'b\"%3b%25_;--": "", "/player/…": "", "/player/%f0%28%8c%28": "",
		"/player/" + strings.Repeat("x/", 63): "", "/player/" + strings.Repeat("x/", 64): b3scale.Forbidden,
		"/player/" + strings.Repeat("x", 7000): "", "/player/" + strings.Repeat("x", 9000): b3scale.Forbidden,
		"/": b3scale.Forbidden, "/favicon.ico": b3scale.Forbidden,
	} {
		if got := b3scale.CodeOf(p.Judge(t.Context(), path, nil)); got != want {
			t.Errorf("%.60s: got %q, want %q", path, got, want)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Judge(t.Context(), "/player/app.js", nil); err == nil || b3scale.CodeOf(err) == b3scale.Forbidden {
		t.Errorf("without a store: got %v", err)
	}
}
