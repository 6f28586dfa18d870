package samples_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"b3scale"
	"b3scale/bbb"
	"b3scale/bbb/bbbtest"
	"b3scale/internal/app"
	"b3scale/internal/config"
	"b3scale/internal/logtest"
)

const secret = "the-frontend-secret"

// daemon is a b3scaled with a node, ready.
func daemon(t *testing.T) (*app.App, *bbbtest.Node) {
	t.Helper()
	n := bbbtest.New(bbbtest.Options{Secret: "the-secret-of-the-node"})
	t.Cleanup(n.Close)
	logtest.Secret(secret)
	logtest.Node(t, n)
	cfg, _, err := config.Load([]string{
		"B3SCALE_DB_URL=sqlite:" + filepath.Join(t.TempDir(), "b3scale.db"), "B3SCALE_LISTEN_HTTP=127.0.0.1:0",
		"B3SCALE_TRUSTED_PROXIES=127.0.0.1", "B3SCALE_LOG_LEVEL=" + logtest.Level(), "B3SCALE_MAX_BODY=1K", "B3SCALE_MAX_PRESENTATION_BODY=64M",
	}, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), cfg, app.NewLogger(cfg, logtest.Writer()), app.Options{Client: bbb.ClientOptions{Transport: bbbtest.Transport(n)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	err = a.Seed(t.Context(), []b3scale.Frontend{
		{Key: "fe", Secret: secret, Active: true, Settings: b3scale.FrontendSettings{Hosts: []string{school}}},
	}, []b3scale.Backend{{Host: n.BaseURL(), Secret: b3scale.Secret(n.API().Secret), AdminState: b3scale.AdminReady, LoadFactor: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready", func() bool {
		resp, err := http.Get(a.URL() + "/readyz") //nolint:noctx // in this process
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return a, n
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

type answer struct {
	status         int
	location, body string
}

func get(t *testing.T, c *http.Client, url string) answer {
	t.Helper()
	return send(t, c, http.MethodGet, url, "", nil)
}

func send(t *testing.T, c *http.Client, method, url, body string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(text)}
}

// People meet through every sample, with one of its two instances dead.
func TestPeopleMeet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p proxy) {
		a, n := daemon(t)
		c := p.start(t, a.Addr(), free(t))
		base := map[string]string{ // by key, by key with a slash too many, by host
			"https://" + balancer + "/bbb/fe/bigbluebutton/api/":  "plain",
			"https://" + balancer + "/bbb/fe//bigbluebutton/api/": "slash",
			"https://" + school + "/bigbluebutton/api/":           "host",
		}
		long := strings.Repeat("x", 20_000)
		for url, room := range base {
			at := func(call, query string) string { return url + call + "?" + bbb.SignedQuery(call, query, secret) }
			for range 4 { // each of the instances has its turn
				// Checksums cover what nobody may tidy up.
				if got := get(t, c, at("create", "name=a%2fb+c%20;d&meta_x=%7e~'&meetingID="+room)); !strings.Contains(got.body, "<returncode>SUCCESS") {
					t.Fatalf("%s create: %+v", url, got)
				}
				got := get(t, c, at("join", "meetingID="+room+"&fullName=Ada&role=VIEWER&userdata-x="+long))
				if got.status != http.StatusFound || !strings.HasPrefix(got.location, n.BaseURL()) || !strings.Contains(got.location, long) {
					t.Fatalf("%s join: %d %.200s %.200s", url, got.status, got.location, got.body)
				}
			}
			if got := get(t, c, at("getMeetings", "")); strings.Count(got.body, "<meetingID>"+room+"</meetingID>") != 1 {
				t.Errorf("%s getMeetings: %+v", url, got)
			}
			// A presentation, which nginx would not send to another instance by itself.
			slides := `<modules><module name="presentation"><document name="x.pdf">` + strings.Repeat("AAAA", 500_000) + `</document></module></modules>`
			for range 4 {
				got := send(t, c, http.MethodPost, at("create", "name=Class&meetingID=post-"+room), slides, http.Header{"Content-Type": {"application/xml"}})
				if !strings.Contains(got.body, "<returncode>SUCCESS") {
					t.Fatalf("%s create with a presentation: %d %.200s", url, got.status, got.body)
				}
			}
		}
		if got := get(t, c, "https://"+balancer+"/healthz"); got.status != http.StatusOK {
			t.Errorf("healthz: %+v", got)
		}
		for _, path := range []string{"/metrics", "/metrics/", "//metrics", "/%6detrics", "/METRICS", "/metrics?x=1", "/x/../metrics", "/./metrics", "/debug/pprof/", "/metrics%2f", "/%2fmetrics", "/metrics;x"} {
			if got := get(t, c, "https://"+balancer+path); strings.Contains(got.body, "b3scale_build_info") || got.status == http.StatusOK {
				t.Errorf("%s: %d %.100s", path, got.status, got.body)
			}
		}
		if got := get(t, http.DefaultClient, a.URL()+"/metrics"); !strings.Contains(got.body, "b3scale_build_info") {
			t.Errorf("there are no metrics that could be closed: %+v", got)
		}
	})
}

// recorder is an instance that notes what arrives.
type recorder struct {
	*httptest.Server
	ready atomic.Bool
	dies  atomic.Bool // whoever asks for something loses the connection

	mu  sync.Mutex
	got []*http.Request
}

func record(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{}
	r.ready.Store(true)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/readyz" {
			if !r.ready.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		r.mu.Lock()
		r.got = append(r.got, req)
		r.mu.Unlock()
		if r.dies.Load() {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) take() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// Nobody can choose who they are and which host they asked for.
func TestForwardedHeadersAreTheProxys(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p proxy) {
		r := record(t)
		c := p.start(t, r.Listener.Addr().String(), r.Listener.Addr().String())
		got := send(t, c, http.MethodGet, "https://"+school+"/bigbluebutton/api//join?b=%41&a=+;&a", "", http.Header{
			"X-Forwarded-For": {"192.0.2.66", "192.0.2.67"}, "X-Forwarded-Host": {"evil.example.org"}, "X-Forwarded-Proto": {"gopher"},
		})
		all := r.take()
		if got.status != http.StatusOK || len(all) != 1 {
			t.Fatalf("%+v, %d requests", got, len(all))
		}
		req := all[0]
		for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": school, "X-Forwarded-Proto": "https"} {
			if got := strings.Join(req.Header[name], ", "); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if req.Host != school || req.RequestURI != "/bigbluebutton/api//join?b=%41&a=+;&a" {
			t.Errorf("it asks %s for %s", req.Host, req.RequestURI)
		}
	})
}

// What an instance has lost is asked of the other one, but for what would be
// done twice.
func TestWhatIsAskedTwice(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p proxy) {
		for _, x := range []struct {
			method, path string
			again        bool
		}{
			{http.MethodGet, "/bbb/fe/bigbluebutton/api/create", true},
			{http.MethodPost, "/bbb/fe/bigbluebutton/api/create", p.posts},
			{http.MethodGet, "/bbb/fe/bigbluebutton/api/sendChatMessage", false},
			{http.MethodGet, "/bbb/fe/bigbluebutton/api/sendChatMessage/", false},
			{http.MethodPost, "/bbb/fe/bigbluebutton/api/insertDocument", false},
			{http.MethodPost, "/api/v1/frontends", false},
		} {
			one, two := record(t), record(t)
			c := p.start(t, one.Listener.Addr().String(), two.Listener.Addr().String())
			one.dies.Store(true)
			two.dies.Store(true)
			got := send(t, c, x.method, "https://"+balancer+x.path, "", nil)
			if n := len(one.take()) + len(two.take()); got.status < 500 || n < 1 || (n > 1) != x.again {
				t.Errorf("%s %s was sent %d times, and answered with %d", x.method, x.path, n, got.status)
			}
		}
	})
}

// Who says that it goes is not asked any more.
func TestWhoIsNotReadyGetsNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p proxy) {
		if !p.looks {
			t.Skip("this one learns only from what fails; the free nginx cannot do otherwise")
		}
		one, two := record(t), record(t)
		c := p.start(t, one.Listener.Addr().String(), two.Listener.Addr().String())
		ask := func() (first, second int) {
			for range 6 {
				get(t, c, "https://"+balancer+"/bbb/fe/bigbluebutton/api/getMeetings")
			}
			return len(one.take()), len(two.take())
		}
		eventually(t, "both get their share", func() bool { a, b := ask(); return a > 0 && b > 0 })
		one.ready.Store(false)
		eventually(t, "only the second is asked", func() bool { a, b := ask(); return a == 0 && b == 6 })
		one.ready.Store(true)
		eventually(t, "both are asked again", func() bool { a, b := ask(); return a > 0 && b > 0 })
	})
}
