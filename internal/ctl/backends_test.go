package ctl

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
)

func TestSetBackend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2).withAll()
	host := w.nodes[0].BaseURL()
	bare := strings.TrimSuffix(host, "/")
	const other = "http://other.example.org/bigbluebutton/api"
	w.ctl("set", "backend", "other.example.org").fails("should start with http")
	w.ctl("set", "backend", other).fails("need secret to create host")
	w.ctl("set", "--dry", "backend", "--secret", "x", other).wants(0, "skipped creating backend\n")
	w.ctl("--dry", "add", "backend", other, "-s", "x").wants(0, "skipped creating backend\n")
	w.ctl("set", "backend", bare, "--secret", nodeSecret).wants(64, "no changes\n")
	w.ctl("set", "backend", bare).wants(64, "no changes\n")
	w.ctl("set", "--dry", "backend", bare, "--opts", `{"tags":["a"]}`).wants(0, "skipping backend update\n")
	w.ctl("set", "--dry", "backend", bare, "--opts", `{"tags":null}`).wants(64, "no changes\n")
	w.ctl("update", "backend", bare, "--opts", `{"tags":["b","a"]}`).wants(0, "updated backend\n")
	w.ctl("u", "backend", bare, "-j", `{"tags":["b","a"]}`).wants(64, "no changes\n")
	w.ctl("a", "backend", bare, "-j", `{"tags":["b"`).fails("--opts is no JSON, at character")
	w.ctl("a", "backend", bare, "-j", `[1]`).fails("--opts", "JSON object")
	w.ctl("a", "backend", bare, "-j", `{"max_meetings":"many"}`).fails("max_meetings")
	o := w.ctl("set", "backend", bare, "-opts", `{"tag":["b"]}`).wants(64, "no changes\n")
	if !strings.Contains(o.errs, `no setting "tag": did you mean "tags"?`) {
		t.Errorf("got %s", o.errs)
	}

	// Both at once, and neither is lost.
	w.ctl("set", "backend", bare, "--secret", "another-secret", "--opts", `{"tags":["c"]}`).wants(0, "updated backend\n")
	var b struct {
		BBB      struct{ Secret string }
		Settings struct{ Tags []string }
	}
	o = w.ctl("show", "backend", bare, "--json")
	if err := json.Unmarshal([]byte(o.out), &b); err != nil || b.BBB.Secret != "another-secret" || len(b.Settings.Tags) != 1 || b.Settings.Tags[0] != "c" {
		t.Errorf("%+v, %v\n%s", b, err, o.out)
	}
}

func TestShowBackends(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).withAll()
	host := w.nodes[0].BaseURL()
	w.ctl("set", "backend", host, "-j", `{"tags":["a"]}`).wants(0, "updated backend\n")
	w.meeting("one", "Ada", "Bob")
	w.meeting("two", "Eve")
	w.eventually("all people are seen", func() bool {
		return strings.Contains(w.ctl("s", "backends").out, "  MC/AC/R:\t 2/3/1.50\n")
	})
	lines := strings.Split(w.ctl("show", "backends").out, "\n")
	for i, want := range []string{
		"ID", "  Host:\t " + host, `  Settings:` + "\t " + `{"max_attendees":0,"max_meetings":0,"tags":["a"]}`,
		"  NodeState:\t ready\t  AdminState:\t ready", "  MC/AC/R:\t 2/3/1.50", "  LoadFactor:\t 1", "  Latency:\t DURATION", "", "",
	} {
		got := ids.ReplaceAllString(lines[i], "ID")
		if latency, found := strings.CutPrefix(got, "  Latency:\t "); found {
			if _, err := time.ParseDuration(latency); err == nil {
				got = "  Latency:\t DURATION"
			}
		}
		if got != want {
			t.Errorf("line %d: got %q, want %q", i, got, want)
		}
	}
	w.ctl("show", "backend", strings.TrimSuffix(host, "/")).wants(0, "Backend: "+host+"\nSettings:\n{\n   \"max_attendees\": 0,\n"+
		"   \"max_meetings\": 0,\n   \"tags\": [\n      \"a\"\n   ]\n}\n")
	w.ctl("show", "backend", strings.Replace(host, "api", "apo", 1)).fails("backend not found", `did you mean "`+host+`"?`)
	w.ctl("show", "backend", "zzz").fails("backend not found", "b3scalectl show backends")
	w.ctl("show", "backend").fails("usage: b3scalectl show backend HOST")
	w.ctl("show", "--json", "backends").tells("[\n   {\n      \"admin_state\": \"ready\",\n")
	w.ctl("show", "backends", "-o", "yaml").tells("- admin_state: ready\n", "  bbb:\n    host: "+host+"\n")
	o := w.ctl("-o", "table", "show", "backends").tells("HOST ", " MEETINGS ", host)
	if strings.Contains(o.out, nodeSecret) || strings.Contains(o.out, "\x1b") || strings.Contains(w.ctl("show", "backends").out, nodeSecret) {
		t.Errorf("a secret, or colours:\n%s", o.out)
	}
	w.ctl("-o", "xml", "show", "backends").fails("--output xml: want one of plain, table, json, yaml")

	w.nodes[0].SetFault(bbbtest.Fault{Kind: bbbtest.ServerError})
	w.eventually("the error is seen", func() bool {
		out := w.ctl("show", "backends").out
		return strings.Contains(out, "NodeState:\t error") && strings.Contains(out, "\n  LastError: ")
	})
}

func TestStatesOfBackends(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).withAll()
	host := strings.TrimSuffix(w.nodes[0].BaseURL(), "/")
	w.ctl("enable", "backend", host).wants(64, "no changes\n")
	w.ctl("disable", "--dry", "backend", host).wants(0, "skipping backend admin state update\n")
	w.ctl("dis", "backend", host).wants(0, "updated backend admin state\n")
	w.ctl("stop", "backend", host).wants(64, "no changes\n")
	w.ctl("show", "backends").tells("AdminState:\t stopped")
	w.ctl("start", "backend", host).wants(0, "updated backend admin state\n")
	w.ctl("en", "backend", host+"x").fails("backend not found", "did you mean")
	w.ctl("declare-lost", "backend", host).wants(0, "declared lost: ID "+host+"/\n")
	w.ctl("show", "audit", "--kind", "backend").tells("backend.declare_lost")
}

func TestDeleteBackend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2).withAll()
	kept, gone := w.nodes[0], w.nodes[1]
	w.ctl("delete", "--dry", "backend", gone.BaseURL()).wants(0, "skipping decommissioning backend (dry)\n")
	w.ctl("rm", "backend", "-f", "--dry", gone.BaseURL()).wants(0, "skipping deleting backend (dry)\n")
	w.ctl("disable", "backend", gone.BaseURL()).wants(0, "updated backend admin state\n")
	if node := w.meeting("here", "Ada"); node != kept {
		t.Fatal("the meeting is on a stopped backend")
	}

	// A node in error with meetings is not deleted without being told so.
	kept.SetFault(bbbtest.Fault{Kind: bbbtest.ServerError})
	w.eventually("the error is seen", func() bool { return strings.Contains(w.ctl("show", "backends").out, "NodeState:\t error") })
	o := w.ctl("del", "backend", strings.TrimSuffix(kept.BaseURL(), "/")).wants(0, "backend marked for decommissioning\n")
	if !strings.Contains(o.errs, "--force") {
		t.Errorf("no advice: %s", o.errs)
	}
	w.ctl("show", "backends").tells("AdminState:\t decommissioned", "  MC/AC/R:\t 1/")
	w.ctl("d", "backend", kept.BaseURL(), "--force").wants(0, "deleting backend\nbackend marked for decommissioning\ndeleted backend: ID "+kept.BaseURL()+"\n")
	w.ctl("show", "backend", kept.BaseURL()).fails("backend not found")

	w.ctl("delete", "backend", gone.BaseURL()).wants(0, "backend marked for decommissioning\n")
	w.eventually("an empty one disappears", func() bool { return w.ctl("show", "backends").out == "" })
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).withAll()
	host := w.nodes[0].BaseURL()
	w.meeting("one", "Ada", "Bob")
	w.eventually("the people are seen", func() bool { return strings.Contains(w.ctl("show", "backends").out, "1/2/2.00") })
	w.ctl("drain", "backend", host).wants(0, "updated backend admin state\n")
	w.ctl("drain", "backend", host, "--wait", "--interval", "10ms", "--timeout", "60ms").
		wants(3, "backend is stopped already\n"+host+": 1 meeting, 2 people\n").
		failsWith(3, "still 1 meeting, 2 people after 60ms", "stays stopped")
	done := make(chan outcome, 1)
	go func() {
		done <- w.ctl("drain", "--wait", "backend", "--interval", "10ms", strings.TrimSuffix(host, "/"))
	}()
	w.ctl("end", "meeting", "one").tells("ended meeting: ")
	w.ctl("end", "meetings", host)
	o := <-done
	if o.code != 0 || !strings.HasPrefix(o.out, "backend is stopped already\n"+host+": ") || !strings.HasSuffix(o.out, host+": 0 meetings, 0 people\ndrained: "+host+"\n") {
		t.Errorf("%d\n%s%s", o.code, o.out, o.errs)
	}
	w.ctl("drain", "backend", "nowhere").fails("backend not found")
	w.ctl("drain", "bakend").fails(`did you mean "backend"?`)
}

// A drain survives a server that is away for a moment, and ends when its
// backend is deleted or enabled again.
func TestDrainInBadTimes(t *testing.T) {
	t.Parallel()
	const host = "http://bbb1.example.org/bigbluebutton/api/"
	one := func(state string, meetings string) string {
		return `{"id":"b1","admin_state":"` + state + `","node_state":"ready","bbb":{"host":"` + host + `"},"meetings_count":` + meetings +
			`,"attendees_count":7,"node":{"recordings_unprocessed":2}}`
	}
	for name, c := range map[string]struct {
		last  http.HandlerFunc
		tells string
		code  int
	}{
		"gone":     {answers(404, `{"message":"Not Found"}`), host + ": gone\n", 0},
		"enabled":  {answers(200, one("ready", "3")), host + ": 3 meetings, 7 people, 2 recordings to process\n", 1},
		"not ours": {answers(403, `{"message":"b3scale:admin scope required"}`), "", 1},
	} {
		calls := 0
		w := fake(t, func(rw http.ResponseWriter, r *http.Request) {
			switch r.Method + r.URL.Path {
			case "GET/api/v1":
				answers(200, `{"is_admin":true,"database":{}}`)(rw, r)
			case "GET/api/v1/backends":
				answers(200, "["+one("stopped", "4")+"]")(rw, r)
			case "GET/api/v1/backends/b1":
				switch calls++; calls {
				case 1:
					answers(200, one("stopped", "4"))(rw, r)
				case 2:
					answers(503, `{"message":"Service Unavailable"}`)(rw, r)
				default:
					c.last(rw, r)
				}
			}
		})
		o := w.as().env("B3SCALE_API_ACCESS_TOKEN="+mint(t, apiSecret, "ci", time.Time{}, auth.Admin)).
			do("drain", "backend", host, "--wait", "--interval", "10ms")
		if o.code != c.code || !strings.HasSuffix(o.out, c.tells) || !strings.Contains(o.out, "4 meetings, 7 people") || calls != 3 {
			t.Errorf("%s: %d after %d calls\n%s%s", name, o.code, calls, o.out, o.errs)
		}
	}
}
