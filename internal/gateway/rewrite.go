package gateway

import (
	"b3scale/bbb"
	"b3scale/internal/policy"
)

// A rewrite changes the parameters of a call on their way to a node. Rewrites
// are pure and run in order. A create has its own, see policy.Create.
type rewrite func(req *request, params *bbb.Params)

// joinRewrites are those of a join.
var joinRewrites = []rewrite{applyJoinPolicy, encodeMeetingID}

// meetingRewrites are those of every other call about a meeting.
var meetingRewrites = []rewrite{encodeMeetingID}

// rewritten turns the parameters into those for the node.
func (req *request) rewritten(rewrites []rewrite) bbb.Params {
	for _, change := range rewrites {
		change(req, &req.Params)
	}
	return req.Params
}

func applyJoinPolicy(req *request, params *bbb.Params) { policy.Join(req.frontend, params) }

func encodeMeetingID(req *request, params *bbb.Params) { params.Set("meetingID", req.nodeID) }
