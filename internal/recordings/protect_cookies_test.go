package recordings_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/logtest"
	"b3scale/internal/recordings"
)

// ownedBy is a store in which every recording is one frontend's.
type ownedBy struct {
	everywhere
	frontendID string
	visibility b3scale.RecordingVisibility
}

func (o ownedBy) Recordings(_ context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (int, error) {
	for _, id := range q.IDs {
		if id == "abc-1" {
			r := b3scale.Recording{ID: id, FrontendID: o.frontendID}
			r.SetVisibility(o.visibility)
			yield(r)
		}
	}
	return 0, nil
}

func cookieOf(t *testing.T, frontendID string) string {
	t.Helper()
	cookie, err := playbackKeys.MintPlaybackCookie([]b3scale.PlaybackGrant{
		{FrontendID: frontendID, RecordingID: "abc-1", Until: b3scale.MicrosOf(time.Now().Add(time.Hour))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

// What a frontend has opened is closed while it is disabled, or gone. What
// everybody may see needs no frontend.
func TestJudgeLooksAtTheFrontend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		frontendID string
		visibility b3scale.RecordingVisibility
		want       b3scale.Code
	}{
		{"f", b3scale.RecordingProtected, ""},
		{"g", b3scale.RecordingProtected, b3scale.Forbidden}, // not active
		{"g", b3scale.RecordingPublicProtected, b3scale.Forbidden},
		{"nobody", b3scale.RecordingProtected, b3scale.Forbidden},
		{"g", b3scale.RecordingPublished, ""},
		{"g", b3scale.RecordingUnpublished, b3scale.Forbidden},
	} {
		store := ownedBy{frontendID: c.frontendID, visibility: c.visibility}
		p := recordings.NewPlayback(store, store, logtest.Logger(), recordings.PlaybackOptions{
			Host: "https://play.example.org", APIURL: "https://b3scale.example.org", Tokens: playbackKeys,
		})
		if got := b3scale.CodeOf(p.Judge(t.Context(), "/presentation/abc-1/metadata.xml", []string{cookieOf(t, c.frontendID)})); got != c.want {
			t.Errorf("%s of %s: got %q, want %q", c.visibility, c.frontendID, got, c.want)
		}
	}
}

// counting counts what it has to verify.
type counting struct {
	recordings.PlaybackTokens
	checks, bytes int
}

func (c *counting) ParsePlaybackCookie(token string) ([]b3scale.PlaybackGrant, error) {
	c.checks++
	c.bytes += len(token)
	return c.PlaybackTokens.ParsePlaybackCookie(token)
}

// Cookies of neighbours do not lock viewers out, nor make much work.
func TestCookiesOfNeighbours(t *testing.T) {
	t.Parallel()
	good := cookieOf(t, "f")
	forged := strings.Repeat(good[:len(good)-4]+"AAAA ", 8)
	many := func(n int, junk string) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprint(junk, i))
		}
		return all
	}
	for what, c := range map[string]struct {
		junk  []string
		locks bool
	}{
		"eight":              {junk: many(8, "x")},
		"many short ones":    {junk: many(3000, "x")},
		"large ones":         {junk: many(10, strings.Repeat("x", 8<<10))},
		"large tokens":       {junk: many(10, "a.b."+strings.Repeat("x", 4<<10))},
		"forged ones":        {junk: strings.Fields(forged)},
		"short tokens":       {junk: many(63, "a.b.")},
		"too many tokens":    {junk: many(1000, "a.b."), locks: true},
		"too much of tokens": {junk: many(6, "a.b."+strings.Repeat("x", 3<<10)), locks: true},
	} {
		store, tokens := ownedBy{frontendID: "f", visibility: b3scale.RecordingProtected}, &counting{PlaybackTokens: playbackKeys}
		p := recordings.NewPlayback(store, store, logtest.Logger(), recordings.PlaybackOptions{
			Host: "https://play.example.org", APIURL: "https://b3scale.example.org", Tokens: tokens,
		})
		err := p.Judge(t.Context(), "/presentation/abc-1/metadata.xml", append(c.junk, good))
		if (err != nil) != c.locks {
			t.Errorf("%s: got %v", what, err)
		}
		if tokens.checks > 64 || tokens.bytes > 16<<10 {
			t.Errorf("%s: %d cookies of %d bytes were verified", what, tokens.checks, tokens.bytes)
		}
	}
}
