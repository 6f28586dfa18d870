package storetest

import (
	"errors"
	"testing"

	"b3scale"
)

func testDefaults(t *testing.T, open opener) {
	defaults := func(f *fixture) b3scale.FrontendSettings {
		f.Helper()
		got, err := f.store.FrontendDefaults(f.Context())
		f.must(err)
		return got
	}
	edited := func(f *fixture, edit func(*b3scale.FrontendSettings)) b3scale.FrontendSettings {
		f.Helper()
		got, err := f.store.EditFrontendDefaults(f.Context(), operator, func(v *b3scale.FrontendSettings) error { edit(v); return nil })
		f.must(err)
		return got
	}

	run(t, open, "are empty, then as they were set", func(f *fixture) {
		f.same("none", defaults(f), b3scale.FrontendSettings{})
		version := f.configVersion()
		want := fullFrontend().Settings
		f.same("set", edited(f, func(v *b3scale.FrontendSettings) { *v = want }), want)
		f.same("read", defaults(f), want)
		if f.configVersion() == version {
			f.Error("nobody would notice")
		}
		version = f.configVersion()
		got := edited(f, func(v *b3scale.FrontendSettings) {
			f.same("edited", *v, want)
			v.AttendeesLimit, v.CreateMaxParams = nil, b3scale.Caps{"duration": 0}
		})
		want.AttendeesLimit, want.CreateMaxParams = nil, b3scale.Caps{}
		f.same("changed", got, want)
		f.same("read again", defaults(f), want)
		if f.configVersion() == version {
			f.Error("nobody would notice the change")
		}
		f.same("frontend", f.frontends()[0].Settings.MeetingsLimit, (*b3scale.MeetingsLimit)(nil))
	})

	run(t, open, "tell the audit, without passwords", func(f *fixture) {
		edited(f, func(v *b3scale.FrontendSettings) {
			v.MeetingsLimit = &b3scale.MeetingsLimit{Limit: 3}
			v.CreateDefaultParams = b3scale.Params{"moderatorPW": "hunter2"}
		})
		entries := f.entries(b3scale.AuditQuery{Kind: "frontend_defaults"})
		if len(entries) != 1 {
			f.Fatalf("got %+v", entries)
		}
		f.same("action", entries[0].Action, "frontend_defaults.update")
		f.same("actor", entries[0].Actor, operator)
		f.same("after", string(entries[0].After), `{"create_default_params":{"moderatorPW":"•••"},"id":null,"meetings_limit":{"limit":3}}`)
	})

	run(t, open, "leave no trace of what changes nothing", func(f *fixture) {
		want := edited(f, func(v *b3scale.FrontendSettings) { v.MeetingsLimit = &b3scale.MeetingsLimit{Limit: 3} })
		entries, version := f.entries(b3scale.AuditQuery{}), f.configVersion()
		f.same("answer", edited(f, func(v *b3scale.FrontendSettings) { v.JoinDefaultParams["none"] = "" }), want)
		refusal := errors.New("refused")
		_, err := f.store.EditFrontendDefaults(f.Context(), operator, func(v *b3scale.FrontendSettings) error {
			v.MeetingsLimit.Limit = 4
			return refusal
		})
		if !errors.Is(err, refusal) || b3scale.CodeOf(err) != "" {
			f.Errorf("got %v, want the edit's own error", err)
		}
		f.same("read", defaults(f), want)
		f.same("audit", f.entries(b3scale.AuditQuery{}), entries)
		f.same("version", f.configVersion(), version)
	})

	run(t, open, "lose no edit of many at once", func(f *fixture) {
		parallel(20, func(int) {
			_, err := f.store.EditFrontendDefaults(f.Context(), operator, func(v *b3scale.FrontendSettings) error {
				if v.MeetingsLimit == nil {
					v.MeetingsLimit = &b3scale.MeetingsLimit{}
				}
				v.MeetingsLimit.Limit++
				return nil
			})
			if err != nil {
				f.Error(err)
			}
		})
		f.same("edits", defaults(f).MeetingsLimit.Limit, 20)
	})
}
