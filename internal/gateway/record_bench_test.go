package gateway_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"b3scale/internal/gateway"
	"b3scale/internal/web"
)

// nowhere is a writer that keeps nothing.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w nowhere) WriteHeader(int)             {}

// BenchmarkJoin is a join from memory, without sockets and as in production:
// what is noted of it must stay small beside it.
func BenchmarkJoin(b *testing.B) {
	h := newHarness(b, setup{})
	h.create("room")
	u, err := url.ParseRequestURI(signed("join", joinQuery))
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	door := gateway.New(h.cluster, log, gateway.Options{})
	handler := web.RequestID(web.AccessLog(log, web.AccessErrors, nil, web.Recover(log, door)))
	b.ReportAllocs()
	for b.Loop() {
		w := nowhere{http.Header{}}
		handler.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}, Host: "b3scale.test", RemoteAddr: "192.0.2.1:1"})
		if w.header["Location"] == nil {
			b.Fatal("not redirected")
		}
	}
}
