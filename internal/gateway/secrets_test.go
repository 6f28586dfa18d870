package gateway_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"b3scale/bbb"
	"b3scale/internal/logtest"
)

// checkReply holds for every answer.
func (h *harness) checkReply(got reply, r request) {
	h.Helper()
	contentType := got.header.Get("Content-Type")
	if length := got.header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(got.body)) && r.method != http.MethodHead {
		h.Errorf("Content-Length is %s, the body of %s %s has %d bytes", length, r.method, r.target, len(got.body))
	}
	if contentType == bbb.ContentType {
		if err := wellFormed(got.body); err != nil {
			h.Errorf("%s %s: answer is not well-formed: %v\n%v", r.method, r.target, err, got)
		}
		if c := got.header.Get("Cache-Control"); c != "no-cache" {
			h.Errorf("%s %s: Cache-Control is %q, want no-cache", r.method, r.target, c)
		}
	}
	if strings.HasPrefix(got.body, "<response>") && (contentType != bbb.ContentType || got.status == http.StatusOK && got.header.Get("Content-Length") == "") {
		h.Errorf("%s %s: Content-Type or -Length is wrong: %v", r.method, r.target, got)
	}
	secrets := h.secrets()
	if got.status != http.StatusFound { // only redirects lead to a node
		for _, n := range h.nodes {
			secrets = append(secrets, strings.TrimPrefix(n.PublicURL(), "https://"))
		}
		if contentType == bbb.ContentType {
			secrets = append(secrets, "checksum=")
		}
	}
	for _, secret := range secrets {
		if strings.Contains(got.body, secret) || strings.Contains(got.header.Get("Location"), secret) {
			h.Errorf("%s %s: the answer tells %q: %v", r.method, r.target, secret, got)
		}
	}
}

// wellFormed asks the strict parser of the standard library.
func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// checkLog runs when the test is over.
func (h *harness) checkLog() {
	text := h.log.String()
	forbidden := append(h.secrets(), "checksum=", "Lovelace", moderatorPW, attendeePW, "panic")
	for _, n := range h.nodes {
		for _, r := range n.Rooms() {
			forbidden = append(forbidden, r.AttendeePW, r.ModeratorPW)
			for _, a := range r.Attendees {
				forbidden = append(forbidden, a.FullName)
			}
		}
	}
	for _, secret := range forbidden {
		if at := strings.Index(text, secret); at >= 0 {
			line := text[strings.LastIndexByte(text[:at], '\n')+1:]
			line, _, _ = strings.Cut(line, "\n")
			h.Errorf("the log tells %q: %s", secret, line)
		}
	}
}

func (h *harness) secrets() []string {
	secrets := []string{secretOne, secondSecretOne, secretTwo, secretOff}
	for _, n := range h.nodes {
		secrets = append(secrets, n.API().Secret)
	}
	return secrets
}

// syncBuffer may be written to at the same time.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	logtest.Keep(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// Reset forgets what was written.
func (b *syncBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
