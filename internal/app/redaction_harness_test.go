package app_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"b3scale/internal/auth"
)

// untold is a daemon whose whole log is searched for what was used against it.
type untold struct {
	*instance
	network *tap

	mu      sync.Mutex
	secrets []string
	sent    int
}

// send sends one request and forgets the answer, but not what was secret in it.
func (u *untold) send(method, path, contentType, body string, header http.Header) answer {
	u.Helper()
	req, err := http.NewRequestWithContext(u.Context(), method, u.URL()+path, strings.NewReader(body))
	if err != nil {
		u.Fatal(err)
	}
	req.Header = http.Header{}
	for name, values := range header {
		req.Header[name] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		u.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		u.Error(err)
	}
	got := answer{resp.StatusCode, resp.Header.Get("Location"), string(text)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sent++
	u.learn(path, body, got.location, got.body)
	return got
}

var signature = regexp.MustCompile(`checksum=([0-9a-fA-F]{40,128})`)

// learn keeps the checksums of a text for the search. It expects the lock.
func (u *untold) learn(texts ...string) {
	for _, text := range texts {
		for _, found := range signature.FindAllStringSubmatch(text, -1) {
			u.secrets = append(u.secrets, found[1])
		}
	}
}

func (u *untold) browse(path string) answer {
	return u.send(http.MethodGet, path, "", "", http.Header{"Accept": {"text/html"}})
}

func (u *untold) ask(call, query string) answer {
	return u.send(http.MethodGet, signed(call, query), "", "", nil)
}

// rest sends a request with a token.
func (u *untold) rest(token, method, path, body string) answer {
	u.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
		u.mu.Lock()
		u.secrets = append(u.secrets, token)
		for part := range strings.SplitSeq(token, ".") {
			if len(part) > 8 {
				u.secrets = append(u.secrets, part)
			}
		}
		u.mu.Unlock()
	}
	return u.send(method, "/api/v1"+path, "application/json", body, header)
}

func (u *untold) token(subject string, scopes ...auth.Scope) string {
	u.Helper()
	t, err := auth.NewKeys(jwtSecret, "").Mint(auth.Claims{Subject: subject, Scopes: scopes})
	if err != nil {
		u.Fatal(err)
	}
	return t
}

// search looks for all of it, in the form in which it was used and in others
// that a log could give it.
func (u *untold) search() {
	u.Helper()
	log := u.log.String()
	for _, r := range u.network.all() {
		u.learn(r.URL.RawQuery)
	}
	slices.Sort(u.secrets)
	u.secrets = slices.Compact(u.secrets)
	if len(u.secrets) < 60 {
		u.Errorf("only %d secrets: %q", len(u.secrets), u.secrets)
	}
	for _, secret := range u.secrets {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), strings.ToLower(secret)} {
			at := strings.Index(log, form)
			if at < 0 {
				continue
			}
			line := log[strings.LastIndexByte(log[:at], '\n')+1:]
			line, _, _ = strings.Cut(line, "\n")
			u.Errorf("the log tells %q: %s", form, line)
		}
	}
	// All that was done has left its trace, so that there was something to find.
	lines := strings.Count(log, " msg=request ") + strings.Count(log, `"msg":"request"`)
	if lines < u.sent {
		u.Errorf("%d requests have left %d lines", u.sent, lines)
	}
	for _, want := range []string{
		"call failed", "panic", "authentication failed", "request not served", "log level", "draining",
		"redirect", "checksumError", "b3scaleGatewayError", "waiting", "gaveUp", "/b3s/retry-join/…", "POST /api/v1/frontends", "POST /api/v1/agent/events",
	} {
		if !strings.Contains(log, want) {
			u.Errorf("the log does not tell of %q: there was nothing to find", want)
		}
	}
}
