package storetest

import (
	"testing"

	"b3scale"
)

func testFrontends(t *testing.T, open opener) {
	full := b3scale.Frontend{
		Key: "moodle", Secret: "first ' secret", SecondarySecret: "second", Active: true, AccountRef: "customer 12",
		Settings: b3scale.FrontendSettings{RequiredTags: b3scale.Tags{"big", "süß"}},
	}
	list := func(f *fixture) []b3scale.Frontend {
		f.Helper()
		frontends, err := f.store.Frontends(f.Context())
		f.must(err)
		return frontends
	}

	run(t, open, "inserts and lists by key", func(f *fixture) {
		before := f.now()
		got := f.saveFrontend(full)
		want := full
		want.ID, want.CreatedAt, want.UpdatedAt, want.Version = got.ID, got.CreatedAt, got.UpdatedAt, got.Version
		f.same("saved", got, want)
		if len(got.ID) != 36 || got.CreatedAt < before || got.UpdatedAt < before || got.Version < int64(before) {
			f.Errorf("got %+v, want an id and times from %d on", got, before)
		}
		f.saveFrontend(b3scale.Frontend{Key: "a"})
		all := list(f)
		f.same("number", len(all), 3) // "greenlight" is there from the start
		f.same("first", all[0].Key, "a")
		f.same("last", all[2], want)
	})

	run(t, open, "overwrites", func(f *fixture) {
		old := f.saveFrontend(full)
		change := b3scale.Frontend{ID: old.ID, Key: "nextcloud", Secret: "third", CreatedAt: 1, UpdatedAt: 2, Version: 3}
		got := f.saveFrontend(change)
		want := change
		want.CreatedAt, want.UpdatedAt, want.Version = old.CreatedAt, got.UpdatedAt, got.Version
		f.same("saved", got, want)
		f.same("read", list(f)[1], want)
		if got.UpdatedAt < old.UpdatedAt || got.Version <= old.Version {
			f.Errorf("got %+v, want it newer than %+v", got, old)
		}
	})

	run(t, open, "refuses a key that is taken", func(f *fixture) {
		saved := f.saveFrontend(full)
		_, err := f.store.SaveFrontend(f.Context(), b3scale.Frontend{Key: "moodle"})
		f.code("insert", err, b3scale.Conflict)
		taken := saved
		taken.Key = "greenlight"
		_, err = f.store.SaveFrontend(f.Context(), taken)
		f.code("overwrite", err, b3scale.Conflict)
		f.same("read", list(f)[1], saved)
		f.saveFrontend(saved) // its own key is not taken
		f.saveFrontend(b3scale.Frontend{Key: "Moodle"})
	})

	run(t, open, "refuses an id that nobody has", func(f *fixture) {
		_, err := f.store.SaveFrontend(f.Context(), b3scale.Frontend{ID: "unknown", Key: "other"})
		f.code("save", err, b3scale.NotFound)
		f.same("number", len(list(f)), 1)
	})
}
