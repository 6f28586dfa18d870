package ctl

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"b3scale"
	"b3scale/internal/apiclient"
	"b3scale/internal/auth"
)

// token is a JWT and where it comes from, for people.
type token struct {
	text, source string
}

// claims are what a token says of itself. Only the server can tell whether
// that is true.
type claims struct {
	scopes  auth.Scopes
	expires time.Time // zero: never
}

func (t token) claims() (c claims) {
	_, rest, _ := strings.Cut(t.text, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(payload) // a text that is no token says nothing
	var said struct {
		Scope   string  `json:"scope"`
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(raw, &said) != nil {
		return claims{}
	}
	c.scopes = auth.ParseScopes(said.Scope)
	if said.Expires > 0 {
		c.expires = time.Unix(int64(said.Expires), 0)
	}
	return c
}

// nameOfToken has an older name that documentation used.
const nameOfToken, olderNameOfToken = "B3SCALE_API_ACCESS_TOKEN", "B3SCALE_ACCESS_TOKEN" //nolint:gosec // names of variables

// findToken looks for a token. Its text is empty when there is none.
func (s *session) findToken() (token, error) {
	for _, name := range []string{nameOfToken, olderNameOfToken} {
		text, err := s.setting(name)
		if err != nil {
			return token{}, err
		}
		if text != "" {
			return token{text, name}, nil
		}
	}
	path, err := s.tokenFile()
	if err != nil {
		return token{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return token{}, fmt.Errorf("read the token that was kept: %w", err)
	}
	return token{strings.TrimSpace(string(text)), path}, nil
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9.]+`)

// tokenFile is where the token for this API is kept.
func (s *session) tokenFile() (string, error) {
	dir, err := s.configDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "b3scale", notInNames.ReplaceAllString(s.api+".access_token", "_")), nil
}

// configDir is os.UserConfigDir for the environment that we were given.
func (s *session) configDir() (string, error) {
	name, below := "HOME", ".config"
	switch runtime.GOOS {
	case "windows":
		name, below = "AppData", ""
	case "darwin":
		below = "Library/Application Support"
	default:
		if dir := s.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
			return dir, nil
		}
	}
	home := s.getenv(name)
	if home == "" {
		return "", fmt.Errorf("no place to keep a token: %s is not set; set it, or %s", name, nameOfToken)
	}
	return filepath.Join(home, below), nil
}

// keepToken writes the file as a whole, or leaves the one that is there.
func (s *session) keepToken(text string) (path string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep the token: %w", err)
		}
	}()
	if path, err = s.tokenFile(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-*") // 0600
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(f.Name(), path)
}

// authorize asks for the secret until the server accepts a token made with it,
// and only then keeps that token.
func (s *session) authorize(ctx context.Context, expires time.Time) error {
	if err := s.use(token{}); err != nil { // a wrong address need not be asked about
		return err
	}
	for {
		secret, err := s.askSecret(ctx, "Secret of the API at "+s.api+" (B3SCALE_API_JWT_SECRET): ", "type it, pipe it in, or set "+nameOfToken)
		if err != nil {
			return err
		}
		text, err := auth.NewKeys(secret, "").Mint(auth.Claims{Subject: "b3scalectl", Scopes: auth.Scopes{auth.Admin}, Expires: expires})
		if err != nil {
			return err
		}
		if err := s.use(token{text: text}); err != nil {
			return err
		}
		err = s.ask(ctx)
		if err == nil {
			path, err := s.keepToken(text)
			s.token.source = path
			return err
		}
		if statusOf(err) != http.StatusUnauthorized || !isTerminal(s.In) {
			return err
		}
		s.complain("%v", s.explain(ctx, err))
	}
}

// askSecret reads a secret without showing it. A pipe works, too. The cure is
// for those who give none.
func (s *session) askSecret(ctx context.Context, prompt, cure string) (b3scale.Secret, error) {
	_, _ = fmt.Fprint(s.Err, clean(prompt))
	var line string
	var err error
	if isTerminal(s.In) {
		line, err = readHidden(ctx, s.In.(file))
		_, _ = fmt.Fprintln(s.Err)
	} else {
		line, err = interruptible(ctx, func() (string, error) { return s.in.ReadString('\n') })
		_, _ = fmt.Fprintln(s.Err)
	}
	line = strings.TrimSpace(line)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case line != "":
		return b3scale.Secret(line), nil
	case err != nil && !isEnd(err):
		return "", fmt.Errorf("read the secret: %w", err)
	}
	return "", errors.New("secret should not be empty: " + cure)
}

// statusOf is the HTTP status of an answer that says no; 0 when there was none.
func statusOf(err error) int {
	if e, ok := errors.AsType[*apiclient.Error](err); ok {
		return e.Status
	}
	return 0
}
