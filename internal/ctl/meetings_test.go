package ctl

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
)

func TestCreateMeeting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).withAll()
	w.ctl("create-meeting").fails("--frontend KEY")
	w.ctl("create-meeting", "--frontend", "moodel").fails("frontend not found", `did you mean "moodle"?`)
	w.ctl("cm", "--frontend", "moodle", "--param", "x").fails("--param x", "name=value")
	w.ctl("cm", "--frontend", "moodle", "--param", "meetingID=a,b").fails("was not created", "validationError")
	o := w.ctl("create-meeting", "--frontend", "moodle", "--name", "Physics & more", "--param", "meta_a=b=c", "--param", "record=true")
	var id string
	if _, err := fmt.Sscanf(o.out, "Meeting: Physics & more (%23s)\n", &id); err != nil {
		t.Fatalf("%v\n%s%s", err, o.out, o.errs)
	}
	o.tells("Meeting: Physics & more ("+id+")\nCreated: ", "\nJoined as: b3scalectl\nURL: "+w.nodes[0].BaseURL()+"join?")
	room, ok := w.nodes[0].Room(b3scale.EncodeMeetingID("moodle", id))
	if !ok || room.Name != "Physics & more" || room.Metadata.Get("a") != "b=c" {
		t.Errorf("%t %+v", ok, room)
	}
	w.ctl("disable", "frontend", "moodle")
	w.ctl("create-meeting", "--frontend", "moodle").fails("was not created", "checksumError")
}

func TestMeetings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2).withAll()
	w.ctl("set", "frontend", "other", "--secret", feSecret).tells("created")
	node := w.meeting("physics", "Ada \u009b31m\u202eLovelace")
	w.ctl("create-meeting", "--frontend", "other", "--name", "Theirs", "--param", "meetingID=physics").tells("URL: ")
	ours := b3scale.EncodeMeetingID("moodle", "physics")
	w.eventually("the person is seen", func() bool { return strings.Contains(w.ctl("show", "meetings").out, "\trunning\t1\t") })

	w.ctl("show", "meetings", "--frontend", "moodle").wants(0, ours+"\tmoodle\t"+node.BaseURL()+"\trunning\t1\tRoom physics\n")
	w.ctl("show", "meetings", "--backend", strings.TrimSuffix(node.BaseURL(), "/"), "--frontend", "moodle").tells(ours)
	w.ctl("show", "meetings", "--frontend", "nobody").fails("frontend not found")
	w.ctl("show", "meetings", "--backend", "nowhere").fails("backend not found")
	w.ctl("show", "meetings", "-o", "table").tells("MEETING ", "physics  Room physics  moodle ")
	w.ctl("show", "meetings", "--json").tells("[\n   {\n", `"id": "`+ours+`"`, `"AttendeePW": ""`)

	w.ctl("show", "meeting", "physics").fails("2 frontends have a meeting", "--frontend", "moodle", "other")
	room, _ := node.Room(ours)
	for _, args := range [][]string{{"physics", "--frontend", "moodle"}, {ours}, {room.InternalID}, {"internal:" + room.InternalID}} {
		o := w.ctl(append([]string{"show", "meeting"}, args...)...).tells("Meeting:  Room physics\n", "ID:       physics\n", "Backend:  "+node.BaseURL()+"\n", "Running:  true\n", "People:   1 (")
		if !strings.Contains(o.out, "\tAda  31m Lovelace\n") {
			t.Errorf("%q", o.out)
		}
	}
	w.ctl("show", "meeting", "phisics").fails("meeting not found", `did you mean "physics"?`)
	w.ctl("show", "meeting", "internal:x").fails("meeting not found")
	w.ctl("show", "meeting", ours, "-o", "table").tells("NAME ", "viewer")
	o := w.ctl("show", "meeting", ours, "-o", "yaml").tells("id: "+ours, "AttendeePW: \"\"")
	for _, password := range []string{room.AttendeePW, room.ModeratorPW} {
		if password == "" || strings.Contains(o.out, password) {
			t.Errorf("a password %q in\n%s", password, o.out)
		}
	}

	w.ctl("end", "meeting", "nothing").fails("meeting not found")
	w.ctl("end", "meeting", "physics", "--frontend", "moodle").wants(0, "ended meeting: "+ours+"\n")
	w.eventually("it is over", func() bool { _, there := node.Room(ours); return !there })
	w.eventually("only theirs is left", func() bool {
		out := w.ctl("show", "meetings").out
		return strings.Count(out, "\n") == 1 && strings.Contains(out, "\tother\t")
	})
}

func TestEndMeetings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).withAll()
	host := w.nodes[0].BaseURL()
	w.meeting("one")
	w.meeting("two")
	o := w.ctl("end", "meetings", strings.TrimSuffix(host, "/"))
	if got := ids.ReplaceAllString(o.out, "ID"); o.code != 0 || !strings.HasPrefix(got, "Dispatch: end_all_meetings map[BackendID:ID]\nState: ") || !strings.HasSuffix(got, "State: success\nResult: true\n") {
		t.Errorf("%d\n%s%s", o.code, o.out, o.errs)
	}
	w.eventually("all are over", func() bool { return len(w.nodes[0].Rooms()) == 0 })

	w.meeting("three")
	w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.FailWith, Calls: []string{"end"}, Key: "internalError", Message: "not today"})
	o = w.ctl("end", "meetings", host).fails("not all meetings could be ended: ")
	if !strings.Contains(o.out, "State: error\nResult: ") {
		t.Errorf("%s", o.out)
	}
	w.ctl("end", "meetings", "nowhere").fails("backend not found")
}

// A command that the server has forgotten, or never finishes, is no success.
func TestEndMeetingsForgotten(t *testing.T) {
	t.Parallel()
	w := fake(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.Method + r.URL.Path {
		case "GET/api/v1":
			answers(200, `{"is_admin":true,"database":{}}`)(rw, r)
		case "GET/api/v1/backends":
			answers(200, `[{"id":"b1","bbb":{"host":"http://x/"}}]`)(rw, r)
		case "POST/api/v1/commands":
			answers(202, `{"id":"c1","state":"","deadline":"0001-01-01T00:00:00Z","created_at":"2026-01-01T00:00:00Z"}`)(rw, r)
		default:
			answers(404, `{"message":"Not Found"}`)(rw, r)
		}
	})
	w.as().env("B3SCALE_API_ACCESS_TOKEN="+mint(t, apiSecret, "ci", time.Time{}, auth.Admin)).do("end", "meetings", "http://x").
		wants(1, "Dispatch: end_all_meetings map[BackendID:b1]\n").fails("the server has forgotten the command")
}

func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	w.ctl("set", "frontend", "moodle", "--secret", "a-new-secret").tells("updated")
	w.ctl("disable", "frontend", "moodle").tells("disable")
	o := w.ctl("show", "audit")
	lines := strings.Split(strings.TrimSuffix(o.out, "\n"), "\n")
	if len(lines) != 3 || strings.Contains(o.out, "a-new-secret") {
		t.Fatalf("got\n%s", o.out)
	}
	fields := strings.Split(lines[0], "\t")
	if _, err := time.Parse(time.RFC3339, fields[0]); err != nil || len(fields) != 7 || strings.Join(fields[2:], " ") != "b3scalectl 127.0.0.1 frontend.update moodle active: true → false" {
		t.Errorf("got %q", fields)
	}
	for args, want := range map[string]int{
		"": 3, "--kind backend": 0, "--kind frontend": 3, "--subject b3scalectl": 3, "--subject nobody": 0, "--limit 1": 1,
		"--since 1h": 3, "--until 1h": 0, "--before " + fields[1]: 2, "--since 2020-01-01 --until 2020-01-02": 0, "--order action,-id --limit 2": 2,
	} {
		o := w.ctl(append([]string{"show", "audit"}, strings.Fields(args)...)...)
		if got := strings.Count(o.out, "\n"); o.code != 0 || got != want {
			t.Errorf("%s: got %d entries, want %d; %s", args, got, want, o.errs)
		}
	}
	w.ctl("show", "audit", "--since", "yesterday").fails("--since yesterday")
	w.ctl("show", "audit", "--order", "nothing").fails("order")
	w.ctl("show", "audit", "-o", "table").tells("WHEN ", "frontend.create")
	w.ctl("show", "audit", "--json", "--limit", "1").tells("\"action\": \"frontend.update\"")
}
