package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// shelf is where the servers put recordings and b3scale keeps them.
type shelf struct {
	dir   string
	log   *slog.Logger
	ready chan struct{} // closed when url and token are known

	url, token string
}

func newShelf(dir string, log *slog.Logger) (*shelf, error) {
	s := &shelf{dir: dir, log: log, ready: make(chan struct{})}
	for _, tree := range []string{"inbox", "published", "unpublished"} {
		if err := os.Mkdir(filepath.Join(dir, tree), 0o700); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *shelf) inbox() string { return filepath.Join(s.dir, "inbox") }

func (s *shelf) settings() []string {
	return []string{
		"B3SCALE_RECORDINGS_PUBLISHED_PATH=" + filepath.Join(s.dir, "published"),
		"B3SCALE_RECORDINGS_UNPUBLISHED_PATH=" + filepath.Join(s.dir, "unpublished"),
		"B3SCALE_RECORDINGS_INBOX_PATH=" + s.inbox(),
	}
}

// open says where b3scale is told of recordings, once it runs.
func (s *shelf) open(url, token string) {
	s.url, s.token = url+"/api/v1/recordings-import", token
	close(s.ready)
}

// published tells b3scale of a recording until ctx ends, as a script on a real
// server does.
func (s *shelf) published(ctx context.Context) func(format, id, metadata string) {
	return func(format, id, metadata string) {
		select {
		case <-s.ready:
		case <-ctx.Done():
			return
		}
		if err := s.tell(ctx, metadata); err != nil && ctx.Err() == nil {
			s.log.Error("recording not imported", "recording", id, "format", format, "error", err)
		}
	}
}

func (s *shelf) tell(ctx context.Context, metadata string) error {
	document, err := os.ReadFile(metadata)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(document))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/xml")
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20)); resp.StatusCode != http.StatusOK || err != nil {
		return errors.Join(fmt.Errorf("b3scale answered %d: %s", resp.StatusCode, body), err)
	}
	return nil
}

// recording waits until the frontend sees the recording of the meeting.
func (d *driver) recording(ctx context.Context) error {
	for {
		answer, err := d.call(ctx, "getRecordings", "meetingID="+meetingID)
		if err != nil {
			return err
		}
		one := answer.Child("recordings").Child("recording")
		if format := one.Child("playback").Child("format"); one.Child("recordID").Text() == d.internalID && format.Exists() {
			d.say("recording", "%s is %s as %s at %s", one.Child("meetingID").Text(), one.Child("state").Text(), format.Child("type").Text(), format.Child("url").Text())
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return errors.New("getRecordings never showed the recording")
		}
	}
}
