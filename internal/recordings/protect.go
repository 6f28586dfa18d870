package recordings

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"b3scale"
)

const (
	// ProtectedPath is where browsers find us, below the address of the API; a
	// token follows.
	ProtectedPath = "/api/v1/protected/recordings/"

	// CookieName is what the existing product calls its cookie, too.
	CookieName = "_b3s_protected"

	linkFor  = time.Hour
	grantFor = 8 * time.Hour

	maxGrants = 20
	maxCookie = 3500 // bytes; with its name and attributes, browsers take 4096
)

// PlaybackTokens signs links and cookies, and verifies them. auth.Keys is one.
type PlaybackTokens interface {
	MintPlaybackLink(l b3scale.PlaybackLink) (string, error)
	ParsePlaybackLink(token string) (b3scale.PlaybackLink, error)
	MintPlaybackCookie(grants []b3scale.PlaybackGrant) (string, error)
	ParsePlaybackCookie(token string) ([]b3scale.PlaybackGrant, error)
}

// PlaybackStore is what playback reads of b3scale.Recordings.
type PlaybackStore interface {
	Recordings(ctx context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (total int, err error)
	Recording(ctx context.Context, id string) (b3scale.Recording, error)
}

// PlaybackOptions have useful zero values: addresses stay as nodes told them,
// and nobody can play a protected recording.
type PlaybackOptions struct {
	Host         string         // scheme and host of the web server that plays; empty: what nodes told
	Tokens       PlaybackTokens // nil: protected recordings cannot be played
	APIURL       string         // where browsers reach the API; needed with Tokens, as is Host
	CookieDomain string         // empty: the cookie is for the host of the API alone
	AllOfOne     bool           // a link opens all recordings of its frontend
	Players      []string       // paths of the player's own files; each begins and ends with a slash
	Done         func(PlaybackOutcome)
}

// PlaybackOutcome is how a decision about playing ended.
type PlaybackOutcome string

// The outcomes: of links, and of what the web server asks.
const (
	LinkOpened  PlaybackOutcome = "link_opened"
	LinkRefused PlaybackOutcome = "link_refused"
	LinkFailed  PlaybackOutcome = "link_failed" // nobody could tell
	FileAllowed PlaybackOutcome = "file_allowed"
	FileRefused PlaybackOutcome = "file_refused"
	FileFailed  PlaybackOutcome = "file_failed" // nobody could tell, so it was not served
)

// Playback says where recordings are played, and by whom.
type Playback struct {
	store     PlaybackStore
	frontends Frontends
	log       *slog.Logger
	opts      PlaybackOptions
	warned    atomic.Bool
}

// NewPlayback makes a Playback.
func NewPlayback(store PlaybackStore, frontends Frontends, log *slog.Logger, opts PlaybackOptions) *Playback {
	if opts.APIURL == "" || opts.Host == "" {
		opts.Tokens = nil
	}
	opts.APIURL = strings.TrimRight(opts.APIURL, "/")
	return &Playback{store: store, frontends: frontends, log: log, opts: opts}
}

// Link is the address at which a frontend plays a format. For a protected
// recording it holds a token that lasts an hour, and is empty when nobody could
// play it: then the format must not be shown.
func (p *Playback) Link(r *b3scale.Recording, f *b3scale.RecordingFormat) string {
	if !r.Protected() {
		return p.moved(f.URL)
	}
	if p.opts.Tokens == nil {
		if !p.warned.Swap(true) {
			p.log.Warn("protected recordings are listed without formats: the settings for protected playback are not complete", "recording", r.ID)
		}
		return ""
	}
	token, err := p.opts.Tokens.MintPlaybackLink(b3scale.PlaybackLink{
		FrontendID: r.FrontendID, RecordingID: r.ID, Format: f.Type, Until: b3scale.MicrosOf(time.Now().Add(linkFor)),
	})
	if err != nil {
		p.log.Error("no link to a protected recording", "recording", r.ID, "error", err)
		return ""
	}
	return p.opts.APIURL + ProtectedPath + token
}

// Image is the address of a preview, which the web server protects as all else.
func (p *Playback) Image(address string) string { return p.moved(address) }

// moved puts the playback host into an address, and leaves the rest of it as it
// is. Whatever the address may be, it then is one at that host.
func (p *Playback) moved(address string) string {
	if address = strings.TrimSpace(address); p.opts.Host == "" || address == "" {
		return address
	}
	if scheme, after, found := strings.Cut(address, "://"); found && !strings.ContainsAny(scheme, "/?#") {
		address = after[len(after)-len(strings.TrimLeftFunc(after, isOfHost)):]
	}
	return p.opts.Host + "/" + strings.TrimLeft(address, "/")
}

// Open takes the token of a link. It gives the address to go to, and the cookie
// that opens it: what other cookies of ours opened stays open. Forbidden when
// the link is not good, or no longer; NotFound when there is nothing to play.
func (p *Playback) Open(ctx context.Context, token string, cookies []string) (location string, c *http.Cookie, err error) {
	defer func() { p.done(err, LinkOpened, LinkRefused, LinkFailed) }()
	if p.opts.Tokens == nil {
		return "", nil, errNotFound
	}
	link, err := p.opts.Tokens.ParsePlaybackLink(token)
	if err != nil {
		return "", nil, b3scale.Errorf(b3scale.Forbidden, "the link is not good").Because(err)
	}
	if f := p.frontends.FrontendByID(link.FrontendID); f == nil || !f.Active {
		return "", nil, errNotFound
	}
	r, err := p.store.Recording(ctx, link.RecordingID)
	if err != nil {
		return "", nil, err
	}
	i := slices.IndexFunc(r.Formats, func(f b3scale.RecordingFormat) bool { return f.Type == link.Format })
	if r.FrontendID != link.FrontendID || !r.Published || i < 0 || r.Formats[i].URL == "" {
		return "", nil, errNotFound
	}
	c, err = p.cookie(r, cookies)
	return p.moved(r.Formats[i].URL), c, err
}

var errNotFound = b3scale.Errorf(b3scale.NotFound, "no such recording")

// cookie opens the recording besides what is open already.
func (p *Playback) cookie(r b3scale.Recording, cookies []string) (*http.Cookie, error) {
	grant := b3scale.PlaybackGrant{FrontendID: r.FrontendID, RecordingID: r.ID, Until: b3scale.MicrosOf(time.Now().Add(grantFor))}
	if p.opts.AllOfOne {
		grant.RecordingID = ""
	}
	grants := slices.DeleteFunc(p.grants(cookies), func(g b3scale.PlaybackGrant) bool {
		return g.FrontendID == grant.FrontendID && (g.RecordingID == grant.RecordingID || grant.RecordingID == "")
	})
	slices.SortStableFunc(grants, func(a, b b3scale.PlaybackGrant) int { return cmp.Compare(a.Until, b.Until) })
	grants = append(grants, grant)
	grants = grants[max(0, len(grants)-maxGrants):] // the oldest go
	for {
		value, err := p.opts.Tokens.MintPlaybackCookie(grants)
		if err != nil {
			return nil, err
		}
		if len(value) <= maxCookie || len(grants) == 1 {
			return &http.Cookie{ //nolint:gosec // not Secure only where the operator plays without TLS
				Name: CookieName, Value: value, Path: "/", Domain: p.opts.CookieDomain, MaxAge: int(grantFor.Seconds()),
				HttpOnly: true, Secure: !strings.HasPrefix(p.opts.Host, "http://"), SameSite: http.SameSiteLaxMode,
			}, nil
		}
		grants = grants[1:]
	}
}

// One request may have us verify so much. A browser has more than one cookie
// when the domain was another before, or others set cookies there: theirs must
// not crowd out ours. Ours are never longer than maxCookie.
const (
	maxCookies = 16 << 10 // bytes; web servers take fewer
	maxChecks  = 64
)

// grants are those of all good cookies.
func (p *Playback) grants(cookies []string) []b3scale.PlaybackGrant {
	if p.opts.Tokens == nil {
		return nil
	}
	var all []b3scale.PlaybackGrant
	size, checks := 0, 0
	for _, one := range cookies {
		if len(one) > maxCookie || strings.Count(one, ".") != 2 { // no token, whoever made it
			continue
		}
		if size, checks = size+len(one), checks+1; size > maxCookies || checks > maxChecks {
			break
		}
		grants, err := p.opts.Tokens.ParsePlaybackCookie(one)
		if err != nil {
			continue // of the existing product, or forged
		}
		all = append(all, grants...)
	}
	return all
}

func (p *Playback) done(err error, good, refused, failed PlaybackOutcome) {
	outcome := good
	switch b3scale.CodeOf(err) {
	case b3scale.Forbidden, b3scale.NotFound:
		outcome = refused
	default:
		if err != nil {
			outcome = failed
		}
	}
	if p.opts.Done != nil {
		p.opts.Done(outcome)
	}
}
