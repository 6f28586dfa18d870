package gateway

import (
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/cluster"
)

// Errors in the form of a list, which simulated nodes give only without ids.
func TestIDsInListsOfErrors(t *testing.T) {
	t.Parallel()
	node := b3scale.EncodeMeetingID("fe", "room")
	req := &request{frontend: &b3scale.Frontend{Key: "fe"}, key: b3scale.MeetingKey{MeetingID: "room"}, nodeID: node}
	const form = "<response>\n<returncode>FAILED</returncode>\n<errors>\n<error>\n<key>nonUniqueVoiceBridge</key>\n<message>used by ID</message>\n</error>\n" +
		"<error>\n<key>ID</key>\n<message>ID and OTHER</message>\n</error>\n</errors>\n</response>"
	xml := strings.NewReplacer("ID", node, "OTHER", b3scale.EncodeMeetingID("fe2", "secret")).Replace(form)
	want := strings.NewReplacer("<message>used by ID", "<message>used by room", "<message>ID and OTHER", "<message>room and …", "ID", node).Replace(form)
	if got := string(req.ownIDs(bbb.NewOwnAnswer([]byte(xml)), &cluster.Cluster{})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
