package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"b3scale/bbb/bbbtest"
)

// balancer answers imports with what it is given, the last answer for ever.
type balancer struct {
	mu      sync.Mutex
	answers []string // "200 body"
	got     []string // Authorization and document
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	document, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v1/recordings-import" {
		http.NotFound(w, r)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, r.Header.Get("Authorization")+" "+string(document))
	answer := b.answers[0]
	if len(b.answers) > 1 {
		b.answers = b.answers[1:]
	}
	status, body, _ := strings.Cut(answer, " ")
	w.WriteHeader(map[string]int{"200": 200, "302": 302, "401": 401, "404": 404, "409": 409, "503": 503}[status])
	_, _ = io.WriteString(w, body)
}

func (b *balancer) attempts() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.got...)
}

func TestRecordingsAreTold(t *testing.T) {
	t.Parallel()
	b := &balancer{answers: []string{`503 {}`, `200 {}`}}
	server := httptest.NewServer(b)
	defer server.Close()
	dir, token := t.TempDir(), filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	node := nodesOf(t, start(t, "-recordings", dir, "-formats", "podcast", "-users", "1", "-import-url", server.URL+"/", "-import-token-file", token), 1)[0]
	callNode(t, node, "create", "meetingID=room&name=Room&record=true&autoStartRecording=true")
	waitFor(t, "somebody in the room", func() bool {
		return strings.Contains(callNode(t, node, "getMeetingInfo", "meetingID=room"), "<participantCount>1<")
	})
	callNode(t, node, "end", "meetingID=room")
	waitFor(t, "a second attempt", func() bool { return len(b.attempts()) == 2 })
	files, err := filepath.Glob(filepath.Join(dir, "podcast", "*", "metadata.xml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got %v, %v", files, err)
	}
	document, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range b.attempts() {
		if want := "Bearer hush " + string(document); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// The third attempt is still waiting for its time: that must not keep bbbsim.
}

func TestImportAttempts(t *testing.T) {
	t.Parallel()
	const good, away = `200 {"RecordID":"id-1"}`, "503 "
	for _, c := range []struct {
		name     string
		answers  []string
		attempts int
		log      string
	}{
		{"at once", []string{good}, 1, "recording imported"},
		{"files come later", []string{"409 ", "409 ", good}, 3, "recording imported"},
		{"another answers", []string{"200 <html>", `200 {"RecordID":"id-2"}`, good}, 3, "recording imported"},
		{"away", []string{away}, 4, "answered 503"},
		{"unknown", []string{"404 no meeting"}, 1, "no meeting"},
		{"refused", []string{"401 ", good}, 1, "answered 401"},
		{"elsewhere", []string{"302 ", good}, 1, "answered 302"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := &balancer{answers: c.answers}
			server := httptest.NewServer(b)
			defer server.Close()
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, []byte("hush"), 0o600); err != nil {
				t.Fatal(err)
			}
			var log output
			var node bbbtest.Options
			r := recordings{dir: "x", url: server.URL, tokenFile: file, pauses: make([]time.Duration, 3)}
			if err := r.prepare(t.Context(), &node, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
				t.Fatal(err)
			}
			node.Published("video", "id-1", file)
			if got := len(b.attempts()); got != c.attempts || !strings.Contains(log.String(), c.log) || strings.Contains(log.String(), "hush") {
				t.Errorf("%d attempts, want %d and %q: %s", got, c.attempts, c.log, log.String())
			}
		})
	}
}

// What cannot be told is not waited for when bbbsim ends.
func TestImportEnds(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&balancer{answers: []string{"503 "}})
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	var node bbbtest.Options
	r := recordings{dir: "x", url: server.URL, tokenFile: file, pauses: []time.Duration{0, 10 * time.Hour}}
	if err := r.prepare(ctx, &node, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); node.Published("video", "id-1", file) }()
	stop()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("the script goes on")
	}
}
