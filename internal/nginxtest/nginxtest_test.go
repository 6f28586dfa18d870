package nginxtest_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"b3scale/internal/nginxtest"
)

func ask(t *testing.T, s *nginxtest.Server, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Two of them at the same time, each with names of its own, and gone with
// their test.
func TestStart(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("while it runs", func(t *testing.T) {
		names := []string{"one.example.org", "two.example.org"}
		servers := func(listen string) string {
			return `server { ` + listen + ` default_server; return 404 "nobody"; }
				server { ` + listen + `; server_name one.example.org; return 200 "one"; }
				server { ` + listen + `; server_name two.example.org; return 302 https://one.example.org/; }`
		}
		first, second := nginxtest.Start(t, names, servers), nginxtest.Start(t, names[1:], servers)
		if first.Addr == second.Addr {
			t.Errorf("both are at %s", first.Addr)
		}
		if status, body := ask(t, first, "https://one.example.org/x"); status != 200 || body != "one" {
			t.Errorf("got %d %s", status, body)
		}
		if status, _ := ask(t, first, "https://two.example.org/x"); status != 302 {
			t.Errorf("a redirect was followed to a %d", status)
		}
		if resp, err := second.Client().Get("https://one.example.org/x"); err == nil { //nolint:noctx // it fails at once
			_ = resp.Body.Close()
			t.Error("the second has the first one's certificate")
		}
		if log := first.Log(); strings.Contains(log, "[") {
			t.Errorf("nginx complains: %s", log)
		}
		addr = first.Addr
	})
	if conn, err := net.Dial("tcp", addr); err == nil { //nolint:noctx // it fails at once
		_ = conn.Close()
		t.Errorf("somebody listens at %s after the test", addr)
	}
}
