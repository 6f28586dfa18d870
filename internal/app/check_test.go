package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"b3scale/internal/config"
)

func checkupOf(cfg config.Config) (*checkup, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return &checkup{cfg: cfg, out: out, client: http.DefaultClient}, out
}

func TestCheckOfRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	published, unpublished := filepath.Join(dir, "published"), filepath.Join(dir, "unpublished")
	cfg := config.Config{RecordingsPublished: published, RecordingsUnpublished: unpublished}
	c, out := checkupOf(cfg)
	c.recordings()
	if !c.problems || strings.Count(out.String(), "problem  recordings: ") != 2 || !strings.Contains(out.String(), "ReadWritePaths") {
		t.Errorf("without directories: %s", out)
	}
	for _, path := range []string{published, unpublished} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c, out = checkupOf(cfg)
	c.recordings()
	if c.problems || !strings.Contains(out.String(), "ok       recordings in "+published) || !strings.Contains(out.String(), "protected ones cannot be played") {
		t.Errorf("with directories: %s", out)
	}
	for _, path := range []string{published, unpublished} {
		if left, err := os.ReadDir(path); err != nil || len(left) > 0 {
			t.Errorf("the check has left %v, %v", left, err)
		}
	}
}

func TestCheckOfTheAPIAddress(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler()) // whatever answers, something is there
	t.Cleanup(server.Close)
	c, out := checkupOf(config.Config{APIURL: server.URL + "/"})
	c.apiURL(t.Context())
	if !c.problems || !strings.Contains(out.String(), "certificate") || !strings.Contains(out.String(), "do: ") {
		t.Errorf("with a certificate that nobody knows: %s", out)
	}
	c, out = checkupOf(config.Config{APIURL: server.URL})
	c.client = server.Client()
	c.apiURL(t.Context())
	if c.problems || out.String() != "ok       B3SCALE_API_URL="+server.URL+"\n" {
		t.Errorf("with a good one: %s", out)
	}
	ending := *server.Certificate()
	ending.NotAfter = time.Now().Add(time.Hour)
	c, out = checkupOf(config.Config{})
	c.certificate("it", reply{tls: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{&ending}}})
	if c.problems || !strings.Contains(out.String(), "warning  it: its certificate ends on ") {
		t.Errorf("a certificate that ends soon: %s", out)
	}
}

func TestSkewed(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	end := begin.Add(2 * time.Second)
	for offset, want := range map[time.Duration]string{
		0: "", time.Second: "", -4 * time.Second: "", 6 * time.Second: "",
		-6 * time.Second: "6s behind ours", 62 * time.Second: "1m0s ahead of ours",
	} {
		err := skewed(begin.Add(offset), begin, end)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", offset, err, want)
		}
	}
}
