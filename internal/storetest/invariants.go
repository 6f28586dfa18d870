package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"b3scale"

	"github.com/google/go-cmp/cmp"
)

// testInvariants walks at random through all that can happen to one key, and
// looks at the row and its orphans after each step.
func testInvariants(t *testing.T, open opener) {
	walk := func(name string, seed uint64, check func(f *fixture, was, is view)) {
		run(t, open, name, func(f *fixture) {
			w := &walker{fixture: f, rng: rand.New(rand.NewPCG(seed, 7))}
			was := w.look()
			for i := range 120 {
				step := w.step()
				is := w.look()
				check(f, was, is)
				if f.Failed() {
					f.Fatalf("step %d, %s:\nwas %+v\nis  %+v", i, step, was, is)
				}
				was = is
			}
		})
	}

	walk("I1 one home", 1, func(f *fixture, was, is view) {
		if is.row.Generation < was.row.Generation {
			f.Error("the generation went back")
		}
		if is.row.Generation == was.row.Generation && is.row.BackendID != was.row.BackendID {
			f.Error("it moved within a generation")
		}
		if !cmp.Equal(is.row, was.row) && is.row.Version <= was.row.Version {
			f.Error("it changed and its version did not grow")
		}
	})

	walk("I4 the past is booked", 2, func(f *fixture, was, is view) {
		if left := was.row.BackendID; left != "" && is.row.BackendID != left && !is.orphans[left] {
			f.Error("it left a backend that is not booked")
		}
		if is.row.Live() && is.orphans[is.row.BackendID] {
			f.Error("it lives where an orphan is booked")
		}
	})

	walk("I5 fences", 3, func(f *fixture, was, is view) {
		if is.row.Generation != was.row.Generation {
			return
		}
		active := is.row.State == b3scale.MeetingActive
		if is.row.CreateTime < was.row.CreateTime {
			f.Error("the create time went back within a generation")
		}
		if active && is.row.InternalID == was.row.LastEndedInternalID {
			f.Error("a room that ended was confirmed")
		}
		if active && is.row.InternalID != was.row.InternalID && is.row.InternalID == was.row.EndRequestedInternalID {
			f.Error("a room that is being ended was confirmed")
		}
		if !was.row.Live() && is.row.Live() && was.row.Generation != 0 {
			f.Error("a generation that ended lives again")
		}
	})
}

// view is what can be seen of one key.
type view struct {
	row     b3scale.Meeting // zero when there is none
	orphans map[string]bool
}

// walker remembers what a slow caller may still believe.
type walker struct {
	*fixture
	rng  *rand.Rand
	seen []b3scale.Meeting
}

func (w *walker) look() view {
	w.Helper()
	v := view{orphans: make(map[string]bool)}
	m, err := w.store.Meeting(w.Context(), w.key)
	if b3scale.CodeOf(err) != b3scale.NotFound {
		w.must(err)
		w.seen = append(w.seen, m)
	}
	v.row = m
	for _, id := range []string{w.a, w.b, w.c} {
		v.orphans[id] = len(w.orphans(id)) > 0
	}
	return v
}

// step does one thing, often with an old row in mind, and tells what.
func (w *walker) step() string {
	w.Helper()
	ctx := w.Context()
	backendID := []string{w.a, w.b, w.c}[w.rng.IntN(3)]
	r := room(fmt.Sprint("r", w.rng.IntN(8)))
	seen := b3scale.Meeting{Key: w.key}
	if n := len(w.seen); n > 0 {
		seen = w.seen[max(0, n-1-w.rng.IntN(3))] // mostly a recent one
	}
	if w.rng.IntN(3) == 0 && seen.InternalID != "" {
		r = seen.Incarnation
	}
	var err error
	what := ""
	switch w.rng.IntN(13) {
	case 0, 1, 2:
		what = "claim"
		_, _, err = w.store.ClaimMeeting(ctx, b3scale.Claim{Key: w.key, BackendID: backendID, Abandoned: []int64{seen.Generation}})
	case 3, 4:
		what = "confirm"
		_, _, err = w.store.ConfirmMeeting(ctx, w.key, seen.Generation, r)
	case 5:
		what = "end"
		_, err = w.store.EndMeeting(ctx, seen)
	case 6:
		what = "request end"
		_, _, err = w.store.RequestEnd(ctx, w.key, seen.Generation, seen.InternalID)
	case 7:
		what = "adopt or activate"
		if _, _, err = w.store.AdoptMeeting(ctx, w.key, backendID, r, 1); err == nil {
			_, _, err = w.store.ActivateMeeting(ctx, seen, backendID, r)
		}
	case 8:
		what = "book"
		_, err = w.store.BookOrphan(ctx, w.key, backendID, r.InternalID)
	case 9:
		what = "settle"
		elsewhere := &b3scale.Alive{Generation: seen.Generation, InternalID: seen.InternalID}
		if w.rng.IntN(2) == 0 {
			elsewhere = nil
		}
		_, _, err = w.store.SettleOrphan(ctx, w.key, backendID, r, elsewhere)
	case 10:
		what = "delete orphans"
		err = w.store.DeleteOrphans(ctx, backendID, []b3scale.MeetingKey{w.key}, w.now().Add(time.Hour), time.Duration(w.rng.IntN(2))*time.Hour)
	case 11:
		what = "lose or find"
		if _, err = w.store.ClearLost(ctx, backendID); err == nil && w.rng.IntN(2) == 0 {
			_, err = w.store.DeclareLost(ctx, backendID, operator)
		}
	case 12:
		what = "note a blunt end"
		err = w.store.NoteBluntEnd(ctx, w.key, backendID)
	}
	w.must(err)
	return what
}
