package storetest

import (
	"errors"
	"testing"

	"b3scale"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func testFrontends(t *testing.T, open opener) {
	run(t, open, "inserts and lists by key", func(f *fixture) {
		before := f.now()
		got := f.addFrontend(fullFrontend())
		want := fullFrontend()
		want.ID, want.CreatedAt, want.UpdatedAt, want.Version = got.ID, got.CreatedAt, got.UpdatedAt, got.Version
		f.same("saved", got, want)
		if len(got.ID) != 36 || got.CreatedAt < before || got.UpdatedAt < before || got.Version < int64(before) {
			f.Errorf("got %+v, want an id and times from %d on", got, before)
		}
		f.addFrontend(b3scale.Frontend{Key: "a"})
		all := f.frontends()
		f.same("number", len(all), 3) // "greenlight" is there from the start
		f.same("first", all[0].Key, "a")
		f.same("last", all[2], want)
	})

	run(t, open, "gives each an id of its own", func(f *fixture) {
		first := f.addFrontend(fullFrontend())
		second := first
		second.Key = "other"
		if got := f.addFrontend(second); got.ID == first.ID || got.CreatedAt < first.CreatedAt || got.Version <= first.Version {
			f.Errorf("got %+v after %+v", got, first)
		}
	})

	run(t, open, "edits what operators set", func(f *fixture) {
		old := f.addFrontend(fullFrontend())
		got := f.editFrontend(old.ID, func(v *b3scale.Frontend) {
			f.same("edited", *v, old)
			*v = b3scale.Frontend{ID: "other", Key: "nextcloud", Secret: "third", CreatedAt: 1, UpdatedAt: 2, Version: 3,
				Settings: b3scale.FrontendSettings{JoinOverrideParams: b3scale.Params{"a": "b", "none": ""}}}
		})
		want := b3scale.Frontend{ID: old.ID, Key: "nextcloud", Secret: "third", CreatedAt: old.CreatedAt,
			UpdatedAt: got.UpdatedAt, Version: got.Version,
			Settings: b3scale.FrontendSettings{JoinOverrideParams: b3scale.Params{"a": "b"}}}
		for what, got := range map[string]b3scale.Frontend{"saved": got, "read": f.frontends()[1]} {
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				f.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		if got.UpdatedAt < old.UpdatedAt || got.Version <= old.Version {
			f.Errorf("got %+v, want it newer than %+v", got, old)
		}
	})

	run(t, open, "writes nothing when an edit changes nothing", func(f *fixture) {
		old := f.addFrontend(fullFrontend())
		entries := f.entries(b3scale.AuditQuery{})
		got := f.editFrontend(old.ID, func(v *b3scale.Frontend) {
			v.ID, v.Version, v.CreatedAt = "other", 1, 1
			v.Settings.CreateDefaultParams["none"] = ""
		})
		f.same("answer", got, old)
		f.same("read", f.frontends()[1], old)
		f.same("audit", f.entries(b3scale.AuditQuery{}), entries)
	})

	run(t, open, "writes nothing when an edit fails", func(f *fixture) {
		old := f.addFrontend(fullFrontend())
		entries := f.entries(b3scale.AuditQuery{})
		refused := errors.New("refused")
		_, err := f.store.EditFrontend(f.Context(), old.ID, operator, func(v *b3scale.Frontend) error {
			v.Key, v.Settings.RequiredTags[0] = "other", "other"
			return refused
		})
		if !errors.Is(err, refused) || b3scale.CodeOf(err) != "" {
			f.Errorf("got %v, want the edit's own error", err)
		}
		f.same("read", f.frontends()[1], old)
		f.same("audit", f.entries(b3scale.AuditQuery{}), entries)
	})

	run(t, open, "refuses a key that is taken", func(f *fixture) {
		saved := f.addFrontend(fullFrontend())
		_, err := f.store.AddFrontend(f.Context(), b3scale.Frontend{Key: "moodle"}, operator)
		f.refused("add", err, `the frontend key "moodle" is taken`)
		_, err = f.store.EditFrontend(f.Context(), saved.ID, operator, func(v *b3scale.Frontend) error {
			v.Key = "greenlight"
			return nil
		})
		f.refused("edit", err, `the frontend key "greenlight" is taken`)
		f.same("read", f.frontends()[1], saved)
		f.editFrontend(saved.ID, func(v *b3scale.Frontend) { v.Active = false }) // its own key is not taken
		f.addFrontend(b3scale.Frontend{Key: "Moodle"})
	})

	run(t, open, "refuses an id that nobody has", func(f *fixture) {
		_, err := f.store.EditFrontend(f.Context(), "unknown", operator, func(*b3scale.Frontend) error {
			f.Error("there was something to edit")
			return nil
		})
		f.code("edit", err, b3scale.NotFound)
		_, err = f.store.DeleteFrontend(f.Context(), "unknown", operator)
		f.code("delete", err, b3scale.NotFound)
		f.same("number", len(f.frontends()), 1)
	})
}

// fullFrontend has every setting.
func fullFrontend() b3scale.Frontend {
	public := b3scale.RecordingPublic
	return b3scale.Frontend{
		Key: "moodle", Secret: "first ' secret", SecondarySecret: "second", Active: true, AccountRef: "customer 12",
		Settings: b3scale.FrontendSettings{
			RequiredTags:         b3scale.Tags{"big", "süß"},
			DefaultPresentation:  &b3scale.DefaultPresentation{URL: "https://example.org/a.pdf?b=1&c=2", Force: true},
			AttendeesLimit:       &b3scale.AttendeesLimit{Limit: 500, Mode: b3scale.LimitWarns, ModeratorsExempt: true},
			CreateDefaultParams:  b3scale.Params{"record": "true"},
			CreateOverrideParams: b3scale.Params{"logo": "<é>", "meta_x": "'\"\\"},
			JoinDefaultParams:    b3scale.Params{"userdata-bbb_x": "1"},
			JoinOverrideParams:   b3scale.Params{},
			Recordings:           &b3scale.RecordingSettings{VisibilityOverride: &public},
			AllowedTags:          b3scale.Tags{"*"},
			CreateBlockedParams:  []string{"logo"},
			JoinBlockedParams:    []string{},
			CreateMaxParams:      b3scale.Caps{"duration": 60},
			MeetingsLimit:        &b3scale.MeetingsLimit{Limit: 7},
			RateLimit:            &b3scale.RateLimit{RequestsPerSecond: 2.5, Burst: 10},
		},
	}
}

func (f *fixture) frontends() []b3scale.Frontend {
	f.Helper()
	frontends, err := f.store.Frontends(f.Context())
	f.must(err)
	return frontends
}

// refused checks that a name was taken, and what the caller is told.
func (f *fixture) refused(what string, err error, want string) {
	f.Helper()
	f.code(what, err, b3scale.Conflict)
	if e, ok := errors.AsType[*b3scale.Error](err); ok {
		f.same(what, e.Message, want)
	}
}
