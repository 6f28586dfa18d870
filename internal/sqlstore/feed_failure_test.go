package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/pgtest"
)

func TestForeignNotificationIsMissed(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	r := follows(t, feedAt(t, dsn))
	r.missesAgain(func() { execPG(t, dsn, "SELECT pg_notify('b3scale', 'hello')") })
}

func TestKilledConnectionsAreMadeAgain(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	r, sender := follows(t, feedAt(t, dsn)), feedAt(t, dsn)
	sender.hint(room("before"))
	r.hears(room("before"))
	for _, name := range []string{"b3scale notify", "b3scale listen"} {
		kill := func() {
			execPG(t, dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name = $1`, name)
		}
		if name == "b3scale listen" {
			r.missesAgain(kill)
		} else {
			kill()
		}
		sender.hint(room(name)) // one is enough: what failed is sent again
		r.hears(room(name))
	}
}

func TestFeedSurvivesARestartOfTheServer(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	r, sender := follows(t, feedAt(t, s.DSN())), feedAt(t, s.DSN())
	sender.hint(room("before"))
	r.hears(room("before"))
	r.missesAgain(func() {
		s.Stop()
		sender.hint(room("meanwhile"))
		s.Start()
	})
	r.hearsAgain(sender)
}

func TestFeedNoticesAServerThatHangs(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	f := feedAt(t, s.DSN())
	noticed := make(chan struct{}, 100)
	f.log = slog.New(slog.NewTextHandler(writerFunc(func([]byte) { noticed <- struct{}{} }), nil))
	r, sender := follows(t, f), feedAt(t, s.DSN())
	sender.limits.deadline = 100 * time.Millisecond
	sender.hint(room("before"))
	r.hears(room("before"))
	r.missesAgain(func() {
		s.Pause()
		<-noticed // it warns that it hears nothing
		begun := time.Now()
		for i := range 3 * bagSize {
			sender.hint(room(fmt.Sprint(i)))
		}
		if d := time.Since(begun); d > 10*time.Second { // half a second under the race detector
			t.Errorf("hints to a server that hangs took %v", d)
		}
		begun = time.Now()
		other := feedAt(t, s.DSN())
		other.hint(configHint)
		other.close()
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("closing took %v", d)
		}
		s.Continue()
	})
	r.hearsAgain(sender)
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestHintsThatComeTooLateAreDropped(t *testing.T) {
	t.Parallel()
	f := feedAt(t, "postgres://nobody@127.0.0.1:1/none?sslmode=disable") // nobody listens there
	f.limits.late = time.Nanosecond
	f.hint(configHint)
	for deadline := time.Now().Add(30 * time.Second); ; {
		f.pending.mu.Lock()
		left := len(f.pending.hints)
		f.pending.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the hint is kept for ever")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestFeedTellsNoPassword(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var text bytes.Buffer
	lines := make(chan struct{}, 100)
	f := feedAt(t, "postgres://me:tops3cret@127.0.0.1:1/none?sslmode=disable")
	f.log = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) {
		mu.Lock()
		defer mu.Unlock()
		text.Write(p)
		lines <- struct{}{}
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	run(t, func(ctx context.Context) error { return f.follow(ctx, func() {}, func([]b3scale.Hint) {}) })
	f.hint(configHint)
	<-lines
	<-lines // of the one who listens and of the one who tells
	mu.Lock()
	defer mu.Unlock()
	if log := text.String(); !strings.Contains(log, "refused") || strings.Contains(log, "tops3cret") {
		t.Errorf("the log says %s", log)
	}
}
