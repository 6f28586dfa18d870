package policy

import (
	"bytes"
	"regexp"

	"b3scale"
	"b3scale/bbb"
)

// Create turns a create as a frontend sends it, with a valid meeting id, into
// the one that reaches a node, and tells what it asks of the place where the
// meeting is to run. Only passwords may still be added, see the cluster.
//
// A body comes out as a slice of its own only when it had to be changed.
func Create(f *b3scale.Frontend, call bbb.Call) (bbb.Call, b3scale.TagWish) {
	p := &f.Policy
	call.Params = call.Params.Clone()
	forced := p.DefaultPresentation != nil && p.DefaultPresentation.URL != "" && p.DefaultPresentation.Force
	if forced {
		call.Params.DeleteFunc(isPreUploaded)
	}
	r := rules{p.CreateBlockedParams, p.CreateOverrideParams, p.CreateMaxParams, p.CreateDefaultParams}
	r.apply(&call.Params)
	wish := wishOf(call.Params.Metadata("server-tag"), p.AllowedTags)
	if len(bytes.TrimSpace(call.Body)) == 0 {
		call.Body = nil
		call.Form = call.Form || len(call.Params.Encode()) > longQuery
	}
	if show := p.DefaultPresentation; show != nil && show.URL != "" {
		addPresentation(&call, show, r.blocks(preUploaded))
	}
	identify(f, &call.Params)
	return call, wish
}

// longQuery is what surely fits into the address of a call: web servers in
// front of nodes take 8 KiB, with ids, passwords and checksum. Defaults and
// overrides, such as settings of the client, can be longer. A form takes them.
const longQuery = 6 << 10

// Join applies the policy to the parameters of a join. It leaves the meeting's
// id alone.
func Join(f *b3scale.Frontend, params *bbb.Params) {
	p := &f.Policy
	rules{p.JoinBlockedParams, p.JoinOverrideParams, nil, p.JoinDefaultParams}.apply(params)
}

// frontendMeta is the metadata by which a recording finds its frontend.
const frontendMeta = "meta_b3s-frontend"

// identify gives a create the ids that the nodes know and the mark of its
// frontend. Any other mark was taken out by the rules. What tells a breakout
// room and its parent stands there once: of two, we and the node might each
// believe another.
func identify(f *b3scale.Frontend, params *bbb.Params) {
	for _, name := range []string{"isBreakout", "parentMeetingID"} {
		if value, sent := params.Lookup(name); sent {
			params.Set(name, value)
		}
	}
	params.Set("meetingID", b3scale.EncodeMeetingID(f.Key, bbb.Clean(params.Get("meetingID"))))
	parent := bbb.Clean(params.Get("parentMeetingID"))
	if parent != "" && !internalID.MatchString(parent) { // nodes take internal ids as well
		params.Set("parentMeetingID", b3scale.EncodeMeetingID(f.Key, parent))
	}
	params.Add(frontendMeta, f.Key)
}

var internalID = regexp.MustCompile(`^[0-9a-f]{40}-[0-9]{1,19}$`)
