package ctl

import (
	"net/http"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/auth"
)

// tell lets a node say that a meeting of moodle is over.
func (w *world) tell(target, id string) {
	w.Helper()
	token, err := auth.NewKeys(apiSecret, "").MintCallback(b3scale.CallbackTicket{
		FrontendID: w.app.Cluster().Frontend("moodle").ID, Target: target, Kind: b3scale.CallbackEnd, MeetingID: id, Origin: b3scale.Origin{Generation: 1},
	})
	if err != nil {
		w.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.url+"/api/v1/callbacks/proxy/"+token, nil)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("answered %d", resp.StatusCode)
	}
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	w.ctl("show", "callbacks").wants(0, "")
	w.tell("http://127.0.0.1:1/end?token=of-moodle", "physics")
	w.tell("http://lms.invalid/end", "chemistry")
	w.eventually("one is refused", func() bool { return strings.Contains(w.ctl("show", "callbacks", "--state", "refused").out, "physics") })
	all := w.ctl("show", "callbacks", "--frontend", "moodle", "--kind", "end").tells("\tend\tmoodle\tphysics\t1\thttp://127.0.0.1:1/end?token=of-moodle\t127.0.0.1: it is not a public address", "chemistry")
	id := strings.Split(strings.Split(all.out, "\n")[1], "\t")[1] // the older one
	w.ctl("show", "callbacks", "--meeting", "physics", "--limit", "1", "-o", "table").tells("WHEN ", "refused", "physics")
	w.ctl("show", "callbacks", "--frontend", "moodel").fails("frontend not found")
	w.ctl("show", "callbacks", "--state", "lost").fails("state")
	w.ctl("show", "callback", id).tells("Callback: "+id+"\nState: refused 20", "Kind: end\nFrontend: moodle\nMeeting: physics\nTarget: http://127.0.0.1:1/end", "Attempts: 1; the last one: 127.0.0.1: ")
	w.ctl("show", "callback", id, "--json").tells(`"state": "refused"`)
	w.ctl("show", "callback", "nothing").fails(`there is no callback "nothing"`)

	w.ctl("replay", "callback", id).wants(0, "replaying callback: ID\n")
	w.eventually("it is refused again", func() bool { return strings.Contains(w.ctl("show", "callback", id).out, "State: refused") })
	w.ctl("replay", "callback", "nothing").fails(`there is no callback "nothing"`)
	w.ctl("delete", "callback", id).fails("the callback is over: refused")

	waiting := strings.Split(w.ctl("show", "callbacks", "--meeting", "chemistry").out, "\t")[1]
	w.ctl("show", "callback", waiting).tells("State: waiting; next attempt 20")
	w.ctl("delete", "callback", waiting, "--dry").wants(0, "skipping delete (dry)\n")
	w.ctl("delete", "callback", waiting).wants(0, "dropped callback: ID\n")
	w.ctl("show", "callback", waiting).tells("State: dropped 20")
	w.ctl("show", "audit", "--kind", "callback").tells("callback.drop", "callback.replay")
}
