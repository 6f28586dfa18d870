package ctl

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/auth"
)

func TestAuthorizeThroughAPipe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.as().in("not the secret\n").do("auth", "authorize").fails("wrong secret", w.url, "B3SCALE_API_JWT_SECRET")
	if got := w.cachedToken(); got != "" {
		t.Errorf("a wrong secret left %q", got)
	}
	w.as().do("auth", "authorize").fails("secret should not be empty")
	w.as().in("\n").do("auth", "authorize").fails("secret should not be empty", "set B3SCALE_API_ACCESS_TOKEN")
	o := w.as().in(apiSecret+"\n").do("auth", "authorize").wants(0, "")
	file := filepath.Join(w.home, ".config/b3scale", "http_127.0.0.1_"+w.url[strings.LastIndex(w.url, ":")+1:]+".access_token")
	if !strings.Contains(o.errs, file) || strings.Contains(o.errs, apiSecret) {
		t.Errorf("got %s", o.errs)
	}
	for path, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	identity, err := auth.NewKeys(apiSecret, "").Parse(w.cachedToken())
	if err != nil || identity.Subject != "b3scalectl" || identity.Scopes.String() != "b3scale:admin" {
		t.Errorf("%+v, %v", identity, err)
	}
	w.ctl("show", "backends").wants(0, "")
}

// What is piped into another command is not for us, also when it is the secret:
// a script may be reading the rest of it.
func TestPipesAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, args := range []string{"show frontends", "status", "set frontend x --secret y", "delete backend x", "drain backend x --wait", "db migrate", "cm --frontend x"} {
		rest := strings.NewReader(apiSecret + "\nmore\n")
		run := w.as()
		run.stdin = rest
		o := run.do(strings.Fields(args)...).fails("no token for "+w.url, "b3scalectl auth authorize", "set B3SCALE_API_ACCESS_TOKEN")
		if o.out != "" || rest.Len() != len(apiSecret)+6 || w.cachedToken() != "" {
			t.Errorf("%s: %d bytes are left; output %q, token %q", args, rest.Len(), o.out, w.cachedToken())
		}
	}
}

// A line feed at the end of a token that somebody has put there does no harm.
func TestCachedTokenWithLineFeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.as().in(apiSecret).do("auth", "authorize").wants(0, "")
	found, err := filepath.Glob(filepath.Join(w.home, ".config/b3scale/*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if err := os.WriteFile(found[0], []byte("  "+w.cachedToken()+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.ctl("show", "frontends").wants(0, "")
}

func TestTokenOfTheEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	admin := mint(t, apiSecret, "ci", time.Time{}, auth.Admin)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(admin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"B3SCALE_API_ACCESS_TOKEN=" + admin, "B3SCALE_API_ACCESS_TOKEN_FILE=" + file, "B3SCALE_ACCESS_TOKEN=" + admin} {
		w.as().env(line).do("set", "frontend", "--dry", "x", "--secret", "y").wants(0, "getting frontend: x\ncreating frontend\nskipped creating frontend\n")
	}
	if got := w.cachedToken(); got != "" {
		t.Errorf("it was kept: %q", got)
	}
	w.as().env("B3SCALE_API_ACCESS_TOKEN="+admin, "B3SCALE_API_ACCESS_TOKEN_FILE="+file).do("status").fails("both set")
	w.as().env("B3SCALE_API_ACCESS_TOKEN_FILE="+file+"x").do("status").fails("B3SCALE_API_ACCESS_TOKEN_FILE", "no such file")
	w.as().env("B3SCALE_API_ACCESS_TOKEN="+mint(t, "another", "ci", time.Time{}, auth.Admin)).do("status").
		fails("does not accept the token in B3SCALE_API_ACCESS_TOKEN", "another secret")
	w.as().env("B3SCALE_API_ACCESS_TOKEN="+mint(t, apiSecret, "ci", time.Now().Add(-time.Hour), auth.Admin)).do("status").
		fails("the token in B3SCALE_API_ACCESS_TOKEN expired at ", "put another one there")
	w.as().env("B3SCALE_API_ACCESS_TOKEN="+mint(t, apiSecret, "bbb1", time.Time{}, auth.Node)).do("show", "backends").
		fails("authorization failed", `"bbb1"`, "no administrator")
	readable := w.as().env("B3SCALE_API_ACCESS_TOKEN=" + mint(t, apiSecret, "desk", time.Time{}, auth.Read))
	readable.do("show", "backends").wants(0, "")
	readable.do("set", "frontend", "x", "--secret", "y").fails("authorization failed", `"desk"`)
}

func TestExpiredCachedToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.as().in(apiSecret+"\n").do("auth", "authorize", "--expires-in", "2s").wants(0, "")
	w.eventually("it expires", func() bool { return w.ctl("show", "backends").code != 0 })
	w.ctl("show", "backends").fails("expired at", w.home, "run b3scalectl auth authorize")
}

func TestCreateAccessToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(apiSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]*attempt{
		"flag":     w.as(),
		"variable": w.as().env("B3SCALE_API_JWT_SECRET=" + apiSecret),
		"file":     w.as().env("B3SCALE_API_JWT_SECRET_FILE=" + secretFile),
		"pipe":     w.as().in(apiSecret + "\n"),
	} {
		args := []string{"auth", "create_access_token", "--sub", "ada", "--scopes", "b3scale:admin, b3scale,,", "--expires-in", "1h"}
		if name == "flag" {
			args = append(args, "--secret", apiSecret)
		}
		o := run.do(args...)
		identity, err := auth.NewKeys(apiSecret, "").Parse(strings.TrimSuffix(o.out, "\n"))
		if o.code != 0 || err != nil || identity.Subject != "ada" || identity.Scopes.String() != "b3scale:admin b3scale" {
			t.Errorf("%s: %d, %+v, %v, %s", name, o.code, identity, err, o.errs)
		}
		expires := token{text: o.out}.claims().expires
		if left := time.Until(expires); left > time.Hour || left < 30*time.Minute {
			t.Errorf("%s: expires %s", name, expires)
		}
		if !strings.Contains(o.errs, "ada") || strings.Contains(o.errs, apiSecret) {
			t.Errorf("%s: %s", name, o.errs)
		}
	}
	w.ctl("auth", "create_access_token", "--scopes", "b3scale").fails("--sub")
	w.ctl("auth", "create_access_token", "--sub", "x", "--scopes", " ,").fails("--scopes")
	w.ctl("auth", "create_access_token", "--sub", "x", "--scopes", "b3scale", "--secret", "x", "--expires-in", "-1h").fails("--expires-in")
	w.ctl("auth", "create_access_token", "--sub", "x", "--scopes", "b3scale").fails("secret should not be empty", "set B3SCALE_API_JWT_SECRET", "no env file is read")
	w.ctl("auth", "authorize_node_agent").fails("secret should not be empty", "set B3SCALE_API_JWT_SECRET")
	if o := w.ctl("auth", "create_access_token", "--sub", "x", "--scopes", "b3scale:amdin", "--secret", "x"); o.code != 0 || !strings.Contains(o.errs, `did you mean "b3scale:admin"?`) {
		t.Errorf("%d, %s", o.code, o.errs)
	}
}

func TestAuthorizeNodeAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	subjects := map[string]bool{}
	for range 5 {
		o := w.ctl("auth", "authorize_node_agent", "--secret", apiSecret)
		identity, err := auth.NewKeys(apiSecret, "").Parse(strings.TrimSuffix(o.out, "\n"))
		if err != nil || !identity.Has(auth.Node) || identity.Has(auth.Admin) || strings.Count(identity.Subject, "-") != 2 {
			t.Errorf("%+v, %v", identity, err)
		}
		subjects[identity.Subject] = true
	}
	if len(subjects) < 4 {
		t.Errorf("always the same words: %v", subjects)
	}
	o := w.ctl("auth", "authorize_node_agent", "--ref", "bbb1", "--secret", apiSecret)
	if identity, err := auth.NewKeys(b3scale.Secret(apiSecret), "").Parse(strings.TrimSpace(o.out)); err != nil || identity.Subject != "bbb1" {
		t.Errorf("%+v, %v", identity, err)
	}
	w.ctl("auth", "authorize_node_agent", "--ref", strings.Repeat("x", 65), "--secret", apiSecret).fails("--ref", "64")
}

// Every way in which a server can be no help has a cure on one line.
func TestNoHelp(t *testing.T) {
	t.Parallel()
	admin := "B3SCALE_API_ACCESS_TOKEN=" + mint(t, apiSecret, "ci", time.Time{}, auth.Admin)
	gone := fake(t, nil)
	gone.url = "http://127.0.0.1:1" // where nobody listens
	gone.as().env(admin).do("status").fails("nobody answers at http://127.0.0.1:1", "connection refused", "is b3scaled running there?", "--api")
	gone.as().in("x\n").do("auth", "authorize").fails("nobody answers")
	gone.as().env(admin, "B3SCALE_API_URL=127.0.0.1:42353").do("status").fails("http://")
	gone.as().in("x\n").do("--api", "ftp://x", "status").fails("want http://")

	for name, c := range map[string]struct {
		handler http.HandlerFunc
		tells   []string
	}{
		"no API":     {http.NotFound, []string{"no REST API at", "B3SCALE_API_JWT_SECRET"}},
		"a page":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, []string{"is the address right?"}},
		"no store":   {answers(503, `{"message":"Service Unavailable"}`), []string{"cannot serve now", "try again"}},
		"throttled":  {answers(429, `{"message":"Too Many Requests"}`), []string{"too many failed logins", "wait"}},
		"no scope":   {answers(403, `{"message":"b3scale:admin scope required"}`), []string{"authorization failed", "b3scale:admin scope required"}},
		"wrong time": {withDate(time.Now().Add(3*time.Hour), answers(401, `{"message":"invalid or expired jwt"}`)), []string{"the clock of the server is 3h0m0s ahead"}},
		"late":       {withDate(time.Now().Add(-3*time.Hour), answers(401, `{"message":"invalid or expired jwt"}`)), []string{"behind this machine's"}},
		"odd":        {answers(418, `{"message":"I am a\nteapot"}`), []string{"I am a teapot"}},
	} {
		o := fake(t, c.handler).as().env(admin).do("show", "backends").fails(c.tells...)
		if strings.Contains(o.errs, admin[30:]) {
			t.Errorf("%s: tells the token: %s", name, o.errs)
		}
	}
	expiring := "B3SCALE_API_ACCESS_TOKEN=" + mint(t, apiSecret, "ci", time.Now().Add(time.Hour), auth.Admin)
	fake(t, withDate(time.Now().Add(3*time.Hour), answers(401, `{}`))).as().env(expiring).do("status").
		fails("has expired for the server", "3h0m0s ahead", "set the clocks right")

	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	silent := fake(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-block:
		case <-r.Context().Done():
		}
	})
	silent.as().env(admin).do("--timeout", "50ms", "show", "backends").fails("no answer from", "within 50ms", "--timeout")
	tls := fake(t, answers(200, `{}`))
	tls.url = strings.Replace(tls.url, "http:", "https:", 1)
	tls.as().env(admin).do("status").fails("speaks no TLS", "use http://")
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func withDate(at time.Time, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
		next(w, r)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	w := fakeTLS(t)
	w.as().env("B3SCALE_API_ACCESS_TOKEN="+mint(t, apiSecret, "ci", time.Time{}, auth.Admin)).do("status").fails("the certificate of https://", "is not trusted")
}
