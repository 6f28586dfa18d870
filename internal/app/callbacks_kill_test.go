package app_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/app"
	"b3scale/internal/auth"
	"b3scale/internal/callbacks"
	"b3scale/internal/config"
	"b3scale/internal/pgtest"
)

// asQuickMain makes the test binary a b3scaled that tries callbacks again soon.
const asQuickMain = "B3SCALE_TEST_AS_QUICK_MAIN"

func quickMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, _, err := config.Load(os.Environ(), config.Options{})
	if err == nil {
		log, level := app.NewLog(cfg, os.Stderr)
		var a *app.App
		if a, err = app.New(ctx, cfg, log, app.Options{Level: level, Callbacks: callbacks.Options{
			Poll: 50 * time.Millisecond, Pause: 50 * time.Millisecond, MaxPause: 500 * time.Millisecond,
			Timeout: 5 * time.Second, Grace: 3 * time.Second, PerHost: 16,
		}, Recordings: mortalRecordings()}); err == nil {
			err = a.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

const manyCallbacks = 2000

// flaky is the server of a frontend that fails half of the time.
type flaky struct {
	mu    sync.Mutex
	taken map[string]int             // by meeting
	keys  map[string]map[string]bool // by meeting, the ids of its messages
	total atomic.Int64
}

func (f *flaky) answer(m message, _ int) int {
	meeting := m.url
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[meeting] == nil {
		f.keys[meeting] = map[string]bool{}
	}
	f.keys[meeting][m.header.Get("Idempotency-Key")] = true
	if rand.IntN(2) == 0 {
		return http.StatusInternalServerError
	}
	f.taken[meeting]++
	f.total.Add(1)
	return http.StatusOK
}

func TestCallbacksSurviveKill9(t *testing.T) {
	t.Parallel()
	duplicates := manyCallbacksArrive(t, func(members []*daemon, f *flaky) {
		eventually(t, "some have arrived", func() bool { return f.total.Load() > manyCallbacks/10 })
		members[0].kill()
		members[0].start(t)
	})
	t.Logf("%d duplicates after a kill", duplicates)
}

func TestCallbacksArriveOnce(t *testing.T) {
	t.Parallel()
	if duplicates := manyCallbacksArrive(t, func([]*daemon, *flaky) {}); duplicates > manyCallbacks/100 {
		t.Errorf("%d duplicates without a kill, want %d at most", duplicates, manyCallbacks/100)
	}
}

// manyCallbacksArrive lets nodes tell two instances of many ends, while
// something else happens, and counts what came twice.
func manyCallbacksArrive(t *testing.T, meanwhile func([]*daemon, *flaky)) (duplicates int) {
	t.Helper()
	to := newLMS(t)
	f := &flaky{taken: map[string]int{}, keys: map[string]map[string]bool{}}
	to.answer = f.answer
	env := callbackEnviron("", "https://b3scale.example.org")
	env[0] = "B3SCALE_DB_URL=" + pgtest.NewDatabase(t)
	env = append(env, "B3SCALE_DB_POOL_SIZE=8")
	seeded := open(t, env)
	frontendID := seeded.Cluster().Frontend(frontendKey).ID
	if err := seeded.Stop(); err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var members []*daemon
	for range 2 {
		d := &daemon{binary: binary, env: append(slices.Clone(env), asQuickMain+"=1")}
		t.Cleanup(d.kill)
		d.begin(t)
		members = append(members, d)
	}
	for _, d := range members {
		d.waitReady(t)
	}
	var calls sync.WaitGroup
	var next atomic.Int64
	keys := auth.NewKeys(callbackJWTSecret, "")
	for range 8 {
		calls.Go(func() {
			for i := next.Add(1); i <= manyCallbacks; i = next.Add(1) {
				id := fmt.Sprint("m-", i)
				token, err := keys.MintCallback(b3scale.CallbackTicket{
					FrontendID: frontendID, Target: to.URL + "/end", Kind: b3scale.CallbackEnd, MeetingID: id, Origin: b3scale.Origin{Generation: i},
				})
				if err != nil {
					t.Error(err)
					return
				}
				path := callbacks.Path + token + "?recordingmarks=false&meetingID=" + b3scale.EncodeMeetingID(frontendKey, id)
				for members[rand.IntN(2)].get(t.Context(), path).status != http.StatusOK { // as nodes try again
					if t.Context().Err() != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	meanwhile(members, f)
	calls.Wait()
	within(t, time.Minute, "all have arrived", func() string {
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.taken); n < manyCallbacks {
			return fmt.Sprintf("%d of %d", n, manyCallbacks)
		}
		return ""
	})
	for _, d := range members { // what is under way ends
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range members {
		if err := finishes(t, "b3scaled", background(d.cmd.Wait)); err != nil {
			t.Errorf("%v, its log:\n%s", err, tail(d.log.String(), 20))
		}
		noSecrets(t, "the log", d.log.String(), callbackJWTSecret, "eyJ")
		d.cmd = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for meeting, n := range f.taken {
		if duplicates += n - 1; len(f.keys[meeting]) != 1 {
			t.Errorf("%s came under %d ids", meeting, len(f.keys[meeting]))
		}
	}
	return duplicates
}
