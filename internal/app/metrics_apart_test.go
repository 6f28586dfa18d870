package app_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

// With a listener of their own metrics are there and nowhere else, beside
// profiles.
func TestMetricsApart(t *testing.T) {
	t.Parallel()
	d := start(t, environ(file(t), "B3SCALE_METRICS_LISTEN=127.0.0.1:0", "B3SCALE_METRICS_COMPAT=no", "B3SCALE_ACCESS_LOG=all"))
	for _, c := range []struct {
		url    string
		status int
		body   string
	}{
		{d.URL() + "/metrics", http.StatusNotFound, ""},
		{d.URL() + "/debug/pprof/", http.StatusNotFound, ""},
		{d.MetricsURL() + "/metrics", http.StatusOK, "b3scale_build_info{"},
		{d.MetricsURL() + "/healthz", http.StatusOK, "ok"},
		{d.MetricsURL() + "/debug/pprof/", http.StatusOK, "goroutine"},
		{d.MetricsURL() + "/debug/pprof/goroutine?debug=1", http.StatusOK, "goroutine profile"},
		{d.MetricsURL() + "/debug/pprof/profile?seconds=1", http.StatusOK, ""},
		{d.MetricsURL() + "/", http.StatusNotFound, ""},
		{d.MetricsURL() + "/bbb/fe/api", http.StatusNotFound, ""},
		{d.MetricsURL() + "/api/v1", http.StatusNotFound, ""},
	} {
		if status, body := get(t, c.url); status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %.200s, want %d with %q", c.url, status, body, c.status, c.body)
		}
	}
	d.tellsOf("/metrics", http.StatusOK)
	d.tellsOf("/debug/pprof/goroutine", http.StatusOK)
	if d.MetricsURL() == d.URL() {
		t.Error("both are one listener")
	}
	if s := d.metrics(); strings.Contains(s.text, "b3scale_frontend_attendees") {
		t.Error("the series of the existing product are there")
	}
	url := d.MetricsURL()
	if err := finishes(t, "Stop", background(d.Stop)); err != nil {
		t.Error(err)
	}
	if status, _ := get(t, url+"/healthz"); status != 0 {
		t.Errorf("after Stop somebody answers %d", status)
	}
}

// tellsOf wants requests to have a line in the log, and their answers an id.
func (d *instance) tellsOf(path string, status int) {
	d.Helper()
	answer, err := http.Get(d.MetricsURL() + path)
	if err != nil {
		d.Fatal(err)
	}
	_ = answer.Body.Close()
	id := answer.Header.Get("X-Request-Id")
	if answer.StatusCode != status || id == "" {
		d.Errorf("%s: status %d, id %q, want %d and an id", path, answer.StatusCode, id, status)
	}
	line := `"request_id":"` + id + `"`
	eventually(d, "there is a line for "+path, func() bool { // it is written when all is sent
		for l := range strings.Lines(d.log.String()) {
			if strings.Contains(l, line) && strings.Contains(l, `"msg":"request"`) && strings.Contains(l, `"path":"`+path+`"`) {
				return true
			}
		}
		return false
	})
}

// A start without the metrics that an operator wants is none.
func TestMetricsPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	env := environ(file(t), "B3SCALE_METRICS_LISTEN="+taken.Addr().String())
	d, err := tryOpen(t, env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = finishes(t, "Run", background(func() error { return d.Run(ctx) }))
	if err == nil || !strings.Contains(err.Error(), "B3SCALE_METRICS_LISTEN="+taken.Addr().String()) {
		t.Errorf("got %v, want it to name the variable and its value", err)
	}
}
