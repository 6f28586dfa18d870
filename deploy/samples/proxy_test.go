// Package samples_test runs the samples as they are: real web servers with
// them, in front of a real b3scaled, or of servers that record what arrives.
package samples_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
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

	"b3scale/internal/nginxtest"
)

// patience is for machines that run many tests.
const patience = 2 * time.Minute

// The names in the samples.
const (
	balancer = "b3scale.example.org"
	school   = "school.example.org" // of a frontend
)

// proxy is one of the samples.
type proxy struct {
	name  string
	start func(t *testing.T, one, two string) *http.Client
	looks bool // it asks /readyz by itself
	posts bool // it repeats them
}

var proxies = []proxy{
	{name: "nginx", start: startNginx, posts: true},
	{name: "caddy", start: startCaddy, looks: true},
	{name: "haproxy", start: startHAProxy, looks: true, posts: true},
}

func each(t *testing.T, run func(t *testing.T, p proxy)) {
	t.Helper()
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			run(t, p)
		})
	}
}

// change puts other words in places of the sample that operators change.
func change(t *testing.T, file string, pairs ...string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%s has no %q", file, pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func startNginx(t *testing.T, one, two string) *http.Client {
	t.Helper()
	return nginxtest.Start(t, []string{balancer, school}, func(listen string) string {
		return change(t, "nginx/b3scale.conf", "listen 443 ssl", listen, "10.0.0.11:42353", one, "10.0.0.12:42353", two)
	}).Client()
}

func startCaddy(t *testing.T, one, two string) *http.Client {
	t.Helper()
	return serve(t, func(address, dir string) []string {
		_, port, _ := net.SplitHostPort(address)
		config := filepath.Join(dir, "Caddyfile")
		write(t, config, change(t, "caddy/Caddyfile",
			"\tgrace_period 30s", "\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n\tgrace_period 30s",
			"# tls /etc/caddy/b3scale.pem /etc/caddy/b3scale.key", "tls "+filepath.Join(dir, "certificate.pem")+" "+filepath.Join(dir, "key.pem"),
		))
		check(t, dir, "caddy", "validate", "--adapter", "caddyfile", "--config", config)
		return []string{
			"env", "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir,
			"BALANCER_HOSTS=" + balancer + ":" + port + ", " + school + ":" + port, "BALANCER_INSTANCES=" + one + " " + two,
			"caddy", "run", "--adapter", "caddyfile", "--config", config,
		}
	})
}

func startHAProxy(t *testing.T, one, two string) *http.Client {
	t.Helper()
	return serve(t, func(address, dir string) []string {
		config := filepath.Join(dir, "haproxy.cfg")
		write(t, config, change(t, "haproxy/haproxy.cfg",
			"maxconn 10000", "maxconn 100", // as many as ordinary users may open
			"    bind :80\n", "", "bind :443 ssl crt /etc/haproxy/b3scale.pem", "bind "+address+" ssl crt "+filepath.Join(dir, "both.pem"),
			"10.0.0.11:42353", one, "10.0.0.12:42353", two))
		check(t, dir, binary(t, "haproxy"), "-c", "-f", config)
		return []string{binary(t, "haproxy"), "-db", "-f", config}
	})
}

// binary finds what ordinary users do not have in their PATH.
func binary(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("these tests need %s: install Debian's package %s (scripts/install-test-needs does)", name, name)
	return ""
}

// check is what operators ask before they reload. It must not even warn.
func check(t *testing.T, home string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t, args[0]), args[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "[WARNING]") || strings.Contains(string(out), "not formatted") || strings.Contains(string(out), "deprecated") {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// keeper runs a server until its own standard input is closed, whatever ends us.
const keeper = `"$@" </dev/null & while read -r line; do :; done; kill $! 2>/dev/null; wait`

// serve runs a server with TLS at a free port, and returns who speaks to it.
func serve(t *testing.T, command func(address, dir string) []string) *http.Client {
	t.Helper()
	dir := t.TempDir()
	roots := certificate(t, dir)
	// Between asking for a free port and using it, somebody else may take it.
	for range 10 {
		address := free(t)
		var log logBuffer
		cmd := exec.Command("sh", append([]string{"-c", keeper, "keeper"}, command(address, dir)...)...) //nolint:gosec,noctx // stop ends it
		cmd.Stderr = &log
		cmd.WaitDelay = patience
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop := func() {
			_ = stdin.Close()
			_ = cmd.Wait() // some say by a status that they were told to end
		}
		dialer := &tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: balancer, MinVersion: tls.VersionTLS12}}
		if answers(t, dialer, address, &log) {
			t.Cleanup(func() {
				stop()
				if t.Failed() {
					t.Log(log.String())
				}
			})
			return client(address, roots)
		}
		stop()
		t.Logf("it does not answer at %s:\n%s", address, log.String())
	}
	t.Fatal("it does not start")
	return nil
}

// answers waits for our certificate, which nobody else has.
func answers(t *testing.T, dialer *tls.Dialer, address string, log *logBuffer) bool {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if text := log.String(); strings.Contains(text, "[ALERT]") || strings.Contains(text, "Error:") {
			return false
		}
		if conn, err := dialer.DialContext(t.Context(), "tcp", address); err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}

// client finds every host at the address and follows no redirects.
func client(address string, roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			},
			TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(fmt.Errorf("write %s: %w", name, err))
	}
}

// logBuffer may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
