package nginxtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
)

// patience bounds every step; machines that run many tests are slow.
const patience = 60 * time.Second

// Server is a running nginx.
type Server struct {
	Addr  string // 127.0.0.1 with its port
	roots *x509.CertPool
	keep  *exec.Cmd
	stdin interface{ Close() error }
	log   logBuffer
}

// Start runs an nginx whose certificate is good for these names. What servers
// returns is the inside of its http block: server blocks, each with the given
// listen directive. They may be asked for more than once.
func Start(t testing.TB, names []string, servers func(listen string) string) *Server {
	t.Helper()
	binary, err := find()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	roots, err := writeCertificate(dir, names)
	if err != nil {
		t.Fatal(err)
	}
	// Between asking for a free port and using it, somebody else may take it.
	for range 10 {
		var s *Server
		if s, err = start(binary, dir, servers); err != nil {
			t.Fatal(err)
		}
		s.roots = roots
		if err = s.ready(names[0]); err == nil {
			t.Cleanup(func() { s.stop(t) })
			return s
		}
		s.stop(t)
	}
	t.Fatal(err)
	return nil
}

// Client finds every host at the server, trusts its certificate and follows no
// redirects.
func (s *Server) Client() *http.Client {
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, s.Addr)
			},
			TLSClientConfig:   &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true, // nothing is left when the test ends
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Log is what nginx has complained about so far.
func (s *Server) Log() string { return s.log.String() }

func find() (string, error) {
	if binary, err := exec.LookPath("nginx"); err == nil && filepath.IsAbs(binary) {
		return binary, nil
	}
	for _, binary := range []string{"/usr/sbin/nginx", "/usr/local/sbin/nginx"} { // not in the PATH of ordinary users
		if _, err := os.Stat(binary); err == nil {
			return binary, nil
		}
	}
	return "", errors.New("these tests need nginx: install Debian's package nginx (scripts/install-test-needs does)")
}

// keeper runs nginx until its own standard input is closed.
const keeper = `"$@" </dev/null & while read -r line; do :; done; kill $! 2>/dev/null; wait`

func start(binary, dir string, servers func(string) string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port)}
	text := configuration(servers("listen " + s.Addr + " ssl"))
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	// The log goes to stderr from the first line on: the usual file is root's.
	s.keep = exec.Command("sh", "-c", keeper, "nginxtest", binary, "-p", dir+"/", "-c", "nginx.conf", "-e", "stderr") //nolint:gosec,noctx // stop ends it
	s.keep.Stderr = &s.log
	s.keep.WaitDelay = patience
	if s.stdin, err = s.keep.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.keep.Start(); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	return s, nil
}

// configuration keeps all files in our directory. The workers of a root's
// nginx are somebody else unless told otherwise, and could not read them.
func configuration(servers string) string {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n"
	}
	return user + `daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	ssl_certificate certificate.pem;
	ssl_certificate_key key.pem;
` + servers + `
}
`
}

// ready waits until nginx answers with our certificate, which nobody else has.
func (s *Server) ready(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: s.roots, ServerName: name, MinVersion: tls.VersionTLS12}}
	for {
		conn, err := dialer.DialContext(ctx, "tcp", s.Addr)
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil || strings.Contains(s.Log(), "[emerg]") {
			return fmt.Errorf("nginx did not start: %w\n%s", err, s.Log())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *Server) stop(t testing.TB) {
	t.Helper()
	if err := errors.Join(s.stdin.Close(), s.keep.Wait()); err != nil {
		t.Errorf("stop nginx: %v\n%s", err, s.Log())
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
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
