package gateway_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/gateway"
)

const overRate = "rateLimitExceeded"

// limit sets the rate limit of the first frontend.
func (h *harness) limit(perSecond float64, burst int) {
	h.Helper()
	h.set(h.one, func(s *b3scale.FrontendSettings) {
		s.RateLimit = &b3scale.RateLimit{RequestsPerSecond: perSecond, Burst: burst}
	})
}

// admitted counts how many of n calls at once are not refused.
func (h *harness) admitted(n int, call, query string) int {
	h.Helper()
	admitted := 0
	for range n {
		got := h.call(call, query)
		switch {
		case got.status == http.StatusFound, got.outcome(h) != overRate:
			admitted++
		case got.status != http.StatusOK || got.header.Get("Retry-After") == "":
			h.Errorf("%s: got %v, want 200 with Retry-After", call, got)
		}
	}
	return admitted
}

// As many calls as the burst are admitted at once, and then as many as the
// rate says, for as long as one likes.
func TestRateIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		perSecond  float64
		burst      int
		first, per int // admitted at once, and then in each pause
		pause      time.Duration
	}{
		{10, 25, 25, 10, time.Second},
		{10, 25, 25, 1, 100 * time.Millisecond},
		{10, 0, 10, 10, time.Second},
		{2.5, 0, 3, 2, 800 * time.Millisecond}, // exactly two calls a pause
		{3, 1, 1, 1, time.Second/3 + 1},        // a third of a second is a little more than this
		{0.1, 0, 1, 1, 10 * time.Second},
		{0.1, 5, 5, 5, time.Minute},
		{1000, 1, 1, 1, time.Millisecond},
		{0.29, 29, 29, 29, 100 * time.Second}, // 28.999999999999996 for a computer
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t, setup{})
			h.limit(c.perSecond, c.burst)
			ask := c.first + c.per + 5
			if got := h.admitted(ask, "getMeetings", ""); got != c.first {
				t.Errorf("%+v: %d at once", c, got)
			}
			for range 20 {
				time.Sleep(c.pause)
				if got := h.admitted(ask, "getMeetings", ""); got != c.per {
					t.Errorf("%+v: %d after a pause", c, got)
				}
			}
			time.Sleep(time.Hour)
			if got := h.admitted(ask, "getMeetings", ""); got != c.first {
				t.Errorf("%+v: %d after a long pause", c, got)
			}
		})
	}
}

// Retry-After is the truth: not before, and then at once.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		for _, c := range []struct {
			perSecond float64
			want      int
		}{{0.1, 10}, {0.4, 3}, {1, 1}, {50, 1}, {1e-12, 24 * 60 * 60}} {
			h.limit(c.perSecond, 1)
			time.Sleep(time.Hour)
			h.admitted(1, "getMeetings", "")
			got, err := strconv.Atoi(h.call("getMeetings", "").header.Get("Retry-After"))
			if err != nil || got != c.want {
				t.Errorf("%v a second: Retry-After is %d (%v), want %d", c.perSecond, got, err, c.want)
			}
			if c.want > 3600 {
				continue
			}
			time.Sleep(time.Duration(got) * time.Second)
			if h.admitted(1, "getMeetings", "") != 1 {
				t.Errorf("%v a second: it is refused after %d s, too", c.perSecond, got)
			}
		}
	})
}

// Questions do not use up what is there for creates and joins, nor the other
// way round.
func TestJoinsHaveABucketOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.create("room")
		h.limit(1, 4)
		if got := h.admitted(20, "isMeetingRunning", "meetingID=room"); got != 4 {
			t.Errorf("%d questions", got)
		}
		if got := h.admitted(20, "getSecrets", ""); got != 0 {
			t.Errorf("%d unknown calls", got)
		}
		creates, joins := h.admitted(1, "create", "name=Room&meetingID=room"), h.admitted(20, "join", joinQuery)
		if creates != 1 || joins != 3 {
			t.Errorf("%d creates and %d joins", creates, joins)
		}
		time.Sleep(2 * time.Second)
		if got := h.admitted(20, "join", joinQuery); got != 2 {
			t.Errorf("%d joins after 2 s", got)
		}
		if got := h.admitted(20, "getMeetings", ""); got != 2 {
			t.Errorf("%d questions after 2 s", got)
		}
	})
}

// Who does not know the secret can use up nothing, and frontends do not use up
// each other's.
func TestOthersDoNotUseUpTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.set(h.one, func(s *b3scale.FrontendSettings) { s.Hosts = []string{hostOne} })
		h.limit(1, 3)
		for range 20 {
			for _, target := range []string{
				signedBy(keyOne, "wrong", "getMeetings", ""), apiURL(keyOne, "getMeetings"), apiURL(keyOne, ""),
				signedBy(keyTwo, secretTwo, "getMeetings", ""), signedBy(keyOff, secretOff, "getMeetings", ""),
			} {
				if got := h.do(request{target: target}); got.outcome(t) == overRate {
					t.Fatalf("%s: got %v", target, got)
				}
			}
		}
		// The address does not matter.
		if got := h.do(request{host: hostOne, target: atHost(secretOne, "getMeetings", "")}); got.outcome(t) != bbb.Success {
			t.Errorf("at its host: got %v", got)
		}
		if got := h.admitted(20, "getMeetings", ""); got != 2 {
			t.Errorf("%d calls after one at the host", got)
		}
	})
}

// What an operator changes counts from the next call on.
func TestRateFollowsTheSettings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		expect := func(what string, want int) {
			t.Helper()
			if got := h.admitted(50, "getMeetings", ""); got != want {
				t.Errorf("%s: %d calls, want %d", what, got, want)
			}
		}
		expect("no limit", 50)
		h.limit(1, 20)
		expect("a limit", 20)
		h.limit(1, 30)
		expect("a higher one", 10)
		h.limit(1, 5)
		expect("a lower one", 0)
		time.Sleep(2 * time.Second)
		expect("2 s later", 2)
		h.limit(10, 5)
		time.Sleep(100 * time.Millisecond)
		expect("a faster one", 1)
		h.limit(0, 5)
		expect("0 is none", 50)
		h.set(h.one, func(s *b3scale.FrontendSettings) { s.RateLimit = nil })
		expect("none", 50)
		time.Sleep(time.Hour)
		_, err := h.cluster.EditFrontendDefaults(t.Context(), b3scale.Actor{}, func(s *b3scale.FrontendSettings) error {
			s.RateLimit = &b3scale.RateLimit{RequestsPerSecond: 1, Burst: 7}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		expect("the defaults", 7)
	})
}

// A person gets a page that says so, without any reload; a program XML.
func TestTooManyJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.create("room")
		h.claim("pending")
		h.limit(0.1, 1)
		h.admitted(1, "join", joinQuery)
		for name, target := range map[string]string{
			"join": signed("join", joinQuery), "waiting page": retryAddress(signed("join", "meetingID=pending&fullName="+personQuery)),
		} {
			got := h.browse(target)
			if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "10" || !strings.Contains(got.body, "Too many people") {
				t.Errorf("%s: got %v", name, got)
			}
			if got.header.Get("Refresh") != "" || strings.Contains(got.body, "http-equiv") || strings.Contains(got.body, "<script") {
				t.Errorf("%s: the page reloads: %v", name, got)
			}
			if !strings.Contains(got.body, `href="`+apiURL(keyOne, "join")) {
				t.Errorf("%s: the page has no link to the join: %v", name, got)
			}
		}
		if got := h.browse(signed("join", joinQuery+"&redirect=false")); got.outcome(t) != overRate || got.status != http.StatusOK {
			t.Errorf("redirect=false: got %v", got)
		}
		if got := h.browse(signed("join", joinQuery+"&errorRedirectUrl=https://lms.example.org/")); !strings.HasPrefix(got.header.Get("Location"), "https://lms.example.org/?errors=") || !strings.Contains(got.header.Get("Location"), overRate) {
			t.Errorf("errorRedirectUrl: got %v", got)
		}
		h.untouched("refused joins")
	})
}

// A storm is counted, and told in the log once a minute.
func TestStormIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.limit(1e-6, 1)
		h.admitted(11, "getMeetings", "")
		h.admitted(6, "join", joinQuery)
		lines := func() []string {
			var found []string
			for line := range strings.Lines(h.log.String()) {
				if strings.Contains(line, "frontend calls too often") {
					found = append(found, line)
				}
			}
			return found
		}
		if got := lines(); len(got) != 1 || !strings.Contains(got[0], "level=WARN") || !strings.Contains(got[0], "frontend=fe1") {
			t.Errorf("the log tells %q, want one line", got)
		}
		time.Sleep(time.Minute)
		h.admitted(5, "getMeetings", "")
		if got := lines(); len(got) != 2 || !strings.Contains(got[1], "refused_since_last_line=14") {
			t.Errorf("a minute later the log tells %q, want 14 refused since the first line", got)
		}
		time.Sleep(time.Minute)
		h.admitted(1, "getMeetings", "")
		if got := lines(); len(got) != 3 || !strings.Contains(got[2], "refused_since_last_line=4") {
			t.Errorf("another minute later the log tells %q, want 4 refused", got)
		}
		uses := map[string]gateway.Use{}
		for f, use := range h.door.Uses() {
			uses[f.Key] = use
		}
		if got, want := uses[keyOne], (gateway.Use{LimitedCalls: 21, LimitedJoins: 5}); got != want || len(uses) != 1 {
			t.Errorf("counted %+v, want %+v and nothing of others", uses, want)
		}
	})
}

// Nothing is kept of frontends that are gone.
func TestDeletedFrontendsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, setup{})
		h.limit(1, 1)
		h.admitted(1, "getMeetings", "")
		if _, err := h.cluster.DeleteFrontend(t.Context(), h.one.ID, b3scale.Actor{}); err != nil {
			t.Fatal(err)
		}
		h.set(h.two, func(s *b3scale.FrontendSettings) { s.RateLimit = &b3scale.RateLimit{RequestsPerSecond: 1} })
		time.Sleep(time.Minute)
		h.do(request{target: signedBy(keyTwo, secretTwo, "getMeetings", "")})
		if got := gateway.Counted(h.door); got != 1 {
			t.Errorf("%d frontends are remembered, want 1", got)
		}
	})
}
