package storetest

import (
	"errors"
	"fmt"
	"testing"

	"b3scale"
)

func testRecordingEdits(t *testing.T, open opener) {
	run(t, open, "leave what says where files are", func(f *fixture) {
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		formats := []b3scale.RecordingFormat{{Type: "video", URL: "u"}}
		f.putRecordings(b3scale.Recording{ID: "a", FrontendID: f.frontend, MeetingID: "m", State: "available", Formats: formats, Metadata: map[string]string{"Old": "1", "kept": "2"}})
		was := f.recording("a")
		f.must(f.store.EditRecordings(f.Context(), f.frontend, []string{"a"}, func(r *b3scale.Recording) error {
			f.same("as it is now", *r, was)
			r.ID, r.CreatedAt, r.UpdatedAt, r.Version = "b", 1, 1, 1
			r.SetPublished(true)
			r.Formats[0].URL = "x"
			r.Formats = append(r.Formats, b3scale.RecordingFormat{Type: "podcast"})
			r.FrontendID, r.MeetingID, r.InternalMeetingID, r.Name, r.Breakout = other, "n", "i", "name", true
			r.StartMillis, r.EndMillis, r.Participants, r.RawSize = 1, 2, 3, 4
			r.BreakoutOf, r.BreakoutRooms = &b3scale.RecordingParent{ParentID: "p"}, []string{"q"}
			delete(r.Metadata, "Old")
			r.Metadata["new"] = "3"
			return nil
		}))
		got := f.recording("a")
		if got.UpdatedAt < was.UpdatedAt || got.Version <= was.Version {
			f.Errorf("got %+v after %+v", got, was)
		}
		f.same("edited", got, b3scale.Recording{
			ID: "a", FrontendID: other, MeetingID: "n", InternalMeetingID: "i", Name: "name", Breakout: true, State: "available",
			StartMillis: 1, EndMillis: 2, Participants: 3, RawSize: 4, Metadata: map[string]string{"kept": "2", "new": "3"},
			BreakoutOf: &b3scale.RecordingParent{ParentID: "p"}, BreakoutRooms: []string{"q"}, Formats: formats,
			CreatedAt: was.CreatedAt, UpdatedAt: got.UpdatedAt, Version: got.Version,
		})
		f.finds("old metadata", metadata("old", "1"), 0)
		f.finds("kept metadata", metadata("kept", "2"), 1, "a")
		f.finds("new metadata", metadata("new", "3"), 1, "a")
		f.finds("old meeting", b3scale.RecordingQuery{FrontendID: f.frontend}, 0)
		f.finds("new meeting", b3scale.RecordingQuery{FrontendID: other, MeetingIDs: []string{"n"}}, 1, "a")
	})

	run(t, open, "change all or none", func(f *fixture) {
		other := f.addFrontend(b3scale.Frontend{Key: "other"}).ID
		f.putRecordings(b3scale.Recording{ID: "a", FrontendID: f.frontend}, b3scale.Recording{ID: "b", FrontendID: f.frontend}, b3scale.Recording{ID: "c", FrontendID: other})
		mark := func(r *b3scale.Recording) error {
			r.Name += "x"
			r.Metadata["mark"] = "x"
			return nil
		}
		was := []b3scale.Recording{f.recording("a"), f.recording("b"), f.recording("c")}
		none := func(what string) {
			f.Helper()
			f.same(what, []b3scale.Recording{f.recording("a"), f.recording("b"), f.recording("c")}, was)
			f.finds(what, metadata("mark", "x"), 0)
		}
		f.code("unknown", f.store.EditRecordings(f.Context(), "", []string{"a", "b", "x"}, mark), b3scale.NotFound)
		f.code("empty", f.store.EditRecordings(f.Context(), "", []string{"a", ""}, mark), b3scale.NotFound)
		f.code("somebody else's", f.store.EditRecordings(f.Context(), f.frontend, []string{"a", "c"}, mark), b3scale.NotFound)
		f.code("nobody's", f.store.EditRecordings(f.Context(), "x", []string{"a"}, mark), b3scale.NotFound)
		none("not there")
		refusal := errors.New("no")
		err := f.store.EditRecordings(f.Context(), "", []string{"a", "b"}, func(r *b3scale.Recording) error {
			if r.ID == "b" {
				return refusal
			}
			return mark(r)
		})
		if !errors.Is(err, refusal) {
			f.Errorf("got %v, want %v", err, refusal)
		}
		err = f.store.EditRecordings(f.Context(), "", []string{"a", "b"}, func(r *b3scale.Recording) error {
			if r.ID == "b" {
				r.FrontendID = "unknown"
			}
			return mark(r)
		})
		f.code("moved to nobody", err, b3scale.NotFound)
		none("refused")
		f.must(f.store.EditRecordings(f.Context(), "", nil, mark))
		none("of none")

		f.must(f.store.EditRecordings(f.Context(), f.frontend, []string{"b", "a", "b"}, mark)) // each once
		f.finds("marked", metadata("mark", "x"), 2, "b", "a")
		f.same("a", f.recording("a").Name, "x")
		f.must(f.store.EditRecordings(f.Context(), "", []string{"c", "a"}, mark))
		f.same("a", f.recording("a").Name, "xx")
		f.same("c", f.recording("c").Name, "x")
	})

	run(t, open, "of many at once", func(f *fixture) {
		recordings := make([]b3scale.Recording, 1000)
		ids := make([]string, len(recordings))
		for i := range recordings {
			ids[i] = fmt.Sprintf("r-%04d", i)
			recordings[i] = b3scale.Recording{ID: ids[i], FrontendID: f.frontend, Metadata: map[string]string{"a": "1", "b": "2"}}
		}
		f.putRecordings(recordings...)
		f.must(f.store.EditRecordings(f.Context(), f.frontend, ids, func(r *b3scale.Recording) error { r.Metadata["a"] = r.ID; return nil }))
		f.finds("one of them", metadata("a", "r-0500"), 1, "r-0500")
		f.removeRecordings(ids...)
		f.finds("gone", b3scale.RecordingQuery{}, 0)
	})

	run(t, open, "lose nothing beside each other and beside work on files", func(f *fixture) {
		f.putRecordings(b3scale.Recording{ID: "a", FrontendID: f.frontend}, b3scale.Recording{ID: "b", FrontendID: f.frontend})
		const callers, times = 6, 10
		parallel(callers, func(i int) {
			ids := []string{"a", "b"}
			if i%2 == 1 {
				ids = []string{"b", "a"}
			}
			for range times {
				if i > 0 {
					if err := f.store.EditRecordings(f.Context(), "", ids, func(r *b3scale.Recording) error { r.Participants++; r.Metadata[fmt.Sprint(i)] += "x"; return nil }); err != nil {
						f.Error(err)
					}
					continue
				}
				err := f.commits(ids, func(now []b3scale.Recording) ([]b3scale.Recording, []string, error) {
					for n := range now {
						now[n].RawSize++
						now[n].Participants++
					}
					return now, nil, nil
				})
				if err != nil {
					f.Error(err)
				}
			}
		})
		for _, id := range []string{"a", "b"} {
			r := f.recording(id)
			f.same("files", r.RawSize, int64(times))
			f.same("edits", r.Participants, callers*times)
			for i := 1; i < callers; i++ {
				f.same("metadata", r.Metadata[fmt.Sprint(i)], "xxxxxxxxxx")
				f.finds("by metadata", metadata(fmt.Sprint(i), "xxxxxxxxxx"), 2, "b", "a")
			}
		}
	})
}
