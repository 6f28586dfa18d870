package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"golang.org/x/sync/errgroup"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/agent"
	"b3scale/internal/app"
	"b3scale/internal/auth"
)

// patience is how long Redis and the agents may take to come up.
const patience = 10 * time.Second

// counting tells how people are counted; why is nil with agents.
func counting(why error) string {
	if why == nil {
		return "with agents (redis-server found)"
	}
	return fmt.Sprintf("without agents: %v; people are counted by lists, within seconds", why)
}

// eventServer is the Redis on a node. Its password makes sure that it is ours
// that answers.
type eventServer struct {
	port, password string
	process        *exec.Cmd
	ended          chan struct{}
	client         *redis.Client
}

// startEventServers starts a Redis for each node. Those that it gives are to be
// stopped, with an error too.
func startEventServers(ctx context.Context, dir string) (all []*eventServer, err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not installed")
	}
	for range nodes {
		free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return all, err
		}
		_, port, _ := net.SplitHostPort(free.Addr().String()) // a listener has one
		_ = free.Close()
		s := &eventServer{port: port, password: b3scale.NewID(), ended: make(chan struct{})}
		if err := s.start(context.WithoutCancel(ctx), program, dir); err != nil { // the agents end first
			return all, fmt.Errorf("redis-server did not start: %w", err)
		}
		all = append(all, s)
		if !until(ctx, s.ended, func() bool { return s.answers(ctx) }) {
			return all, errors.New("redis-server does not answer")
		}
	}
	return all, nil
}

func (s *eventServer) start(ctx context.Context, program, dir string) error {
	s.process = exec.CommandContext(ctx, program, "-") // the settings come by the standard input
	s.process.Dir = dir
	s.process.Stdin = strings.NewReader("bind 127.0.0.1\nport " + s.port + "\nrequirepass " + s.password + "\nsave \"\"\nappendonly no\n")
	if err := s.process.Start(); err != nil {
		return err
	}
	go func() {
		defer close(s.ended)
		_ = s.process.Wait() // killed at the end
	}()
	s.client = redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:" + s.port, Password: s.password,
		PoolSize:   1, // one connection keeps the order
		MaxRetries: -1, DialerRetries: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return nil
}

// answers looks for a listener first: the library writes to standard error when
// there is none.
func (s *eventServer) answers(ctx context.Context) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.client.Options().Addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return s.client.Ping(ctx).Err() == nil
}

// publish loses what Redis does not take, as a real node does.
func (s *eventServer) publish(channel string, message []byte) {
	_ = s.client.Publish(context.Background(), channel, message).Err()
}

func (s *eventServer) stop() {
	_ = s.client.Close()
	_ = s.process.Process.Kill()
	<-s.ended
}

// startAgents runs an agent for each node until stop is called, with an error too.
// They register themselves: each gets the backend with its node's host and secret.
func startAgents(ctx context.Context, a *app.App, keys auth.Keys, dir string, all []*bbbtest.Node, servers []*eventServer, log *slog.Logger) (stop func(), err error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var agents errgroup.Group
	stop = func() {
		cancel()
		_ = agents.Wait() // they never fail
	}
	for i, node := range all {
		name := agentName(i)
		token, err := keys.Mint(auth.Claims{Subject: name, Scopes: auth.Scopes{auth.Node}})
		if err != nil {
			return stop, err
		}
		file := filepath.Join(dir, name+".properties")
		text := fmt.Sprintf("bigbluebutton.web.serverURL=%s\nsecuritySalt=%s\nredisHost=127.0.0.1\nredisPort=%s\nredisPassword=%s\n",
			strings.TrimSuffix(node.BaseURL(), "/bigbluebutton/api/"), node.API().Secret, servers[i].port, servers[i].password)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return stop, err
		}
		one, err := agent.New(agent.Options{
			APIURL: a.URL(), Token: token, Version: "demo", Register: true,
			ConfigFile: file, DefaultsFile: file, ReleaseFile: filepath.Join(dir, "release"), DataDir: dir,
		}, log.With("agent", name))
		if err != nil {
			return stop, err
		}
		agents.Go(func() error { return one.Run(running) })
	}
	for i := range all {
		live := func() bool {
			b := a.Cluster().BackendOfAgent(agentName(i))
			return b != nil && b.AgentLive(time.Now())
		}
		if !until(ctx, nil, live) {
			return stop, fmt.Errorf("%s is not heard", agentName(i))
		}
	}
	return stop, nil
}

func agentName(node int) string { return fmt.Sprintf("agent-bbb%d", node+1) }

// until waits for something to become true, but not when ended is closed.
func until(ctx context.Context, ended <-chan struct{}, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !done() {
		select {
		case <-ended:
			return false
		default:
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return false
		}
	}
	return true
}
