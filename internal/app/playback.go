package app

import (
	"b3scale/internal/auth"
	"b3scale/internal/config"
	"b3scale/internal/recordings"
)

// newPlayback says where recordings are played and by whom; nil when none are
// kept.
func (a *App) newPlayback(keys auth.Keys) *recordings.Playback {
	if !a.cfg.RecordingsOn() {
		return nil
	}
	opts := recordings.PlaybackOptions{
		Host: a.cfg.PlaybackHost, APIURL: a.cfg.APIURL, CookieDomain: a.cfg.CookieDomain,
		AllOfOne: a.cfg.CookieOpens == config.CookieOpensFrontend, Players: a.cfg.PlayerPaths,
		Done: func(o recordings.PlaybackOutcome) { a.metrics.PlaybackDecided(string(o)) },
	}
	if a.cfg.ProtectedPlayback {
		opts.Tokens = keys
	}
	return recordings.NewPlayback(a.store, a.cluster, a.log, opts)
}
