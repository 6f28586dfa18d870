package recordings

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"b3scale"
)

// maxSegments is far more than any path of a recording has.
const maxSegments = 64

var (
	// validID is what ids of recordings are made of.
	validID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

	// nodesID is how nodes make them. A name like that is taken for one even if
	// we have no such recording: its files may be there before the row is.
	nodesID = regexp.MustCompile(`^[0-9a-fA-F]{40}-[0-9]+$`)

	// fileTrees are where nodes have the files of recordings, each in a directory
	// with its id.
	fileTrees = []string{"/presentation/", "/video/", "/playback/video/", "/podcast/", "/notes/", "/recording/screenshare/", "/screenshare/", "/statistics/"}
)

// Judge says whether the web server may serve what was asked for: nil if it
// may. requestURI is as the client sent it, and cookies are all that the client
// has of ours. Whatever is not known to be good is Forbidden.
func (p *Playback) Judge(ctx context.Context, requestURI string, cookies []string) (err error) {
	defer func() { p.done(err, FileAllowed, FileRefused, FileFailed) }()
	segments, ok := cleanPath(requestURI)
	if !ok || len(segments) > maxSegments || slices.ContainsFunc(segments, isHidden) {
		return errRefused
	}
	known, err := p.known(ctx, segments)
	if err != nil {
		return err
	}
	path := "/" + strings.Join(segments, "/") + "/"
	players, files := longest(path, p.opts.Players), longest(path, fileTrees)
	first := slices.IndexFunc(segments, func(s string) bool { return known[s] != nil })
	switch {
	case first < 0:
		if players <= files || slices.ContainsFunc(segments, nodesID.MatchString) {
			return errRefused
		}
		return nil
	case players <= files && first != strings.Count(path[:files], "/")-1 && files > 0:
		return errRefused // of a recording that we do not know
	case slices.ContainsFunc(segments[:first], nodesID.MatchString):
		return errRefused // of such a one, in a tree of its own
	}
	grants := p.grants(cookies)
	for _, r := range known {
		if !r.Published || r.Protected() && !p.granted(r, grants) {
			return errRefused
		}
	}
	return nil
}

var errRefused = b3scale.Errorf(b3scale.Forbidden, "Forbidden")

// isHidden knows files that nobody should see, and ours that are being copied.
func isHidden(segment string) bool { return strings.HasPrefix(segment, ".") }

// known reads those recordings whose ids are segments of the path.
func (p *Playback) known(ctx context.Context, segments []string) (map[string]*b3scale.Recording, error) {
	known := map[string]*b3scale.Recording{}
	var ids []string
	for _, segment := range segments {
		if validID.MatchString(segment) && !slices.Contains(ids, segment) {
			ids = append(ids, segment)
		}
	}
	if len(ids) == 0 {
		return known, nil // no ids would stand for all
	}
	_, err := p.store.Recordings(ctx, b3scale.RecordingQuery{IDs: ids}, func(r b3scale.Recording) { known[r.ID] = &r })
	return known, err
}

// granted tells whether a cookie opens it. What a frontend has handed out is
// worth nothing while it is disabled.
func (p *Playback) granted(r *b3scale.Recording, grants []b3scale.PlaybackGrant) bool {
	opened := slices.ContainsFunc(grants, func(g b3scale.PlaybackGrant) bool {
		return g.FrontendID == r.FrontendID && (g.RecordingID == r.ID || g.RecordingID == "" && p.opts.AllOfOne)
	})
	if !opened {
		return false
	}
	f := p.frontends.FrontendByID(r.FrontendID)
	return f != nil && f.Active
}

// longest is the length of the longest prefix that the path has.
func longest(path string, prefixes []string) int {
	n := 0
	for _, prefix := range prefixes {
		if strings.HasPrefix(path, prefix) {
			n = max(n, len(prefix))
		}
	}
	return n
}
