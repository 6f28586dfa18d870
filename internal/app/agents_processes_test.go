package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"b3scale"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/auth"
)

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
