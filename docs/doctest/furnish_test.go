package doctest

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"

	"b3scale"
	"b3scale/docs/markdown"
	"b3scale/internal/pgtest"
)

// copyOf writes the first block of a language on a page into a file.
func (w *world) copyOf(language, name, file string) {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	w.must(err)
	p, err := markdown.Parse(text)
	w.must(err)
	for _, b := range p.Blocks {
		if b.Language == language {
			w.must(os.WriteFile(filepath.Join(w.dir, file), []byte(b.Text), 0o600))
			return
		}
	}
	w.Fatalf("%s has no block of %s", name, language)
}

// prepareSimulation gives bbbsim addresses of its own, and a Redis for each
// server.
func (w *world) prepareSimulation() {
	w.Helper()
	control := w.free()
	w.words = append(w.words, "127.0.0.1:8090", control, "127.0.0.1:6379", miniredis.RunT(w).Addr(), "127.0.0.1:6380", miniredis.RunT(w).Addr())
	w.words = append(w.words, "bin/bbbsim -", "bin/bbbsim -listen 127.0.0.1:0 -control "+control+" -")
	w.must(os.WriteFile(filepath.Join(w.dir, "token"), []byte("a token"), 0o600))
}

// free is an address that nobody has just now.
func (w *world) free() string {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// prepareOld makes a database of the existing product, with what its rows can
// look like after years: no settings, a time without a value, hosts without a
// slash at the end.
func (w *world) prepareOld() {
	w.Helper()
	old := pgtest.NewDatabase(w)
	conn, err := pgx.Connect(w.Context(), old)
	w.must(err)
	defer func() { _ = conn.Close(context.WithoutCancel(w.Context())) }()
	for _, statement := range []string{
		`CREATE TYPE instance_state AS ENUM ('init', 'ready', 'error', 'stopped', 'decommissioned')`,
		`CREATE TABLE backends (id UUID PRIMARY KEY, node_state instance_state, admin_state instance_state, load_factor REAL, host TEXT UNIQUE,
			secret TEXT, settings JSONB DEFAULT '{}', created_at TIMESTAMP, updated_at TIMESTAMP, agent_ref VARCHAR(64) UNIQUE)`,
		`CREATE TABLE frontends (id UUID PRIMARY KEY, key TEXT UNIQUE, secret TEXT, account_ref VARCHAR(80), settings JSONB, active BOOL DEFAULT true,
			created_at TIMESTAMP, updated_at TIMESTAMP)`,
		`CREATE TABLE recordings (record_id VARCHAR(255) PRIMARY KEY, state JSONB, frontend_id UUID)`,
		`CREATE TABLE meetings (id VARCHAR(255) PRIMARY KEY)`,
		`INSERT INTO frontends VALUES
			(gen_random_uuid(), 'moodle', 'the-secret', NULL, '{"required_tags": null, "attendees_limit": null, "create_default_params": {"muteOnStart": "true"}}', true, now(), '0001-01-01'),
			(gen_random_uuid(), 'greenlight', E'back\\slash', 'school', '{}', false, now(), now())`,
		`INSERT INTO recordings VALUES ('` + recordingID + `', '{"Metadata": {"gl-listed": "true", "protect": "true"}}')`,
	} {
		_, err := conn.Exec(w.Context(), statement)
		w.must(err)
	}
	for i, node := range w.nodes {
		host, factor := node.BaseURL(), 1
		if i == 0 {
			host, factor = host[:len(host)-1], 0
		}
		_, err := conn.Exec(w.Context(), `INSERT INTO backends VALUES (gen_random_uuid(), 'ready', 'ready', $1, $2, $3, '{"tags": null}', now(), '0001-01-01', NULL)`, factor, host, nodeSecret)
		w.must(err)
	}
	w.env = append(w.env, "OLD="+old, "ADOPTS=yes", "B3SCALE_API_JWT_SECRET="+apiSecret)
	w.env = append(w.env, w.trees()...)
	w.words = append(w.words, "http://127.0.0.1:42354", w.url)
	w.recording("published")
	w.must(filepath.WalkDir(filepath.Join(w.dir, "published"), func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(name, time.Now().Add(-24*time.Hour), time.Now().Add(-24*time.Hour)) // or it may still be arriving
	}))
	room := w.nodes[0].API().URL("create", "meetingID="+url.QueryEscape(b3scale.EncodeMeetingID(frontendKey, meetingID))+"&name=Physics&meta_b3s-frontend="+frontendKey)
	w.call(http.MethodGet, room, nil, "")
}
