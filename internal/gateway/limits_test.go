package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"b3scale"
)

// A person who finds no place is told so on a page that stays as it is; a
// program is told in XML.
func TestNoPlaceLeft(t *testing.T) {
	t.Parallel()
	h := newHarness(t, setup{})
	h.create("room")
	h.set(h.one, func(s *b3scale.FrontendSettings) { s.AttendeesLimit = &b3scale.AttendeesLimit{Limit: 1} })
	if got := h.browse(signed("join", joinQuery+"&userID=first")); got.status != http.StatusFound {
		t.Fatalf("the first: got %v", got)
	}
	late := joinQuery + "&userID=late"
	got := h.browse(signed("join", late))
	if got.status != http.StatusForbidden || got.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(got.body, "There is no place left") {
		t.Errorf("got %v, want the page", got)
	}
	if got.header.Get("Refresh") != "" || strings.Contains(got.body, "http-equiv") || strings.Contains(got.body, "<script") {
		t.Errorf("the page reloads by itself: %v", got)
	}
	if !strings.Contains(got.body, `href="`+apiURL(keyOne, "join")+"?") {
		t.Errorf("the page has no link to try again: %v", got)
	}
	post := h.do(request{method: http.MethodPost, target: signed("join", late), header: http.Header{"Accept": {"text/html"}}})
	if post.status != http.StatusForbidden || strings.Contains(post.body, "href=") {
		t.Errorf("POST: got %v, want the page without a link", post)
	}
	for name, r := range map[string]request{
		"redirect=false": {target: signed("join", late+"&redirect=false"), header: http.Header{"Accept": {"text/html"}}},
		"a program":      {target: signed("join", late)},
	} {
		if got := h.do(r); got.status != http.StatusOK || got.outcome(t) != "attendeesLimitReached" {
			t.Errorf("%s: got %v", name, got)
		}
	}
	redirect := h.browse(signed("join", late+"&errorRedirectUrl=https://lms.example.org/"))
	if location := redirect.header.Get("Location"); !strings.HasPrefix(location, "https://lms.example.org/?errors=") || !strings.Contains(location, "attendeesLimitReached") {
		t.Errorf("errorRedirectUrl: got %v", redirect)
	}
	if got := h.browse(signed("join", joinQuery+"&userID=first")); got.status != http.StatusFound {
		t.Errorf("the first once more: got %v", got)
	}
}
