package app_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What container engines run: 0 while it lives, ready or not, and wherever it
// listens.
func TestHealthy(t *testing.T) {
	t.Parallel()
	d := start(t, environ(file(t)))
	_, port, err := net.SplitHostPort(d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(listen string) (int, string) {
		code, stdout, stderr := run([]string{"healthy"}, environ(file(t), "B3SCALE_LISTEN_HTTP="+listen, "HTTP_PROXY=http://192.0.2.1:3128"))
		return code, stdout + stderr
	}
	for _, listen := range []string{d.Addr(), ":" + port, "0.0.0.0:" + port, "[::]:" + port} {
		if code, out := ask(listen); code != 0 {
			t.Errorf("at %s: exit code %d: %s", listen, code, out)
		}
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if code, out := ask(d.Addr()); code != 1 || !strings.Contains(out, "not healthy") {
		t.Errorf("after it has stopped: exit code %d: %s", code, out)
	}
	sick := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(sick.Close)
	if code, out := ask(sick.Listener.Addr().String()); code != 1 || !strings.Contains(out, "404") {
		t.Errorf("somebody else: exit code %d: %s", code, out)
	}
}
