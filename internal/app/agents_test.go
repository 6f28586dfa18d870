package app_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
	"b3scale/internal/logtest"
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
			time.Sleep(10 * time.Second) // silent for longer than the 5 s that an agent may be
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
		logtest.Node(t, n)
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
