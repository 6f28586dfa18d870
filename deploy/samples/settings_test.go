package samples_test

import (
	"context"
	"crypto/rand"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"b3scale/internal/config"
	"b3scale/internal/pgtest"
)

// only gives programs one file.
func only(t *testing.T, sample, name string) config.Options {
	t.Helper()
	text, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	return config.Options{ReadFile: func(asked string) ([]byte, error) {
		if asked != name {
			return nil, fs.ErrNotExist
		}
		return text, nil
	}}
}

func TestTheAgentTakesItsSample(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := config.LoadAgent(nil, only(t, "bbb-node/b3scaleagent.env", "/etc/default/b3scaleagent"))
	if err != nil || len(warnings) > 0 || cfg.APIURL != "https://b3scale.example.org" || cfg.Token != "CHANGE" {
		t.Errorf("got %+v, %v, %q", cfg, err, warnings)
	}
}

// An engine hands the lines of an env file over as they are: quotes would stay.
func TestTheDaemonTakesTheSampleForContainers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("env/docker.env")
	if err != nil {
		t.Fatal(err)
	}
	sample := string(text)
	all := regexp.MustCompile(`(?m)^#(B3SCALE_)`).ReplaceAllString(sample, "$1") // what is commented out changes nothing
	for _, text := range []string{sample, all} {
		var environ []string
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
				environ = append(environ, line)
			}
		}
		cfg, warnings, err := config.Load(environ, config.Options{ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist }})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range warnings {
			if text == sample && !strings.Contains(w, "is not set") {
				t.Errorf("warning: %s", w)
			}
		}
		if cfg.Listen != ":42353" || cfg.Store.Path != "/var/lib/b3scale/b3scale.db" {
			t.Errorf("it listens at %s with %s", cfg.Listen, cfg.Store)
		}
	}
	for _, v := range config.Variables() {
		if !strings.Contains(sample, "\n#"+v.Name+"=") && !strings.Contains(sample, "\n"+v.Name+"=") {
			t.Errorf("it says nothing of %s", v.Name)
		}
	}
}

// PostgreSQL itself takes the sample, and the user may make tables then.
func TestPostgreSQLTakesTheSample(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("postgresql/b3scale.sql")
	if err != nil {
		t.Fatal(err)
	}
	name := "b3scale_" + strings.ToLower(rand.Text()[:12])
	ctx := context.WithoutCancel(t.Context())
	admin := pgtest.NewDatabase(t)
	conn := connect(ctx, t, admin)
	comments := regexp.MustCompile(`(?m)--.*$`)
	statements := strings.Split(strings.ReplaceAll(comments.ReplaceAllString(string(raw), ""), "b3scale", name), ";")
	t.Cleanup(func() {
		for _, statement := range []string{"DROP DATABASE " + name, "DROP ROLE " + name} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				t.Error(err)
			}
		}
	})
	for _, statement := range statements {
		if statement = strings.TrimSpace(statement); statement == "" {
			continue
		}
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	own, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	own.Path = "/" + name
	user := connect(ctx, t, own.String())
	if _, err := user.Exec(ctx, "SET ROLE "+name); err != nil {
		t.Fatal(err)
	}
	if _, err := user.Exec(ctx, "CREATE TABLE t (a BIGINT)"); err != nil {
		t.Error(err)
	}
	var settings []string
	if err := conn.QueryRow(ctx, "SELECT setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname = $1", name).Scan(&settings); err != nil || len(settings) != 3 {
		t.Errorf("settings of the user: %q, %v", settings, err)
	}
	if err := user.Close(ctx); err != nil {
		t.Error(err)
	}
}

func connect(ctx context.Context, t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(ctx) }) // a second time for some
	return conn
}
