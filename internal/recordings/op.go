package recordings

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	gosync "sync"
	"time"

	"b3scale"
)

var (
	errUnderWay = b3scale.Errorf(b3scale.Unavailable, "the files of the recording are being worked on: try again later")
	errStopping = errors.New("the program stops")
	errLost     = errors.New("the work could not be renewed in the store: another instance may have taken it over")
)

// op is work that this process has.
type op struct {
	b3scale.RecordingOp
	l       *Library
	touched bool // files were moved, or soon are

	mu    gosync.Mutex
	until time.Time // nobody else may have the op before
	lost  bool      // somebody else may have it
}

func (l *Library) newOp(booked b3scale.RecordingOp, asked time.Time) *op {
	return &op{RecordingOp: booked, l: l, until: asked.Add(l.opts.Lease / 2)}
}

// renewed notes that the op is ours for another while, counted from when we
// asked.
func (o *op) renewed(asked time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.until = asked.Add(o.l.opts.Lease / 2)
}

// mine is an error when somebody else may have the op. We may have been asleep:
// the clock on the wall tells that of machines that were frozen.
func (o *op) mine() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.After(o.until) || now.Round(0).After(o.until.Round(0)) {
		o.lost = true
	}
	if o.lost {
		return errLost
	}
	return nil
}

func (o *op) lose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = true
}

// rename and remove touch files, unless the op may be somebody else's by now.
func (o *op) rename(from, to string) (bool, error) {
	if err := o.mine(); err != nil {
		return false, err
	}
	return o.l.rename(from, to)
}

func (o *op) remove(dir string) error {
	if err := o.mine(); err != nil {
		return err
	}
	return remove(dir)
}

func (o *op) step(name string) {
	if o.l.opts.Step != nil {
		o.l.opts.Step(string(o.Kind) + ":" + name)
	}
}

// commit writes the rows. Whoever has the op decides; not we if it is no longer
// ours.
func (o *op) commit(ctx context.Context, settle func(now []b3scale.Recording) (put []b3scale.Recording, gone []string, err error)) error {
	o.step("commit")
	switch mine, err := o.l.store.CommitRecordingOp(ctx, o.RecordingOp, settle); {
	case err != nil:
		return err
	case !mine:
		o.lose()
		return errLost
	}
	o.step("committed")
	return nil
}

// work books work on recordings, does it, and makes rows and files agree again,
// whatever came of it. It goes on when ctx is over: half of it would be worse
// than none, and files may be large.
func (l *Library) work(ctx context.Context, booked b3scale.RecordingOp, do func(context.Context, *op) error) error {
	booked.IDs = slices.Compact(slices.Sorted(slices.Values(booked.IDs)))
	o, err := l.begin(ctx, booked)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	l.atWork.Go(func() {
		inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		defer cancel(nil)
		defer context.AfterFunc(l.halt, func() { cancel(errStopping) })()
		go l.keep(inner, o, cancel)
		err := l.inTheEnd(inner, o, do(inner, o))
		if l.opts.Done != nil {
			l.opts.Done(o.Kind, err)
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errUnderWay
	}
}

// begin books work. It waits for other work on the same recordings, and ends
// that of those who are gone.
func (l *Library) begin(ctx context.Context, booked b3scale.RecordingOp) (*op, error) {
	if l.opts.Observe {
		return nil, errObserving
	}
	if err := l.mounted(ctx); err != nil {
		return nil, err
	}
	for until := time.Now().Add(l.opts.Patience); ; {
		asked := time.Now()
		begun, err := l.store.BeginRecordingOp(ctx, booked, l.opts.Lease)
		if err == nil {
			return l.newOp(begun, asked), nil
		}
		if b3scale.CodeOf(err) != b3scale.Conflict || time.Now().After(until) {
			return nil, err
		}
		if err := l.repairOps(ctx, booked.IDs); err != nil {
			return nil, err
		}
		if err := pause(ctx, 50*time.Millisecond+rand.N(100*time.Millisecond)); err != nil { //nolint:gosec // it spreads load
			return nil, errUnderWay
		}
	}
}

// keep renews the op until ctx is over. It ends the work in time when that
// fails: then others may begin to tidy up.
func (l *Library) keep(ctx context.Context, o *op, cancel context.CancelCauseFunc) {
	for pause(ctx, l.opts.Lease/5) == nil {
		asked := time.Now()
		within, stop := context.WithTimeout(ctx, l.opts.Lease/5)
		mine, err := l.store.RenewRecordingOp(within, o.RecordingOp, l.opts.Lease)
		stop()
		switch {
		case err == nil && mine:
			o.renewed(asked)
		case err == nil, o.mine() != nil:
			o.lose()
			cancel(errLost)
			return
		}
	}
}

// inTheEnd makes rows and files agree after work that ended with an error, or
// nil. When that is not possible, the op stays, and Run tries again.
func (l *Library) inTheEnd(ctx context.Context, o *op, outcome error) error {
	if ctx.Err() != nil {
		outcome = errors.Join(outcome, context.Cause(ctx))
	}
	if err := o.mine(); err != nil { // whoever has it tidies up
		outcome = errors.Join(outcome, err)
	} else if err := l.finish(ctx, o, outcome == nil || o.touched); err != nil {
		l.log.ErrorContext(ctx, "work on recordings is not finished: it is tried again", "op", o.ID, "kind", o.Kind, "recordings", o.IDs, "error", err)
	}
	if outcome == nil {
		return nil
	}
	return fileError(outcome)
}

func (l *Library) finish(ctx context.Context, o *op, settle bool) error {
	if settle {
		if err := l.settle(ctx, o); err != nil {
			return err
		}
		o.step("settled")
	}
	switch mine, err := l.store.FinishRecordingOp(ctx, o.RecordingOp); {
	case err != nil:
		return fmt.Errorf("finish: %w", err)
	case !mine:
		return errLost
	}
	return nil
}

// Run repairs what work that broke off has left, now and whenever there is
// some. When ctx is over, work that is under way may go on for a while; then it
// breaks off, and the next start repairs it.
func (l *Library) Run(ctx context.Context) error {
	for {
		if err := l.repairOps(ctx, nil); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "cannot repair recordings", "error", err)
		}
		if pause(ctx, l.opts.Lease/2) != nil {
			break
		}
	}
	defer time.AfterFunc(grace, l.stop).Stop()
	l.atWork.Wait()
	return nil
}

// grace is how long work may go on when we are to stop.
const grace = 10 * time.Second

// repairOps takes over work on these recordings, or on all, whose owners are
// gone, and ends it.
func (l *Library) repairOps(ctx context.Context, ids []string) error {
	for !l.opts.Observe {
		asked := time.Now()
		lapsed, err := l.store.TakeRecordingOps(ctx, ids, l.opts.Lease, 1)
		if err != nil || len(lapsed) == 0 {
			return err
		}
		if err := l.repairOp(ctx, l.newOp(lapsed[0], asked)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Library) repairOp(ctx context.Context, o *op) error {
	if err := l.mounted(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go l.keep(ctx, o, cancel)
	if err := l.finish(ctx, o, true); err != nil {
		return fmt.Errorf("repair %s of %v: %w", o.Kind, o.IDs, err)
	}
	l.log.WarnContext(ctx, "repaired what broke off", "kind", o.Kind, "recordings", o.IDs, "begun", o.CreatedAt.Time())
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
