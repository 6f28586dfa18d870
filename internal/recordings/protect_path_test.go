package recordings

import (
	"context"
	"slices"
	"strings"
	"testing"

	"b3scale"
)

// nginxPath is what nginx makes of a request URI before it looks for a file:
// its state machine for odd addresses, with merge_slashes. It is false where
// nginx answers 400.
func nginxPath(uri string) (path string, ok bool) {
	const (
		usual = iota
		slash
		dot
		dotDot
		quoted
		quoted2
	)
	if strings.ContainsFunc(uri, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", false
	}
	if !strings.HasPrefix(uri, "/") {
		return "", false
	}
	var u []byte
	up := func() bool { // forgets the last segment and its two dots
		at := len(u) - 4
		for ; at >= 0 && u[at] != '/'; at-- {
		}
		if at < 0 {
			return false
		}
		u = u[:at+1]
		return true
	}
	state, before, decoded := usual, usual, byte(0)
	for i := 0; i < len(uri); {
		ch := uri[i]
		i++
	again:
		end := ch == '?' || ch == '#'
		switch state {
		case quoted, quoted2:
			digit := strings.IndexByte("0123456789abcdef", ch|0x20)
			if ch >= '0' && ch <= '9' {
				digit = int(ch - '0')
			}
			if digit < 0 || ch < '0' {
				return "", false
			}
			if decoded = decoded<<4 | byte(digit); state == quoted {
				state = quoted2
				continue
			}
			switch ch = decoded; ch {
			case 0:
				return "", false
			case '%', '#', '?':
				u, state = append(u, ch), usual
				continue
			}
			if state = before; ch == '?' || ch == '#' {
				panic("not here")
			}
			goto again
		case usual, slash:
			switch {
			case ch == '/' && state == usual:
				u, state = append(u, ch), slash
			case ch == '/':
			case end:
				return string(u), true
			case ch == '%':
				before, state, decoded = state, quoted, 0
			case ch == '.' && state == slash:
				u, state = append(u, ch), dot
			default:
				u, state = append(u, ch), usual
			}
		case dot, dotDot:
			switch {
			case ch == '/' || end:
				if state == dot {
					u = u[:len(u)-1]
				} else if !up() {
					return "", false
				}
				if end {
					return string(u), true
				}
				state = slash
			case ch == '%':
				before, state, decoded = state, quoted, 0
			case ch == '.' && state == dot:
				u, state = append(u, ch), dotDot
			default:
				u, state = append(u, ch), usual
			}
		}
	}
	switch state {
	case quoted, quoted2:
		return "", false
	case dot:
		u = u[:len(u)-1]
	case dotDot:
		return string(u), up()
	}
	return string(u), true
}

const (
	openID    = "5d1e5fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600004"
	guardedID = "3f0c5fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600001"
	hiddenID  = "6e2f5fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600005"
	strayID   = "7f305fd8a1bb8b6e7b6d4aa9b5c1dd02f7e1a0c9-1767225600006"
)

// fewRows has one recording that everybody may see, and some that nobody may.
type fewRows struct{}

func (fewRows) Recording(context.Context, string) (b3scale.Recording, error) {
	return b3scale.Recording{}, errNotFound
}

func (fewRows) Recordings(_ context.Context, q b3scale.RecordingQuery, yield func(b3scale.Recording)) (int, error) {
	for _, r := range []b3scale.Recording{
		{ID: openID, Published: true},
		{ID: guardedID, Published: true, Metadata: map[string]string{b3scale.MetaProtect: "true"}},
		{ID: hiddenID},
		{ID: "odd", Published: true, Metadata: map[string]string{b3scale.MetaProtect: "true"}},
	} {
		if slices.Contains(q.IDs, r.ID) {
			yield(r)
		}
	}
	return 0, nil
}

var _ PlaybackStore = fewRows{}

var spellings = []string{
	"", "/", "//", "/.", "/..", "/../", "/%2e%2e/x", "*", "http://", "http://play.example.org", "://x/" + openID, "/presentation", "/presentation/",
	"/presentation/ID/metadata.xml", "/%70resentation/ID/x", "/presentation%2fID%2Fx", "//presentation//ID//x", "/presentation/./ID/./x",
	"/presentation/a/../ID/x", "/presentation/a/%2e%2e/ID/x", "/presentation/a/.%2e/ID/x", "/presentation/a/%2E./ID/x", "/presentation/a/..%2fID/x",
	"/playback/presentation/2.3/../../../presentation/ID/x", "/playback/presentation/2.3/ID", "/playback/presentation/2.3/static/app.js",
	"/playback/presentation/2.3/..;/ID", "/presentation/ID;x/y", "/presentation/ID./x", "/presentation/ID%20/x", `/presentation\ID\x`, "/presentation/ID%5cx",
	"/presentation/ID%00/x", "http://play.example.org/presentation/ID/x", "/x?/presentation/ID/x", "/presentation/ID/x#/../y", "/presentation/ID/x%3f/../y",
	"/presentation/%23/../ID/x", "/presentation/%2525/ID", "/presentation/%253" + openID[1:], "/presentation/%u0035/ID", "/%", "/%4", "/%zz", "/presentation/ID/..",
	"/presentation/ID/x/../..", "/presentation/ID/.b3scale-x", "/presentation/.b3scale-ID/x", "/presentation/odd/x", "/presentation/" + strayID + "/ID/x",
	"/presentation/ID/" + strayID + "/x", "/presentation/\xff/ID", "/presentation/%ff/ID", "/elsewhere/…%ff/ID", "/elsewhere/" + strayID + "/ID/x", "/presentation/a/ID/x", "/playback/video/ID/", "/playback/video/x.js",
}

// What Judge allows is nothing that nobody may see, in the eyes of nginx: in a
// tree of files it is of the one open recording, elsewhere the player's.
func FuzzJudge(f *testing.F) {
	for _, spelling := range spellings {
		for _, id := range []string{openID, guardedID, hiddenID, strayID} {
			f.Add(strings.ReplaceAll(spelling, "ID", id))
		}
	}
	p := NewPlayback(fewRows{}, nil, nil, PlaybackOptions{Players: []string{"/playback/", "/playback/presentation/"}})
	f.Fuzz(func(t *testing.T, uri string) {
		segments, clean := cleanPath(uri)
		path, served := nginxPath(uri)
		absolute := !strings.HasPrefix(uri, "/")
		if clean && !absolute && (!served || !slices.Equal(segments, slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" }))) {
			t.Fatalf("%q is %q to us, and %q to nginx (%v)", uri, segments, path, served)
		}
		if p.Judge(t.Context(), uri, nil) != nil || absolute {
			return
		}
		if !clean || !served {
			t.Fatalf("%q is allowed, and no path", uri)
		}
		for _, tree := range fileTrees {
			below, in := strings.CutPrefix(path, tree)
			if id, _, _ := strings.Cut(below, "/"); in && id != openID {
				t.Fatalf("%q is allowed, and nginx serves %q", uri, path)
			}
		}
		for _, id := range []string{guardedID, hiddenID, "odd"} {
			if slices.Contains(strings.Split(path, "/"), id) {
				t.Fatalf("%q is allowed, and nginx serves %q", uri, path)
			}
		}
		if strings.Contains(path, "/.") || !strings.Contains(path, openID) && !strings.HasPrefix(path+"/", "/playback/") {
			t.Fatalf("%q is allowed, and nginx serves %q", uri, path)
		}
	})
}

// The spellings above are no nonsense: many of them lead to the open one.
func TestJudgeAllowsEveryGoodSpelling(t *testing.T) {
	t.Parallel()
	p := NewPlayback(fewRows{}, nil, nil, PlaybackOptions{Players: []string{"/playback/presentation/"}})
	allowed := 0
	for _, spelling := range spellings {
		uri := strings.ReplaceAll(spelling, "ID", openID)
		path, served := nginxPath(uri)
		id := strings.Split(strings.TrimPrefix(path, "/playback")+"///", "/")[2]
		ids := (id == openID || strings.Contains(path, "2.3/"+openID) || strings.HasPrefix(path, "/elsewhere/…")) && !strings.Contains(path, "/.")
		players := strings.HasPrefix(path, "/playback/presentation/") && !strings.Contains(path, openID)
		err := p.Judge(t.Context(), uri, nil)
		if want := served && (ids || players); !strings.HasPrefix(uri, "/") || (err == nil) == want {
			if err == nil {
				allowed++
			}
			continue
		}
		t.Errorf("%q: got %v; nginx serves %q", uri, err, path)
	}
	if allowed < 20 {
		t.Errorf("only %d are allowed", allowed)
	}
}
