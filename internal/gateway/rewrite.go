package gateway

import (
	"regexp"
	"strings"

	"b3scale"
	"b3scale/bbb"
)

// A rewrite changes the parameters of a call on their way to a node. Rewrites
// are pure and run in order.
type rewrite func(req *request, params *bbb.Params)

// createRewrites give a create the ids that the nodes know and the mark of its
// frontend.
var createRewrites = []rewrite{encodeMeetingID, encodeParentID, markFrontend}

// meetingRewrites are those of every other call about a meeting.
var meetingRewrites = []rewrite{encodeMeetingID}

// rewritten turns the parameters into those for the node.
func (req *request) rewritten(rewrites []rewrite) bbb.Params {
	for _, change := range rewrites {
		change(req, &req.Params)
	}
	return req.Params
}

func encodeMeetingID(req *request, params *bbb.Params) { params.Set("meetingID", req.nodeID) }

var internalID = regexp.MustCompile(`^[0-9a-f]{40}-[0-9]{1,19}$`)

// encodeParentID leaves internal ids alone: nodes take them as well.
func encodeParentID(req *request, params *bbb.Params) {
	parent := bbb.Clean(params.Get("parentMeetingID"))
	if parent != "" && !internalID.MatchString(parent) {
		params.Set("parentMeetingID", b3scale.EncodeMeetingID(req.frontend.Key, parent))
	}
}

// frontendMeta is the metadata by which a recording finds its frontend.
const frontendMeta = "meta_b3s-frontend"

// markFrontend replaces every spelling a client may have sent: nodes store
// metadata names in lower case.
func markFrontend(req *request, params *bbb.Params) {
	var spellings []string
	for name := range params.All() {
		if strings.EqualFold(name, frontendMeta) {
			spellings = append(spellings, name)
		}
	}
	for _, name := range spellings {
		params.Delete(name)
	}
	params.Add(frontendMeta, req.frontend.Key)
}
