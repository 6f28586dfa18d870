package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"

	"b3scale/internal/apiclient"
	"b3scale/internal/auth"
)

// session is one run of the command.
type session struct {
	Options
	in *bufio.Reader // of all that is read from a pipe

	// flags
	api     string
	output  string
	json    bool
	timeout time.Duration
	yes     bool

	clock  clock // of the server, as far as it was heard
	token  token // of client
	client *apiclient.ClientWithResponses
	server *apiclient.Status
}

func newSession(opts Options) *session {
	if opts.In == nil {
		opts.In = strings.NewReader("")
	}
	if opts.Out == nil {
		opts.Out = io.Discard
	}
	if opts.Err == nil {
		opts.Err = io.Discard
	}
	return &session{Options: opts, in: bufio.NewReader(opts.In)}
}

// getenv is the last value, as a shell would have it.
func (s *session) getenv(name string) (value string) {
	for _, line := range s.Environ {
		if text, found := strings.CutPrefix(line, name+"="); found {
			value = strings.TrimSpace(text)
		}
	}
	return value
}

// setting reads a secret from NAME, or from the file that NAME_FILE names.
func (s *session) setting(name string) (string, error) {
	value, file := s.getenv(name), s.getenv(name+"_FILE")
	switch {
	case file == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%s and %s_FILE are both set: unset one", name, name)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	value = strings.TrimSpace(string(text))
	if value == "" {
		return "", fmt.Errorf("%s_FILE: %s is empty", name, file)
	}
	return value, nil
}

// need is what a command does.
type need int

const (
	looks   need = iota // a token that may only read will do
	changes             // the token must be an administrator's
)

// login makes sure of a token that the server accepts.
func (s *session) login(ctx context.Context, what need) error {
	t, err := s.findToken()
	if err != nil {
		return err
	}
	if err := s.use(t); err != nil {
		return err
	}
	switch {
	case t.text == "" && !isTerminal(s.In): // what is piped in is for others, such as the rest of a script's loop
		return fmt.Errorf("no token for %s yet: %s, into which the secret may be piped, or set %s", s.api, authorizeAgain, nameOfToken)
	case t.text == "":
		return s.authorize(ctx, time.Time{})
	}
	if err := s.ask(ctx); err != nil {
		return err
	}
	if s.server.IsAdmin || what == looks && t.claims().scopes.Has(auth.Read) {
		return nil
	}
	return fmt.Errorf("authorization failed: the token of %q in %s is no administrator's: run b3scalectl auth authorize, or use another token", s.server.AccountRef, t.source)
}

// use makes the client of a token.
func (s *session) use(t token) (err error) {
	timeout := s.timeout
	if timeout == 0 {
		timeout = -1 // as the client spells for ever
	}
	s.token = t
	s.client, err = apiclient.New(s.api, apiclient.Options{
		Token: t.text, UserAgent: "b3scalectl/" + s.Version, Timeout: timeout, Transport: &s.clock,
	})
	if err != nil {
		return fmt.Errorf("%w: write it like %s, in --api or B3SCALE_API_URL", err, defaultAPI)
	}
	return nil
}

// ask asks the server for its status, with which it tells whether the token is
// good.
func (s *session) ask(ctx context.Context) error {
	answer, err := s.client.RootReadWithResponse(ctx)
	if apiclient.IsNotFound(err) {
		return fmt.Errorf("there is no REST API at %s: is this the address of b3scaled, and is B3SCALE_API_JWT_SECRET set there?", s.api)
	}
	if err != nil {
		return err
	}
	s.server = answer.JSON200
	return nil
}

// confirm asks before something that cannot be taken back. Scripts are not
// asked.
func (s *session) confirm(ctx context.Context, format string, args ...any) error {
	if s.yes || !isTerminal(s.In) {
		return nil
	}
	_, _ = fmt.Fprintf(s.Err, format+" [y/N] ", cleanAll(args)...)
	answer, err := interruptible(ctx, func() (string, error) { return s.in.ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was done")
}

// interruptible waits for input no longer than for a signal.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// say prints a line for people and scripts.
func (s *session) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Out, format+"\n", cleanAll(args)...)
}

// complain prints a line that is no data.
func (s *session) complain(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Err, format+"\n", cleanAll(args)...)
}

// cleanAll keeps names that users chose from talking to the terminal.
func cleanAll(args []any) []any {
	cleaned := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			cleaned[i] = clean(arg)
		case error:
			cleaned[i] = clean(arg.Error())
		default:
			cleaned[i] = arg
		}
	}
	return cleaned
}

// clean makes one line without control characters of a text.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if isObeyed(r) {
			return ' '
		}
		return r
	}, text)
}

// isObeyed reports whether terminals do something else with a character than
// show it.
func isObeyed(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// file is what os.File has.
type file interface{ Fd() uintptr }

func isTerminal(stream any) bool {
	f, ok := stream.(file)
	return ok && term.IsTerminal(int(f.Fd()))
}
