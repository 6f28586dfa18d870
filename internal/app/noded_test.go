package app_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"b3scale"
	"b3scale/internal/app"
	"b3scale/internal/pgtest"
	"b3scale/internal/routing"
)

// A node with Redis and b3scalenoded, and an instance, which meet in PostgreSQL
// and nowhere else.
func TestNoded(t *testing.T) {
	t.Parallel()
	s := newNodedSite(t)

	s.noded.start(t) // without -a
	s.says("no backend has an address that begins with "+serverOf(s.node)+"/: start b3scalenoded with -a once", `"b3scalenoded is deprecated: use b3scaleagent"`)
	s.noded.stop(t)
	if all := s.instance.Cluster().Backends(); len(all) > 0 {
		t.Fatalf("without -a it has added %v", all)
	}

	s.noded.start(t, "-a")
	s.backend("is added", func(b *routing.Backend) bool {
		return b.Host == s.node.BaseURL() && b.Secret == nodeSecret && b.AdminState == b3scale.AdminInit && b.LoadFactor == 1 && b.AgentRef == ""
	})
	s.edit(func(b *b3scale.Backend) { b.AdminState = b3scale.AdminReady })
	s.heard()
	s.backend("may get meetings", func(b *routing.Backend) bool { return len(b.Reasons(time.Now())) == 0 })

	s.comeAndGo("first")

	s.server.Stop()
	s.says("heartbeat not heard")
	s.server.Start()
	s.says("heartbeats are heard again")
	s.come("second")

	s.noded.stop(t)
	settings, err := os.ReadFile(s.properties)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.properties, bytes.Replace(settings, []byte(nodeSecret), []byte("an0ther-secret"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	s.noded.env = append(s.noded.env, "B3SCALE_LOAD_FACTOR=2.5")
	s.edit(func(b *b3scale.Backend) { b.AgentRef = "bbb1" })
	for range 2 { // the second time there is nothing to write
		s.noded.start(t)
		s.says(`"registered"`, `"the backend belongs to a b3scaleagent: stop b3scalenoded"`)
		s.backend("has what the node says", func(b *routing.Backend) bool {
			return b.Secret == "an0ther-secret" && b.LoadFactor == 2.5 && b.AdminState == b3scale.AdminReady
		})
		s.noded.stop(t)
	}
	s.audited("backend.create", "backend.update")

	noSecrets(t, "the log", s.logs.String(), "an0ther-secret", databasePassword)
}

func nodedMain(args, env []string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = app.NodedMain(args, env, &out, &errs)
	return code, out.String(), errs.String()
}

func TestNodedHelpAndMistakes(t *testing.T) {
	t.Parallel()
	dsn := "B3SCALE_DB_URL=" + withPassword(t, pgtest.NewDatabase(t))
	for _, c := range []struct {
		args, env []string
		code      int
		want      string
	}{
		{[]string{"--help"}, nil, 0, "B3SCALE_DB_URL_FILE"},
		{[]string{"-h"}, nil, 0, "-a, -register"},
		{[]string{"--version"}, nil, 0, "b3scalenoded dev 0000000\n"},
		{[]string{"version"}, nil, 0, "b3scalenoded dev 0000000\n"},
		{[]string{"serve"}, nil, 1, `unexpected argument "serve"; see b3scalenoded --help`},
		{[]string{"--check"}, nil, 1, "not defined: -check"},
		{nil, []string{"B3SCALE_DB_URL=sqlite:b3scale.db"}, 1, "an SQLite file belongs to one b3scaled alone: use b3scaleagent"},
		{nil, []string{"B3SCALE_DB_URL=" + refusing(t, "28P01")}, 1, "password authentication failed"},
		{nil, []string{dsn}, 1, "are not there yet: start or update b3scaled first, or run b3scaled migrate"},
	} {
		code, stdout, stderr := nodedMain(c.args, c.env)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%v %v: exit code %d, %s%s, want %d, %q", c.args, c.env, code, stdout, stderr, c.code, c.want)
		}
		noSecrets(t, "the output", stdout+stderr, databasePassword)
	}
}

// It changes no tables, whatever their version is.
func TestNodedSchema(t *testing.T) {
	t.Parallel()
	dsn := pgtest.NewDatabase(t)
	env := []string{"B3SCALE_DB_URL=" + dsn, "B3SCALE_LISTEN_HTTP=127.0.0.1:0"}
	if code, _, stderr := run([]string{"migrate"}, env); code != 0 {
		t.Fatal(stderr)
	}
	before := relations(t, dsn)
	for statement, want := range map[string]string{
		"DELETE FROM goose_db_version WHERE version_id > 0":                                                    "are older than this b3scalenoded: start or update b3scaled first",
		"INSERT INTO goose_db_version (version_id, is_applied) SELECT i, true FROM generate_series(1, 9999) i": "have version 9999, this b3scalenoded knows",
	} {
		execute(t, dsn, "DELETE FROM goose_db_version WHERE version_id > 0")
		execute(t, dsn, statement)
		if code, _, stderr := nodedMain(nil, env[:1]); code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d, %s, want %q", code, stderr, want)
		}
	}
	if n := relations(t, dsn); n != before {
		t.Errorf("it has made %d relations", n-before)
	}
}
