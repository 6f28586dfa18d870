package storetest

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"

	"github.com/google/go-cmp/cmp"
)

func testRecordingOps(t *testing.T, open opener) {
	type recordings = []b3scale.Recording

	run(t, open, "keep others away until they are finished", func(f *fixture) {
		before := f.now()
		op, err := f.store.BeginRecordingOp(f.Context(), b3scale.RecordingOp{
			Kind: b3scale.RecordingPublish, IDs: []string{"b", "a", "b"}, Formats: []string{"video", "notes"}, ID: "x", Holder: "y", Lapsed: true, CreatedAt: 1,
		}, time.Hour)
		f.must(err)
		if op.ID == "x" || op.Holder == "y" || len(op.ID) != 36 || len(op.Holder) != 36 || op.CreatedAt < before {
			f.Errorf("got %+v", op)
		}
		f.same("begun", op, b3scale.RecordingOp{ID: op.ID, Kind: b3scale.RecordingPublish, IDs: []string{"a", "b"}, Formats: []string{"video", "notes"}, Holder: op.Holder, CreatedAt: op.CreatedAt})
		_, err = f.store.BeginRecordingOp(f.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: []string{"c", "b"}}, time.Hour)
		f.code("on one of them", err, b3scale.Conflict)
		_, err = f.store.BeginRecordingOp(f.Context(), b3scale.RecordingOp{Kind: "x", IDs: []string{"d"}}, time.Hour)
		f.code("no such work", err, b3scale.InvalidArgument)
		other := f.beginsOp(time.Hour, "c") // of the refused nothing is left

		listed := op
		listed.Holder = ""
		f.listsOps(listed, b3scale.RecordingOp{ID: other.ID, Kind: b3scale.RecordingImport, IDs: []string{"c"}, CreatedAt: other.CreatedAt})
		stranger := op
		stranger.Holder = other.Holder
		f.finishesOp(stranger, false)
		f.finishesOp(op, true)
		f.finishesOp(op, false)
		again := f.beginsOp(time.Hour, "a", "b")
		f.finishesOp(again, true)
		f.finishesOp(other, true)
		f.listsOps()
		f.finishesOp(f.beginsOp(time.Hour), true)
	})

	run(t, open, "write rows and delete them at once", func(f *fixture) {
		f.putRecordings(b3scale.Recording{ID: "a", FrontendID: f.frontend, Name: "old"}, b3scale.Recording{ID: "b", FrontendID: f.frontend, Metadata: map[string]string{"x": "y"}},
			b3scale.Recording{ID: "other", FrontendID: f.frontend})
		op := f.beginsOp(time.Hour, "new", "b", "a", "never")
		commit := func(put recordings, gone ...string) error {
			ours, err := f.store.CommitRecordingOp(f.Context(), op, func(now []b3scale.Recording) ([]b3scale.Recording, []string, error) {
				f.same("rows", len(now), 2)
				f.same("first", now[0], f.recording("a"))
				f.same("second", now[1], f.recording("b"))
				now[1].Metadata["x"] = "changed, but not put"
				return put, gone, nil
			})
			f.same("ours", ours, err == nil)
			return err
		}
		mine := b3scale.Recording{ID: "a", FrontendID: f.frontend}
		f.code("put another's", commit(recordings{mine, {ID: "other", FrontendID: f.frontend}}), b3scale.InvalidArgument)
		f.code("delete another's", commit(recordings{mine}, "other"), b3scale.InvalidArgument)
		f.code("put and delete", commit(recordings{mine}, "a"), b3scale.InvalidArgument)
		f.code("put twice", commit(recordings{mine, mine}), b3scale.InvalidArgument)
		f.code("put nobody's", commit(recordings{mine, {ID: "new", FrontendID: "unknown"}}, "b"), b3scale.NotFound)
		f.code("no id", commit(recordings{{FrontendID: f.frontend}}), b3scale.InvalidArgument)
		refusal := errors.New("no")
		_, err := f.store.CommitRecordingOp(f.Context(), op, func(recordings) (recordings, []string, error) { return recordings{mine}, []string{"b"}, refusal })
		if !errors.Is(err, refusal) {
			f.Errorf("got %v, want %v", err, refusal)
		}
		f.finds("refused", b3scale.RecordingQuery{}, 3, "other", "b", "a")
		f.same("refused", f.recording("a").Name, "old")

		f.must(commit(recordings{{ID: "new", FrontendID: f.frontend, Published: true, Metadata: map[string]string{"x": "z"}}, mine}, "b"))
		f.finds("done", b3scale.RecordingQuery{}, 3, "other", "new", "a")
		f.same("written", f.recording("a").Name, "")
		f.same("published", f.recording("new").Published, true)
		f.finds("metadata of what is gone", metadata("x", "y"), 0)
		f.finds("metadata", metadata("x", "z"), 1, "new")
		f.finishesOp(op, true)
	})

	run(t, open, "are taken when whoever had them is gone", func(f *fixture) {
		f.putRecordings(b3scale.Recording{ID: "a", FrontendID: f.frontend})
		lost := f.beginsOp(-time.Second, "a", "b")
		other := f.beginsOp(-time.Second, "c")
		alive := f.beginsOp(time.Hour, "d")
		take := func(what string, lease time.Duration, n int, ids []string, want ...b3scale.RecordingOp) []b3scale.RecordingOp {
			f.Helper()
			taken, err := f.store.TakeRecordingOps(f.Context(), ids, lease, n)
			f.must(err)
			f.same(what, len(taken), len(want))
			for i, op := range taken[:min(len(taken), len(want))] {
				if op.Holder == want[i].Holder || len(op.Holder) != 36 {
					f.Errorf("%s: got the holder %q", what, op.Holder)
				}
				want[i].Holder = op.Holder
				f.same(what, op, want[i])
			}
			return taken
		}
		for _, op := range f.ops() {
			f.same("lapsed", op.Lapsed, op.ID != alive.ID)
		}
		take("what is alive", time.Hour, 10, []string{"d"})
		take("what is about others", time.Hour, 10, []string{"x"})
		take("what is about nothing", time.Hour, 10, []string{})
		take("none", time.Hour, 0, nil)
		take("one of all", -time.Second, 1, nil, lost)
		first := take("one of some", -time.Second, 10, []string{"x", "b"}, lost)[0]
		second := take("all", time.Hour, 10, nil, lost, other)[0]
		take("again", time.Hour, 10, nil)
		f.same("another holder", first.Holder == second.Holder, false)

		for _, gone := range []b3scale.RecordingOp{lost, first} {
			f.renewsOp(gone, false)
			ours, err := f.store.CommitRecordingOp(f.Context(), gone, func(recordings) (recordings, []string, error) {
				f.Error("asked who has lost it")
				return nil, []string{"a"}, nil
			})
			f.expect("commit by who has lost it", ours, err, false)
			f.finishesOp(gone, false)
		}
		f.finds("nothing changed", b3scale.RecordingQuery{}, 1, "a")
		_, err := f.store.BeginRecordingOp(f.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingImport, IDs: []string{"b"}}, time.Hour)
		f.code("while it is repaired", err, b3scale.Conflict)
		ours, err := f.store.CommitRecordingOp(f.Context(), second, func(recordings) (recordings, []string, error) { return nil, []string{"a"}, nil })
		f.expect("commit", ours, err, true)
		f.finishesOp(second, true)
		f.finds("deleted", b3scale.RecordingQuery{}, 0)
		f.finishesOp(f.beginsOp(time.Hour, "a", "b"), true)
	})

	run(t, open, "stay with whoever renews them", func(f *fixture) {
		op := f.beginsOp(-time.Second, "a")
		f.renewsOp(op, true) // nobody was faster
		taken, err := f.store.TakeRecordingOps(f.Context(), nil, time.Hour, 10)
		f.must(err)
		f.same("taken", len(taken), 0)
		f.same("lapsed", f.ops()[0].Lapsed, false)
		op.ID = "x"
		f.renewsOp(op, false)
	})

	run(t, open, "are each for one of many", func(f *fixture) {
		for range 5 {
			var won, lapsed atomic.Int64
			parallel(12, func(i int) {
				ids := []string{"a", "b"}
				if i%2 == 1 {
					ids = []string{"b", "a", "c"}
				}
				_, err := f.store.BeginRecordingOp(f.Context(), b3scale.RecordingOp{Kind: b3scale.RecordingDelete, IDs: ids}, -time.Second)
				if err == nil {
					won.Add(1)
				} else {
					f.code("the others", err, b3scale.Conflict)
				}
			})
			f.same("begun", won.Load(), int64(1))
			f.same("stored", len(f.ops()), 1)
			holders := make(chan b3scale.RecordingOp, 12)
			parallel(cap(holders), func(int) {
				taken, err := f.store.TakeRecordingOps(f.Context(), []string{"b"}, time.Hour, 10)
				if err != nil {
					f.Error(err)
				}
				for _, op := range taken {
					lapsed.Add(1)
					holders <- op
				}
			})
			f.same("taken", lapsed.Load(), int64(1))
			f.finishesOp(<-holders, true)
		}
	})
}

func (f *fixture) ops() []b3scale.RecordingOp {
	f.Helper()
	ops, err := f.store.RecordingOps(f.Context())
	f.must(err)
	return ops
}

func (f *fixture) listsOps(want ...b3scale.RecordingOp) {
	f.Helper()
	if diff := cmp.Diff(want, f.ops()); diff != "" {
		f.Errorf("ops (-want +got):\n%s", diff)
	}
}

func (f *fixture) renewsOp(op b3scale.RecordingOp, want bool) {
	f.Helper()
	ok, err := f.store.RenewRecordingOp(f.Context(), op, time.Hour)
	f.expect("renew", ok, err, want)
}

func (f *fixture) finishesOp(op b3scale.RecordingOp, want bool) {
	f.Helper()
	ok, err := f.store.FinishRecordingOp(f.Context(), op)
	f.expect("finish", ok, err, want)
}
