package config

import (
	"reflect"
	"strings"
	"testing"
)

// trees and played set what recordings need, and what protected ones do.
var (
	trees  = []string{"B3SCALE_RECORDINGS_PUBLISHED_PATH=/r/published", "B3SCALE_RECORDINGS_UNPUBLISHED_PATH=/r/unpublished"}
	played = append([]string{"B3SCALE_DB_URL=sqlite:x", strong, reached, "B3SCALE_RECORDINGS_PLAYBACK_HOST=play.example.org"}, trees...)
)

func TestRecordings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lines string // besides those of played; the last one counts
		got   func(Config) any
		want  any
		warns string // empty: nothing
	}{
		{"", func(c Config) any { return []string{c.RecordingsPublished, c.RecordingsUnpublished, c.RecordingsInbox} }, []string{"/r/published", "/r/unpublished", "/r/published"}, ""},
		{"DEFAULT_VISIBILITY=Unpublished", func(c Config) any { return c.RecordingsInbox }, "/r/unpublished", ""},
		{"DEFAULT_VISIBILITY=unpublished INBOX_PATH=/r/inbox/", func(c Config) any { return c.RecordingsInbox }, "/r/inbox", ""},
		{"INBOX_PATH=/r//unpublished", func(c Config) any { return c.RecordingsInbox }, "/r/unpublished", ""},
		{"INBOX_PATH=/r/published-inbox", func(c Config) any { return c.RecordingsInbox }, "/r/published-inbox", ""},

		{"", func(c Config) any { return c.PlaybackHost }, "https://play.example.org", ""},
		{"PLAYBACK_HOST=https://Play.Example.org:8443/", func(c Config) any { return c.PlaybackHost }, "https://play.example.org:8443", ""},
		{"PLAYBACK_HOST=http://play.example.org", func(c Config) any { return c.PlaybackHost }, "http://play.example.org", ""},
		{"PLAYBACK_HOST=play.example.org:8443", func(c Config) any { return c.PlaybackHost }, "https://play.example.org:8443", ""},
		{"PLAYBACK_HOST=play.example.org/rec", func(c Config) any { return c.PlaybackHost }, "https://play.example.org", "has a path, which is ignored"},

		{"PLAYER_PATHS=/playback/presentation,/player/,/player", func(c Config) any { return c.PlayerPaths }, PlayerPaths{"/playback/presentation/", "/player/"}, ""},
		{"COOKIE_OPENS=Frontend", func(c Config) any { return c.CookieOpens }, CookieOpensFrontend, ""},

		{"", func(c Config) any { return [2]any{c.CookieDomain, c.ProtectedPlayback} }, [2]any{"example.org", true}, ""},
		{"PLAYBACK_HOST=play.b3scale.example.org", func(c Config) any { return c.CookieDomain }, "b3scale.example.org", ""},
		{"PLAYBACK_HOST=b3scale.example.org:8443", func(c Config) any { return [2]any{c.CookieDomain, c.ProtectedPlayback} }, [2]any{"", true}, ""},
		{"PLAYBACK_HOST=play.example.com", func(c Config) any { return [2]any{c.CookieDomain, c.ProtectedPlayback} }, [2]any{"", false}, "no cookie is sent to both"},
		{"PLAYBACK_HOST=other.org", func(c Config) any { return c.ProtectedPlayback }, false, "no cookie is sent to both"},
		{"PLAYBACK_HOST=192.0.2.7", func(c Config) any { return c.ProtectedPlayback }, false, "no cookie is sent to both"},
		{"COOKIE_DOMAIN=.Example.org", func(c Config) any { return [2]any{c.CookieDomain, c.ProtectedPlayback} }, [2]any{"example.org", true}, ""},
		{"PLAYBACK_HOST=b3scale.example.org COOKIE_DOMAIN=b3scale.example.org", func(c Config) any { return c.CookieDomain }, "b3scale.example.org", ""},
		{"PLAYBACK_HOST=", func(c Config) any { return [2]any{c.PlaybackHost, c.ProtectedPlayback} }, [2]any{"", false}, "protected recordings cannot be played and are listed without formats: not set: B3SCALE_RECORDINGS_PLAYBACK_HOST"},
	} {
		lines := played
		for line := range strings.FieldsSeq(c.lines) {
			lines = append(lines[:len(lines):len(lines)], "B3SCALE_RECORDINGS_"+line)
		}
		cfg, warnings, err := Load(lines, files(nil))
		if err != nil {
			t.Errorf("%s: %v", c.lines, err)
			continue
		}
		if got := c.got(cfg); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.lines, got, c.want)
		}
		if c.warns == "" && len(warnings) != 0 || c.warns != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], c.warns)) {
			t.Errorf("%s: got warnings %q, want %q", c.lines, warnings, c.warns)
		}
	}
}

func TestBadRecordings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want string }{
		{"UNPUBLISHED_PATH=", "B3SCALE_RECORDINGS_UNPUBLISHED_PATH=\"\" (default): it is not set, but B3SCALE_RECORDINGS_PUBLISHED_PATH is"},
		{"PUBLISHED_PATH=", "it is not set, but B3SCALE_RECORDINGS_UNPUBLISHED_PATH is"},
		{"PUBLISHED_PATH=recordings", "accepted: an absolute path"},
		{"PUBLISHED_PATH=/", "accepted: an absolute path"},
		{"UNPUBLISHED_PATH=/r/published", `B3SCALE_RECORDINGS_UNPUBLISHED_PATH="/r/published": it must be apart from B3SCALE_RECORDINGS_PUBLISHED_PATH, which is "/r/published"`},
		{"UNPUBLISHED_PATH=/r/published/../published/hidden", "it must be apart from"},
		{"PUBLISHED_PATH=/r", "it must be apart from"},
		{"INBOX_PATH=/r/published/inbox", "it must be apart from B3SCALE_RECORDINGS_PUBLISHED_PATH"},
		{"INBOX_PATH=/r", "it must be apart from B3SCALE_RECORDINGS_PUBLISHED_PATH"},
		{"INBOX_PATH=inbox", "accepted: an absolute path: that of one of the two"},
		{"DEFAULT_VISIBILITY=public", "accepted: published, unpublished"},
		{"PLAYBACK_HOST=https://", "accepted: HOST"},
		{"PLAYBACK_HOST=ftp://play.example.org", "accepted: HOST"},
		{"PLAYBACK_HOST=https://user:pw@play.example.org", "accepted: HOST"},
		{"PLAYBACK_HOST=play.example.org?x", "accepted: HOST"},
		{"PLAYBACK_HOST=play.example.org:0", "accepted: HOST"},
		{"PLAYBACK_HOST=play example.org", "accepted: HOST"},
		{"PLAYER_PATHS=/", `"/" is not such a path; accepted: a comma list`},
		{"PLAYER_PATHS=player", `"player" is not such a path`},
		{"PLAYER_PATHS=/player,/a/../presentation/", `"/a/../presentation/" is not such a path`},
		{"PLAYER_PATHS=/pl%61yer", `is not such a path`},
		{"COOKIE_DOMAIN=org", "accepted: a domain of two labels at least"},
		{"COOKIE_DOMAIN=192.0.2.7", "accepted: a domain of two labels at least"},
		{"COOKIE_DOMAIN=other.org", "the host of B3SCALE_API_URL is not in it"},
		{"COOKIE_DOMAIN=b3scale.example.org", "the host of B3SCALE_RECORDINGS_PLAYBACK_HOST is not in it"},
		{"COOKIE_DOMAIN=xample.org", "the host of B3SCALE_API_URL is not in it"},
		{"COOKIE_OPENS=everything", "accepted: recording, frontend"},
	} {
		_, _, err := Load(append(played[:len(played):len(played)], "B3SCALE_RECORDINGS_"+c.line), files(nil))
		if got := lines(t, err); len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s: got %q, want %q", c.line, got, c.want)
		}
	}
}

// Without the two directories there is nothing to say about recordings.
func TestNoRecordings(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := Load([]string{"B3SCALE_DB_URL=sqlite:x", strong, reached}, files(nil))
	if err != nil || len(warnings) != 0 || cfg.RecordingsOn() || cfg.ProtectedPlayback {
		t.Errorf("got %v, %v, warnings %q, error %v", cfg.RecordingsOn(), cfg.ProtectedPlayback, warnings, err)
	}
	_, warnings, err = Load([]string{"B3SCALE_DB_URL=sqlite:x", strong, reached, "B3SCALE_RECORDINGS_PLAYBACK_HOST=play.example.org"}, files(nil))
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "no recordings are kept") {
		t.Errorf("got warnings %q, error %v", warnings, err)
	}
	_, warnings, err = Load(append([]string{"B3SCALE_DB_URL=sqlite:x", "B3SCALE_API_URL=http://b3scale.example.org", strong, "B3SCALE_RECORDINGS_PLAYBACK_HOST=play.example.org"}, trees...), files(nil))
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "browsers may not take the cookie") {
		t.Errorf("got warnings %q, error %v", warnings, err)
	}
}
