package gateway

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"b3scale"
	"b3scale/bbb"
)

// flights make one call to a node of identical questions about a meeting that
// wait at the same time. Nothing is kept when the node has answered.
type flights struct {
	mu sync.Mutex
	of map[b3scale.MeetingKey]map[string]*flight // by all that makes them identical
}

// flight is one call with those who wait for it.
type flight struct {
	waiting  int // under the lock of flights
	stop     context.CancelFunc
	landed   chan struct{}
	answer   *bbb.Answer
	err      error
	panicked any
}

// join takes part in the flight, or begins it. One who leaves does not disturb
// the others; when all have left it ends.
func (fs *flights) join(ctx context.Context, key b3scale.MeetingKey, question string, call func(context.Context) (*bbb.Answer, error)) (*bbb.Answer, error) {
	f := fs.board(ctx, key, question, call)
	select {
	case <-f.landed:
		if f.panicked != nil {
			panic(f.panicked)
		}
		return f.answer, f.err
	case <-ctx.Done():
		fs.leave(key, question, f)
		return nil, context.Cause(ctx)
	}
}

func (fs *flights) board(ctx context.Context, key b3scale.MeetingKey, question string, call func(context.Context) (*bbb.Answer, error)) *flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.of[key][question]; f != nil {
		f.waiting++
		return f
	}
	f := &flight{waiting: 1, landed: make(chan struct{})}
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	if fs.of == nil {
		fs.of = map[b3scale.MeetingKey]map[string]*flight{}
	}
	if fs.of[key] == nil {
		fs.of[key] = map[string]*flight{}
	}
	fs.of[key][question] = f
	go func() {
		defer func() {
			if cause := recover(); cause != nil { // it is for the server to tell
				f.panicked = fmt.Sprintf("%v\n%s", cause, debug.Stack())
			}
			f.stop()
			fs.mu.Lock()
			fs.drop(key, question, f)
			fs.mu.Unlock()
			close(f.landed)
		}()
		f.answer, f.err = call(ctx)
	}()
	return f
}

func (fs *flights) leave(key b3scale.MeetingKey, question string, f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		fs.drop(key, question, f) // or somebody could still board
		f.stop()
	}
}

// drop expects the lock. Another flight may have taken the place.
func (fs *flights) drop(key b3scale.MeetingKey, question string, f *flight) {
	if fs.of[key][question] != f {
		return
	}
	delete(fs.of[key], question)
	if len(fs.of[key]) == 0 {
		delete(fs.of, key)
	}
}

// close lets nobody more board the flights about a meeting: something has been
// done to it, and whoever asks from now on must see that.
func (fs *flights) close(key b3scale.MeetingKey) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.of, key)
}
