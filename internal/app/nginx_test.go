package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/nginxtest"
)

// tenant is a frontend with a host name of its own.
type tenant struct{ key, secret, host string }

var (
	school     = tenant{"school", "the-school-secret", "school.example.org"}
	university = tenant{"university", "the-university-secret", "uni.example.org"}
)

// front is a b3scaled behind an nginx that speaks TLS for the tenants' hosts.
type front struct {
	*instance
	node  *bbbtest.Node
	nginx *nginxtest.Server
}

// startFront has one host per way to pass on what was asked for, and a default
// server for all other names.
func startFront(t *testing.T) *front {
	t.Helper()
	f := &front{node: node(t, bbbtest.Options{})}
	f.instance = start(t, environ(file(t), "B3SCALE_TRUSTED_PROXIES=127.0.0.1", "B3SCALE_API_JWT_SECRET=a-secret-of-at-least-32-random-bytes"), f.node)
	var frontends []b3scale.Frontend
	for _, who := range []tenant{school, university} {
		frontends = append(frontends, b3scale.Frontend{
			Key: who.key, Secret: b3scale.Secret(who.secret), Active: true, Settings: b3scale.FrontendSettings{Hosts: []string{who.host}},
		})
	}
	if err := f.Seed(t.Context(), frontends, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready", f.ready)
	const server = `
	server {
		%s;
		server_name %s;
		merge_slashes off;
		large_client_header_buffers 4 64k;
		location / {
			proxy_pass %s;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Host $host;
			%s
		}
	}`
	f.nginx = nginxtest.Start(t, []string{school.host, university.host, "other.example.org"}, func(listen string) string {
		return fmt.Sprintf(server, listen+" default_server", "_", f.URL(), "") +
			fmt.Sprintf(server, listen, school.host, f.URL(), "") + // the Host is that of proxy_pass
			fmt.Sprintf(server, listen, university.host, f.URL(), "proxy_set_header Host $host;")
	})
	return f
}

// page asks for an address at a host, as a browser does.
func (f *front) page(ctx context.Context, host, path string, header http.Header) (answer, http.Header) {
	f.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := f.nginx.Client().Do(req)
	if err != nil {
		f.Error(err)
		return answer{}, nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Error(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body)}, resp.Header
}

// at is the path of a call at the tenant's host.
func (who tenant) at(call, query string) string {
	return "/bigbluebutton/api/" + call + "?" + bbb.SignedQuery(call, query, who.secret)
}

func (f *front) call(who tenant, host, call, query string) answer {
	f.Helper()
	got, _ := f.page(f.Context(), host, who.at(call, query), nil)
	return got
}

// A tenant that has a host name speaks to it as to a BigBlueButton server.
func TestHostsBehindNginx(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	for _, who := range []tenant{school, university} {
		if got := f.call(who, who.host, "create", "name=Class&meetingID=room"); got.internalID() == "" {
			t.Fatalf("%s: create: got %+v", who.key, got)
		}
		got := f.call(who, who.host, "join", "meetingID=room&role=VIEWER&fullName=Ada")
		if id := b3scale.EncodeMeetingID(who.key, "room"); got.status != http.StatusFound || !strings.HasPrefix(got.location, f.node.BaseURL()) || !strings.Contains(got.location, "meetingID="+strings.ReplaceAll(id, "=", "%3D")) {
			t.Errorf("%s: join: got %+v", who.key, got)
		}
		if got := f.call(who, who.host, "getMeetings", ""); strings.Count(got.body, "<meetingID>room</meetingID>") != 1 {
			t.Errorf("%s: getMeetings: got %+v", who.key, got)
		}
	}
	if n := len(f.node.Rooms()); n != 2 {
		t.Errorf("there are %d rooms, want one for each tenant", n)
	}
	if got := f.call(school, school.host, "end", "meetingID=room"); !strings.Contains(got.body, "SUCCESS") {
		t.Errorf("end: got %+v", got)
	}
	eventually(t, "the school's room has ended, and only that", func() bool {
		_, schools := f.node.Room(b3scale.EncodeMeetingID(school.key, "room"))
		_, universitys := f.node.Room(b3scale.EncodeMeetingID(university.key, "room"))
		return !schools && universitys
	})
	// The key works at every host, as before.
	for _, host := range []string{school.host, university.host, "other.example.org"} {
		if got, _ := f.page(t.Context(), host, signed("create", "name=Class&meetingID=room"), nil); got.internalID() == "" {
			t.Errorf("the key at %s: got %+v", host, got)
		}
	}
}

// Whose host it is cannot be chosen by who asks, whatever header they send.
func TestHostsAreWhatTheProxySays(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	known := func(who tenant, host string, header http.Header) bool {
		got, _ := f.page(t.Context(), host, who.at("getMeetings", ""), header)
		if ok := strings.Contains(got.body, "SUCCESS"); got.status == http.StatusOK && ok != strings.Contains(got.body, "checksumError") {
			return ok
		}
		t.Errorf("%s at %s: got %+v", who.key, host, got)
		return false
	}
	claims := http.Header{"X-Forwarded-Host": {school.host}}
	for _, c := range []struct {
		who    tenant
		host   string
		header http.Header
		known  bool
	}{
		{school, school.host, nil, true},
		{university, university.host, nil, true},
		{school, university.host, nil, false},
		{university, school.host, nil, false},
		{school, "other.example.org", nil, false}, // the default server
		{school, "other.example.org", claims, false},
		{school, university.host, claims, false},
		{university, university.host, claims, true},
		{school, "other.example.org", http.Header{"Forwarded": {"host=" + school.host}, "X-Original-Host": {school.host}, "X-Host": {school.host}}, false},
	} {
		if got := known(c.who, c.host, c.header); got != c.known {
			t.Errorf("%s at %s with %v is known: %v, want %v", c.who.key, c.host, c.header, got, c.known)
		}
	}
}

// People wait at the address of their tenant until they can go in.
func TestWaitingBehindNginx(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	for _, who := range []tenant{school, university} {
		f.node.SetFault(bbbtest.Fault{Kind: bbbtest.BlackHole, Calls: []string{"create"}})
		created := background(func() error {
			if got := f.call(who, who.host, "create", "name=Class&meetingID=slow"); got.internalID() == "" {
				return fmt.Errorf("create: got %+v", got)
			}
			return nil
		})
		eventually(t, "the create is at the node", func() bool { return len(f.node.Calls("create")) == 1 })
		join := who.at("join", "meetingID=slow&role=VIEWER&fullName=Ada+Lovelace&x=%c3%bc;y")
		got, _ := f.page(t.Context(), who.host, join, nil)
		if got.status != http.StatusFound || !strings.HasPrefix(got.location, "/b3s/retry-join/") {
			t.Fatalf("join: got %+v, want the waiting page", got)
		}
		page, header := f.page(t.Context(), who.host, got.location, nil)
		_, next, _ := strings.Cut(header.Get("Refresh"), "; url=")
		if page.status != http.StatusOK || !strings.Contains(page.body, "One moment, please") || !strings.HasPrefix(next, "/b3s/retry-join/") {
			t.Fatalf("the waiting page: got %+v with %v", page, header)
		}
		if elsewhere, _ := f.page(t.Context(), "other.example.org", next, nil); !strings.Contains(elsewhere.body, "checksumError") {
			t.Errorf("the waiting page at another host: got %+v", elsewhere)
		}
		f.node.ClearFaults()
		if err := finishes(t, "the create", created); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "one who waits gets in", func() string {
			got, _ := f.page(t.Context(), who.host, next, nil)
			if got.status == http.StatusFound && strings.HasPrefix(got.location, f.node.BaseURL()) && strings.Contains(got.location, "x=%c3%bc;y") {
				return ""
			}
			return fmt.Sprintf("got %+v", got)
		})
		f.node.ResetRequests()
	}
	noSecrets(t, "the log", f.log.String(), school.secret, university.secret, "Lovelace")
}

// A host name opens no other door, and closes none.
func TestOtherDoorsDoNotKnowHosts(t *testing.T) {
	t.Parallel()
	f := startFront(t)
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/api/v1", "/api/v1/status", "/api/v1/frontends", "/api/v1/openapi.yaml", "/docs/api/v1", "/nothing", "/bigbluebutton"} {
		want, _ := f.page(t.Context(), "other.example.org", path, nil)
		for _, host := range []string{school.host, university.host} {
			got, _ := f.page(t.Context(), host, path, nil)
			if path == "/metrics" { // they change
				got.body = want.body
			}
			if got != want {
				t.Errorf("%s at %s: got %+v, elsewhere %+v", path, host, got, want)
			}
		}
		if strings.HasPrefix(path, "/api/v1/f") && want.status != http.StatusUnauthorized && want.status != http.StatusForbidden {
			t.Errorf("%s without a token: got %+v", path, want)
		}
	}
}
