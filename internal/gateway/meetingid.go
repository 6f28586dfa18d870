package gateway

import (
	"strings"

	"b3scale/bbb"
	"b3scale/internal/cluster"
)

// ownIDs gives an answer of a node the frontend's own ids back and leaves
// every other byte alone. Error texts may carry the id, too.
func (req *request) ownIDs(answer *bbb.Answer) []byte {
	edit := answer.Doc.Edit()
	root := answer.Root()
	cluster.MapIDs(edit, root)
	if e := root.Child("message"); e.Exists() && !answer.Succeeded() {
		if text := e.Text(); strings.Contains(text, req.nodeID) {
			edit.SetText(e, strings.ReplaceAll(text, req.nodeID, req.key.MeetingID))
		}
	}
	return edit.Bytes()
}
