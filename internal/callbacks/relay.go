package callbacks

import (
	"net/url"
	"slices"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// Path is where nodes find us, below the address of the API; a token follows.
const Path = "/api/v1/callbacks/proxy/"

// Tokens signs tickets and verifies them. auth.Keys is one.
type Tokens interface {
	MintCallback(t b3scale.CallbackTicket) (string, error)
	ParseCallback(token string) (b3scale.CallbackTicket, error)
}

// Relay puts us between nodes and frontends: in creates that go to a node, it
// replaces the frontend's addresses by ours, and where a node shows these, it
// knows which ones they stand for.
type Relay struct {
	tokens Tokens
	base   string // of our addresses; empty: creates stay as they are
}

// NewRelay takes the address at which nodes reach the API. Without one nothing
// is replaced, but what was replaced before is still known.
func NewRelay(apiURL string, tokens Tokens) *Relay {
	r := &Relay{tokens: tokens}
	if apiURL != "" {
		r.base = strings.TrimRight(apiURL, "/") + Path
	}
	return r
}

// named are the parameters of a create that hold addresses, in the spelling by
// which bbb compares names.
var named = []struct {
	name string
	kind b3scale.CallbackKind
}{
	{"meta_endcallbackurl", b3scale.CallbackEnd},
	{"meta_bbb-recording-ready-url", b3scale.CallbackRecordingReady},
	{"meta_bn-recording-ready-url", b3scale.CallbackRecordingReady},
	{"meta_canvas-recording-ready-url", b3scale.CallbackRecordingReady},
	{"meta_analytics-callback-url", b3scale.CallbackAnalytics},
	{endedURL, b3scale.CallbackMeetingEnded},
}

const endedURL = "meetingEndedURL"

// Rewrite replaces the addresses in a create. They name the room that is made
// of it. We are told of every meeting's end; generation 0 stands for breakout
// rooms, which end with their parents.
func (r *Relay) Rewrite(params *bbb.Params, key b3scale.MeetingKey, room b3scale.Origin) {
	if r.base == "" {
		return
	}
	for _, n := range named {
		names := spellings(params, n.name)
		always := n.name == endedURL && room.Generation != 0
		if len(names) == 0 && always {
			names = []string{n.name}
		}
		for _, name := range names {
			r.rewrite(params, name, always, b3scale.CallbackTicket{
				FrontendID: key.FrontendID, Kind: n.kind, MeetingID: key.MeetingID, Origin: room,
			})
		}
	}
}

// spellings are the names that mean the same parameter. Which of them a node
// takes is left to it.
func spellings(params *bbb.Params, canonical string) (names []string) {
	for name := range params.All() {
		if bbb.CanonicalName(name) == canonical && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// rewrite replaces one address. Of several values of one name nodes take the
// first, and only that is left.
func (r *Relay) rewrite(params *bbb.Params, name string, always bool, t b3scale.CallbackTicket) {
	address := strings.TrimSpace(bbb.Clean(params.Get(name)))
	if address == "" && !always {
		return
	}
	var known bool
	if t.Target, known = r.target(t.FrontendID, address); !known && !always {
		params.Delete(name)
		return
	}
	token, err := r.tokens.MintCallback(t)
	if err != nil { // a node that called the frontend itself would show who it is
		params.Delete(name)
		return
	}
	params.Set(name, r.base+token)
}

const (
	// maxTarget leaves room for it in a token, and for that in an address.
	maxTarget = 2 << 10
	// mostLayers is how often an address may have been replaced: the existing
	// product did so again with addresses of its own.
	mostLayers = 4
)

// target is what an address of the frontend stands for: itself, or if it is one
// of ours, what that replaced. known is false for what nobody must call: ours,
// but not this frontend's.
func (r *Relay) target(frontendID, address string) (_ string, known bool) {
	for range mostLayers {
		token := tokenIn(address)
		if token == "" {
			return address, address != "" && len(address) <= maxTarget
		}
		t, err := r.tokens.ParseCallback(token)
		switch {
		case err != nil && r.isBelow(address):
			return "", false
		case err != nil: // of another installation
			return address, len(address) <= maxTarget
		case t.FrontendID != frontendID:
			return "", false
		}
		address = t.Target
	}
	return "", false
}

func (r *Relay) isBelow(address string) bool {
	return r.base != "" && strings.HasPrefix(address, r.base)
}

// tokenIn is the token in an address that may be one of ours, or empty.
func tokenIn(address string) string {
	if !strings.Contains(address, Path) {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	_, token, _ := strings.Cut(u.Path, Path)
	return token
}

// Original tells what the frontend may see of an address that a node shows. It
// is empty if that is ours and nothing can be told of it; ours is false if it
// is none of our business.
func (r *Relay) Original(frontendID, address string) (original string, ours bool) {
	if tokenIn(address) == "" {
		return "", false
	}
	original, _ = r.target(frontendID, address)
	if original == address {
		return "", false
	}
	return original, true
}

// expendable are the kinds of addresses that a create can do without, the
// sooner the less is lost.
var expendable = []b3scale.CallbackKind{
	b3scale.CallbackAnalytics, b3scale.CallbackMeetingEnded, b3scale.CallbackRecordingReady, b3scale.CallbackEnd,
}

// Shorten takes addresses of ours out of the query of a create until it is no
// longer than that, and tells the names of the parameters.
func (r *Relay) Shorten(params *bbb.Params, most int) (left []string) {
	for _, kind := range expendable {
		for _, n := range named {
			if n.kind != kind {
				continue
			}
			for _, name := range spellings(params, n.name) {
				if len(params.Encode()) <= most {
					return left
				}
				if r.isBelow(params.Get(name)) {
					params.Delete(name)
					left = append(left, name)
				}
			}
		}
	}
	return left
}

// Ticket is the one in an address of ours.
func (r *Relay) Ticket(address string) (t b3scale.CallbackTicket, ours bool) {
	token := tokenIn(address)
	if token == "" {
		return t, false
	}
	t, err := r.tokens.ParseCallback(token)
	return t, err == nil
}
