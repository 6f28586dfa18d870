package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	namePublished    = "B3SCALE_RECORDINGS_PUBLISHED_PATH"
	nameUnpublished  = "B3SCALE_RECORDINGS_UNPUBLISHED_PATH"
	nameInbox        = "B3SCALE_RECORDINGS_INBOX_PATH"
	namePlaybackHost = "B3SCALE_RECORDINGS_PLAYBACK_HOST"
	nameCookieDomain = "B3SCALE_RECORDINGS_COOKIE_DOMAIN"
)

// InboxVisibility says which tree new files of recordings appear in.
type InboxVisibility string

// The trees that may be the inbox.
const (
	InboxPublished   InboxVisibility = "published"
	InboxUnpublished InboxVisibility = "unpublished"
)

func parseInboxVisibility(text string) (InboxVisibility, error) {
	switch v := InboxVisibility(strings.ToLower(text)); v {
	case InboxPublished, InboxUnpublished:
		return v, nil
	}
	return "", errValue
}

// CookieOpens says what the cookie opens that a link to a protected recording
// gives.
type CookieOpens string

// What a cookie may open.
const (
	CookieOpensRecording CookieOpens = "recording"
	CookieOpensFrontend  CookieOpens = "frontend" // all recordings of it
)

func parseCookieOpens(text string) (CookieOpens, error) {
	switch v := CookieOpens(strings.ToLower(text)); v {
	case CookieOpensRecording, CookieOpensFrontend:
		return v, nil
	}
	return "", errValue
}

// PlayerPaths are where the player's own files are. Each begins and ends with
// a slash.
type PlayerPaths []string

func parsePlayerPaths(text string) (PlayerPaths, error) {
	var paths PlayerPaths
	for one := range list(text) {
		if strings.Trim(one, "/") == "" || path.Clean(one) != strings.TrimSuffix(one, "/") || !strings.HasPrefix(one, "/") || strings.ContainsAny(one, "%?#;\\ ") {
			return nil, fmt.Errorf("%q is not such a path", one)
		}
		one = strings.TrimSuffix(one, "/") + "/"
		if !slices.Contains(paths, one) {
			paths = append(paths, one)
		}
	}
	return paths, nil
}

// RecordingsOn tells whether recordings are kept.
func (c *Config) RecordingsOn() bool { return c.RecordingsPublished != "" }

// checkRecordings looks at the trees, and at what protected playback needs.
func (l *loader) checkRecordings(cfg *Config) {
	l.checkPlaybackHost(cfg)
	l.checkCookieDomain(cfg)
	if cfg.RecordingsPublished == "" && cfg.RecordingsUnpublished == "" {
		for _, v := range l.vars {
			if strings.HasPrefix(v.Name, "B3SCALE_RECORDINGS_") && l.isSet(v.Name) {
				l.warn("%s is set, but without %s and %s no recordings are kept", v.Name, namePublished, nameUnpublished)
			}
		}
		return
	}
	l.checkTrees(cfg)
	if why := l.withoutProtection(cfg); why != "" {
		l.warn("protected recordings cannot be played and are listed without formats: %s", why)
		return
	}
	cfg.ProtectedPlayback = true
	if strings.HasPrefix(cfg.APIURL, "http://") && strings.HasPrefix(cfg.PlaybackHost, "https://") {
		l.warn("%s is not https as %s is: browsers may not take the cookie that protected recordings need", nameAPIURL, namePlaybackHost)
	}
}

// tree is a directory of recordings, by the variable that names it.
type tree struct {
	name string
	path *string
}

// checkTrees keeps what is published apart from what is not.
func (l *loader) checkTrees(cfg *Config) {
	trees := []tree{{namePublished, &cfg.RecordingsPublished}, {nameUnpublished, &cfg.RecordingsUnpublished}, {nameInbox, &cfg.RecordingsInbox}}
	for i, other := range []string{nameUnpublished, namePublished} {
		if *trees[i].path == "" && !l.refused[other] {
			l.problem(trees[i].name, "it is not set, but %s is; accepted: %s", other, l.variable(trees[i].name).Accepts)
		}
	}
	for _, one := range trees {
		if *one.path == "" {
			continue
		}
		if *one.path = filepath.Clean(*one.path); !filepath.IsAbs(*one.path) || *one.path == "/" {
			l.problem(one.name, "accepted: %s", l.variable(one.name).Accepts)
		}
	}
	if slices.ContainsFunc(trees, func(t tree) bool { return l.refused[t.name] }) {
		return
	}
	if cfg.RecordingsInbox == "" {
		cfg.RecordingsInbox = cfg.RecordingsPublished
		if cfg.RecordingsVisibility == InboxUnpublished {
			cfg.RecordingsInbox = cfg.RecordingsUnpublished
		}
	}
	for i, one := range trees {
		for _, other := range trees[:i] {
			same := *one.path == *other.path && one.name == nameInbox
			if !same && (within(*one.path, *other.path) || within(*other.path, *one.path)) {
				l.problem(one.name, "it must be apart from %s, which is %q", other.name, *other.path)
				return // the inbox may follow from it
			}
		}
	}
}

// within tells whether a path is that of a directory or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}

// checkPlaybackHost takes a host with or without scheme.
func (l *loader) checkPlaybackHost(cfg *Config) {
	if cfg.PlaybackHost == "" {
		return
	}
	text := cfg.PlaybackHost
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !isHost(u) {
		l.problem(namePlaybackHost, "accepted: %s", l.variable(namePlaybackHost).Accepts)
		return
	}
	if u.Path != "" && u.Path != "/" {
		l.warn("%s has a path, which is ignored: recordings keep theirs", namePlaybackHost)
	}
	cfg.PlaybackHost = u.Scheme + "://" + strings.ToLower(u.Host)
}

// isHost tells whether an address has a host that can be one.
func isHost(u *url.URL) bool {
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return false
	}
	return isAddress(u.Hostname()) || hostName.MatchString(u.Hostname())
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// checkCookieDomain refuses a domain that browsers would not take from us, or
// would not send to the playback host.
func (l *loader) checkCookieDomain(cfg *Config) {
	if cfg.CookieDomain == "" {
		return
	}
	domain := strings.ToLower(strings.TrimPrefix(cfg.CookieDomain, "."))
	cfg.CookieDomain = domain
	if !hostName.MatchString(domain) || isAddress(domain) || strings.HasSuffix(domain, ".") || !strings.Contains(domain, ".") {
		l.problem(nameCookieDomain, "accepted: %s", l.variable(nameCookieDomain).Accepts)
		return
	}
	for _, one := range []struct{ name, address string }{{nameAPIURL, cfg.APIURL}, {namePlaybackHost, cfg.PlaybackHost}} {
		host := hostOf(one.address)
		if host != "" && !l.refused[one.name] && host != domain && !strings.HasSuffix(host, "."+domain) {
			l.problem(nameCookieDomain, "the host of %s is not in it; accepted: %s", one.name, l.variable(nameCookieDomain).Accepts)
		}
	}
}

// hostOf is the name of an address's host, or "".
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// withoutProtection tells why protected recordings cannot be played; it is
// empty when they can. It finds the domain of the cookie.
func (l *loader) withoutProtection(cfg *Config) string {
	var missing []string
	if cfg.JWTSecret == "" {
		missing = append(missing, nameJWT)
	}
	if cfg.APIURL == "" {
		missing = append(missing, nameAPIURL)
	}
	if cfg.PlaybackHost == "" {
		missing = append(missing, namePlaybackHost)
	}
	if len(missing) > 0 {
		return "not set: " + strings.Join(missing, ", ")
	}
	api, playback := hostOf(cfg.APIURL), hostOf(cfg.PlaybackHost)
	if cfg.CookieDomain != "" || api == playback {
		return ""
	}
	if cfg.CookieDomain = commonDomain(api, playback); cfg.CookieDomain == "" {
		return fmt.Sprintf("no cookie is sent to both %s and %s, which are the hosts of %s and %s", api, playback, nameAPIURL, namePlaybackHost)
	}
	return ""
}

// commonDomain is the longest domain that two hosts are in, or "" when there
// is none with two labels.
func commonDomain(a, b string) string {
	if isAddress(a) || isAddress(b) {
		return ""
	}
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	n := 0
	for n < min(len(as), len(bs)) && as[len(as)-1-n] == bs[len(bs)-1-n] {
		n++
	}
	if n < 2 {
		return ""
	}
	return strings.Join(as[len(as)-n:], ".")
}
