package web

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// Readiness is what /readyz tells a balancer in front.
type Readiness struct {
	// Degraded tells in a few words what does not work although we serve; ""
	// when all does. Set it before the first request. nil: all works.
	Degraded func() string

	ready atomic.Bool
}

// Set changes it: false while starting and while draining.
func (r *Readiness) Set(ready bool) { r.ready.Store(ready) }

// answer is that of /readyz. Degraded is ready: joins work, and taking every
// instance out of service would stop them, too.
func (r *Readiness) answer() (status int, text string) {
	if !r.ready.Load() {
		return http.StatusServiceUnavailable, "starting or draining\n"
	}
	if r.Degraded != nil {
		if why := r.Degraded(); why != "" {
			return http.StatusOK, "degraded: " + why + "\n"
		}
	}
	return http.StatusOK, "ready\n"
}

// Door is a handler with the patterns of http.ServeMux that lead to it.
type Door struct {
	http.Handler
	Patterns []string
}

// Handler serves the probes of balancers and orchestrators and hands every
// path below one of the prefixes to the gateway: before the mux, which would
// redirect //. The other doors are behind the mux.
func Handler(gateway http.Handler, prefixes []string, ready *Readiness, doors ...Door) http.Handler {
	mux := http.NewServeMux()
	for _, door := range doors {
		for _, pattern := range door.Patterns {
			mux.Handle(pattern, door)
		}
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status, text := ready.answer()
		plain(w, status, text)
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

// Welcome is the page at /, which tells people and scripts what runs here.
func Welcome(version, build string) Door {
	page := fmt.Sprintf("<!DOCTYPE html>\n<title>b3scale</title>\n<h1>b3scale v.%s (%s)</h1>\n", html.EscapeString(version), html.EscapeString(build))
	return Door{Patterns: []string{"GET /{$}"}, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		_, _ = io.WriteString(w, page)
	})}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
