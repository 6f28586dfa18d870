package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"b3scale"
)

// hold keeps the writer busy until the returned function is called, so that
// what is sent meanwhile becomes one group.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	began, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.writer.do(context.Background(), func(context.Context, session) error {
			close(began)
			<-free
			return nil
		})
	}()
	<-began
	return sync.OnceFunc(func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// queued waits until n jobs wait.
func queued(s *Store, n int) {
	w := s.writer.(*groupWriter)
	for {
		w.mu.Lock()
		waiting := len(w.waiting)
		w.mu.Unlock()
		if waiting >= n {
			return
		}
		runtime.Gosched()
	}
}

func insertLease(name string) job {
	return func(ctx context.Context, tx session) error {
		_, err := tx.exec(ctx, `INSERT INTO leases (name, holder, until) VALUES ($1, '', 0)`, name)
		return err
	}
}

func leases(t *testing.T, s *Store) (n int) {
	t.Helper()
	err := s.read(t.Context(), func(ctx context.Context, tx session) error {
		return tx.row(ctx, `SELECT count(*) FROM leases WHERE name <> 'verdict'`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOneJobsErrorHarmsNoOther(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	release := hold(t, s)
	const n = 40
	var runs atomic.Int64
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			errs[i] = s.write(context.Background(), func(ctx context.Context, tx session) error {
				runs.Add(1)
				if err := insertLease(fmt.Sprint(i))(ctx, tx); err != nil {
					return err
				}
				switch i {
				case 17:
					return errors.New("changed its mind")
				case 23:
					return insertLease("23")(ctx, tx) // not unique
				case 31:
					panic("a bug")
				}
				return nil
			})
		})
	}
	queued(s, n)
	release()
	wg.Wait()
	for i, err := range errs {
		want := map[int]string{17: "changed its mind", 23: "exists already", 31: "a bug"}[i]
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("job %d: got %v, want %q", i, err, want)
		}
	}
	if got := b3scale.CodeOf(errs[23]); got != b3scale.Conflict {
		t.Errorf("got code %q, want conflict", got)
	}
	if got := leases(t, s); got != n-3 {
		t.Errorf("got %d rows, want %d", got, n-3)
	}
	if got := runs.Load(); got <= n {
		t.Errorf("%d runs: they were not tried together", got)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	release := hold(t, s)
	const n = 3*maxGroup + 5
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := s.write(context.Background(), insertLease(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	queued(s, n)
	release()
	wg.Wait()
	if got := leases(t, s); got != n {
		t.Errorf("got %d rows, want %d", got, n)
	}
}

func TestAFailedCommitReachesEverybody(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	place(t, s)
	release := hold(t, s)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.write(context.Background(), func(ctx context.Context, tx session) error {
				if i == 3 { // nothing is wrong until the commit
					if _, err := tx.exec(ctx, `PRAGMA defer_foreign_keys = ON`); err != nil {
						return err
					}
					_, err := tx.exec(ctx, `UPDATE meetings SET backend_id = 'unknown'`)
					return err
				}
				return insertLease(fmt.Sprint(i))(ctx, tx)
			})
		})
	}
	queued(s, len(errs))
	release()
	wg.Wait()
	for i, err := range errs {
		if got := b3scale.CodeOf(err); got != b3scale.Unavailable {
			t.Errorf("job %d: got %v", i, err)
		}
	}
	if got := leases(t, s); got != 0 {
		t.Errorf("got %d rows, want none", got)
	}
	if err := s.write(t.Context(), insertLease("later")); err != nil {
		t.Errorf("the writer did not go on: %v", err)
	}
}

func TestAFullDiskPasses(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	m := place(t, s)
	limit := func(pages int) {
		t.Helper()
		err := s.write(t.Context(), func(ctx context.Context, tx session) error {
			var got int
			return tx.row(ctx, fmt.Sprint("PRAGMA max_page_count = ", pages)).Scan(&got)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	big := b3scale.Incarnation{InternalID: "r1", Info: []byte(strings.Repeat("x", 1<<20))}
	limit(1) // as many as there are
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, _, err := s.ConfirmMeeting(context.Background(), m.Key, m.Generation, big); b3scale.CodeOf(err) != b3scale.Unavailable {
				t.Errorf("got %v, want it to be unavailable", err)
			}
		})
	}
	wg.Wait()
	if got, err := s.Meeting(t.Context(), m.Key); err != nil || got.State != b3scale.MeetingCreating {
		t.Errorf("reading beside a full disk: got %+v, %v", got, err)
	}
	if _, err := s.EndMeeting(t.Context(), m); err != nil {
		t.Errorf("what needs no room: %v", err)
	}
	limit(1 << 30)
	m, _, err := s.ClaimMeeting(t.Context(), b3scale.Claim{Key: m.Key, BackendID: m.BackendID})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.ConfirmMeeting(t.Context(), m.Key, m.Generation, big); err != nil || !ok {
		t.Errorf("with room again: got %v, %v", ok, err)
	}
}

func TestABrokenConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	if err := s.write(t.Context(), insertLease("before")); err != nil {
		t.Fatal(err)
	}
	err := s.write(t.Context(), func(_ context.Context, tx session) error { return tx.(*conn).close() })
	if b3scale.CodeOf(err) != b3scale.Unavailable {
		t.Errorf("got %v, want it to be unavailable", err)
	}
	if err := s.write(t.Context(), insertLease("after")); err != nil {
		t.Error(err)
	}
	if got := leases(t, s); got != 2 {
		t.Errorf("got %d rows, want 2", got)
	}
	err = s.read(t.Context(), func(_ context.Context, tx session) error {
		return errors.Join(errors.New("broken"), tx.(*conn).close())
	})
	if b3scale.CodeOf(err) != b3scale.Unavailable {
		t.Errorf("got %v, want it to be unavailable", err)
	}
	leases(t, s)
	pragmas(t, s.write, map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"})
	pragmas(t, s.read, map[string]string{"journal_mode": "wal", "query_only": "1", "busy_timeout": "5000"})
}

func pragmas(t *testing.T, lend func(context.Context, job) error, want map[string]string) {
	t.Helper()
	for name, want := range want {
		var got string
		err := lend(t.Context(), func(ctx context.Context, tx session) error {
			return tx.row(ctx, `PRAGMA `+name).Scan(&got)
		})
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestACallerMayGiveUpUntilItsJobBegins(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, maxGroup+1) // more than the writer takes at once
	for range cap(answers) {
		go func() { answers <- s.write(ctx, insertLease("given up")) }()
	}
	queued(s, cap(answers))
	cancel()
	for range cap(answers) {
		if err := <-answers; b3scale.CodeOf(err) != b3scale.Unavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("waiting: got %v", err)
		}
	}
	patient := make(chan error, 1)
	go func() { patient <- s.write(context.Background(), insertLease("patient")) }()
	queued(s, cap(answers)+1)
	release()
	if err := <-patient; err != nil {
		t.Errorf("patient: got %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	err := s.write(ctx, func(jobCtx context.Context, tx session) error {
		cancel() // too late: it has begun
		if jobCtx.Err() != nil {
			t.Error("a job's context can be cancelled")
		}
		return insertLease("begun")(jobCtx, tx)
	})
	if err != nil {
		t.Errorf("begun: got %v", err)
	}
	if got := leases(t, s); got != 2 {
		t.Errorf("got %d rows, want 2", got)
	}
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	t.Parallel()
	s := openNew(t)
	release := hold(t, s)
	answers := make(chan error, 20)
	for i := range cap(answers) {
		go func() { answers <- s.write(context.Background(), insertLease(fmt.Sprint(i))) }()
	}
	queued(s, cap(answers))
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	release()
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.write(t.Context(), insertLease("late")); b3scale.CodeOf(err) != b3scale.Unavailable {
		t.Errorf("after Close: got %v", err)
	}
}
