package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/auth"
	"b3scale/internal/cluster"
)

const limitedKey = "limited"

// trees are settings with which recordings are kept.
func trees(t testing.TB) []string {
	t.Helper()
	return []string{"B3SCALE_RECORDINGS_PUBLISHED_PATH=" + t.TempDir(), "B3SCALE_RECORDINGS_UNPUBLISHED_PATH=" + t.TempDir()}
}

// startWatched makes a daemon that lists its nodes all the time. The first node
// has an agent; besides the usual frontend there is one with limits.
func startWatched(t testing.TB, env []string, nodes ...*bbbtest.Node) *instance {
	t.Helper()
	cfg := load(t, env)
	d := &instance{TB: t, log: &syncBuffer{}}
	a, err := app.New(t.Context(), cfg, app.NewLogger(cfg, d.log), app.Options{
		Client:  bbb.ClientOptions{Transport: bbbtest.Transport(nodes...)},
		Cluster: cluster.Options{ListInterval: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.App = a
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	frontends := []b3scale.Frontend{{Key: frontendKey, Secret: frontendSecret, Active: true}, {
		Key: limitedKey, Secret: frontendSecret, Active: true, Settings: b3scale.FrontendSettings{
			MeetingsLimit:  &b3scale.MeetingsLimit{Limit: 1},
			AttendeesLimit: &b3scale.AttendeesLimit{Limit: 50, ModeratorsExempt: true},
			RateLimit:      &b3scale.RateLimit{RequestsPerSecond: 0.001, Burst: 5},
		},
	}}
	var backends []b3scale.Backend
	for i, n := range nodes {
		backends = append(backends, b3scale.Backend{
			Host: n.BaseURL(), Secret: b3scale.Secret(n.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1, AgentRef: fmt.Sprint("agent-", i),
		})
	}
	if err := d.Seed(t.Context(), frontends, backends); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready", d.ready)
	return d
}

// What is shown is what was done.
func TestMetrics(t *testing.T) {
	t.Parallel()
	good, bad := node(t, bbbtest.Options{Name: "good"}), node(t, bbbtest.Options{Name: "bad"})
	d := startWatched(t, append(environ(file(t), "B3SCALE_API_JWT_SECRET="+jwtSecret), trees(t)...), good, bad)

	// Whichever is chosen first: the second create is one for the other node.
	bad.SetFault(bbbtest.Fault{Kind: bbbtest.HangUp, Calls: []string{"create"}})
	for _, id := range []string{"room-a", "room-b"} {
		if status, body := d.call("create", "meetingID="+id+"&name=Room"); status != http.StatusOK || !strings.Contains(body, "SUCCESS") {
			t.Fatalf("create: %d %s", status, body)
		}
	}
	room := b3scale.EncodeMeetingID(frontendKey, "room-a")
	for i := range 3 {
		good.Join(room, bbbtest.Attendee{UserID: fmt.Sprint("u", i), FullName: "Ada", Role: bbbtest.Moderator})
	}
	if !good.Voice(room, "u0", true, false) || !good.Camera(room, "u0", "stream", true) {
		t.Fatal("nobody speaks")
	}
	for range 3 {
		d.call("isMeetingRunning", "meetingID=room-a")
	}
	d.call("getMeetingInfo", "meetingID=room-a")
	d.call("join", "meetingID=room-a&fullName=Ada&role=VIEWER")
	d.call("join", "meetingID=nowhere&fullName=Ada&role=VIEWER")
	for _, key := range []string{frontendKey, "nobody", "somebody"} {
		d.get("/bbb/" + key + "/api/join?meetingID=room-a&checksum=0123")
	}
	// The first meeting, one too many, then calls until there were too many.
	for i := range 2 {
		d.get("/bbb/" + limitedKey + "/api/create?" + bbb.SignedQuery("create", fmt.Sprint("name=Room&meetingID=room-", i), frontendSecret))
	}
	for range 7 {
		d.get("/bbb/" + limitedKey + "/api/isMeetingRunning?" + bbb.SignedQuery("isMeetingRunning", "meetingID=room-0", frontendSecret))
	}
	d.tellAgentEvents()
	d.get("/api/v1/backends")

	var s shown
	within(t, 30*time.Second, "the lists have brought everything", func() string {
		s = d.metrics()
		if s.sum("b3scale_frontend_participants", frontendKey) != 3 || s.sum("b3scale_orphans_booked_total") == 0 || s.sum("b3scale_frontend_limit_usage", "meetings") != 1 {
			return s.text
		}
		return ""
	})
	host := strings.TrimSuffix(strings.TrimPrefix(good.BaseURL(), "https://"), "/bigbluebutton/api/")
	label := func(name, value string) string { return fmt.Sprintf("%s=%q", name, value) }
	fe, limited, on := label("frontend", frontendKey), label("frontend", limitedKey), label("backend", host)
	for _, c := range []struct {
		family string
		labels []string
		want   float64
	}{
		{"b3scale_frontend_meetings", []string{fe}, 2},
		{"b3scale_frontend_meetings", []string{limited}, 1},
		{"b3scale_frontend_participants", []string{fe}, 3},
		{"b3scale_frontend_participants_by_kind", []string{fe, label("kind", "moderator")}, 3},
		{"b3scale_frontend_participants_by_kind", []string{fe, label("kind", "video")}, 1},
		{"b3scale_frontend_participants_by_kind", []string{fe, label("kind", "voice")}, 1},
		{"b3scale_frontend_limit", []string{limited, label("kind", "meetings")}, 1},
		{"b3scale_frontend_limit", []string{limited, label("kind", "attendees")}, 50},
		{"b3scale_frontend_limit", []string{fe}, 0},
		{"b3scale_frontend_limit_usage", []string{limited, label("kind", "meetings")}, 1},
		{"b3scale_frontend_limit_usage", []string{limited, label("kind", "attendees")}, 0},
		{"b3scale_frontend_limit_hits_total", []string{limited, label("kind", "meetings")}, 1},
		{"b3scale_frontend_limit_hits_total", []string{limited, label("kind", "rate")}, 2},
		{"b3scale_frontend_limit_hits_total", []string{limited, label("kind", "rate_joins")}, 0},
		{"b3scale_frontend_limit_hits_total", []string{fe}, 0},
		{"b3scale_frontend_requests_total", []string{fe, label("resource", "create"), label("result", "ok")}, 2},
		{"b3scale_frontend_requests_total", []string{fe, label("resource", "isMeetingRunning"), label("result", "ok")}, 3},
		{"b3scale_frontend_requests_total", []string{fe, label("resource", "join"), label("result", "redirect")}, 1},
		{"b3scale_frontend_requests_total", []string{fe, label("resource", "join"), label("result", "notFound")}, 1},
		{"b3scale_frontend_requests_total", []string{label("frontend", "undefined"), label("result", "checksumError")}, 3},
		{"b3scale_frontend_requests_total", []string{limited, label("result", "meetingsLimitReached")}, 1},
		{"b3scale_frontend_requests_total", []string{limited, label("result", "rateLimitExceeded")}, 2},
		{"b3scale_frontend_checksum_failures_total", []string{fe}, 1},
		{"b3scale_frontend_checksum_failures_total", []string{label("frontend", "undefined")}, 2},
		{"b3scale_request_duration_seconds_count", []string{label("resource", "join")}, 5},

		{"b3scale_backend_meetings", []string{on}, 3},
		{"b3scale_backend_meetings", nil, 3},
		{"b3scale_backend_participants", []string{on}, 3},
		{"b3scale_backend_node_state", []string{on, label("state", "ready")}, 1},
		{"b3scale_backend_node_state", []string{on}, 1},
		{"b3scale_backend_admin_state", []string{label("state", "ready")}, 2},
		{"b3scale_backend_admin_state", nil, 2},
		{"b3scale_backend_call_duration_seconds_count", []string{on, label("resource", "getMeetingInfo")}, float64(len(good.Calls("getMeetingInfo")))},
		{"b3scale_backend_call_duration_seconds_count", []string{on, label("resource", "create")}, 3},
		{"b3scale_backend_call_errors_total", []string{on}, 0},

		{"b3scale_placements_total", nil, 3},
		{"b3scale_placement_failures_total", []string{label("reason", "limit_reached")}, 1},
		{"b3scale_placement_failures_total", nil, 1},
		{"b3scale_joins_unvalidated_total", nil, 0},
		{"b3scale_store_degraded", nil, 0},
		{"b3scale_store_errors_total", nil, 0},
		{"b3scale_agent_batches_total", nil, 3},
		{"b3scale_agent_events_total", []string{label("result", "stale")}, 1},
		{"b3scale_agent_gaps_total", nil, 1}, // what is lost, not the boots
		{"b3scale_api_logins_failed_total", []string{label("reason", "missing")}, 1},
		{"b3scale_api_logins_failed_total", nil, 1},
		{"b3scale_http_requests_total", []string{label("door", "api"), label("code", "401")}, 1},
		{"b3scale_http_requests_total", []string{label("door", "gateway"), label("code", "302")}, 1},

		{"b3scale_meeting_attendees", []string{fe, on, label("type", "video"), label("meeting", "all")}, 1},
		{"b3scale_meeting_attendees", []string{fe, on, label("type", "audio"), label("meeting", "all")}, 2},
		{"b3scale_frontend_attendees", []string{fe}, 3},
	} {
		if got := s.sum(c.family, c.labels...); got != c.want {
			t.Errorf("%s %v is %v, want %v", c.family, c.labels, got, c.want)
		}
	}
	for _, family := range []string{
		"b3scale_meeting_durations", "b3scale_backend_load", "b3scale_backend_last_contact_seconds", "b3scale_backend_agent_heartbeat_age_seconds",
		"b3scale_store_use_duration_seconds_count", "b3scale_placement_failovers_total", "b3scale_placement_retries_total",
		"b3scale_request_node_seconds_total", "go_goroutines", "process_cpu_seconds_total",
	} {
		if s.sum(family) <= 0 {
			t.Errorf("%s is %v, want more", family, s.sum(family))
		}
	}
	if strings.Contains(s.text, "room-") || strings.Contains(s.text, room) {
		t.Error("meetings are named")
	}
	noSecrets(t, "a scrape", s.text, "Ada", jwtSecret)
	checkFamilies(t, s)
	d.deleteAll()
	s = d.metrics()
	for name := range s.series {
		if strings.Contains(name, limited) || strings.Contains(name, on) {
			t.Errorf("it is still there after the deletion: %s", name)
		}
	}
}

// tellAgentEvents sends a heartbeat and three batches through the REST API: the
// last one is of a boot that is over.
func (d *instance) tellAgentEvents() {
	d.Helper()
	token, err := auth.NewKeys(jwtSecret, "").Mint(auth.Claims{Subject: "agent-0", Scopes: auth.Scopes{auth.Node}})
	if err != nil {
		d.Fatal(err)
	}
	events := func(boot string, lost int) string {
		return fmt.Sprintf(`{"boot":%q,"lost":%d,`, boot, lost) + `"events":[{"sequence":1,"kind":"meeting_created","meeting":"x-1"}]}`
	}
	for _, c := range []struct{ path, body string }{
		{"heartbeat", ""}, {"events", events("boot-1", 0)}, {"events", events("boot-2", 3)}, {"events", events("boot-1", 0)},
	} {
		req, err := http.NewRequestWithContext(d.Context(), http.MethodPost, d.URL()+"/api/v1/agent/"+c.path, strings.NewReader(c.body))
		if err != nil {
			d.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			d.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode >= 300 {
			d.Fatalf("%s: %d %s", c.path, resp.StatusCode, &body)
		}
	}
}

func (d *instance) deleteAll() {
	d.Helper()
	ctx := d.Context()
	for _, b := range d.Cluster().Backends() {
		if _, err := d.Cluster().DeleteBackend(ctx, b.ID, b3scale.Actor{}); err != nil {
			d.Fatal(err)
		}
	}
	if _, err := d.Cluster().DeleteFrontend(ctx, d.Cluster().Frontend(limitedKey).ID, b3scale.Actor{}); err != nil {
		d.Fatal(err)
	}
}
