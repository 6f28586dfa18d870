package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/pgtest"
)

// Real Redis servers, real agents and real instances on one PostgreSQL: people
// come and go, and everybody knows how many are where.
func TestAgentsCountPeople(t *testing.T) {
	t.Parallel()
	agentsCountPeople(t, 5*time.Second, 10*time.Second, 0.05)
}

const (
	agentNodes    = 3
	agentMeetings = 20
	jwtSecret     = "a-secret-of-at-least-32-characters"
)

// agentsCountPeople lets people come and go for so long. What an instance shows
// of a meeting must have been true at most so long before; the ledger may be off
// by that share.
func agentsCountPeople(t *testing.T, churn, behind time.Duration, share float64) {
	t.Helper()
	a := newAgentSite(t)
	ctx, cancel := context.WithTimeout(t.Context(), churn)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { a.people.churn(ctx) })
	for ctx.Err() == nil {
		time.Sleep(time.Second)
		for i, d := range a.members {
			asked := time.Now()
			shown := d.counts(t, a.admin)
			for _, id := range a.people.ids {
				if !a.people.was(id, shown[id], asked.Add(-behind)) {
					t.Errorf("instance %d shows %d people in %s, which was not so in the last %v", i, shown[id], id, behind)
				}
			}
		}
	}
	wg.Wait()
	a.agree(t, 30*time.Second)
	a.people.leaveAll()
	for _, id := range a.people.ids {
		a.members[0].call(t.Context(), "end", "meetingID="+id)
	}
	var counted float64
	within(t, time.Minute, "all meetings are in the ledger", func() string {
		var rows int
		if rows, counted = ledger(t, a.dsn); rows != agentMeetings {
			return fmt.Sprintf("%d rows, want %d", rows, agentMeetings)
		}
		return ""
	})
	want := a.people.personSeconds()
	t.Logf("%d arrivals, %.1f person seconds, the ledger has %.1f", a.people.arrivals, want, counted)
	if off := counted/want - 1; off > share || off < -share {
		t.Errorf("the ledger is off by %.1f %%, want at most %.0f %%", 100*off, 100*share)
	}
}

// Whatever breaks on the way from the node to the instances: when it is whole
// again, the numbers are right after the next list, and nobody counts twice.
func TestAgentsSurvive(t *testing.T) {
	t.Parallel()
	a := newAgentSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { a.people.churn(ctx) })
	for what, happens := range map[string]func(){
		"Redis restarts": func() {
			a.redis[0].stop()
			time.Sleep(time.Second) // events are lost meanwhile
			a.redis[0].start(t)
		},
		"an agent is killed": func() {
			a.agents[1].kill()
			time.Sleep(time.Second)
			a.agents[1].start(t)
		},
		"an instance is killed": func() {
			a.members[1].kill()
			a.members[1].start(t)
			a.agents[1].api = a.members[1].url() // it has another port now
			a.agents[1].kill()
			a.agents[1].start(t)
		},
		"an agent stands still": func() {
			a.agents[2].signal(t, syscall.SIGSTOP)
			time.Sleep(7 * time.Second) // silent for longer than the 5 s that an agent may be
			a.agents[2].signal(t, syscall.SIGCONT)
		},
	} {
		happens()
		t.Log(what)
	}
	cancel()
	wg.Wait()
	a.agree(t, 90*time.Second)
}

// agentSite is nodes with Redis and agents, and two instances on one
// PostgreSQL, in some of whose meetings are people.
type agentSite struct {
	dsn     string
	admin   string // token
	redis   []*redisServer
	agents  []*agentProcess
	members []*daemon
	people  *simulation
}

func newAgentSite(t *testing.T) *agentSite {
	t.Helper()
	a := &agentSite{dsn: pgtest.NewDatabase(t), admin: token(t, "operator", auth.Admin)}
	s := &simulation{homes: map[string]*bbbtest.Node{}, people: map[string][]visit{}}
	var properties []string
	for i := range agentNodes {
		server := startRedis(t)
		a.redis = append(a.redis, server)
		client := redis.NewClient(&redis.Options{Addr: server.addr, PoolSize: 1, MaxRetries: -1})
		t.Cleanup(func() { _ = client.Close() })
		n := bbbtest.Start(t, bbbtest.Options{
			Name: fmt.Sprint("bbb", i), Version: []string{"3.0", "2.7", "2.5"}[i],
			Events: func(channel string, message []byte) {
				_ = client.Publish(context.Background(), channel, message).Err() // lost while Redis is away, as on a node
			},
		})
		s.nodes = append(s.nodes, n)
		properties = append(properties, writeProperties(t, n, server.addr))
	}
	env := []string{
		"B3SCALE_DB_URL=" + a.dsn, "B3SCALE_LISTEN_HTTP=127.0.0.1:0", "B3SCALE_DB_POOL_SIZE=8", "B3SCALE_API_JWT_SECRET=" + jwtSecret,
	}
	if err := open(t, env, s.nodes...).Stop(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d := &daemon{binary: buildDaemon(t), env: env}
		t.Cleanup(d.kill)
		d.start(t)
		a.members = append(a.members, d)
	}
	t.Cleanup(func() {
		for i, d := range a.members {
			noSecrets(t, fmt.Sprint("the log of instance ", i), d.log.String(), jwtSecret)
			if t.Failed() {
				t.Logf("log of instance %d:\n%s", i, tail(d.log.String(), 30))
			}
		}
	})
	for i, file := range properties {
		p := &agentProcess{number: i, api: a.members[i%2].url(), properties: file}
		t.Cleanup(func() {
			p.kill()
			if t.Failed() {
				t.Logf("log of agent %d:\n%s", i, tail(p.log.String(), 20))
			}
		})
		p.start(t)
		a.agents = append(a.agents, p)
	}
	within(t, time.Minute, "all agents are heard", func() string {
		var backends []struct {
			AgentRef  *string   `json:"agent_ref"`
			Heartbeat time.Time `json:"agent_heartbeat"`
		}
		a.members[1].rest(t, a.admin, "/api/v1/backends", &backends)
		for _, b := range backends {
			if b.AgentRef == nil || time.Since(b.Heartbeat) > 10*time.Second {
				return fmt.Sprintf("%+v", backends)
			}
		}
		return ""
	})
	for i := range agentMeetings {
		id := fmt.Sprint("class-", i)
		if a.members[i%2].create(t.Context(), id) == "" {
			t.Fatalf("create %s failed", id)
		}
		for _, n := range s.nodes {
			if _, ok := n.Room(b3scale.EncodeMeetingID(frontendKey, id)); ok {
				s.homes[id], s.ids = n, append(s.ids, id)
			}
		}
	}
	if len(s.ids) != agentMeetings {
		t.Fatalf("%d rooms, want %d", len(s.ids), agentMeetings)
	}
	s.snapshot()
	a.people = s
	return a
}

// agree waits until all instances show exactly who is there.
func (a *agentSite) agree(t *testing.T, patience time.Duration) {
	t.Helper()
	for i, d := range a.members {
		within(t, patience, fmt.Sprintf("instance %d shows exactly who is there", i), func() string {
			shown := d.counts(t, a.admin)
			for _, id := range a.people.ids {
				if want := a.people.now(id); shown[id] != want {
					return fmt.Sprintf("%s has %d people, shown are %d", id, want, shown[id])
				}
			}
			return ""
		})
	}
}

// simulation lets people come and go, and remembers how many were where.
type simulation struct {
	nodes []*bbbtest.Node
	ids   []string
	homes map[string]*bbbtest.Node

	mu       sync.Mutex
	people   map[string][]visit // by meeting
	history  []snapshot
	arrivals int
	seconds  float64 // of those who have left
}

type visit struct {
	user  string
	since time.Time
}

type snapshot struct {
	at     time.Time // until then
	counts map[string]int
}

// churn makes about 250 arrivals and departures a second.
func (s *simulation) churn(ctx context.Context) {
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		id := s.ids[rand.IntN(len(s.ids))]
		node, room := s.homes[id], b3scale.EncodeMeetingID(frontendKey, id)
		s.mu.Lock()
		inside := s.people[id]
		if len(inside) > 0 && rand.IntN(50) < len(inside) {
			v := inside[0]
			s.people[id] = inside[1:]
			s.seconds += time.Since(v.since).Seconds()
			node.Leave(room, v.user)
		} else {
			s.arrivals++
			v := visit{fmt.Sprint("u", s.arrivals), time.Now()}
			s.people[id] = append(inside, v)
			node.Join(room, bbbtest.Attendee{UserID: v.user, FullName: v.user, Role: bbbtest.Viewer})
		}
		s.mu.Unlock()
		s.snapshot()
	}
}

func (s *simulation) snapshot() {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for id, people := range s.people {
		counts[id] = len(people)
	}
	s.history = append(s.history, snapshot{time.Now(), counts})
}

// was reports whether a meeting had so many people at some time since then.
func (s *simulation) was(id string, people int, since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range s.history {
		last := i == len(s.history)-1
		if (last || s.history[i+1].at.After(since)) && h.counts[id] == people {
			return true
		}
	}
	return false
}

func (s *simulation) now(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.people[id])
}

func (s *simulation) leaveAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, people := range s.people {
		for _, v := range people {
			s.seconds += time.Since(v.since).Seconds()
			s.homes[id].Leave(b3scale.EncodeMeetingID(frontendKey, id), v.user)
		}
		delete(s.people, id)
	}
}

func (s *simulation) personSeconds() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seconds
}

// counts are the people in each meeting as an instance shows them.
func (d *daemon) counts(t *testing.T, token string) map[string]int {
	t.Helper()
	var meetings []struct {
		ID      string `json:"id"`
		Meeting struct {
			ParticipantCount int `json:"ParticipantCount"`
		} `json:"meeting"`
	}
	d.rest(t, token, "/api/v1/meetings", &meetings)
	counts := map[string]int{}
	for _, m := range meetings {
		if _, id, ok := b3scale.DecodeMeetingID(m.ID); ok {
			counts[id] = m.Meeting.ParticipantCount
		}
	}
	return counts
}

func (d *daemon) url() string { return "http://" + *d.address.Load() }

// rest reads from the REST API.
func (d *daemon) rest(t *testing.T, token, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d, error %v", path, resp.StatusCode, err)
	}
}

func token(t *testing.T, subject string, scopes ...auth.Scope) string {
	t.Helper()
	text, err := auth.NewKeys(jwtSecret, "").Mint(auth.Claims{Subject: subject, Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// redisServer is one of a test's own.
type redisServer struct {
	addr string
	dir  string
	cmd  *exec.Cmd
	gone chan struct{}
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	var err error
	for range 5 { // somebody else may take the port meanwhile
		r := &redisServer{addr: freeAddress(t), dir: t.TempDir()}
		if err = r.tryStart(t); err == nil {
			t.Cleanup(r.stop)
			return r
		}
	}
	t.Fatal(err)
	return nil
}

func (r *redisServer) start(t *testing.T) {
	t.Helper()
	if err := r.tryStart(t); err != nil {
		t.Fatal(err)
	}
}

func (r *redisServer) tryStart(t *testing.T) error {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is missing: make test installs it")
	}
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.dir)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, gone := r.cmd, make(chan struct{})
	r.gone = gone
	go func() {
		defer close(gone)
		_ = cmd.Wait() // killed at the end
	}()
	client := redis.NewClient(&redis.Options{Addr: r.addr})
	defer func() { _ = client.Close() }()
	for range 200 {
		if err = client.Ping(t.Context()).Err(); err == nil {
			return nil
		}
		select {
		case <-gone:
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
	r.stop()
	return err
}

func (r *redisServer) stop() {
	_ = r.cmd.Process.Kill()
	<-r.gone
}

func writeProperties(t *testing.T, n *bbbtest.Node, redisAddr string) (file string) {
	t.Helper()
	host, port, err := net.SplitHostPort(redisAddr)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "bbb-web.properties")
	text := fmt.Sprintf("bigbluebutton.web.serverURL=%s\nsecuritySalt=%s\nredisHost=%s\nredisPort=%s\n",
		strings.TrimSuffix(n.BaseURL(), "/bigbluebutton/api/"), n.API().Secret, host, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

var agentBinary = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(scratch, "b3scaleagent")
	out, err := exec.Command("go", "build", "-o", binary, "b3scale/cmd/b3scaleagent").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build b3scaleagent: %w\n%s", err, out)
	}
	return binary, nil
})

// agentProcess is a real agent beside a node.
type agentProcess struct {
	number          int
	api, properties string
	cmd             *exec.Cmd
	log             syncBuffer
}

func (p *agentProcess) start(t *testing.T) {
	t.Helper()
	binary, err := agentBinary()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), binary, "-a")
	p.cmd.Env = []string{
		"B3SCALE_API_URL=" + p.api, "B3SCALE_API_ACCESS_TOKEN=" + token(t, fmt.Sprint("agent-", p.number), auth.Node),
		"BBB_CONFIG=" + p.properties, "BBB_CONFIG_DEFAULTS=" + p.properties,
	}
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (p *agentProcess) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

func (p *agentProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// ledger counts the rows and the seconds that people have spent in meetings.
func ledger(t *testing.T, dsn string) (rows int, seconds float64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	err = conn.QueryRow(t.Context(), `SELECT COUNT(*), COALESCE(SUM(people_time), 0) / 1000000.0 FROM sessions`).Scan(&rows, &seconds)
	if err != nil {
		t.Error(err)
	}
	return rows, seconds
}
