package storetest

import (
	"strings"
	"testing"
	"time"

	"b3scale"
)

func testAudit(t *testing.T, open opener) {
	run(t, open, "tells what was changed, by whom, and hides secrets", func(f *fixture) {
		before := f.now()
		fe := f.addFrontend(b3scale.Frontend{Key: "moodle", Secret: "s1", Settings: b3scale.FrontendSettings{RequiredTags: b3scale.Tags{"x"}}})
		f.editFrontend(fe.ID, func(v *b3scale.Frontend) { v.Key, v.SecondarySecret, v.Active = "nextcloud", "s2", true })
		f.editFrontend(fe.ID, func(v *b3scale.Frontend) { v.Secret, v.SecondarySecret, v.AccountRef = "s2", "", "customer 12" })
		_, err := f.store.DeleteFrontend(f.Context(), fe.ID, b3scale.Actor{Subject: "bob"})
		f.must(err)

		const settings = `"settings":{"required_tags":["x"],"default_presentation":null,"attendees_limit":null,"create_default_params":{},` +
			`"create_override_params":{},"join_default_params":{},"join_override_params":{},"recordings":null,` +
			`"hosts":null,"allowed_tags":null,"create_blocked_params":null,"join_blocked_params":null,"create_max_params":{},` +
			`"meetings_limit":null,"rate_limit":null}`
		view := func(active, key, secret, second, account string) string {
			return `{"id":"` + fe.ID + `","active":` + active + `,"bbb":{"key":"` + key + `","secret":` + secret +
				`,"secondary_secret":` + second + `},` + settings + `,"account_ref":` + account + `}`
		}
		const hidden, changed = `"•••"`, `"••• (changed)"`
		entries := f.entries(b3scale.AuditQuery{Kind: "frontend", ObjectID: fe.ID})
		f.same("number", len(entries), 4)
		for i, want := range []struct {
			action, subject, name, before, after string
		}{
			{"frontend.delete", "bob", "nextcloud", view("true", "nextcloud", hidden, "null", `"customer 12"`), ""},
			// Of an update only what differs.
			{"frontend.update", "ann", "nextcloud", `{"account_ref":null,"bbb":{"secondary_secret":` + hidden + `,"secret":` + hidden + `},"id":"` + fe.ID + `"}`,
				`{"account_ref":"customer 12","bbb":{"secondary_secret":null,"secret":` + changed + `},"id":"` + fe.ID + `"}`},
			{"frontend.update", "ann", "nextcloud", `{"active":false,"bbb":{"key":"moodle","secondary_secret":null},"id":"` + fe.ID + `"}`,
				`{"active":true,"bbb":{"key":"nextcloud","secondary_secret":` + changed + `},"id":"` + fe.ID + `"}`},
			{"frontend.create", "ann", "moodle", "", view("false", "moodle", hidden, "null", "null")},
		} {
			e := entries[i]
			f.same("action", e.Action, want.action)
			f.same("subject", e.Actor.Subject, want.subject)
			f.same("name", e.Object.Name, want.name)
			f.same(e.Action+": before", string(e.Before), want.before)
			f.same(e.Action+": after", string(e.After), want.after)
			if e.At < before || e.At > f.now() || i > 0 && (e.ID >= entries[i-1].ID || e.At > entries[i-1].At) {
				f.Errorf("entry %d has the id %d and the time %d", i, e.ID, e.At)
			}
		}
		f.same("actor", entries[3].Actor, operator)
		f.same("nothing before", entries[3].Before, []byte(nil))
		f.same("nothing after", entries[0].After, []byte(nil))
	})

	run(t, open, "tells of backends and commands", func(f *fixture) {
		b := f.addBackend(b3scale.Backend{Host: "https://x/", Secret: "s1", AdminState: b3scale.AdminReady, LoadFactor: 1.5, AgentRef: "agent 1"})
		f.lose(b.ID)
		again, err := f.store.DeclareLost(f.Context(), b.ID, operator)
		f.expect("declare lost again", again, err, false)
		passed, err := f.store.ClearLost(f.Context(), b.ID)
		f.expect("clear", passed, err, true)
		f.setState(b.ID, b3scale.AdminDecommissioned)
		deleted, err := f.store.DeleteEmptyBackend(f.Context(), b.ID)
		f.expect("delete", deleted, err, true)

		view := func(state string) string {
			return `{"id":"` + b.ID + `","admin_state":"` + state + `","load_factor":1.5,"bbb":{"host":"https://x/","secret":"•••",` +
				`"secondary_secret":null},"settings":{"tags":null},"agent_ref":"agent 1"}`
		}
		ready, gone := view("ready"), view("decommissioned")
		type told struct{ Action, Subject, Before, After string }
		var got []told
		for _, e := range f.entries(b3scale.AuditQuery{ObjectID: b.ID}) {
			f.same("object", e.Object, b3scale.AuditObject{Kind: "backend", ID: b.ID, Name: "https://x/"})
			got = append(got, told{e.Action, e.Actor.Subject, string(e.Before), string(e.After)})
		}
		f.same("entries", got, []told{
			{"backend.delete", "", gone, ""},
			{"backend.update", "ann", `{"admin_state":"ready","id":"` + b.ID + `"}`, `{"admin_state":"decommissioned","id":"` + b.ID + `"}`},
			{"backend.declare_lost", "ann", `{"id":"` + b.ID + `","lost":false}`, `{"id":"` + b.ID + `","lost":true}`},
			{"backend.create", "ann", "", ready},
		})

		c, err := f.store.AddCommand(f.Context(), b3scale.EndAllMeetings, []byte(`{"backend_id": "x"}`), time.Hour, operator)
		f.must(err)
		e := f.entries(b3scale.AuditQuery{Kind: "command"})[0]
		f.same("object", e.Object, b3scale.AuditObject{Kind: "command", ID: c.ID, Name: "end_all_meetings"})
		f.same("action", e.Action, "command.create")
		f.same("after", string(e.After), `{"id":"`+c.ID+`","state":"requested","action":"end_all_meetings","params":{"backend_id":"x"}}`)
	})

	run(t, open, "is asked for a part of it", func(f *fixture) {
		for _, e := range []b3scale.AuditEntry{
			{Actor: b3scale.Actor{Subject: "cid"}, Action: "meeting.end", Object: b3scale.AuditObject{Kind: "meeting", ID: "1", Name: "one"}, Before: []byte(`{}`)},
			{Actor: b3scale.Actor{Subject: "cid"}, Action: "token.create", Object: b3scale.AuditObject{Kind: "token", ID: "1"}, After: []byte(`{}`), ID: 7, At: 7},
			{Actor: b3scale.Actor{Subject: "dan"}, Action: "meeting.end", Object: b3scale.AuditObject{Kind: "meeting", ID: "2"}},
		} {
			f.must(f.store.NoteAction(f.Context(), e))
		}
		all := f.entries(b3scale.AuditQuery{})
		f.same("all", len(all), 7) // a frontend and three backends are there from the start
		third, second, first := all[0], all[1], all[2]
		f.same("before", string(first.Before), "{}")
		f.same("after", first.After, []byte(nil))
		if second.At < 1e12 || second.ID <= first.ID || third.ID <= second.ID {
			f.Errorf("got %+v", all[:3])
		}
		for what, c := range map[string]struct {
			query b3scale.AuditQuery
			want  []b3scale.AuditEntry
		}{
			"kind":         {b3scale.AuditQuery{Kind: "meeting"}, []b3scale.AuditEntry{third, first}},
			"object":       {b3scale.AuditQuery{Kind: "meeting", ObjectID: "1"}, []b3scale.AuditEntry{first}},
			"object alone": {b3scale.AuditQuery{ObjectID: "1"}, []b3scale.AuditEntry{second, first}},
			"subject":      {b3scale.AuditQuery{Subject: "cid"}, []b3scale.AuditEntry{second, first}},
			"limit":        {b3scale.AuditQuery{Limit: 2}, all[:2]},
			"older":        {b3scale.AuditQuery{BeforeID: second.ID}, all[2:]},
			"all of it":    {b3scale.AuditQuery{Kind: "meeting", Subject: "dan", Since: third.At, Until: third.At + 1, BeforeID: third.ID + 1, Limit: 5}, all[:1]},
			"until":        {b3scale.AuditQuery{Until: all[6].At}, nil},
			"since":        {b3scale.AuditQuery{Since: all[6].At}, all},
			"nobody":       {b3scale.AuditQuery{Subject: "eve"}, nil},
			"odd":          {b3scale.AuditQuery{Subject: "e\x00\xff"}, nil},
		} {
			f.same(what, f.entries(c.query), c.want)
		}
	})

	run(t, open, "loses nothing because of odd texts", func(f *fixture) {
		odd := "a\x00b\xff"
		long := strings.Repeat("é", 4*b3scale.MaxMeetingIDLength)
		by := b3scale.Actor{Subject: odd, Address: odd, RequestID: long}
		_, err := f.store.EditBackend(f.Context(), f.a, by, func(b *b3scale.Backend) error { b.LoadFactor = 2; return nil })
		f.must(err)
		f.must(f.store.NoteAction(f.Context(), b3scale.AuditEntry{Actor: by, Action: odd, Before: []byte(odd), After: []byte{},
			Object: b3scale.AuditObject{Kind: odd, ID: "x" + long, Name: long}}))
		entries := f.entries(b3scale.AuditQuery{Subject: odd})
		f.same("number", len(entries), 2)
		e := entries[0]
		f.same("subject", e.Actor.Subject, "a�b�")
		f.same("before", string(e.Before), "a�b�")
		f.same("name", e.Object.Name, long)
		f.same("found", f.entries(b3scale.AuditQuery{Kind: odd, ObjectID: "x" + long}), entries[:1])
		if !strings.HasPrefix("x"+long, e.Object.ID) || len(e.Object.ID) < 1000 {
			f.Errorf("got %d bytes of the id", len(e.Object.ID))
		}
	})
}

// entries reads the audit.
func (f *fixture) entries(q b3scale.AuditQuery) []b3scale.AuditEntry {
	f.Helper()
	var entries []b3scale.AuditEntry
	f.must(f.store.Audit(f.Context(), q, func(e b3scale.AuditEntry) { entries = append(entries, e) }))
	return entries
}
