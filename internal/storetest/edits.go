package storetest

import (
	"errors"
	"fmt"
	"testing"

	"b3scale"
)

// testEdits edits at once what else changes.
func testEdits(t *testing.T, open opener) {
	edit := func(f *fixture, change func(b *b3scale.Backend)) {
		f.Helper()
		_, err := f.store.EditBackend(f.Context(), f.a, operator, func(b *b3scale.Backend) error { change(b); return nil })
		if err != nil {
			f.Error(err)
		}
	}

	run(t, open, "a hundred at once lose nothing", func(f *fixture) {
		// SQLite's writer does several in one transaction: those that fail in
		// between must spoil nothing.
		refused := errors.New("refused")
		parallel(125, func(i int) {
			if i%5 == 4 {
				_, err := f.store.EditBackend(f.Context(), f.a, operator, func(b *b3scale.Backend) error {
					b.Settings.Tags = append(b.Settings.Tags, "refused")
					return refused
				})
				if !errors.Is(err, refused) {
					f.Error(err)
				}
				return
			}
			edit(f, func(b *b3scale.Backend) { b.Settings.Tags = append(b.Settings.Tags, fmt.Sprint("tag", i)) })
		})
		tags := make(map[string]bool)
		for _, tag := range f.backend(f.a).Settings.Tags {
			tags[tag] = true
		}
		f.same("tags", len(tags), 100)
		f.same("refused", tags["refused"], false)
		f.same("entries", len(f.entries(b3scale.AuditQuery{ObjectID: f.a})), 101)
	})

	run(t, open, "edits and facts do not undo each other", func(f *fixture) {
		const rounds = 20
		declared := make(chan struct{})
		parallel(4, func(i int) {
			for n := 1; n <= rounds; n++ {
				switch i {
				case 0:
					edit(f, func(b *b3scale.Backend) { b.Settings.MaxMeetings++ })
				case 1:
					edit(f, func(b *b3scale.Backend) { b.LoadFactor++ })
				case 2:
					if err := f.store.MarkListed(f.Context(), f.a, b3scale.Micros(n)); err != nil {
						f.Error(err)
					}
				case 3:
					if ok, err := f.store.DeclareLost(f.Context(), f.a, operator); err != nil || !ok {
						f.Errorf("declare lost: got %v, %v", ok, err)
					}
					if n == rounds {
						close(declared)
						break
					}
					if ok, err := f.store.ClearLost(f.Context(), f.a); err != nil || !ok {
						f.Errorf("clear: got %v, %v", ok, err)
					}
				}
			}
		})
		<-declared
		b := f.backend(f.a)
		f.same("max meetings", b.Settings.MaxMeetings, rounds)
		f.same("load factor", b.LoadFactor, float64(rounds))
		f.same("listed", b.ListedAt, b3scale.Micros(rounds))
		f.same("lost", b.Lost, true)
	})

	run(t, open, "one of many gets a name", func(f *fixture) {
		ids := []string{f.a, f.b, f.c}
		parallel(9, func(i int) {
			_, err := f.store.EditBackend(f.Context(), ids[i%3], operator, func(b *b3scale.Backend) error {
				b.AgentRef = "agent"
				return nil
			})
			if code := b3scale.CodeOf(err); err != nil && code != b3scale.Conflict {
				f.Error(err)
			}
		})
		owners := 0
		for _, id := range ids {
			if f.backend(id).AgentRef == "agent" {
				owners++
			}
		}
		f.same("owners", owners, 1)
	})
}
