package callbacks

import (
	"net/http"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/logtest"
)

// The limit per host holds however a frontend writes the host.
func TestHostIsNormal(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	o := New(store, frontends{}, logtest.Logger(), Options{}) // which sends nothing
	f, err := store.AddFrontend(t.Context(), b3scale.Frontend{Key: "moodle"}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		"https://lms.example.org/x": "lms.example.org", "http://LMS.Example.org.:8080/x": "lms.example.org", "http://[2606:2800::AB]:80/": "2606:2800::ab",
		"https://u:p@lms.example.org:1": "lms.example.org", "http:///x": "", "http://[::1": "",
	} {
		saved, err := o.Add(t.Context(), b3scale.Callback{FrontendID: f.ID, Kind: b3scale.CallbackEnd, URL: target}, b3scale.CallbackTerms{})
		if err != nil || saved.Host != want {
			t.Errorf("%s: host %q, %v, want %q", target, saved.Host, err, want)
		}
	}
}

// A target that does not answer costs its own messages time and no others.
func TestSilentTarget(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := newLMS(t, func(int, *http.Request) int { <-release; return http.StatusOK })
	quick := newLMS(t, func(int, *http.Request) int { return http.StatusOK })
	h := newHarness(t, Options{Allow: local, Workers: 8, PerHost: 2})
	t.Cleanup(func() { close(release) }) // before the harness waits for what is under way
	for range 20 {
		h.add(b3scale.CallbackEnd, silent.asLocalhost(), "")
	}
	for range 20 {
		h.becomes(h.add(b3scale.CallbackEnd, quick.URL, "").ID, b3scale.CallbackDelivered)
	}
	if n := len(silent.deliveries()); n == 0 || n > 2 {
		t.Errorf("%d attempts at the silent target, want one or two", n)
	}
}

// A frontend whose targets all hang has half of the attempts, and another the
// rest.
func TestSilentFrontend(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := newLMS(t, func(int, *http.Request) int { <-release; return http.StatusOK })
	quick := newLMS(t, func(int, *http.Request) int { return http.StatusOK })
	h := newHarness(t, Options{Allow: local, Workers: 4, PerHost: 4, Timeout: time.Hour})
	t.Cleanup(func() { close(release) })
	other, err := h.store.AddFrontend(t.Context(), b3scale.Frontend{Key: "canvas"}, b3scale.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	for range 8 { // without the limit of its frontend, four would take all
		h.add(b3scale.CallbackEnd, silent.asLocalhost(), "")
	}
	for range 5 {
		c, err := h.outbox.Add(t.Context(), b3scale.Callback{FrontendID: other.ID, Kind: b3scale.CallbackEnd, URL: quick.URL}, b3scale.CallbackTerms{})
		if err != nil {
			t.Fatal(err)
		}
		h.becomes(c.ID, b3scale.CallbackDelivered)
	}
}
