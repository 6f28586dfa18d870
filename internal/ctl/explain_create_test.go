package ctl

import (
	"encoding/json"
	"strings"
	"testing"

	"b3scale"
	"b3scale/internal/apiclient"
)

func TestExplainCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3).withAll()
	for i, opts := range []string{`{"tags":["eu","gpu"]}`, `{"tags":["eu"],"max_meetings":1}`, `{"tags":["us"]}`} {
		w.ctl("set", "backend", w.nodes[i].BaseURL(), "--opts", opts)
	}
	w.ctl("set", "frontend", "moodle", "--opts", `{"required_tags":["eu"],"allowed_tags":["gpu"],"create_override_params":{"moderatorPW":"of-the-operator"}}`)
	hosts := []string{w.nodes[0].BaseURL(), w.nodes[1].BaseURL(), w.nodes[2].BaseURL()}
	explain := func(args ...string) outcome {
		t.Helper()
		return w.ctl(append([]string{"explain", "create", "--frontend", "moodle"}, args...)...)
	}

	explain().tells("It would come to one of 2 backends that are about equally good, with 15 people expected\n\nHOST ", hosts[0]+"  drawn ", hosts[1]+"  drawn ",
		hosts[2]+"  no ", ` 1  it lacks tags that the frontend requires: "eu"`+"\n", "\nThe server would get, in its address:\n", "\n  moderatorPW=•••\n")
	o := explain("--param", "z=1", "--param", "meta_server-tag=gpu", "--param", "meetingID=physics", "--param", "a=2=3 &ü\u009b", "-o", "table")
	o.tells("It would come to "+hosts[0]+", with 15 people expected\n", hosts[0]+"  chosen       0         0         0        0       1  -\n",
		hosts[1]+"  behind       0 ", `it does not have the tags that the meeting would like: "gpu": others come first`,
		"  z=1\n  meta_server-tag=gpu\n  meetingID="+b3scale.EncodeMeetingID("moodle", "physics")+"\n  a=2=3 &ü \n")
	explain("--param", "meta_server-tag=fast!").tells("It would be refused (no_backend): no free backend available for meeting: of 3 backends",
		"The last backends were ruled out by: wanted_tags\n", "Note: the frontend may not ask for these tags, which are passed over: fast\n")

	w.meeting("physics")
	explain("--param", "meetingID=physics").tells("It is there already (active): the create would go to ", "  home ")
	w.ctl("show", "meeting", "physics").tells("\nPlaced:   ", " drawn from 2 of 2 that could take it, of 3 backends\n")
	explain("--param", "isBreakout=true", "--param", "parentMeetingID=physics").tells("It would follow its parent to http")
	explain("--param", "isBreakout=true").tells("It would be refused (parentMeetingIDMissing): No parent meeting ID")

	var x apiclient.PlacementExplanation
	if o := explain("--json"); json.Unmarshal([]byte(o.out), &x) != nil || x.FrontendKey != "moodle" || len(x.Backends) != 3 {
		t.Errorf("got %s", o.out)
	}
	explain("-o", "yaml").tells("\noutcome: placed\n")
	if o := explain("--json"); strings.Contains(o.out, "of-the-operator") {
		t.Errorf("a password is shown: %s", o.out)
	}

	explain("--param", "meetingID=x").fails("params.meetingID", "between 2 and 256 characters")
	explain("--param", "x").fails("--param x: want name=value")
	w.ctl("explain", "create").fails("--frontend KEY")
	w.ctl("explain", "create", "--frontend", "moodel").fails("frontend not found", `did you mean "moodle"?`)
	w.ctl("explain", "crate").fails("unknown command", `did you mean "create"?`)
}
