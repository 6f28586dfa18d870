package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"b3scale/bbb/bbbtest"
)

// recordings are what the nodes publish, and the script after it that tells
// b3scale, as deploy/bbb has one for real nodes.
type recordings struct {
	dir, url, tokenFile string
	pauses              []time.Duration // between attempts; 1, 2, 5, 10 and 30 s
}

func (r *recordings) flags(flags *flag.FlagSet) {
	flags.StringVar(&r.dir, "recordings", "", "`directory` where all nodes publish recordings, as DIR/FORMAT/ID, like the inbox of b3scale; none if empty")
	flags.StringVar(&r.url, "import-url", "", "`URL` of b3scale, which is told of each format that is published; nobody if empty")
	flags.StringVar(&r.tokenFile, "import-token-file", "", "`file` with the token for that, of an agent or an administrator")
}

// prepare checks the flags and lets the nodes publish. ctx ends attempts to tell.
func (r *recordings) prepare(ctx context.Context, node *bbbtest.Options, log *slog.Logger) error {
	if (r.url == "") != (r.tokenFile == "") || r.url != "" && r.dir == "" {
		return errors.New("-import-url, -import-token-file and -recordings belong together")
	}
	node.RecordingsDir = r.dir
	node.PublishFailed = func(err error) { log.Error("recording not published", "error", err) }
	if r.url == "" {
		return nil
	}
	if u, err := url.Parse(r.url); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("-import-url is not like https://b3scale.example.org")
	}
	if r.pauses == nil {
		r.pauses = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}
	}
	node.Published = func(format, id, path string) {
		switch err := r.tell(ctx, id, path); {
		case ctx.Err() != nil:
		case err != nil:
			log.Error("recording not imported", "recording", id, "format", format, "error", err)
		default:
			log.Info("recording imported", "recording", id, "format", format)
		}
	}
	return nil
}

// tell tries again as long as that may help.
func (r *recordings) tell(ctx context.Context, id, path string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		final, err := r.post(ctx, id, document)
		if err == nil || final || i >= len(r.pauses) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.pauses[i]):
		}
	}
}

// post makes one attempt. It is final when another one would have the same end.
func (r *recordings) post(ctx context.Context, id string, document []byte) (final bool, err error) {
	token, err := os.ReadFile(r.tokenFile)
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(r.url, "/")+"/api/v1/recordings-import", bytes.NewReader(document))
	if err != nil {
		return true, err
	}
	req.Header.Set("Content-Type", "application/xml")
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusOK {
		again := resp.StatusCode >= 500 || resp.StatusCode == http.StatusConflict || resp.StatusCode == http.StatusTooManyRequests
		return !again, fmt.Errorf("answered %d: %.300q", resp.StatusCode, body)
	}
	var imported struct{ RecordID string }
	if err := json.Unmarshal(body, &imported); err != nil || imported.RecordID != id {
		return false, fmt.Errorf("answered 200 without the recording: %.300q", body)
	}
	return false, nil
}
