package ctl

import (
	"strings"
	"testing"
)

// An empty list takes the place of the installation's default, null gives it
// back: both are changes, and the server gets to see them.
func TestEmptyIsNotUnset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	const got = "getting frontend: moodle\n"
	for _, c := range []struct {
		opts  string
		code  int
		shown string // of the list, afterwards
	}{
		{`{"allowed_tags":null}`, 64, "null"}, {`{}`, 64, "null"},
		{`{"allowed_tags":[]}`, 0, "[]"}, {`{"allowed_tags":[]}`, 64, "[]"}, {`{"create_default_params":{}}`, 64, "[]"},
		{`{"allowed_tags":null}`, 0, "null"}, {`{"allowed_tags":["a"]}`, 0, `["a"]`}, {`{"allowed_tags":[]}`, 0, "[]"},
		{`{"attendees_limit":{}}`, 0, "[]"}, {`{"attendees_limit":{}}`, 64, "[]"}, {`{"attendees_limit":null}`, 0, "[]"},
	} {
		dry, real := "skipping saving changes in frontend\n", "updated frontend\n"
		if c.code != 0 {
			dry, real = "no changes\n", "no changes\n"
		}
		w.ctl("set", "--dry", "frontend", "moodle", "--opts", c.opts).wants(c.code, got+dry)
		w.ctl("set", "frontend", "moodle", "--opts", c.opts).wants(c.code, got+real)
		w.ctl("show", "frontends").tells(`"allowed_tags":` + c.shown + ",")
	}
	w.ctl("show", "audit", "--kind", "frontend").tells("allowed_tags: nothing → []")
}

func TestFrontends(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0).withAll()
	w.ctl("set", "frontend", "other").wants(1, "getting frontend: other\n").fails("need secret to create frontend")
	w.ctl("set", "frontend", "moodle").wants(64, "getting frontend: moodle\nno changes\n")
	w.ctl("set", "frontend", "moodle", "--secret", feSecret).wants(64, "getting frontend: moodle\nno changes\n")
	w.ctl("show", "frontends").tells("\tmoodle\t"+feSecret+"\tenabled\t{", `"required_tags":null`)
	fields := strings.Split(strings.TrimSuffix(w.ctl("s", "frontends").out, "\n"), "\t")
	if len(fields) != 5 || ids.ReplaceAllString(fields[0], "ID") != "ID" || !strings.HasPrefix(fields[4], "{") {
		t.Errorf("got %q", fields)
	}
	w.ctl("set", "--dry", "frontend", "moodle", "--secret", "new").wants(0, "getting frontend: moodle\nskipping saving changes in frontend\n")
	w.ctl("set", "frontend", "moodle", "--secret", "new", "--opts", `{"create_default_params":{"a":"b","c":""}}`).wants(0, "getting frontend: moodle\nupdated frontend\n")
	w.ctl("set", "frontend", "moodle", "--opts", `{"create_default_params":{"c":""}}`).wants(64, "getting frontend: moodle\nno changes\n")
	w.ctl("show", "frontend", "moodle").tells(
		"Frontend: moodle\nEnabled: true\nSettings:\n{\n   ", "\n   \"create_default_params\": {\n      \"a\": \"b\"\n   },\n",
		"\n}\n\nFrontend URL:    "+w.url+"/bbb/moodle/\nFrontend Secret: new\n")
	w.ctl("show", "frontend", "mooodle").fails("frontend not found", `did you mean "moodle"?`)
	w.ctl("show", "frontend", "").fails("frontend not found")
	w.ctl("show", "frontend", "--json", "moodle").tells("{\n   \"account_ref\": null,\n   \"active\": true,\n")
	if o := w.ctl("show", "frontends", "-o", "table").tells("KEY ", "moodle  enabled"); strings.Contains(o.out, "new") {
		t.Errorf("a secret in the table:\n%s", o.out)
	}

	w.ctl("disable", "--dry", "frontend", "moodle").wants(0, "skipping disable (dry)\n")
	w.ctl("disable", "frontend", "moodle").wants(0, "disable frontend: ID\n")
	w.ctl("disable", "frontend", "moodle").wants(0, "disable frontend: ID\n") // never 64
	w.ctl("show", "frontends").tells("\tdisabled\t")
	w.ctl("start", "frontend", "moodle").wants(0, "enable frontend: ID\n")

	w.ctl("delete", "--dry", "frontend", "moodle").wants(0, "skipping delete (dry)\n")
	w.ctl("delete", "frontend", "nobody").fails("frontend not found")
	w.ctl("delete", "frontend", "moodle").wants(0, "delete frontend: ID\n")
	w.ctl("show", "frontends").wants(0, "")
	w.ctl("show", "frontends", "--json").wants(0, "[]\n")
	w.ctl("show", "frontends", "-o", "yaml").wants(0, "[]\n")
}
