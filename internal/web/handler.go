package web

import (
	"net/http"
	"strings"
	"sync/atomic"
)

// Readiness is what /readyz tells a balancer in front.
type Readiness struct {
	ready atomic.Bool
}

// Set changes it: false while starting and while draining.
func (r *Readiness) Set(ready bool) { r.ready.Store(ready) }

// Handler serves the probes of balancers and orchestrators and hands every
// path below one of the prefixes to the gateway: before the mux, which would
// redirect //.
func Handler(gateway http.Handler, prefixes []string, ready *Readiness) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ready.ready.Load() {
			plain(w, http.StatusOK, "ready\n")
		} else {
			plain(w, http.StatusServiceUnavailable, "starting or draining\n")
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, prefix := range prefixes {
			if strings.HasPrefix(r.URL.Path, prefix) {
				gateway.ServeHTTP(w, r)
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
