package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"b3scale"
)

func testRecordings(t *testing.T, open opener) {
	run(t, open, "are stored as they came", func(f *fixture) {
		before := f.now()
		want := b3scale.Recording{
			ID: "a-1", FrontendID: f.frontend, MeetingID: "Küche 'x'", InternalMeetingID: "a-1", Name: "👩‍🏫 \"Physics\" \\ %_",
			Breakout: true, Published: true, State: "available", StartMillis: 1_700_000_000_000, EndMillis: 1_700_000_360_000, Participants: 7, RawSize: 1 << 40,
			Metadata:   map[string]string{"meetingId": "Küche 'x'", "empty": "", "Name": "upper", "name": "lower"},
			BreakoutOf: &b3scale.RecordingParent{ParentID: "p-1", Sequence: 3, FreeJoin: true}, BreakoutRooms: []string{"b-1", "b-2"},
			Formats: []b3scale.RecordingFormat{
				{Type: "video", URL: "https://node/playback/video/a-1/?a=b&c", Size: 5},
				{Type: "presentation", URL: "https://node/p/a-1", ProcessingMillis: 1, DurationMillis: 2, Extensions: "<x>é</x>", Data: true,
					Preview: []b3scale.RecordingImage{{URL: "/thumb-1.png", Alt: "Folie „1“", Width: 176, Height: 136}}},
			},
		}
		f.putRecordings(want)
		got := f.recording("a-1")
		if got.CreatedAt < before || got.UpdatedAt < got.CreatedAt || got.Version < int64(before) {
			f.Errorf("got %+v, want times from %d on", got, before)
		}
		want.CreatedAt, want.UpdatedAt, want.Version = got.CreatedAt, got.UpdatedAt, got.Version
		f.same("read", got, want)
		f.finds("listed", b3scale.RecordingQuery{}, 1, "a-1")

		want.SetPublished(false)
		want.Metadata, want.Formats, want.BreakoutOf, want.BreakoutRooms, want.Breakout = map[string]string{"only": "this"}, want.Formats[:1], nil, nil, false
		want.CreatedAt, want.Version = 0, 0
		f.putRecordings(want)
		again := f.recording("a-1")
		if again.CreatedAt != got.CreatedAt || again.UpdatedAt < got.UpdatedAt || again.Version <= got.Version {
			f.Errorf("got %+v after %+v", again, got)
		}
		want.CreatedAt, want.UpdatedAt, want.Version = got.CreatedAt, again.UpdatedAt, again.Version
		f.same("put again", again, want)
		f.finds("by metadata that it had", metadata("meetingid", "Küche 'x'"), 0)
		f.finds("by metadata that it has", metadata("only", "this"), 1, "a-1")
	})

	run(t, open, "need hardly anything", func(f *fixture) {
		f.putRecordings(b3scale.Recording{ID: "bare", FrontendID: f.frontend})
		got := f.recording("bare")
		f.same("bare", got, b3scale.Recording{ID: "bare", FrontendID: f.frontend, Metadata: map[string]string{},
			CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt, Version: got.Version})
		_, err := f.store.Recording(f.Context(), "unknown")
		f.code("unknown", err, b3scale.NotFound)
	})

	run(t, open, "that no database can store are refused", func(f *fixture) {
		f.putRecordings(b3scale.Recording{ID: "a", FrontendID: f.frontend, MeetingID: "m"})
		was := f.recording("a")
		for _, odd := range []string{"ro\x00om", "room\xc3", "\xed\xa0\x80"} {
			for what, change := range map[string]func(r *b3scale.Recording){
				"meeting":          func(r *b3scale.Recording) { r.MeetingID = odd },
				"internal meeting": func(r *b3scale.Recording) { r.InternalMeetingID = odd },
				"name":             func(r *b3scale.Recording) { r.Name = odd },
				"state":            func(r *b3scale.Recording) { r.State = odd },
				"frontend":         func(r *b3scale.Recording) { r.FrontendID = odd },
				"metadata":         func(r *b3scale.Recording) { r.Metadata["a"] = odd },
				"metadata's name":  func(r *b3scale.Recording) { r.Metadata[odd] = "a" },
				"parent":           func(r *b3scale.Recording) { r.BreakoutOf = &b3scale.RecordingParent{ParentID: odd} },
				"room":             func(r *b3scale.Recording) { r.BreakoutRooms = []string{odd} },
			} {
				err := f.store.EditRecordings(f.Context(), "", []string{"a"}, func(r *b3scale.Recording) error { change(r); return nil })
				f.code("edit "+what, err, b3scale.InvalidArgument)
				f.code("put "+what, f.commits([]string{"a"}, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) {
					r := f.recording("a")
					change(&r)
					return []b3scale.Recording{r}, nil, nil
				}), b3scale.InvalidArgument)
			}
			for what, formats := range map[string][]b3scale.RecordingFormat{
				"type": {{Type: odd}}, "URL": {{URL: odd}}, "extensions": {{Extensions: odd}},
				"image": {{Preview: []b3scale.RecordingImage{{URL: odd}}}}, "alt": {{Preview: []b3scale.RecordingImage{{Alt: odd}}}},
			} {
				f.code(what, f.commits([]string{"a"}, func(now []b3scale.Recording) ([]b3scale.Recording, []string, error) {
					now[0].Formats = formats
					return now, nil, nil
				}), b3scale.InvalidArgument)
			}
			for what, q := range map[string]b3scale.RecordingQuery{
				"frontend": {FrontendID: odd}, "ids": {IDs: []string{"a", odd}}, "prefixes": {IDPrefixes: []string{odd}}, "meetings": {MeetingIDs: []string{odd}},
				"states": {States: []string{odd}}, "name": metadata(odd, "x"), "value": metadata("x", odd),
			} {
				_, err := f.store.Recordings(f.Context(), q, func(b3scale.Recording) {})
				f.code("find by "+what, err, b3scale.InvalidArgument)
			}
			f.code("edit", f.store.EditRecordings(f.Context(), "", []string{odd}, nil), b3scale.InvalidArgument)
			_, err := f.store.Recording(f.Context(), odd)
			f.code("read", err, b3scale.InvalidArgument)
			_, err = f.store.BeginRecordingOp(f.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: []string{odd}}, time.Hour)
			f.code("begin", err, b3scale.InvalidArgument)
		}
		f.code("long name", f.store.EditRecordings(f.Context(), "", []string{"a"}, func(r *b3scale.Recording) error {
			r.Metadata[strings.Repeat("x", 256)] = ""
			return nil
		}), b3scale.InvalidArgument)
		f.same("refused", f.recording("a"), was)
	})

	run(t, open, "keep their frontend", func(f *fixture) {
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		f.putRecordings(b3scale.Recording{ID: "a", FrontendID: f.frontend}, b3scale.Recording{ID: "b", FrontendID: f.frontend, State: "s"},
			b3scale.Recording{ID: "c", FrontendID: other, State: "s"})
		counts, err := f.store.CountRecordings(f.Context())
		f.must(err)
		got := map[b3scale.RecordingCount]bool{}
		for _, c := range counts {
			got[c] = true
		}
		f.same("counted", got, map[b3scale.RecordingCount]bool{
			{FrontendID: f.frontend, Count: 1}: true, {FrontendID: f.frontend, State: "s", Count: 1}: true, {FrontendID: other, State: "s", Count: 1}: true,
		})

		f.claimed(f.a)
		_, err = f.store.DeleteFrontend(f.Context(), f.frontend, operator)
		f.code("delete", err, b3scale.Conflict)
		if want := "the frontend has 2 recordings: delete them or move them to another frontend first"; err != nil && !strings.Contains(err.Error(), want) {
			f.Errorf("got %q, want it to say %q", err, want)
		}
		f.meeting(f.key) // nothing of it is deleted
		move := func(id, to string) error {
			return f.store.EditRecordings(f.Context(), "", []string{id}, func(r *b3scale.Recording) error { r.FrontendID = to; return nil })
		}
		f.code("move to nobody", move("a", "unknown"), b3scale.NotFound)
		f.must(move("a", other))
		f.finds("of one", b3scale.RecordingQuery{FrontendID: f.frontend}, 1, "b")
		f.finds("of the other", b3scale.RecordingQuery{FrontendID: other}, 2, "c", "a")
		f.removeRecordings("b")
		_, err = f.store.DeleteFrontend(f.Context(), f.frontend, operator)
		f.must(err)
		f.code("put for nobody", f.commits([]string{"d"}, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) {
			return []b3scale.Recording{{ID: "d", FrontendID: f.frontend}}, nil, nil
		}), b3scale.NotFound)
		f.finds("the rest", b3scale.RecordingQuery{}, 2, "c", "a")
	})

	run(t, open, "of a frontend that is being deleted are refused, or keep it", func(f *fixture) {
		for i := range 10 {
			frontend := f.addFrontend(b3scale.Frontend{Key: fmt.Sprint("frontend ", i)}).ID
			id := fmt.Sprint("r-", i)
			var put, deleted error
			parallel(2, func(n int) {
				if n == 0 {
					_, deleted = f.store.DeleteFrontend(f.Context(), frontend, operator)
					return
				}
				put = f.commits([]string{id}, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) {
					return []b3scale.Recording{{ID: id, FrontendID: frontend}}, nil, nil
				})
			})
			if put == nil {
				f.code("delete what has a recording", deleted, b3scale.Conflict)
				f.recording(id)
			} else {
				f.code("put", put, b3scale.NotFound)
				f.must(deleted)
			}
		}
	})
}

func metadata(name, value string) b3scale.RecordingQuery {
	return b3scale.RecordingQuery{Metadata: []b3scale.MetadataMatch{{Name: name, Value: value}}}
}

func (f *fixture) recording(id string) b3scale.Recording {
	f.Helper()
	r, err := f.store.Recording(f.Context(), id)
	f.must(err)
	return r
}

// beginsOp begins work of any kind.
func (f *fixture) beginsOp(lease time.Duration, ids ...string) b3scale.RecordingOp {
	f.Helper()
	op, err := f.store.BeginRecordingOp(f.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: ids}, lease)
	f.must(err)
	return op
}

// commits does work on recordings from its beginning to its end.
func (f *fixture) commits(ids []string, settle func([]b3scale.Recording) ([]b3scale.Recording, []string, error)) error {
	op, err := f.store.BeginRecordingOp(f.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: ids}, time.Hour)
	if err != nil {
		return err
	}
	ours, err := f.store.CommitRecordingOp(f.Context(), op, settle)
	if err == nil && !ours {
		err = fmt.Errorf("work on %q was lost", ids)
	}
	if _, finish := f.store.FinishRecordingOp(f.Context(), op); finish != nil {
		return finish
	}
	return err
}

func (f *fixture) putRecordings(all ...b3scale.Recording) {
	f.Helper()
	var ids []string
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	f.must(f.commits(ids, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) { return all, nil, nil }))
}

func (f *fixture) removeRecordings(ids ...string) {
	f.Helper()
	f.must(f.commits(ids, func([]b3scale.Recording) ([]b3scale.Recording, []string, error) { return nil, ids, nil }))
}

// finds checks which recordings a query finds, and the total.
func (f *fixture) finds(what string, q b3scale.RecordingQuery, total int, want ...string) {
	f.Helper()
	var got []string
	n, err := f.store.Recordings(f.Context(), q, func(r b3scale.Recording) { got = append(got, r.ID) })
	f.must(err)
	f.same(what, strings.Join(got, " "), strings.Join(want, " "))
	f.same(what+": total", n, total)
}
