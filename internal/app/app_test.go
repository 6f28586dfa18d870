package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"b3scale"
	"b3scale/bbb/bbbtest"
)

// From an empty file to a meeting, and the meeting is there after a restart.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	env := environ(file(t))
	d := start(t, env, n)
	eventually(t, "it is ready", d.ready)
	if status, body := d.get("/healthz"); status != http.StatusOK {
		t.Errorf("healthz: got %d %s", status, body)
	}
	if status, body := d.call("create", "name=Room&meetingID=room"); status != http.StatusOK || !strings.Contains(body, "SUCCESS") {
		t.Fatalf("create: got %d %s", status, body)
	}
	url := d.URL()
	if err := finishes(t, "Stop", background(d.Stop)); err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, url+"/healthz"); status != 0 {
		t.Errorf("after Stop somebody answers %d", status)
	}
	for _, want := range []string{"the database is new and empty", "serving", "ready", "draining", "stopped"} {
		if !strings.Contains(d.log.String(), want) {
			t.Errorf("the log does not tell %q: %s", want, d.log)
		}
	}
	noSecrets(t, "the log", d.log.String())

	again := start(t, env, n)
	// At once: memory comes from the file, not from the nodes.
	if status, body := again.call("join", "meetingID=room&role=VIEWER&fullName=Ada"); status != http.StatusFound {
		t.Errorf("join after a restart: got %d %s", status, body)
	}
	if strings.Contains(again.log.String(), "new and empty") {
		t.Errorf("the database is taken for a new one: %s", again.log)
	}
}

func TestSeedKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	d := open(t, environ(file(t)), node(t, bbbtest.Options{}))
	frontend := b3scale.Frontend{Key: "fe", Secret: "another", Active: false}
	backend := b3scale.Backend{Host: d.Cluster().Backends()[0].Host, Secret: "another", AdminState: b3scale.AdminStopped, LoadFactor: 7}
	if err := d.Seed(t.Context(), []b3scale.Frontend{frontend, {Key: "new", Secret: "x", Active: true}}, []b3scale.Backend{backend}); err != nil {
		t.Fatal(err)
	}
	if f := d.Cluster().Frontend("fe"); f == nil || f.Secret != frontendSecret || !f.Active {
		t.Errorf("the frontend was overwritten: %+v", f)
	}
	if all := d.Cluster().Backends(); len(all) != 1 || all[0].Secret != nodeSecret || all[0].LoadFactor != 1 {
		t.Errorf("the backend was overwritten")
	}
	if d.Cluster().Frontend("new") == nil {
		t.Error("the new frontend is missing")
	}
}

// Two daemons on one file would place every meeting twice.
func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	env := environ(file(t))
	first := start(t, env)
	_, err := tryOpen(t, env)
	if err == nil {
		t.Fatal("a second daemon opened the same file")
	}
	for _, want := range []string{"b3scale.db", "another process has it open", "pid "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell %q: %v", want, err)
		}
	}
	if status, _ := first.get("/healthz"); status != http.StatusOK {
		t.Errorf("the first daemon answers %d", status)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	next, err := tryOpen(t, env)
	if err != nil {
		t.Fatalf("after the first has stopped: %v", err)
	}
	if err := next.Stop(); err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	env := environ(file(t), "B3SCALE_LISTEN_HTTP="+taken.Addr().String())
	d, err := tryOpen(t, env)
	if err != nil {
		t.Fatal(err)
	}
	err = finishes(t, "Run", background(func() error { return d.Run(t.Context()) }))
	if err == nil || !strings.Contains(err.Error(), "B3SCALE_LISTEN_HTTP="+taken.Addr().String()) {
		t.Errorf("got %v, want it to name the variable and its value", err)
	}
	open(t, environ(strings.TrimPrefix(env[0], "B3SCALE_DB_URL=sqlite:"))) // the file is free again
}

func TestRunStopsWithItsContext(t *testing.T) {
	t.Parallel()
	d := open(t, environ(file(t)), node(t, bbbtest.Options{}))
	ctx, stop := context.WithCancel(t.Context())
	done := background(func() error { return d.Run(ctx) })
	eventually(t, "it is ready", func() bool { return strings.Contains(d.log.String(), `"msg":"ready"`) })
	stop()
	if err := finishes(t, "Run", done); err != nil {
		t.Errorf("got %v", err)
	}
}

// A context that is over before the start must not leave anything behind.
func TestRunWithAContextThatIsOver(t *testing.T) {
	t.Parallel()
	env := environ(file(t))
	d, err := tryOpen(t, env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_ = finishes(t, "Run", background(func() error { return d.Run(ctx) }))
	open(t, env)
}

// Joins are served at once; that the nodes are not probed yet is told to
// balancers.
func TestReadyAfterTheProbes(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	env := environ(file(t))
	d := start(t, env, n)
	eventually(t, "it is ready", d.ready)
	d.call("create", "name=Room&meetingID=room")
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}

	n.SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
	d = start(t, env, n)
	if status, body := d.get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz before the probes: got %d %s", status, body)
	}
	if status, body := d.get("/healthz"); status != http.StatusOK {
		t.Errorf("healthz before the probes: got %d %s", status, body)
	}
	if status, body := d.call("join", "meetingID=room&role=VIEWER&fullName=Ada"); status != http.StatusFound {
		t.Errorf("join before the probes: got %d %s", status, body)
	}
	n.ClearFaults()
	eventually(t, "it is ready", d.ready)
}

// One that never answers must not keep the others from working.
func TestReadyInSpiteOfASilentBackend(t *testing.T) {
	t.Parallel()
	silent := node(t, bbbtest.Options{Name: "silent"})
	silent.SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole})
	d := start(t, environ(file(t)), node(t, bbbtest.Options{Name: "good"}), silent)
	eventually(t, "it is ready", d.ready)
	if status, body := d.call("create", "name=Room&meetingID=room"); status != http.StatusOK || !strings.Contains(body, "SUCCESS") {
		t.Errorf("create: got %d %s", status, body)
	}
}

// What is in flight is answered; nobody is told any more that this daemon is
// ready.
func TestDrain(t *testing.T) {
	t.Parallel()
	n := node(t, bbbtest.Options{})
	d := start(t, environ(file(t)), n)
	eventually(t, "it is ready", d.ready)
	n.SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"create"}})
	created := background(func() error {
		if status, body := d.call("create", "name=Room&meetingID=room"); status != http.StatusOK || !strings.Contains(body, "SUCCESS") {
			return fmt.Errorf("got %d %s", status, body)
		}
		return nil
	})
	eventually(t, "the create is at the node", func() bool { return len(n.Calls("create")) == 1 })

	stopped := background(d.Stop)
	eventually(t, "the daemon drains", func() bool { return strings.Contains(d.log.String(), "draining") })
	if status, body := d.get("/readyz"); status == http.StatusOK {
		t.Errorf("readyz while draining: got %d %s, want 503 or no answer", status, body)
	}
	select {
	case err := <-stopped:
		t.Fatalf("Stop did not wait for the create: %v", err)
	default:
	}
	n.ClearFaults()
	if err := finishes(t, "the create", created); err != nil {
		t.Errorf("create: %v", err)
	}
	if err := finishes(t, "Stop", stopped); err != nil {
		t.Error(err)
	}
}

func TestStopWithoutAStart(t *testing.T) {
	t.Parallel()
	env := environ(file(t))
	d := open(t, env)
	for range 2 {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	}
	open(t, env)
}
