package app_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/auth"
	"b3scale/internal/pgtest"
	"b3scale/internal/routing"
)

// nodedSite is a node with Redis and b3scalenoded, and an instance on the same
// database.
type nodedSite struct {
	t          *testing.T
	server     *pgtest.Server
	instance   *instance
	api        *daemon // the same, to ask it
	node       *bbbtest.Node
	properties string
	noded      *nodedProcess
	logs       *syncBuffer // of all that ran
}

func newNodedSite(t *testing.T) *nodedSite {
	t.Helper()
	s := &nodedSite{t: t, server: pgtest.Start(t), logs: &syncBuffer{}}
	queue := startRedis(t)
	client := redis.NewClient(&redis.Options{Addr: queue.addr, PoolSize: 1, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	s.node = node(t, bbbtest.Options{Events: func(channel string, message []byte) {
		_ = client.Publish(context.Background(), channel, message).Err()
	}})
	s.properties = writeProperties(t, s.node, queue.addr)
	dsn := withPassword(t, s.server.DSN())
	d, err := tryOpen(t, []string{"B3SCALE_DB_URL=" + dsn, "B3SCALE_LISTEN_HTTP=127.0.0.1:0", "B3SCALE_API_JWT_SECRET=" + jwtSecret}, s.node)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Stop() })
	if err := d.Seed(t.Context(), []b3scale.Frontend{{Key: frontendKey, Secret: frontendSecret, Active: true}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.instance, s.api = d, &daemon{}
	s.api.address.Store(new(d.Addr()))
	s.noded = &nodedProcess{logs: s.logs, env: []string{
		"B3SCALE_DB_URL=" + dsn, "BBB_CONFIG=" + s.properties, "BBB_CONFIG_DEFAULTS=" + s.properties, "B3SCALE_LOG_LEVEL=debug",
	}}
	t.Cleanup(func() {
		s.noded.kill()
		if t.Failed() {
			t.Logf("log of b3scalenoded:\n%s\nlog of the instance:\n%s", tail(s.logs.String(), 40), tail(d.log.String(), 20))
		}
	})
	return s
}

// says waits for texts in the log of the process that runs.
func (s *nodedSite) says(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		eventually(s.t, "it says "+text, func() bool { return strings.Contains(s.noded.log.String(), text) })
	}
}

// backend waits until the only backend, as the instance knows it, is so.
func (s *nodedSite) backend(what string, good func(*routing.Backend) bool) {
	s.t.Helper()
	within(s.t, 30*time.Second, "the backend "+what, func() string {
		all := s.instance.Cluster().Backends()
		if len(all) == 1 && good(all[0]) {
			return ""
		}
		return fmt.Sprintf("the backends are %+v", all)
	})
}

// edit is what an operator does with the backend.
func (s *nodedSite) edit(change func(*b3scale.Backend)) {
	s.t.Helper()
	id := s.instance.Cluster().Backends()[0].ID
	if _, err := s.instance.Cluster().EditBackend(s.t.Context(), id, b3scale.Actor{Subject: "operator"}, func(b *b3scale.Backend) error {
		change(b)
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

// heard waits until the instance knows that the process lives and hears Redis.
func (s *nodedSite) heard() {
	s.t.Helper()
	within(s.t, 30*time.Second, "the agent is heard", func() string {
		b := s.instance.Cluster().Backends()[0]
		views, err := s.instance.Cluster().NodeViews(s.t.Context())
		if v := views[b.ID]; err != nil || !b.AgentLive(time.Now()) || v.Node == nil || v.Node.Version != "b3scalenoded/"+app.Version || v.Node.Redis == nil || !*v.Node.Redis {
			return fmt.Sprintf("%+v, error %v", v, err)
		}
		return ""
	})
}

// comeAndGo lets people come and go until the meeting ends, and waits for the
// instance to show it each time.
func (s *nodedSite) comeAndGo(id string) {
	s.t.Helper()
	s.come(id)
	s.node.Leave(b3scale.EncodeMeetingID(frontendKey, id), "u1")
	s.shows(id, 2)
	if all := s.instance.Cluster().Room(s.key(id)).Crowd().All(); !slices.ContainsFunc(all, func(a b3scale.Attendee) bool { return a.Boot != "" }) {
		s.t.Errorf("%+v are known from a list, not from b3scalenoded", all)
	}
	s.node.EndNow(b3scale.EncodeMeetingID(frontendKey, id))
	s.says(`"meeting ended","meeting":"` + s.key(id).String() + `"`)
	eventually(s.t, "the meeting is over at the instance", func() bool { return s.instance.Cluster().Room(s.key(id)) == nil })
	if rows, seconds := ledger(s.t, s.server.DSN()); rows == 0 || seconds <= 0 {
		s.t.Errorf("the ledger has %d rows and %v s", rows, seconds)
	}
}

// come begins a meeting of three people.
func (s *nodedSite) come(id string) {
	s.t.Helper()
	within(s.t, 30*time.Second, "there is a meeting", func() string { // the database may have been away
		if s.api.create(s.t.Context(), id) == "" {
			return "create fails"
		}
		return ""
	})
	for i := range 3 {
		s.node.Join(b3scale.EncodeMeetingID(frontendKey, id), bbbtest.Attendee{UserID: fmt.Sprint("u", i), FullName: fmt.Sprint("Guest ", i), Role: bbbtest.Viewer})
	}
	s.shows(id, 3)
}

// shows waits until the instance shows so many people, to all who ask.
func (s *nodedSite) shows(id string, want int) {
	s.t.Helper()
	admin := token(s.t, "operator", auth.Admin)
	within(s.t, 30*time.Second, fmt.Sprintf("%d people are shown", want), func() string {
		_, body := s.instance.call("getMeetings", "")
		if got := s.api.counts(s.t, admin)[id]; got != want || !strings.Contains(body, fmt.Sprintf("<participantCount>%d</participantCount>", want)) {
			return fmt.Sprintf("%d are shown, and %s", got, body)
		}
		return ""
	})
}

func (s *nodedSite) key(id string) b3scale.MeetingKey {
	return b3scale.MeetingKey{FrontendID: s.instance.Cluster().Frontend(frontendKey).ID, MeetingID: id}
}

// audited wants these entries of b3scalenoded and no more.
func (s *nodedSite) audited(want ...string) {
	s.t.Helper()
	var entries []struct{ Action, Subject string }
	s.api.rest(s.t, token(s.t, "operator", auth.Admin), "/api/v1/audit?order=id", &entries)
	var got []string
	for _, e := range entries {
		if strings.HasPrefix(e.Subject, "b3scalenoded") {
			got = append(got, e.Action)
			if want := "b3scalenoded@" + strings.TrimPrefix(serverOf(s.node), "https://"); e.Subject != want {
				s.t.Errorf("the subject is %q, want %q", e.Subject, want)
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("the audit has %v, want %v", got, want)
	}
}

// serverOf is the node's address without that of the API.
func serverOf(n *bbbtest.Node) string { return strings.TrimSuffix(n.BaseURL(), "/bigbluebutton/api/") }

// nodedProcess is a real b3scalenoded.
type nodedProcess struct {
	env  []string
	cmd  *exec.Cmd
	log  *syncBuffer // of the last start
	logs *syncBuffer
}

var nodedBinary = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(scratch, "b3scalenoded")
	out, err := exec.Command("go", "build", "-o", binary, "b3scale/cmd/b3scalenoded").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build b3scalenoded: %w\n%s", err, out)
	}
	return binary, nil
})

func (p *nodedProcess) start(t *testing.T, args ...string) {
	t.Helper()
	binary, err := nodedBinary()
	if err != nil {
		t.Fatal(err)
	}
	p.log = &syncBuffer{}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	p.cmd.Env, p.cmd.Stderr = p.env, writers{p.log, p.logs}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// writers write to two places.
type writers [2]*syncBuffer

func (w writers) Write(b []byte) (int, error) {
	_, _ = w[0].Write(b)
	return w[1].Write(b)
}

// stop is SIGTERM, which it obeys.
func (p *nodedProcess) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := finishes(t, "b3scalenoded", background(p.cmd.Wait)); err != nil {
		t.Errorf("it ends with %v: %s", err, p.log)
	}
	p.cmd = nil
}

func (p *nodedProcess) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}
