package gateway

import (
	"regexp"
	"strings"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/cluster"
)

// ownIDs gives an answer of a node the frontend's own ids and addresses back
// and leaves every other byte alone. Error texts may carry ids, too.
func (req *request) ownIDs(answer *bbb.Answer, c *cluster.Cluster) []byte {
	edit := answer.Doc.Edit()
	root := answer.Root()
	cluster.MapIDs(edit, root)
	c.MapCallbacks(edit, root, req.frontend.ID)
	if !answer.Succeeded() {
		req.mapText(edit, root.Child("message"))
		for e := range root.Child("errors").Children() {
			req.mapText(edit, e.Child("message"))
		}
	}
	return edit.Bytes()
}

// mapText maps the ids that stand somewhere in a text. Ids of other frontends
// have no business there, so nothing of them is told.
func (req *request) mapText(edit *bbb.Edit, e bbb.Element) {
	text := e.Text()
	parts := strings.Split(text, req.nodeID) // first: the plain id may look like another's encoded one
	for i, part := range parts {
		parts[i] = encodedID.ReplaceAllStringFunc(part, func(id string) string {
			switch frontendKey, own, ok := b3scale.DecodeMeetingID(id); {
			case !ok:
				return id
			case frontendKey != req.frontend.Key:
				return "…"
			default:
				return own
			}
		})
	}
	if mapped := strings.Join(parts, req.key.MeetingID); mapped != text {
		edit.SetText(e, mapped)
	}
}

// encodedID is what an encoded id looks like: base64 of a list of strings.
var encodedID = regexp.MustCompile(`Wy[A-Za-z0-9_-]+=*`)
